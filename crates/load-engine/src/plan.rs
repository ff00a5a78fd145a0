//! What is asked of a run: the model of load, the seed, and the handle that ends it early.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::early_end::StopRule;
use crate::error::RunError;
use crate::pacing::{ThinkTime, UserStage, check_stages};
use crate::phase::Phase;
use crate::schedule::Schedule;
use crate::threshold::Threshold;

/// What is under way at the end of a load may take this part of the load's time longer. As much again
/// is left for ending the run, which is to be over within 1 % or 50 ms.
const GRACE_PART: u32 = 200;
const MIN_GRACE: Duration = Duration::from_millis(25);

/// Who stops a run does not want to wait for it.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A run to be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// What the run is called in reports.
    pub label: String,
    /// Who comes when.
    pub model: Model,
    /// Where every random number of the run comes from.
    pub seed: u64,
    /// Time between two samples of the monitor.
    pub sample_period: Duration, // in [1 ms, 1 h]
    /// How long a closed user waits between two iterations.
    pub think_time: ThinkTime,
    /// Named times of the run, one after the other from the start of the load.
    pub phases: Vec<Phase>,
    /// Thresholds that end the run when they are broken.
    pub stop_rules: Vec<StopRule>,
    /// How long what is under way at the end may still take, in a run that can leave it behind. If not
    /// set, it is as [`grace`](Self::grace) says.
    pub grace: Option<Duration>,
    /// A process to watch besides this one, by its number: the target's, if it is another.
    pub watched: Option<u32>,
}

impl Plan {
    /// A plan with seed 0 and a sample each 100 ms.
    #[must_use]
    pub fn new(label: impl Into<String>, model: Model) -> Self {
        Self {
            label: label.into(),
            model,
            seed: 0,
            sample_period: Duration::from_millis(100),
            think_time: ThinkTime::None,
            phases: Vec::new(),
            stop_rules: Vec::new(),
            grace: None,
            watched: None,
        }
    }

    /// Sets the seed (0 unless set).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the time between two samples of the monitor (100 ms unless set).
    #[must_use]
    pub fn sample_period(mut self, period: Duration) -> Self {
        self.sample_period = period;
        self
    }

    /// Sets how long a closed user waits between two iterations (not at all unless set). An open
    /// model has no use for it.
    #[must_use]
    pub fn think_time(mut self, time: ThinkTime) -> Self {
        self.think_time = time;
        self
    }

    /// Adds a phase after those that are there (none unless added): a named time with figures of its
    /// own in the record.
    #[must_use]
    pub fn phase(mut self, name: impl Into<String>, duration: Duration) -> Self {
        self.phases.push(Phase::new(name, duration));
        self
    }

    /// Ends the run early if a threshold is broken while the load runs, judged when the load has run
    /// for `after` (never unless added). The record's
    /// [`early_end`](crate::RunRecord::early_end) says which one did, and when.
    #[must_use]
    pub fn stop_if_broken(mut self, threshold: Threshold, after: Duration) -> Self {
        self.stop_rules.push(StopRule { threshold, after });
        self
    }

    /// Watches the process of this number as well, such as a server under load: its memory, processor
    /// time, threads, files and waits are in [`RunRecord::target`](crate::RunRecord::target).
    #[must_use]
    pub fn watch(mut self, pid: u32) -> Self {
        self.watched = Some(pid);
        self
    }

    /// Sets how long iterations that are under way when the load's time is up, or when it is stopped,
    /// may still take. Then a run by [`run_shared`](crate::run_shared) or
    /// [`run_async`](crate::run_async) ends without them and counts them as in flight.
    ///
    /// Unless set, it is 25 ms or half a percent of the load's time, whichever is longer; in an open
    /// model the patience more, since an arrival may wait that long before it starts; and at most 1 s
    /// after a stop.
    #[must_use]
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = Some(time);
        self
    }

    /// When the load is cut, from its start, if nobody stops it; never, if it ends by count.
    pub(crate) fn cut_after(&self) -> Option<Duration> {
        let length = self.model.length()?;
        let grace = self.grace.unwrap_or_else(|| {
            let short = (length / GRACE_PART).max(MIN_GRACE);
            match self.model {
                Model::Open { patience, .. } => patience.saturating_add(short),
                Model::Closed { .. } | Model::Staged { .. } => short,
            }
        });
        Some(length.saturating_add(grace))
    }

    /// How long after a stop the load is cut.
    pub(crate) fn grace_of_stop(&self) -> Duration {
        self.grace.unwrap_or(STOP_GRACE).min(STOP_GRACE)
    }

    pub(crate) fn check(&self) -> Result<(), RunError> {
        let range = Duration::from_millis(1)..=Duration::from_secs(3600);
        if !range.contains(&self.sample_period) {
            return Err(RunError::Plan {
                field: "sample period",
                value: format!("{:?}", self.sample_period),
                expected: "it must be from 1 ms to 1 h",
            });
        }
        if let Some(phase) = self.phases.iter().find(|phase| phase.duration.is_zero()) {
            return Err(RunError::Plan {
                field: "phase duration",
                value: format!("0 s in phase `{}`", phase.name),
                expected: "it must be longer",
            });
        }
        self.think_time.check()?;
        match &self.model {
            Model::Closed { .. } => Ok(()),
            Model::Staged { stages } => check_stages(stages),
            Model::Open { schedule, .. } => schedule.check(),
        }
    }
}

