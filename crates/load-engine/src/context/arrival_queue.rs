//! The arrivals of an open model, which its users share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::plan::schedule::{Schedule, Timetable};

/// The arrivals of a run.
///
/// Whoever is free takes the next one and waits until it is due. So there is no dispatcher that could
/// be late and no queue that could grow: an arrival that nobody has taken when it is due is the queue.
pub(crate) struct ArrivalQueue {
    /// Locked once an arrival, before the arrival is due or while it is late anyway.
    arrivals: Mutex<Timetable>,
    /// The highest number of those that were started, and 1.
    started: AtomicU64,
    pub(crate) schedule_ns: u64,
    pub(crate) max_start_delay_ns: u64,
}

impl ArrivalQueue {
    pub(crate) fn new(schedule: &Schedule, max_start_delay: Duration, seed: u64) -> Self {
        Self {
            arrivals: Mutex::new(Timetable::new(schedule.clone(), seed)),
            started: AtomicU64::new(0),
            schedule_ns: schedule.duration().as_nanos() as u64,
            max_start_delay_ns: u64::try_from(max_start_delay.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// The next arrival that nobody has taken: its number, and when it is due by the model's time.
    pub(crate) fn next(&self) -> Option<(u64, u64)> {
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    }

    /// Notes that an arrival was started. Says whether none was that is due later.
    pub(crate) fn start(&self, number: u64) -> bool {
        self.started.fetch_max(number + 1, Ordering::Relaxed) <= number
    }
}
