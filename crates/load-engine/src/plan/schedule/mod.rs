//! When arrivals come in an open model: a closed form from an arrival's number to its time.

pub(crate) mod timetable;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plan::nanoseconds;

pub(crate) use timetable::Timetable;

/// The highest rate that can be asked for: an arrival each nanosecond.
const MAX_RATE_PER_S: f64 = 1e9;

/// The most arrivals of a schedule. Up to here an `f64` counts exactly, with three decimals left for
/// the fraction that a stage carries over to the next.
const MAX_ARRIVALS: f64 = 1e12;

/// Arrival rates over time: stages in which the rate stands or changes linearly.
///
/// ```
/// use std::time::Duration;
/// use load_engine::Schedule;
///
/// let second = Duration::from_secs(1);
/// let spike = Schedule::constant(100.0, second).then_at(400.0, second).then_ramp(400.0, 0.0, second);
/// assert_eq!(spike.arrivals(), 700);
/// assert_eq!(spike.time_of(0), Duration::ZERO);
/// assert_eq!(spike.time_of(100), second);
/// assert_eq!(spike.time_of(101), second + Duration::from_micros(2_500));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    description = "Arrival rates over time: stages in which the rate stands or changes linearly."
)]
pub struct Schedule {
    /// The stages, one after the other.
    pub stages: Vec<RateStage>,
    /// How arrivals lie within the rate.
    pub spacing: Spacing,
}

/// A time in which the rate stands or changes linearly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateStage {
    /// Arrivals a second at the stage's beginning.
    pub from_per_s: f64, // in [0, 1e9]
    /// Arrivals a second at its end.
    pub to_per_s: f64, // in [0, 1e9]
    /// How long it lasts.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    pub duration: Duration,
}

/// How arrivals lie within the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Evenly.
    Uniform,
    /// At random, independently of each other: a Poisson process, given that its count is the one
    /// that the rates ask for. So a run has the same number of arrivals whatever its seed.
    Poisson,
}

impl RateStage {
    /// Arrivals of the whole stage, with their fraction.
    fn expected(&self) -> f64 {
        (self.from_per_s + self.to_per_s) / 2.0 * self.duration.as_secs_f64()
    }

    /// Seconds into the stage at which `arrivals` have come: the root of
    /// `from t + (to - from) / (2 duration) t² = arrivals`, in the form that does not cancel.
    fn seconds_until(&self, arrivals: f64) -> f64 {
        let length_s = self.duration.as_secs_f64();
        let acceleration = (self.to_per_s - self.from_per_s) / length_s;
        let under_root = self.from_per_s * self.from_per_s + 2.0 * acceleration * arrivals;
        let denominator = self.from_per_s + under_root.max(0.0).sqrt();
        if denominator == 0.0 {
            0.0
        } else {
            (2.0 * arrivals / denominator).min(length_s)
        }
    }
}

impl Schedule {
    /// A constant rate, evenly spaced.
    #[must_use]
    pub fn constant(per_s: f64, duration: Duration) -> Self {
        Self {
            stages: Vec::new(),
            spacing: Spacing::Uniform,
        }
        .then_at(per_s, duration)
    }

    /// A rate that changes linearly, evenly spaced.
    #[must_use]
    pub fn ramp(from_per_s: f64, to_per_s: f64, duration: Duration) -> Self {
        Self {
            stages: Vec::new(),
            spacing: Spacing::Uniform,
        }
        .then_ramp(from_per_s, to_per_s, duration)
    }

    /// Rates that change in `steps` equal steps, the first at `from_per_s` and the last at
    /// `to_per_s`, over the whole `duration`. With one step, the rate is `to_per_s`.
    #[must_use]
    pub fn stepped(from_per_s: f64, to_per_s: f64, steps: u32, duration: Duration) -> Self {
        let each = duration / steps.max(1);
        let rise = (to_per_s - from_per_s) / f64::from(steps.saturating_sub(1).max(1));
        let stages = (0..steps.max(1)).map(|step| {
            let per_s = if steps <= 1 {
                to_per_s
            } else {
                from_per_s + rise * f64::from(step)
            };
            RateStage {
                from_per_s: per_s,
                to_per_s: per_s,
                duration: each,
            }
        });
        Self {
            stages: stages.collect(),
            spacing: Spacing::Uniform,
        }
    }

