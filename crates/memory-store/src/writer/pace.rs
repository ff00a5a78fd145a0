//! How long the writer lets a group gather. The crate's only clock, and a monotonic one: no result
//! depends on it, only how many callers share a sync, and the statistics of how long things take.
//!
//! Callers that were just acknowledged come back with their next write within microseconds. A
//! writer that starts the next commit with the first of them syncs for a part of them, and the
//! others wait for two syncs. So after a group of several, the writer waits for as many again, but
//! for no longer than a quarter of what the last commit took. After a group of one it waits for
//! nobody: a lone caller never pays for company that does not come.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// The part of a commit's time that is worth waiting to save another commit.
const PATIENCE_DIVISOR: u32 = 4;

#[derive(Debug, Default)]
pub(crate) struct Pace {
    last_group: usize,
    last_commit: Duration,
}

impl Pace {
    /// Learns from a commit of that many writes that began at that moment.
    pub(crate) fn learn(&mut self, group: usize, began: Stopwatch) {
        self.last_group = group;
        self.last_commit = began.0.elapsed();
    }

    /// The next job, or none once there is nothing to gain from waiting.
    pub(crate) fn next<T>(
        &self,
        gathered: usize,
        jobs: &Receiver<T>,
        began: Stopwatch,
    ) -> Option<T> {
        if let Ok(job) = jobs.try_recv() {
            return Some(job);
        }
        if gathered >= self.last_group {
            return None;
        }
        let patience = self.last_commit / PATIENCE_DIVISOR;
        jobs.recv_timeout(patience.saturating_sub(began.0.elapsed()))
            .ok()
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
