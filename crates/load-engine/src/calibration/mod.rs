//! Calibration: targets whose delays are known, and what a run reports of them.
//!
//! A figure of a load test can be believed if the tool gets it right where the truth is known. A
//! [`Calibration`] puts an open load on a target of a [`KnownDelay`] and compares three figures: what
//! the schedule and the delay *ask* for, what *truly* happened by the target's own book, and what the
//! engine *reports*. [`ClosedCalibration`] puts a stall under a closed model, which hides it, and
//! shows what the run's warning says about that.
//!
//! ```
//! use std::time::Duration;
//! use load_engine::calibration::Calibration;
//! use load_engine::{SimulatedClock, StopHandle};
//!
//! for calibration in Calibration::standard(Duration::from_secs(2)) {
//!     let result = calibration.run_on(&SimulatedClock::new(), &StopHandle::new(), |_| {})?;
//!     assert!(result.holds(), "{result}");
//! }
//! # Ok::<(), load_engine::RunError>(())
//! ```

pub(crate) mod closed;
pub(crate) mod delay;
pub(crate) mod target;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::StopHandle;
use crate::clock::{Clock, MonotonicClock};
use crate::error::RunError;
use crate::exec::progress::Progress;
use crate::exec::run_on;
use crate::judge::validity::GeneratorLimit;
use crate::plan::Plan;
use crate::plan::model::Model;
use crate::plan::schedule::Schedule;
use crate::record::RunRecord;
use crate::record::open_summary::ArrivalCounts;

pub use closed::{ClosedCalibration, HiddenWait};
pub use delay::KnownDelay;
use target::{Target, Took};

/// How far a reported figure may be from the true one, as a share of it.
pub const MAX_ERROR_SHARE: f64 = 0.01;

/// How far a reported figure may be from the true one in any case: the readings of the clock on both
/// sides of a call are not those that the target makes inside it.
pub const MAX_ERROR: Duration = Duration::from_micros(20);

/// Arrivals a second of the standard calibrations.
const RATE_PER_S: f64 = 500.0;

/// The percentiles that are compared, as shares.
const QUANTILES: [f64; 7] = [0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// An open load on a target of known delays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Calibration {
    /// What it is called in reports.
    pub name: String,
    /// How long the target takes.
    pub delay: KnownDelay,
    /// When arrivals come.
    pub schedule: Schedule,
    /// How many may be under way at once. With fewer than the delays need, arrivals queue for a
    /// thread as well, of which the asked figures know nothing.
    pub max_in_flight: NonZeroU32,
}

impl Calibration {
    /// A calibration with evenly spaced arrivals, and room for all that can be under way.
    ///
    /// ```
    /// use std::time::Duration;
    /// use load_engine::calibration::{Calibration, KnownDelay};
    ///
    /// let delay = KnownDelay::Constant { service: Duration::from_millis(10) };
    /// let calibration = Calibration::new("constant", delay, 100.0, Duration::from_secs(5));
    /// assert_eq!(calibration.schedule.arrivals(), 500);
    /// ```
    #[must_use]
    pub fn new(name: &str, delay: KnownDelay, per_s: f64, length: Duration) -> Self {
        let waiting = (per_s * delay.longest().as_secs_f64()).ceil() as u32;
        Self {
            name: name.to_owned(),
            delay,
            schedule: Schedule::constant(per_s, length),
            // A few more, who stand ready while others are under way.
            max_in_flight: NonZeroU32::MIN.saturating_add(waiting.saturating_add(9)),
        }
    }

    /// The standard targets (constant, bimodal, drifting, a stall each 10 s, one long stall) under
    /// 500 arrivals a second for `length`. In less than 20 s, stalls come closer together.
    #[must_use]
    pub fn standard(length: Duration) -> Vec<Self> {
        let ms = Duration::from_millis;
        let every = (length / 2).min(Duration::from_secs(10));
        let targets = [
            ("constant", KnownDelay::Constant { service: ms(20) }),
            (
                "bimodal",
                KnownDelay::Bimodal {
                    fast: ms(10),
                    slow: ms(80),
                    slow_share: 0.07,
                },
            ),
            (
                "drifting",
                KnownDelay::Drifting {
                    from: ms(10),
                    to: ms(60),
                    over: length,
                },
            ),
            (
                "stall each 10 s",
                KnownDelay::Stalling {
                    service: ms(10),
                    first: every / 2,
                    every,
                    lasts: every / 10,
                },
            ),
            (
                "one long stall",
                KnownDelay::one_stall(ms(1), length * 3 / 7, length / 7),
            ),
        ];
        targets
            .into_iter()
            .map(|(name, delay)| Self::new(name, delay, RATE_PER_S, length))
            .collect()
    }

