//! What makes closed users come, wait and go: stages of users, and think time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plan::nanoseconds;
use crate::workload::rng::Rng;

/// A time in which the number of users stands or changes linearly.
///
/// While there are `n` users, those numbered below `n` iterate. One that is no longer wanted ends its
/// iteration and waits; all are set up before the load begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserStage {
    /// Users at the stage's beginning.
    pub from: u32,
    /// Users at its end.
    pub to: u32,
    /// How long it lasts.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    pub duration: Duration,
}

impl UserStage {
    /// A number of users that stands.
    #[must_use]
    pub fn hold(users: u32, duration: Duration) -> Self {
        Self::ramp(users, users, duration)
    }

    /// A number of users that changes linearly.
    #[must_use]
    pub fn ramp(from: u32, to: u32, duration: Duration) -> Self {
        Self { from, to, duration }
    }

    /// Users that change in equal steps, the first at `from` and the last at `to`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use load_engine::UserStage;
    ///
    /// let steps: Vec<u32> = UserStage::stepped(5, 50, 10, Duration::from_secs(100))
    ///     .map(|stage| stage.from)
    ///     .collect();
    /// assert_eq!(steps, [5, 10, 15, 20, 25, 30, 35, 40, 45, 50]);
    /// ```
    pub fn stepped(
        from: u32,
        to: u32,
        steps: u32,
        duration: Duration,
    ) -> impl Iterator<Item = Self> {
        let steps = steps.max(1);
        let last = f64::from((steps - 1).max(1));
        (0..steps).map(move |step| {
            let part = if steps == 1 {
                1.0
            } else {
                f64::from(step) / last
            };
            let users = f64::from(from) + (f64::from(to) - f64::from(from)) * part;
            Self::hold(users.round() as u32, duration / steps)
        })
    }

    /// How far into the stage the user of this number is first wanted, from `after` on.
    fn first_wanted(&self, user: u32, after: Duration) -> Option<Duration> {
        let (from, to) = (f64::from(self.from), f64::from(self.to));
        let length_s = self.duration.as_secs_f64();
        let threshold = f64::from(user) + 1.0;
        let at_s = after.as_secs_f64();
        if from + (to - from) * at_s / length_s >= threshold {
            return Some(after);
        }
        if to < threshold || from >= to {
            return None;
        }
        let crossing_s = length_s * (threshold - from) / (to - from);
        Some(Duration::from_secs_f64(crossing_s.clamp(at_s, length_s)))
    }
}

/// When the user of this number is first wanted, from `after` on; never, if the stages want it no more.
pub(crate) fn next_wanted(stages: &[UserStage], user: u32, after: Duration) -> Option<Duration> {
    let mut begins = Duration::ZERO;
    for stage in stages {
        let ends = begins + stage.duration;
        if after < ends {
            let wanted = stage.first_wanted(user, after.saturating_sub(begins));
            // A ramp reaches its last user as it ends, which is for the next stage to say.
            if let Some(wanted) = wanted.filter(|&wanted| begins + wanted < ends) {
                return Some(begins + wanted);
            }
        }
        begins = ends;
    }
    None
}

pub(crate) fn check_stages(stages: &[UserStage]) -> Result<(), RunError> {
    if stages.iter().all(|stage| stage.from.max(stage.to) == 0) {
        return Err(RunError::Plan {
            field: "number of users",
            value: "0 in every stage".to_owned(),
            expected: "at least one stage must have some",
        });
    }
    if stages.iter().any(|stage| stage.duration.is_zero()) {
        return Err(RunError::Plan {
            field: "stage duration",
            value: "0 s".to_owned(),
            expected: "it must be longer",
        });
    }
    Ok(())
}

/// How long a closed user waits after an iteration before it begins the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThinkTime {
    /// Not at all.
    #[default]
    None,
    /// Always as long.
    #[serde(rename = "constant_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    Constant(Duration),
    /// Any time between two, each as likely.
    Uniform {
        /// The shortest.
        #[serde(rename = "from_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        from: Duration,
        /// The longest.
        #[serde(rename = "to_ns", with = "nanoseconds")]
        #[schemars(with = "u64")]
        to: Duration,
    },
    /// Exponentially distributed about a mean, as of users who decide independently of each other.
    #[serde(rename = "exponential_mean_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    Exponential(Duration),
}

