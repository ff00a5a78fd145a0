//! One user's loop.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::iteration::Iteration;
use crate::plan::{Model, Until};
use crate::recorder::UserRecorder;
use crate::run::{Counter, Crew};
use crate::workload::{Failure, Workload};

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

/// Iterates until the model says enough or someone stops the run.
pub(crate) fn drive<W: Workload>(
    crew: &Crew<'_>,
    workload: &W,
    user: u32,
    state: &mut W::User,
    recorder: &mut UserRecorder,
    counter: &Counter,
    began_ns: u64,
) -> UserEnd {
    let (limit, deadline_ns) = bounds(&crew.plan.model, began_ns);
    let mut it = Iteration::new(recorder, crew.clock, crew.stop, crew.plan.seed, user);
    it.set_deadline(deadline_ns);
    it.touch();
    let mut index = 0;
    while index < limit && it.last_ns() < deadline_ns && !crew.stop.is_stopped() {
        it.begin(index);
        let succeeded = iterate(workload, state, &mut it);
        counter.count(succeeded);
        index += 1;
    }
    UserEnd {
        at_ns: it.last_ns(),
        completed: counter.done() - counter.failed(),
        failed: counter.failed(),
        interrupted: index < limit && it.last_ns() < deadline_ns,
    }
}

fn iterate<W: Workload>(workload: &W, state: &mut W::User, it: &mut Iteration<'_>) -> bool {
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

fn bounds(model: &Model, began_ns: u64) -> (u64, u64) {
    match model {
        Model::Closed {
            until: Until::Iterations(each),
            ..
        } => (each.get(), u64::MAX),
        Model::Closed {
            until: Until::Elapsed(time),
            ..
        } => {
            let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            (u64::MAX, began_ns.saturating_add(time_ns))
        }
    }
}
