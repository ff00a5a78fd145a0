//! Arrivals in their order, by their times.

use crate::plan::schedule::{Schedule, Spacing};
use crate::workload::rng::Rng;

/// Hands out the arrivals in their order.
pub(crate) struct Timetable {
    schedule: Schedule,
    count: u64,
    next: u64,
    rng: Rng,
    /// Where the last arrival of a Poisson process lay, in arrivals.
    position: f64,
}

impl Timetable {
    pub(crate) fn new(schedule: Schedule, seed: u64) -> Self {
        let count = schedule.arrivals();
        Self {
            schedule,
            count,
            next: 0,
            rng: Rng::new(seed),
            position: 0.0,
        }
    }

    /// The next arrival's number, and its time in nanoseconds.
    pub(crate) fn next(&mut self) -> Option<(u64, u64)> {
        if self.next == self.count {
            return None;
        }
        let number = self.next;
        let position = match self.schedule.spacing {
            Spacing::Uniform => number as f64,
            Spacing::Poisson => self.next_position(),
        };
        self.next += 1;
        Some((number, self.schedule.time_at(position).as_nanos() as u64))
    }

    fn remaining(&self) -> u64 {
        self.count - self.next
    }

    /// Given their count, the arrivals of a Poisson process lie like so many uniform numbers in
    /// order, and the next of `m` of these in what is left is its minimum: `1 - U^(1/m)` of it.
    fn next_position(&mut self) -> f64 {
        let left = self.count as f64 - self.position;
        let remaining = self.remaining() as f64;
        self.position -= left * (-self.rng.exponential() / remaining).exp_m1();
        // The last arrival's fraction is whole in `count` and may not be in the rates' integral.
        self.position * (self.schedule.expected() / self.count as f64).min(1.0)
    }
}