/// Keeps think times out of the stream from which the workload draws.
const THINK_STREAM: u64 = 0x7468_696E_6B00_0000;

impl ThinkTime {
    /// The time after one iteration of one user, in nanoseconds, which depends on the seed alone.
    #[inline]
    #[must_use]
    pub fn draw_ns(&self, seed: u64, user: u32, iteration: u64) -> u64 {
        match self {
            Self::None => 0,
            some => some.draw_some_ns(seed, user, iteration),
        }
    }

    fn draw_some_ns(&self, seed: u64, user: u32, iteration: u64) -> u64 {
        let rng = || Rng::for_iteration(seed ^ THINK_STREAM, user, iteration);
        let ns = |time: &Duration| time.as_nanos() as f64;
        match self {
            Self::None => 0,
            Self::Constant(time) => time.as_nanos() as u64,
            Self::Uniform { from, to } => (ns(from) + (ns(to) - ns(from)) * rng().unit()) as u64,
            Self::Exponential(mean) => (ns(mean) * rng().exponential()) as u64,
        }
    }

    pub(crate) fn mean(&self) -> Duration {
        match *self {
            Self::None => Duration::ZERO,
            Self::Constant(time) | Self::Exponential(time) => time,
            Self::Uniform { from, to } => (from + to) / 2,
        }
    }

    pub(crate) fn check(&self) -> Result<(), RunError> {
        match self {
            Self::Uniform { from, to } if from > to => Err(RunError::Plan {
                field: "think time",
                value: format!("from {from:?} to {to:?}"),
                expected: "the first must not be longer than the second",
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peak() -> Vec<UserStage> {
        vec![
            UserStage::ramp(0, 10, 10 * SECOND),
            UserStage::hold(10, 5 * SECOND),
            UserStage::ramp(10, 0, 10 * SECOND),
            UserStage::hold(3, 5 * SECOND),
        ]
    }

    fn wanted(user: u32, after_s: u64) -> Option<u64> {
        next_wanted(&peak(), user, Duration::from_secs(after_s)).map(|time| time.as_secs())
    }

    #[test]
    fn a_ramp_wants_one_user_after_another() {
        assert_eq!(
            (wanted(0, 0), wanted(4, 0), wanted(8, 0)),
            (Some(1), Some(5), Some(9))
        );
        assert_eq!(
            wanted(9, 0),
            Some(10),
            "the last one comes as the next stage begins"
        );
        assert_eq!(wanted(4, 7), Some(7));
    }

    #[test]
    fn who_is_no_longer_wanted_may_be_wanted_again() {
        assert_eq!(wanted(4, 19), Some(19));
        assert_eq!(wanted(4, 21), None);
        assert_eq!(wanted(2, 24), Some(25));
        assert_eq!(wanted(0, 30), None, "the stages are over");
    }

    #[test]
    fn think_times_have_the_distribution_that_was_asked_for() {
        let mean = |think: ThinkTime| {
            let sum: u64 = (0..20_000).map(|n| think.draw_ns(9, 1, n)).sum();
            sum as f64 / 20_000.0
        };
        let ms = Duration::from_millis;
        assert_eq!(mean(ThinkTime::None), 0.0);
        assert_eq!(mean(ThinkTime::Constant(ms(3))), 3e6);
        let uniform = ThinkTime::Uniform {
            from: ms(1),
            to: ms(5),
        };
        assert!((mean(uniform) - 3e6).abs() < 5e4, "{}", mean(uniform));
        assert!((0..1000).all(|n| (1_000_000..5_000_000).contains(&uniform.draw_ns(9, 1, n))));
        let exponential = mean(ThinkTime::Exponential(ms(3)));
        assert!((exponential - 3e6).abs() < 1e5, "{exponential}");
    }

    #[test]
    fn stages_and_think_times_that_make_no_sense_are_refused() {
        assert!(check_stages(&[]).is_err());
        assert!(check_stages(&[UserStage::hold(0, SECOND)]).is_err());
        assert!(check_stages(&[UserStage::hold(1, Duration::ZERO)]).is_err());
        assert!(
            ThinkTime::Uniform {
                from: SECOND,
                to: Duration::ZERO
            }
            .check()
            .is_err()
        );
    }
}
