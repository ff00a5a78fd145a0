//! When arrivals come in an open model: a closed form from an arrival's number to its time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plan::nanoseconds;
use crate::rng::Rng;

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
        let mut arrivals = Arrivals::new(self.clone(), seed);
        std::iter::from_fn(move || {
            arrivals
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

/// Hands out the arrivals in their order.
pub(crate) struct Arrivals {
    schedule: Schedule,
    count: u64,
    next: u64,
    rng: Rng,
    /// Where the last arrival of a Poisson process lay, in arrivals.
    position: f64,
}

impl Arrivals {
    pub(crate) fn new(schedule: Schedule, seed: u64) -> Self {
        let count = schedule.arrivals();
        Self {
            schedule,
            count,
            next: 0,
            rng: Rng::new(seed),
            position: 0.0,
        }
    }

    /// The next arrival's number, and its time in nanoseconds.
    pub(crate) fn next(&mut self) -> Option<(u64, u64)> {
        if self.next == self.count {
            return None;
        }
        let number = self.next;
        let position = match self.schedule.spacing {
            Spacing::Uniform => number as f64,
            Spacing::Poisson => self.next_position(),
        };
        self.next += 1;
        Some((number, self.schedule.time_at(position).as_nanos() as u64))
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.count - self.next
    }

    /// Given their count, the arrivals of a Poisson process lie like so many uniform numbers in
    /// order, and the next of `m` of these in what is left is its minimum: `1 - U^(1/m)` of it.
    fn next_position(&mut self) -> f64 {
        let left = self.count as f64 - self.position;
        let remaining = self.remaining() as f64;
        self.position -= left * (-self.rng.exponential() / remaining).exp_m1();
        // The last arrival's fraction is whole in `count` and may not be in the rates' integral.
        self.position * (self.schedule.expected() / self.count as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_constant_rate_has_exactly_its_arrivals_evenly() {
        let schedule = Schedule::constant(500.0, 14 * SECOND);
        let times: Vec<_> = schedule.times(0).collect();
        assert_eq!(times.len(), 7_000);
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1] - pair[0] == Duration::from_millis(2))
        );
        assert_eq!(times[6_999], Duration::from_millis(13_998));
    }

    #[test]
    fn a_ramp_is_exact_in_count_and_its_arrivals_lie_where_the_integral_says() {
        let schedule = Schedule::ramp(0.0, 1000.0, 10 * SECOND);
        assert_eq!(schedule.arrivals(), 5_000);
        // 50 t² arrivals have come at t, so number 1,250 comes at 5 s.
        assert_eq!(schedule.time_of(1_250), 5 * SECOND);
        assert_eq!(schedule.rate_at(5 * SECOND), 500.0);
        let down = Schedule::ramp(1000.0, 0.0, 10 * SECOND);
        assert_eq!((down.arrivals(), down.time_of(3_750)), (5_000, 5 * SECOND));
    }

    #[test]
    fn a_fraction_is_carried_over_to_the_next_stage() {
        let schedule = (0..9).fold(Schedule::constant(0.1, SECOND), |schedule, _| {
            schedule.then_at(0.1, SECOND)
        });
        assert_eq!(schedule.arrivals(), 1);
        let longer = schedule.then_at(0.1, SECOND).then_at(10.0, SECOND);
        assert_eq!(longer.arrivals(), 12);
        // 1.1 arrivals have come after 11 s; number 2 is due when 0.9 more have.
        assert_eq!(longer.time_of(2).as_millis(), 11_090);
    }

    #[test]
    fn steps_divide_the_time_and_reach_the_last_rate() {
        let schedule = Schedule::stepped(5.0, 50.0, 10, 100 * SECOND);
        let rates: Vec<_> = schedule
            .stages
            .iter()
            .map(|stage| stage.from_per_s)
            .collect();
        assert_eq!(
            rates,
            [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0]
        );
        assert_eq!(
            (schedule.duration(), schedule.arrivals()),
            (100 * SECOND, 2_750)
        );
    }

    /// The largest distance between the observed distribution of gaps and the exponential one.
    fn kolmogorov_smirnov(mut gaps: Vec<f64>, per_s: f64) -> f64 {
        gaps.sort_by(f64::total_cmp);
        let count = gaps.len() as f64;
        (0u32..)
            .zip(&gaps)
            .map(|(rank, gap)| {
                let truth = 1.0 - (-gap * per_s).exp();
                let rank = f64::from(rank);
                (truth - rank / count)
                    .abs()
                    .max((truth - (rank + 1.0) / count).abs())
            })
            .fold(0.0, f64::max)
    }

    fn gaps(schedule: &Schedule) -> Vec<f64> {
        let times: Vec<_> = schedule.times(7).collect();
        times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect()
    }

    #[test]
    fn poisson_arrivals_pass_a_kolmogorov_smirnov_test_and_even_ones_do_not() {
        let even = Schedule::constant(10_000.0, 5 * SECOND);
        let poisson = even.clone().poisson();
        assert_eq!(poisson.times(7).count(), 50_000);
        // The critical distance at the level of 1 %.
        let critical = 1.628 / 50_000f64.sqrt();
        let distance = kolmogorov_smirnov(gaps(&poisson), 10_000.0);
        assert!(distance < critical, "{distance} {critical}");
        assert!(kolmogorov_smirnov(gaps(&even), 10_000.0) > critical);
    }

    #[test]
    fn poisson_arrivals_follow_a_ramp() {
        let ramp = Schedule::ramp(0.0, 10_000.0, 10 * SECOND).poisson();
        let first_half = ramp.times(3).filter(|&time| time < 5 * SECOND).count();
        // A quarter of 50,000, with a standard deviation of 97.
        assert!((12_100..12_900).contains(&first_half), "{first_half}");
    }

    #[test]
    fn rates_and_counts_that_make_no_sense_are_refused() {
        let message = |schedule: Schedule| schedule.check().unwrap_err().to_string();
        assert!(message(Schedule::constant(f64::NAN, SECOND)).contains("arrival rate is NaN/s"));
        assert!(message(Schedule::constant(-1.0, SECOND)).contains("-1/s"));
        assert!(message(Schedule::constant(1.0, Duration::ZERO)).contains("stage duration"));
        assert!(message(Schedule::constant(0.0, SECOND)).contains("number of arrivals is 0"));
    }

    fn stages() -> impl Strategy<Value = Vec<(f64, f64, u64)>> {
        prop::collection::vec((0.0..500.0, 0.0..500.0, 1..3_000u64), 1..5)
    }

    proptest! {
        #[test]
        fn arrivals_come_in_order_within_the_schedule(stages in stages(), poisson: bool) {
            let spacing = if poisson { Spacing::Poisson } else { Spacing::Uniform };
            let mut schedule = Schedule { stages: Vec::new(), spacing };
            for (from, to, ms) in stages {
                schedule = schedule.then_ramp(from, to, Duration::from_millis(ms));
            }
            let times: Vec<_> = schedule.times(1).collect();
            prop_assert_eq!(times.len() as u64, schedule.arrivals());
            prop_assert!(times.is_sorted());
            prop_assert!(times.last().is_none_or(|&last| last <= schedule.duration()));
        }
    }
}
