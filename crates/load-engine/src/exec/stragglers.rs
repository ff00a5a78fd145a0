//! Threads that a run ended without.

use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::error::{RunError, panicked};
use crate::exec::messages::{Left, UserReport};
use crate::step::Failure;

/// The threads that were inside the workload when the run ended at its deadline.
///
/// A thread cannot be ended from outside, so such a one goes on until the workload's code returns:
/// then it tears its user down and ends, and nothing that it did after the deadline is in the record
/// or the ledger. Until then it holds the workload, and what it asked of the target may still be done.
/// Dropping this lets them be; the end of the process ends them.
#[derive(Debug)]
pub struct Stragglers {
    threads: Vec<JoinHandle<()>>,
    inbox: Receiver<UserReport>,
    left: u32,
}

impl Stragglers {
    pub(crate) fn new(threads: Vec<JoinHandle<()>>, left: Left) -> Self {
        Self {
            threads,
            inbox: left.inbox,
            left: left.threads,
        }
    }

    /// How many threads have not come back.
    pub fn count(&mut self) -> u32 {
        while let Ok(report) = self.inbox.try_recv() {
            self.hear(&report);
        }
        self.left
    }

    /// Waits until all have come back, and at most for this long. Says how many have not; when it is
    /// none, no thread holds the workload any more.
    ///
    /// # Errors
    ///
    /// When one panicked outside the workload, which is a defect of the engine.
    pub fn wait(&mut self, length: Duration) -> Result<u32, RunError> {
        let clock = MonotonicClock::new();
        let until_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        while self.left > 0 {
            let left_ns = until_ns.saturating_sub(clock.now_ns());
            match self.inbox.recv_timeout(Duration::from_nanos(left_ns)) {
                Ok(report) => self.hear(&report),
                Err(_) => return Ok(self.left),
            }
        }
        for thread in self.threads.drain(..) {
            thread
                .join()
                .map_err(|panic| panicked("load-engine:user", &Failure::from_panic(&*panic)))?;
        }
        Ok(0)
    }

    fn hear(&mut self, report: &UserReport) {
        if matches!(report, UserReport::ThreadEnded) {
            self.left -= 1;
        }
    }
}
