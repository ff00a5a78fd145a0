//! How long a leader waits for company, and how much may wait for a leader.

use std::time::Duration;

use crate::format::batch::Batch;
use crate::options::{Durability, LogOptions};

/// What a leader knows from the rounds before.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) sync: Duration,
    /// The arrivals when the last round took the queue.
    pub(crate) taken_at: u64,
    /// How many callers may come before the next round: those it released, and who came meanwhile.
    pub(crate) expected: u64,
}

impl Pace {
    /// After a round that took the queue at so many arrivals, with so many more since.
    pub(crate) fn after(&self, sync: Duration, arrivals: u64, since: u64) -> Self {
        let released = arrivals - self.taken_at;
        // The mean of the last few rounds: one slow sync should not make the next leader patient.
        let sync = if self.sync.is_zero() {
            sync
        } else {
            (self.sync * 3 + sync) / 4
        };
        Self {
            sync,
            taken_at: arrivals,
            expected: released + since,
        }
    }
}

/// How much may wait to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) records: usize,
}

impl Bounds {
    /// What [`Durability::Buffered`] collects before it writes: more gains nothing.
    const BUFFER_BYTES: usize = 256 << 10;

    pub(crate) fn of(options: &LogOptions) -> Self {
        let most = match options.durability {
            Durability::Buffered => Self::BUFFER_BYTES,
            Durability::Synced | Durability::Flushed => usize::MAX,
        };
        Self {
            bytes: options.queue_bytes.min(most),
            records: options.queue_records,
        }
    }

    pub(crate) fn allow(self, queued: &Batch) -> bool {
        queued.bytes.len() <= self.bytes && queued.records < self.records
    }
}