    /// The response times that schedule and delay ask for, the shortest first.
    #[must_use]
    pub fn asked_ns(&self) -> Vec<u64> {
        asked_ns(&self.schedule, self.delay)
    }

    /// Runs on the machine's clock, which takes as long as the schedule.
    ///
    /// # Errors
    ///
    /// As [`run`](crate::run()).
    pub fn run(
        &self,
        stop: &StopHandle,
        on_progress: impl FnMut(&Progress),
    ) -> Result<CalibrationResult, RunError> {
        self.run_on(&MonotonicClock::new(), stop, on_progress)
    }

    /// Like [`run`](Self::run), by a clock of the caller's, such as a simulated one.
    ///
    /// # Errors
    ///
    /// As [`run`](crate::run()).
    pub fn run_on(
        &self,
        clock: &dyn Clock,
        stop: &StopHandle,
        on_progress: impl FnMut(&Progress),
    ) -> Result<CalibrationResult, RunError> {
        let target = Target::new(clock, self.delay, Some(self.schedule.clone()));
        let model = Model::open(self.schedule.clone(), self.max_in_flight);
        let plan = Plan::new(&self.name, model);
        let (record, _) = run_on(clock, &target, &plan, stop, on_progress)?;
        self.compare(target.into_book(), record)
    }

    fn compare(&self, book: Vec<Took>, run: RunRecord) -> Result<CalibrationResult, RunError> {
        let sorted = |read: fn(&Took) -> u64| {
            let mut times: Vec<u64> = book.iter().map(read).collect();
            times.sort_unstable();
            times
        };
        let (least, most) = (sorted(|took| took.least_ns), sorted(|took| took.most_ns));
        let asked = self.asked_ns();
        let open = run.open.clone().unwrap_or_default();
        let reported = open.response_time.to_histogram()?;
        let rows = QUANTILES.map(|quantile| CalibrationRow {
            quantile,
            asked_ns: at_quantile(&asked, quantile),
            true_ns: at_quantile(&least, quantile),
            true_at_most_ns: at_quantile(&most, quantile),
            reported_ns: reported.value_at_quantile(quantile),
        });
        let limits = run.generator_limits();
        Ok(CalibrationResult {
            name: self.name.clone(),
            rows: rows.to_vec(),
            arrivals: open.arrivals,
            limits,
            run,
        })
    }
}

/// What a calibration found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CalibrationResult {
    /// The calibration's name.
    pub name: String,
    /// The figures, by rising percentile.
    pub rows: Vec<CalibrationRow>,
    /// What became of the arrivals.
    pub arrivals: ArrivalCounts,
    /// What kept the generator from being only an observer.
    pub limits: Vec<GeneratorLimit>,
    /// The whole record.
    pub run: RunRecord,
}

impl CalibrationResult {
    /// Whether every figure is as near to the truth as it should be, and every arrival is accounted
    /// for.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rows.iter().all(CalibrationRow::holds) && self.arrivals.balance()
    }
}

impl fmt::Display for CalibrationResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        self.rows.iter().try_for_each(|row| writeln!(f, "  {row}"))
    }
}

/// One percentile: asked, true and reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CalibrationRow {
    /// Which percentile, as a share.
    pub quantile: f64,
    /// What schedule and delay ask for.
    pub asked_ns: u64,
    /// What truly happened, by the target's own book: later than asked where the machine woke the
    /// generator or the target late.
    pub true_ns: u64,
    /// The same by the first reading of the clock after the call: more where the machine took the processor away
    /// between the target's reading and the engine's.
    #[serde(default)]
    pub true_at_most_ns: u64,
    /// What the run reports.
    pub reported_ns: u64,
}

