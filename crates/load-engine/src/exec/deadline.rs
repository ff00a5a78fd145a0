//! How long a run waits for its users, and when it goes without them.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::context::RunContext;
use crate::exec::messages::UserReport;

/// Time between two calls of `on_progress`.
pub(crate) const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// How long a run that can leave its threads behind waits for tear-downs.
const TEAR_DOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Waits for threads to end: for as long as it takes, if the run may not leave them.
pub(crate) struct WaitLimit {
    clock: MonotonicClock,
    length: Duration,
    may_leave: bool,
}

impl WaitLimit {
    pub(crate) fn new(may_leave: bool) -> Self {
        Self::of(TEAR_DOWN_PATIENCE, may_leave)
    }

    pub(crate) fn of(length: Duration, may_leave: bool) -> Self {
        Self {
            clock: MonotonicClock::new(),
            length,
            may_leave,
        }
    }

    pub(crate) fn next(&mut self, inbox: &Receiver<UserReport>) -> Option<UserReport> {
        if !self.may_leave {
            return inbox.recv().ok();
        }
        let left_ns = whole_ns(self.length).saturating_sub(self.clock.now_ns());
        inbox.recv_timeout(Duration::from_nanos(left_ns)).ok()
    }
}

/// When a run that may leave its threads ends without those that are still at work.
pub(crate) struct Cut {
    /// By the model's time.
    planned_ns: u64,
    stop_ns: u64,
    may_leave: bool,
    stopped: bool,
}

impl Cut {
    pub(crate) fn new(context: &RunContext<'_>, began_ns: u64, may_leave: bool) -> Self {
        let after_ns = context.plan.cut_after().map_or(u64::MAX, whole_ns);
        Self {
            planned_ns: began_ns.saturating_add(after_ns),
            stop_ns: u64::MAX,
            may_leave,
            stopped: false,
        }
    }

    /// How long until something is to be done; nothing if it is time to go.
    pub(crate) fn next_look(&mut self, context: &RunContext<'_>) -> Duration {
        if !self.may_leave {
            return PROGRESS_PERIOD;
        }
        let now_ns = context.clock.now_ns();
        if !self.stopped && context.stop.is_stopped() {
            self.stopped = true;
            context.timeline.windows.close(now_ns);
            context.wake_sleepers();
            let grace_ns = whole_ns(context.plan.grace_of_stop());
            self.stop_ns = now_ns.saturating_add(grace_ns);
        }
        let planned_ns = self.planned_ns.saturating_sub(context.skips.total_ns());
        let at_ns = planned_ns.min(self.stop_ns);
        Duration::from_nanos(at_ns.saturating_sub(now_ns)).min(PROGRESS_PERIOD)
    }
}

fn whole_ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
