//! The same stall under a closed model, which hides it and should say so.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::target::Target;
use super::{KnownDelay, MAX_ERROR_SHARE, asked_ns, at_quantile};
use crate::clock::StopHandle;
use crate::clock::{Clock, MonotonicClock};
use crate::error::RunError;
use crate::exec::progress::Progress;
use crate::exec::run_on;
use crate::plan::Plan;
use crate::plan::model::Model;
use crate::plan::nanoseconds;
use crate::plan::schedule::Schedule;

/// How long a call takes without a stall: so that ten users make 500 a second.
const SERVICE: Duration = Duration::from_millis(20);

/// How many users call.
const USERS: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");

/// A closed load on a target that stalls once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ClosedCalibration {
    /// How long the target takes.
    pub delay: KnownDelay,
    /// How long the load lasts.
    #[serde(rename = "length_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    pub length: Duration,
}

impl ClosedCalibration {
    /// Ten users of 20 ms a call for `length`, a seventh of which the target is stopped.
    #[must_use]
    pub fn stall(length: Duration) -> Self {
        Self {
            delay: KnownDelay::one_stall(SERVICE, length * 3 / 7, length / 7),
            length,
        }
    }

    /// Runs on the machine's clock, which takes as long as the load.
    ///
    /// # Errors
    ///
    /// As [`run`](crate::run()).
    pub fn run(
        &self,
        stop: &StopHandle,
        on_progress: impl FnMut(&Progress),
    ) -> Result<HiddenWait, RunError> {
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
    ) -> Result<HiddenWait, RunError> {
        let target = Target::new(clock, self.delay, None);
        let plan = Plan::new("closed stall", Model::elapsed(USERS, self.length));
        let (record, _) = run_on(clock, &target, &plan, stop, on_progress)?;
        let warned = record.coordinated_omissions()?;
        // Who keeps the pace of these users arrives each 2 ms, whatever the target does.
        let per_s = f64::from(USERS.get()) / SERVICE.as_secs_f64();
        let asked = asked_ns(&Schedule::constant(per_s, self.length), self.delay);
        Ok(HiddenWait {
            reported_p99_ns: record.steps[0].service_time.p99_ns,
            warned_p99_ns: warned.first().map(|omission| omission.p99_at_pace_ns),
            true_p99_ns: at_quantile(&asked, 0.99),
            warning: warned.first().map(ToString::to_string),
        })
    }
}

/// What a closed model reported of a stall, and what it said about that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct HiddenWait {
    /// The reported 99th percentile.
    pub reported_p99_ns: u64,
    /// What the warning says that users felt at least; nothing if there was no warning.
    pub warned_p99_ns: Option<u64>,
    /// What users felt who kept their pace, by the schedule.
    pub true_p99_ns: u64,
    /// The warning's text.
    pub warning: Option<String>,
}

impl HiddenWait {
    /// Whether the run warned, and did not overstate what it hid.
    #[must_use]
    pub fn holds(&self) -> bool {
        // The pace is a median, so it is true to three digits and to how late the machine wakes.
        let most = self.true_p99_ns as f64 * (1.0 + 2.0 * MAX_ERROR_SHARE);
        self.warned_p99_ns
            .is_some_and(|warned| warned > self.reported_p99_ns && warned as f64 <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;

    #[test]
    fn a_stall_that_the_closed_model_hides_comes_with_a_warning_that_says_how_much() {
        let stall = ClosedCalibration::stall(Duration::from_secs(14));
        let clock = SimulatedClock::new();
        let hidden = stall.run_on(&clock, &StopHandle::new(), |_| {}).unwrap();
        assert!(hidden.holds(), "{hidden:?}");
        assert!(hidden.reported_p99_ns < 21_000_000, "{hidden:?}");
        let warned = hidden.warned_p99_ns.unwrap();
        assert!(
            warned.abs_diff(hidden.true_p99_ns) < 40_000_000,
            "{hidden:?}"
        );
        assert!(
            hidden
                .warning
                .unwrap()
                .contains("hides the wait for `call`")
        );
    }

    #[test]
    fn a_steady_target_needs_no_warning() {
        let steady = ClosedCalibration {
            delay: KnownDelay::Constant { service: SERVICE },
            length: Duration::from_secs(14),
        };
        let clock = SimulatedClock::new();
        let hidden = steady.run_on(&clock, &StopHandle::new(), |_| {}).unwrap();
        assert_eq!((hidden.warned_p99_ns, hidden.holds()), (None, false));
    }
}
