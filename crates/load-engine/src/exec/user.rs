//! One user's loop: what it does next, in either model, for whichever executor asks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::context::RunContext;
use crate::exec::arrivals::Arrivals;
use crate::exec::turn::{Turn, UserEnd};
use crate::plan::model::{Model, Until};
use crate::plan::pacing::{ThinkTime, UserStage, next_wanted};
use crate::step::Failure;
use crate::workload::Workload;
use crate::workload::iteration::{Failed, Iteration};

/// A user's turns, one after the other.
pub(crate) enum Turns<'c> {
    Closed(Closed<'c>),
    Open(Arrivals<'c>),
}

impl<'c> Turns<'c> {
    pub(crate) fn new(context: &'c RunContext<'_>, user: u32, began_ns: u64) -> Self {
        let closed = |limit, deadline_ns, stages| {
            Self::Closed(Closed {
                user,
                seed: context.plan.seed,
                index: 0,
                limit,
                deadline_ns,
                began_ns,
                stages,
                think: context.plan.think_time,
                thinks_until_ns: None,
                overslept_ns: 0,
            })
        };
        match (&context.plan.model, &context.arrival_queue) {
            (Model::Open { .. }, Some(arrival_queue)) => {
                Self::Open(Arrivals::new(arrival_queue, began_ns))
            }
            (Model::Open { .. }, None) => unreachable!("an open model has a arrival_queue"),
            (Model::Closed { until, .. }, _) => match *until {
                Until::Iterations(each) => closed(each.get(), u64::MAX, &[]),
                Until::Elapsed(time) => closed(u64::MAX, after(began_ns, time), &[]),
            },
            (Model::Staged { stages }, _) => {
                let length = stages.iter().map(|stage| stage.duration).sum();
                closed(u64::MAX, after(began_ns, length), stages)
            }
        }
    }

    #[inline]
    pub(crate) fn next(&mut self, context: &RunContext<'_>, it: &mut Iteration<'_>) -> Turn {
        match self {
            Self::Closed(closed) => closed.next(context, it),
            Self::Open(arrivals) => arrivals.next(context, it),
        }
    }

    pub(crate) fn user_end(&self, it: &Iteration<'_>, interrupted: bool) -> UserEnd {
        let (at_ns, overslept_ns) = match self {
            Self::Closed(closed) => (it.last_ns(), closed.overslept_ns),
            // Who waits for an arrival that does not come does nothing.
            Self::Open(arrivals) => (arrivals.ended_ns, 0),
        };
        UserEnd {
            at_ns,
            overslept_ns,
            interrupted,
        }
    }

    /// Books an iteration that has ended.
    #[inline]
    pub(crate) fn end(&mut self, it: &mut Iteration<'_>, succeeded: bool) {
        match self {
            Self::Closed(closed) => {
                it.end(succeeded);
                closed.rest(it.last_ns());
            }
            Self::Open(arrivals) => arrivals.end(it, succeeded),
        }
    }
}

/// When a closed user iterates, and until when.
pub(crate) struct Closed<'c> {
    user: u32,
    seed: u64,
    index: u64,
    limit: u64,
    deadline_ns: u64,
    began_ns: u64,
    stages: &'c [UserStage],
    think: ThinkTime,
    thinks_until_ns: Option<u64>,
    /// The time by which it came late out of its thoughts.
    overslept_ns: u64,
}

impl Closed<'_> {
    #[inline]
    fn next(&mut self, context: &RunContext<'_>, it: &mut Iteration<'_>) -> Turn {
        let now_ns = it.last_ns();
        let skipped_ns = context.skips.total_ns();
        let deadline_ns = self.deadline_ns.saturating_sub(skipped_ns);
        it.set_deadline(deadline_ns);
        if self.index >= self.limit || now_ns >= deadline_ns {
            return Turn::End { interrupted: false };
        }
        if context.stop.is_stopped() {
            return Turn::End { interrupted: true };
        }
        let pause = |until_ns| Turn::Pause {
            until_ns: context.skips.nap(now_ns, until_ns),
        };
        if let Some(until_ns) = self.thinks_until_ns {
            if now_ns < until_ns {
                return pause(until_ns.min(deadline_ns));
            }
            self.overslept_ns += now_ns - until_ns;
            self.thinks_until_ns = None;
        }
        match self.next_start(now_ns, skipped_ns) {
            None => Turn::End { interrupted: false },
            Some(start_ns) if start_ns > now_ns => pause(start_ns),
            Some(_) => {
                it.begin(self.index);
                Turn::Iterate
            }
        }
    }

    /// Ends an iteration, after which the user thinks.
    #[inline]
    fn rest(&mut self, now_ns: u64) {
        let think_ns = self.think.draw_ns(self.seed, self.user, self.index);
        self.thinks_until_ns = (think_ns > 0).then(|| now_ns.saturating_add(think_ns));
        self.index += 1;
    }

    /// When the user may begin an iteration, from `now_ns` on; never, if it is wanted no more.
    #[inline]
    fn next_start(&self, now_ns: u64, skipped_ns: u64) -> Option<u64> {
        if self.stages.is_empty() {
            return Some(now_ns);
        }
        let now = Duration::from_nanos(now_ns.saturating_sub(self.began_ns) + skipped_ns);
        let wanted = next_wanted(self.stages, self.user, now)?;
        Some(after(self.began_ns, wanted).saturating_sub(skipped_ns))
    }
}

fn after(began_ns: u64, time: Duration) -> u64 {
    began_ns.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// Takes a user's turns until it is through, on a thread of its own.
pub(crate) fn drive<W: Workload>(
    context: &RunContext<'_>,
    workload: &W,
    state: &mut W::User,
    user: u32,
    began_ns: u64,
) -> UserEnd {
    let mut turns = Turns::new(context, user, began_ns);
    let mut it = Iteration::new(context, user, began_ns);
    if matches!(turns, Turns::Open(_)) {
        context.clock.sharpen();
    }
    it.touch();
    loop {
        match turns.next(context, &mut it) {
            Turn::Iterate => {
                let before_ns = it.last_ns();
                let caught = catch_unwind(AssertUnwindSafe(|| workload.iterate(state, &mut it)));
                let succeeded = it.settle(before_ns, ended(caught));
                turns.end(&mut it, succeeded);
            }
            Turn::Pause { until_ns } => {
                context
                    .clock
                    .sleep_until_or_stopped(until_ns, &context.stop);
                it.touch();
            }
            Turn::End { interrupted } => return turns.user_end(&it, interrupted),
        }
    }
}

/// How the workload's code ended, from what was caught of it.
#[inline]
pub(crate) fn ended(caught: std::thread::Result<Result<(), Failure>>) -> Result<(), Failed> {
    match caught {
        Ok(result) => result.map_err(Failed::Returned),
        Err(panic) => Err(Failed::Panicked(Failure::from_panic(&*panic))),
    }
}