/// A model of load: who comes when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Model {
    /// A fixed number of users, each of which starts its next iteration when the last one ended. A
    /// slow target is asked less often, so this model hides what a queue before it would suffer.
    Closed {
        /// How many users, a thread each.
        users: NonZeroU32,
        /// When a user stops.
        until: Until,
    },
    /// Users whose number changes by stages; otherwise as `Closed`.
    Staged {
        /// The stages, one after the other.
        stages: Vec<UserStage>,
    },
    /// Arrivals that come by a schedule, whether or not the target keeps up. Latency is measured from
    /// when an arrival was due, so that a stall is felt by all that came during it.
    Open {
        /// When arrivals come.
        schedule: Schedule,
        /// How many may be under way at once, a thread each. Those that come while all threads are
        /// busy wait, and their wait is part of their response time.
        max_in_flight: NonZeroU32,
        /// How long an arrival may wait to be started. One that could not be is dropped, and counted.
        #[serde(rename = "patience_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        patience: Duration,
    },
}

impl Model {
    /// Users that do a number of iterations each.
    #[must_use]
    pub fn iterations(users: NonZeroU32, each: NonZeroU64) -> Self {
        Self::Closed {
            users,
            until: Until::Iterations(each),
        }
    }

    /// Users that iterate for a time.
    #[must_use]
    pub fn elapsed(users: NonZeroU32, time: Duration) -> Self {
        Self::Closed {
            users,
            until: Until::Elapsed(time),
        }
    }

    /// Users whose number changes by stages.
    #[must_use]
    pub fn staged(stages: impl IntoIterator<Item = UserStage>) -> Self {
        Self::Staged {
            stages: stages.into_iter().collect(),
        }
    }

    /// Arrivals by a schedule, so many under way at once, with a patience of 30 s.
    #[must_use]
    pub fn open(schedule: Schedule, max_in_flight: NonZeroU32) -> Self {
        Self::Open {
            schedule,
            max_in_flight,
            patience: Duration::from_secs(30),
        }
    }

    /// How many users stand at most: threads, each with a user's state.
    #[must_use]
    pub fn users(&self) -> NonZeroU32 {
        match self {
            Self::Closed { users, .. } => *users,
            Self::Staged { stages } => {
                let most = stages.iter().map(|stage| stage.from.max(stage.to)).max();
                most.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
            }
            Self::Open { max_in_flight, .. } => *max_in_flight,
        }
    }

    /// How long the load lasts, if time is what ends it: in an open model the schedule.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::Closed {
                until: Until::Iterations(_),
                ..
            } => None,
            Self::Closed {
                until: Until::Elapsed(time),
                ..
            } => Some(*time),
            Self::Staged { stages } => Some(stages.iter().map(|stage| stage.duration).sum()),
            Self::Open { schedule, .. } => Some(schedule.duration()),
        }
    }

    /// How many iterations the model is sure to ask for, if it is.
    #[must_use]
    pub fn planned_iterations(&self) -> Option<u64> {
        match self {
            Self::Closed {
                users,
                until: Until::Iterations(each),
            } => Some(u64::from(users.get()).saturating_mul(each.get())),
            Self::Closed {
                until: Until::Elapsed(_),
                ..
            } => None,
            Self::Staged { .. } => None,
            Self::Open { schedule, .. } => Some(schedule.arrivals()),
        }
    }
}

impl Default for Model {
    /// One user, one iteration.
    fn default() -> Self {
        Self::iterations(NonZeroU32::MIN, NonZeroU64::MIN)
    }
}

/// When a user of a closed model stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// After this many iterations of its own.
    Iterations(NonZeroU64),
    /// When this time has passed since the load began. An iteration under way is let finish.
    #[serde(rename = "elapsed_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    Elapsed(Duration),
}

/// Ends a run from elsewhere, such as a handler of Ctrl-C. Clones share one switch.
#[derive(Clone, Debug, Default)]
pub struct StopHandle {
    stopped: Arc<AtomicBool>,
    /// The switch of the handle that this one was made of by [`inner`](Self::inner).
    outer: Option<Arc<AtomicBool>>,
}

impl StopHandle {
    /// A handle of a run that goes on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to end with what it has. Iterations under way are let finish.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    #[must_use]
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self
                .outer
                .as_ref()
                .is_some_and(|outer| outer.load(Ordering::Relaxed))
    }

    /// A handle of the engine's own, which the caller's stops but which leaves the caller's alone.
    pub(crate) fn inner(&self) -> Self {
        Self {
            stopped: Arc::default(),
            outer: Some(Arc::clone(&self.stopped)),
        }
    }
}

/// Durations as whole nanoseconds, which a reader of the JSON need not assemble.
pub(crate) mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_plain_json() {
        let model = Model::elapsed(NonZeroU32::new(3).unwrap(), Duration::from_secs(5));
        let json = serde_json::to_string(&model).unwrap();
        assert_eq!(
            json,
            r#"{"closed":{"users":3,"until":{"elapsed_ns":5000000000}}}"#
        );
        assert_eq!(serde_json::from_str::<Model>(&json).unwrap(), model);
    }

    #[test]
    fn a_sample_period_of_no_time_is_refused() {
        let error = Plan::new("x", Model::default())
            .sample_period(Duration::ZERO)
            .check()
            .unwrap_err();
        let expected = "the plan's sample period is 0ns: it must be from 1 ms to 1 h";
        assert_eq!(error.to_string(), expected);
    }
}