    /// Adds a stage of a constant rate.
    #[must_use]
    pub fn then_at(self, per_s: f64, duration: Duration) -> Self {
        self.then_ramp(per_s, per_s, duration)
    }

    /// Adds a stage in which the rate changes linearly.
    #[must_use]
    pub fn then_ramp(mut self, from_per_s: f64, to_per_s: f64, duration: Duration) -> Self {
        self.stages.push(RateStage {
            from_per_s,
            to_per_s,
            duration,
        });
        self
    }

    /// Makes the arrivals a Poisson process.
    #[must_use]
    pub fn poisson(mut self) -> Self {
        self.spacing = Spacing::Poisson;
        self
    }

    /// How long all stages last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.stages.iter().map(|stage| stage.duration).sum()
    }

    /// How many arrivals there are: one at the beginning, and one whenever another whole one is due.
    /// What a stage leaves of an arrival is carried over to the next.
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        // Rates such as 0.1/s are no exact numbers; their sum may miss a whole one by a hair.
        (self.expected() - 1e-6).ceil().max(0.0) as u64
    }

    /// The rate that is asked for at a time; 0 after the end.
    #[must_use]
    pub fn rate_at(&self, time: Duration) -> f64 {
        let mut left = time;
        for stage in &self.stages {
            if left < stage.duration {
                let part = left.as_secs_f64() / stage.duration.as_secs_f64();
                return stage.from_per_s + (stage.to_per_s - stage.from_per_s) * part;
            }
            left -= stage.duration;
        }
        0.0
    }

    /// When the evenly spaced arrival of this number (from 0) is due.
    #[must_use]
    pub fn time_of(&self, arrival: u64) -> Duration {
        self.time_at(arrival as f64)
    }

    /// All arrivals in their order, by their times. The memory needed does not depend on their
    /// number, and the same seed gives the same times.
    pub fn times(&self, seed: u64) -> impl Iterator<Item = Duration> {
        let mut timetable = Timetable::new(self.clone(), seed);
        std::iter::from_fn(move || {
            timetable
                .next()
                .map(|(_, at_ns)| Duration::from_nanos(at_ns))
        })
    }

    pub(crate) fn check(&self) -> Result<(), RunError> {
        let refused = |field, value, expected| {
            Err(RunError::Plan {
                field,
                value,
                expected,
            })
        };
        for stage in &self.stages {
            for rate in [stage.from_per_s, stage.to_per_s] {
                if !(0.0..=MAX_RATE_PER_S).contains(&rate) {
                    let expected = "it must be from 0 to 1,000,000,000 a second";
                    return refused("arrival rate", format!("{rate}/s"), expected);
                }
            }
            if stage.duration.is_zero() {
                return refused("stage duration", "0 s".to_owned(), "it must be longer");
            }
        }
        if !(1e-6..=MAX_ARRIVALS).contains(&self.expected()) {
            let expected = "it must be from 1 to 1,000,000,000,000";
            return refused("number of arrivals", self.expected().to_string(), expected);
        }
        Ok(())
    }

    fn expected(&self) -> f64 {
        self.stages.iter().map(RateStage::expected).sum()
    }

    /// When so many arrivals, with a fraction, have come.
    fn time_at(&self, arrivals: f64) -> Duration {
        let mut left = arrivals;
        let mut before = Duration::ZERO;
        for stage in &self.stages {
            let expected = stage.expected();
            if left < expected {
                return before + Duration::from_secs_f64(stage.seconds_until(left));
            }
            left -= expected;
            before += stage.duration;
        }
        before
    }
}

#[cfg(test)]
mod tests;
