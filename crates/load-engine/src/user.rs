//! One user's loop in a closed model.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::iteration::Iteration;
use crate::plan::Until;
use crate::recorder::UserRecorder;
use crate::run::{Counter, Crew};
use crate::workload::{Failure, Workload};

/// A user's place in a run: all that is its own.
pub(crate) struct Seat<'a, W: Workload> {
    pub(crate) user: u32,
    pub(crate) state: &'a mut W::User,
    pub(crate) recorder: &'a mut UserRecorder,
    pub(crate) counter: &'a Counter,
    pub(crate) began_ns: u64,
}

/// All that a user leaves behind.
pub(crate) struct UserOutcome {
    pub(crate) recorder: UserRecorder,
    pub(crate) end: UserEnd,
    pub(crate) tear_down: Option<Failure>,
}

/// How a user's loop ended.
pub(crate) struct UserEnd {
    pub(crate) at_ns: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    /// Whether it was stopped before it was through.
    pub(crate) interrupted: bool,
}

impl UserEnd {
    pub(crate) fn new(at_ns: u64, counter: &Counter, interrupted: bool) -> Self {
        let failed = counter.failed();
        Self {
            at_ns,
            completed: counter.done() - failed,
            failed,
            interrupted,
        }
    }
}

/// Iterates until the model says enough or someone stops the run.
pub(crate) fn drive<W: Workload>(
    crew: &Crew<'_>,
    until: Until,
    workload: &W,
    seat: Seat<'_, W>,
) -> UserEnd {
    let Seat {
        user,
        state,
        recorder,
        counter,
        began_ns,
    } = seat;
    let (limit, deadline_ns) = bounds(until, began_ns);
    let mut it = Iteration::new(recorder, crew.clock, crew.stop, crew.plan.seed, user);
    it.set_deadline(deadline_ns);
    it.touch();
    let mut index = 0;
    while index < limit && it.last_ns() < deadline_ns && !crew.stop.is_stopped() {
        it.begin(index);
        counter.count(iterate(workload, state, &mut it));
        index += 1;
    }
    UserEnd::new(
        it.last_ns(),
        counter,
        index < limit && it.last_ns() < deadline_ns,
    )
}

/// Does one iteration and books its failure. Says whether it succeeded.
pub(crate) fn iterate<W: Workload>(
    workload: &W,
    state: &mut W::User,
    it: &mut Iteration<'_>,
) -> bool {
    let before_ns = it.last_ns();
    let caught = catch_unwind(AssertUnwindSafe(|| workload.iterate(state, it)));
    let succeeded = match caught {
        Ok(Ok(())) => true,
        Ok(Err(failure)) => {
            it.fail(&failure);
            false
        }
        Err(panic) => {
            it.fail_by_panic(&Failure::from_panic(&*panic));
            false
        }
    };
    if it.last_ns() == before_ns {
        // It took no step, so nobody has looked at the clock, by which the run has to end.
        it.touch();
    }
    succeeded
}

fn bounds(until: Until, began_ns: u64) -> (u64, u64) {
    match until {
        Until::Iterations(each) => (each.get(), u64::MAX),
        Until::Elapsed(time) => {
            let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            (u64::MAX, began_ns.saturating_add(time_ns))
        }
    }
}
