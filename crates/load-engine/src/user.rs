//! One user's loop in a closed model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::crew::{Counter, Crew};
use crate::iteration::Iteration;
use crate::pacing::{ThinkTime, UserStage, next_wanted};
use crate::plan::Until;
use crate::recorder::UserRecorder;
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

/// When a closed user iterates, and until when.
pub(crate) struct Pace<'p> {
    limit: u64,
    deadline_ns: u64,
    began_ns: u64,
    stages: &'p [UserStage],
    think: ThinkTime,
}

impl<'p> Pace<'p> {
    pub(crate) fn fixed(until: Until, think: ThinkTime, began_ns: u64) -> Self {
        let (limit, deadline_ns) = match until {
            Until::Iterations(each) => (each.get(), u64::MAX),
            Until::Elapsed(time) => (u64::MAX, after(began_ns, time)),
        };
        Self {
            limit,
            deadline_ns,
            began_ns,
            stages: &[],
            think,
        }
    }

    pub(crate) fn staged(stages: &'p [UserStage], think: ThinkTime, began_ns: u64) -> Self {
        let length = stages.iter().map(|stage| stage.duration).sum();
        Self {
            limit: u64::MAX,
            deadline_ns: after(began_ns, length),
            began_ns,
            stages,
            think,
        }
    }

    /// When the user may begin an iteration, from `now_ns` on; never, if it is wanted no more.
    fn next_start(&self, user: u32, now_ns: u64) -> Option<u64> {
        if self.stages.is_empty() {
            return Some(now_ns);
        }
        let now = Duration::from_nanos(now_ns.saturating_sub(self.began_ns));
        next_wanted(self.stages, user, now).map(|wanted| after(self.began_ns, wanted))
    }
}

/// Iterates until the model says enough or someone stops the run.
pub(crate) fn drive<W: Workload>(
    crew: &Crew<'_>,
    pace: &Pace<'_>,
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
    let mut it = Iteration::new(
        recorder,
        crew.clock,
        crew.stop,
        crew.plan.seed,
        user,
        began_ns,
    );
    it.set_deadline(pace.deadline_ns);
    it.touch();
    let mut index = 0;
    while index < pace.limit && it.last_ns() < pace.deadline_ns && !crew.stop.is_stopped() {
        let Some(start_ns) = pace.next_start(user, it.last_ns()) else {
            break;
        };
        if start_ns > it.last_ns() {
            pause(crew, &mut it, start_ns);
            continue;
        }
        it.begin(index);
        let succeeded = iterate(workload, state, &mut it);
        it.end(succeeded);
        counter.count(succeeded);
        let think_ns = pace.think.draw_ns(crew.plan.seed, user, index);
        if think_ns > 0 {
            let until_ns = it.last_ns().saturating_add(think_ns).min(pace.deadline_ns);
            pause(crew, &mut it, until_ns);
        }
        index += 1;
    }
    let unfinished = index < pace.limit && it.last_ns() < pace.deadline_ns;
    UserEnd::new(it.last_ns(), counter, unfinished && crew.stop.is_stopped())
}

fn pause(crew: &Crew<'_>, it: &mut Iteration<'_>, until_ns: u64) {
    crew.clock.sleep_until_or_stopped(until_ns, crew.stop);
    it.touch();
}

fn after(began_ns: u64, time: Duration) -> u64 {
    began_ns.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
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