impl CalibrationRow {
    /// How far the report is from the truth: from what lies between the two readings.
    #[must_use]
    pub fn error_ns(&self) -> u64 {
        let most_ns = self.true_at_most_ns.max(self.true_ns);
        let truth_ns = self.reported_ns.clamp(self.true_ns, most_ns);
        self.reported_ns.abs_diff(truth_ns)
    }

    /// The same as a share of the truth; 0 of nothing.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        crate::numbers::share(self.error_ns(), self.true_ns)
    }

    /// Whether the report is within 1 % or 20 µs of the truth.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.error_share() <= MAX_ERROR_SHARE || u128::from(self.error_ns()) <= MAX_ERROR.as_nanos()
    }
}

impl fmt::Display for CalibrationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        let (asked, true_ms) = (ms(self.asked_ns), ms(self.true_ns));
        let (reported, off) = (ms(self.reported_ns), self.error_share() * 100.0);
        // As `99.9`, not as `99.90000000000001`.
        let percentile = (self.quantile * 1e4).round() / 100.0;
        write!(
            f,
            "p{percentile}: asked {asked:.3} ms, true {true_ms:.3} ms, reported {reported:.3} ms ({off:.2} % off)"
        )
    }
}

fn asked_ns(schedule: &Schedule, delay: KnownDelay) -> Vec<u64> {
    let due = schedule.times(0).map(|time| time.as_nanos() as u64);
    let mut asked: Vec<u64> = (0..)
        .zip(due)
        .map(|(number, due_ns)| delay.answered_ns(number, due_ns) - due_ns)
        .collect();
    asked.sort_unstable();
    asked
}

/// The value that this share of the sorted ones does not exceed, as HdrHistogram defines it.
fn at_quantile(sorted: &[u64], quantile: f64) -> u64 {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    let index = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;

    #[test]
    fn the_long_stall_is_the_published_stall_test() {
        let stall = Calibration::standard(Duration::from_secs(14))
            .pop()
            .unwrap();
        let asked = stall.asked_ns();
        assert_eq!(asked.len(), 7_000);
        // 2 s less the 70 arrivals that come before the one in question, and 1 ms of service.
        assert_eq!(at_quantile(&asked, 0.99), 1_861_000_000);
        assert_eq!(at_quantile(&asked, 0.5), 1_000_000);
    }

    #[test]
    fn every_percentile_of_every_known_target_is_reported_within_one_percent() {
        for calibration in Calibration::standard(Duration::from_secs(10)) {
            let clock = SimulatedClock::new();
            let result = calibration
                .run_on(&clock, &StopHandle::new(), |_| {})
                .unwrap();
            assert!(result.holds(), "{result}");
            assert_eq!(result.limits, [], "{}", result.name);
            let reported = result
                .run
                .open
                .unwrap()
                .response_time
                .to_histogram()
                .unwrap();
            let asked = calibration.asked_ns();
            for permille in 1..=999 {
                let quantile = f64::from(permille) / 1000.0;
                let row = CalibrationRow {
                    quantile,
                    asked_ns: at_quantile(&asked, quantile),
                    true_ns: at_quantile(&asked, quantile),
                    true_at_most_ns: at_quantile(&asked, quantile),
                    reported_ns: reported.value_at_quantile(quantile),
                };
                assert!(row.holds(), "{}: {row}", result.name);
            }
        }
    }

    #[test]
    fn a_report_that_is_off_is_told_from_one_that_is_not() {
        let row = |true_ns, reported_ns| CalibrationRow {
            quantile: 0.999,
            asked_ns: true_ns,
            true_ns,
            true_at_most_ns: true_ns,
            reported_ns,
        };
        assert!(row(1_000_000_000, 1_010_000_000).holds());
        assert!(!row(1_000_000_000, 989_000_000).holds());
        assert!(row(100_000, 120_000).holds());
        assert!(!row(100_000, 121_000).holds());
        // Who lost the processor between two readings has two truths, and all that lies between them.
        let between = CalibrationRow {
            true_at_most_ns: 900_000_000,
            ..row(100_000_000, 500_000_000)
        };
        assert!(between.holds() && between.error_ns() == 0);
        assert!(!row(100_000_000, 500_000_000).holds());
        assert_eq!(
            row(100_000, 121_000).to_string(),
            "p99.9: asked 0.100 ms, true 0.100 ms, reported 0.121 ms (21.00 % off)"
        );
    }
}
