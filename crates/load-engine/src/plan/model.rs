//! Models of load: who comes when.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::nanoseconds;
use crate::plan::pacing::UserStage;
use crate::plan::schedule::Schedule;

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
        #[serde(
            rename = "max_start_delay_ns",
            alias = "patience_ns",
            with = "nanoseconds"
        )]
        #[schemars(with = "u64")]
        max_start_delay: Duration,
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

    /// Arrivals by a schedule, so many under way at once, each of which may wait 30 s to be started.
    #[must_use]
    pub fn open(schedule: Schedule, max_in_flight: NonZeroU32) -> Self {
        Self::Open {
            schedule,
            max_in_flight,
            max_start_delay: Duration::from_secs(30),
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
