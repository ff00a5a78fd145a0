//! Delays that are known in advance.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::nanoseconds;
use crate::workload::rng::Rng;

/// How long a target takes, by a rule that leaves nothing to chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KnownDelay {
    /// Always as long.
    Constant {
        /// How long.
        #[serde(rename = "service_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        service: Duration,
    },
    /// One of two times.
    Bimodal {
        /// The usual one.
        #[serde(rename = "fast_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        fast: Duration,
        /// The other.
        #[serde(rename = "slow_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        slow: Duration,
        /// How often it is the other; which calls these are is the same in each run.
        slow_share: f64, // in [0, 1]
    },
    /// A time that changes linearly.
    Drifting {
        /// At the start of the load.
        #[serde(rename = "from_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        from: Duration,
        /// At the end.
        #[serde(rename = "to_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        to: Duration,
        /// When that is.
        #[serde(rename = "over_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        over: Duration,
    },
    /// A constant time, but for stalls in which nobody is answered.
    Stalling {
        /// How long an answer takes when there is no stall.
        #[serde(rename = "service_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        service: Duration,
        /// When the first stall begins.
        #[serde(rename = "first_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        first: Duration,
        /// The time from one stall's beginning to the next one's.
        #[serde(rename = "every_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        every: Duration,
        /// How long one lasts.
        #[serde(rename = "lasts_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        lasts: Duration,
    },
}

/// Decides which calls of a bimodal target are slow.
const BIMODAL_SEED: u64 = 0x6269_6D6F_6461_6C00;

impl KnownDelay {
    /// A constant time with a single stall.
    #[must_use]
    pub fn one_stall(service: Duration, begins: Duration, lasts: Duration) -> Self {
        Self::Stalling {
            service,
            first: begins,
            every: Duration::MAX,
            lasts,
        }
    }

    /// The longest that a call can take.
    #[must_use]
    pub fn longest(&self) -> Duration {
        match *self {
            Self::Constant { service } => service,
            Self::Bimodal { fast, slow, .. } => fast.max(slow),
            Self::Drifting { from, to, .. } => from.max(to),
            Self::Stalling { service, lasts, .. } => service + lasts,
        }
    }

    /// When call `number` is answered that begins at `begins_ns`, both from the start of the load.
    #[must_use]
    pub fn answered_ns(&self, number: u64, begins_ns: u64) -> u64 {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match *self {
            Self::Constant { service } => begins_ns + ns(service),
            Self::Bimodal {
                fast,
                slow,
                slow_share,
            } => {
                let is_slow = Rng::for_iteration(BIMODAL_SEED, 0, number).chance(slow_share);
                begins_ns + ns(if is_slow { slow } else { fast })
            }
            Self::Drifting { from, to, over } => {
                let part = (begins_ns as f64 / over.as_nanos() as f64).min(1.0);
                let (from, to) = (from.as_nanos() as f64, to.as_nanos() as f64);
                begins_ns + (from + (to - from) * part) as u64
            }
            Self::Stalling {
                service,
                first,
                every,
                lasts,
            } => {
                let since_first = begins_ns.checked_sub(ns(first));
                let into_stall = since_first
                    .map(|since| since % ns(every).max(1))
                    .filter(|&into| into < ns(lasts));
                let wait_ns = into_stall.map_or(0, |into| ns(lasts) - into);
                begins_ns + wait_ns + ns(service)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_stall_answers_all_that_came_during_it_at_its_end() {
        let delay = KnownDelay::Stalling {
            service: ms(1),
            first: ms(50),
            every: ms(100),
            lasts: ms(20),
        };
        let answered = |begins_ms| delay.answered_ns(0, begins_ms * MS) / MS;
        let begins = [0, 49, 50, 69, 70, 149, 150, 165, 170];
        assert_eq!(
            begins.map(answered),
            [1, 50, 71, 71, 71, 150, 171, 171, 171]
        );
        let once = KnownDelay::one_stall(ms(1), ms(50), ms(20));
        assert_eq!(once.answered_ns(0, 50 * MS) / MS, 71);
        assert_eq!(once.answered_ns(0, 150 * MS) / MS, 151);
    }

    #[test]
    fn a_drift_goes_from_one_time_to_the_other_and_stays_there() {
        let delay = KnownDelay::Drifting {
            from: ms(10),
            to: ms(30),
            over: ms(100),
        };
        let taken = |begins_ms| delay.answered_ns(0, begins_ms * MS) / MS - begins_ms;
        assert_eq!([0, 50, 100, 200].map(taken), [10, 20, 30, 30]);
    }

    #[test]
    fn a_bimodal_target_is_slow_as_often_as_it_is_told_and_always_for_the_same_calls() {
        let delay = KnownDelay::Bimodal {
            fast: ms(1),
            slow: ms(9),
            slow_share: 0.07,
        };
        let slow = |number: &u64| delay.answered_ns(*number, 0) == 9 * MS;
        let count = (0..10_000).filter(slow).count();
        assert!((620..780).contains(&count), "{count}");
        assert_eq!(count, (0..10_000).filter(slow).count());
    }
}
