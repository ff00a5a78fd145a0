//! The target: sleeps as long as it is told, and writes down what that came to.

use std::sync::{Mutex, PoisonError};

use super::KnownDelay;
use crate::clock::Clock;
use crate::plan::schedule::Schedule;
use crate::step::{Failure, StepSpec};
use crate::workload::Workload;
use crate::workload::iteration::Iteration;

pub(super) const CALL: StepSpec = StepSpec::new("call");

pub(super) struct Target<'c> {
    clock: &'c dyn Clock,
    delay: KnownDelay,
    /// When calls are due; without one, when they begin.
    schedule: Option<Schedule>,
    /// From when a call was due to when it was answered, by a book of its own: not the engine's
    /// histograms, which are what is to be checked.
    book: Mutex<Vec<Took>>,
}

/// How long a call took. The engine reads its clock after the target's last reading and before the next one, and
/// the machine may take the processor away in between: so what the engine reports is between the two.
#[derive(Clone, Copy)]
pub(super) struct Took {
    /// By the target's last reading.
    pub(super) least_ns: u64,
    /// By the first reading after the step.
    pub(super) most_ns: u64,
}

impl<'c> Target<'c> {
    pub(super) fn new(clock: &'c dyn Clock, delay: KnownDelay, schedule: Option<Schedule>) -> Self {
        // So that no call waits for the book to move.
        let calls = schedule.as_ref().map_or(0, Schedule::arrivals);
        Self {
            clock,
            delay,
            schedule,
            book: Mutex::new(Vec::with_capacity(calls as usize)),
        }
    }

    pub(super) fn into_book(self) -> Vec<Took> {
        self.book
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workload for Target<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let number = it.index();
        let began_ns = self.clock.now_ns() - it.elapsed().as_nanos() as u64;
        let (due_ns, least_ns) = it.step(&CALL, |_| {
            let begins_ns = self.clock.now_ns() - began_ns;
            let answered_ns = self.delay.answered_ns(number, begins_ns);
            self.clock.sleep_until(began_ns + answered_ns);
            let due_ns = match &self.schedule {
                Some(schedule) => schedule.time_of(number).as_nanos() as u64,
                None => begins_ns,
            };
            Ok((due_ns, self.clock.now_ns() - began_ns - due_ns))
        })?;
        let most_ns = self.clock.now_ns() - began_ns - due_ns;
        let took = Took { least_ns, most_ns };
        // Not in the step: after a stall hundreds of threads want the book at once, and on a busy machine
        // the engine would report how long they waited for it, which the book does not say.
        let book = self.book.lock();
        book.unwrap_or_else(PoisonError::into_inner).push(took);
        Ok(())
    }
}
