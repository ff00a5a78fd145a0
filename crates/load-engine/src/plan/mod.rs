//! What is asked of a run.

pub(crate) mod abort;
pub(crate) mod condition;
pub(crate) mod model;
pub(crate) mod nanoseconds;
pub(crate) mod pacing;
pub(crate) mod phase;
pub(crate) mod schedule;

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::error::RunError;
use crate::ledger::spill::SpillPolicy;
use crate::plan::abort::AbortRule;
use crate::plan::condition::Condition;
use crate::plan::model::Model;
use crate::plan::pacing::{ThinkTime, check_stages};
use crate::plan::phase::Phase;
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
    /// What ends phases before their time: phases by number, each with its condition.
    pub phase_ends: Vec<(usize, Condition)>,
    /// Thresholds that end the run when they are violated.
    pub abort_rules: Vec<AbortRule>,
    /// How long what is under way at the end may still take, in a run that can leave it behind. If not
    /// set, it is as [`grace`](Self::grace) says.
    pub grace: Option<Duration>,
    /// A process to watch besides this one, by its number: the target's, if it is another.
    pub watched: Option<u32>,
    /// Where the ledger goes when it is too much for memory; it stays there if this is not set.
    pub spill: Option<SpillPolicy>,
    /// On how many of tokio's runtimes users are tasks at most; on one for each processor if it is not set.
    pub most_runtimes: Option<NonZeroUsize>,
    /// Whether [`Progress`](crate::Progress) brings the record so far, about once a second.
    pub record_so_far: bool,
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
            phase_ends: Vec::new(),
            abort_rules: Vec::new(),
            grace: None,
            watched: None,
            spill: None,
            most_runtimes: None,
            record_so_far: false,
        }
    }

    /// Sets the seed (0 unless set).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Asks for the record while the run goes on (not unless set): it takes the thread that called a
    /// few milliseconds each second.
    #[must_use]
    pub fn record_so_far(mut self) -> Self {
        self.record_so_far = true;
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

    /// Adds a phase that ends as soon as a condition holds, and at the latest after `at_most`.
    ///
    /// What is left of its time is left out of the load: the stages or the schedule go on with what
    /// comes after the phase, and the load ends earlier by as much.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use load_engine::{Model, Plan, Schedule, Threshold};
    ///
    /// let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    /// let schedule = Schedule::ramp(10.0, 1_000.0, minute).then_at(10.0, minute);
    /// let too_slow: Threshold = "p99(call @ stress) > 500ms".parse()?;
    /// let recovered: Threshold = "p50(call @ recovery) < 20ms".parse()?;
    /// let plan = Plan::new("stress", Model::open(schedule, NonZeroU32::new(100).unwrap()))
    ///     .phase_until("stress", minute, too_slow)
    ///     .phase_until("recovery", minute, recovered);
    /// # Ok::<(), load_engine::RunError>(())
    /// ```
    #[must_use]
    pub fn phase_until(
        mut self,
        name: impl Into<String>,
        at_most: Duration,
        condition: impl Into<Condition>,
    ) -> Self {
        self.phase_ends.push((self.phases.len(), condition.into()));
        self.phase(name, at_most)
    }

    /// Ends the run early if a threshold is violated while the load runs, judged when the load has run
    /// for `after` (never unless added). The record's
    /// [`abort`](crate::RunRecord::abort) says which one did, and when.
    #[must_use]
    pub fn abort_on_fail(mut self, threshold: Threshold, after: Duration) -> Self {
        self.abort_rules.push(AbortRule { threshold, after });
        self
    }

    /// Watches the process of this number as well, such as a server under load: its memory, processor
    /// time, threads, files and waits are in [`RunRecord::target`](crate::RunRecord::target).
    #[must_use]
    pub fn watch(mut self, pid: u32) -> Self {
        self.watched = Some(pid);
        self
    }

    /// Keeps the ledger on disk and only a part of it in memory, for runs of many millions of effects.
    /// The outcome has it as [`spilled`](crate::Outcome::spilled).
    #[must_use]
    pub fn spill(mut self, policy: SpillPolicy) -> Self {
        self.spill = Some(policy);
        self
    }

    /// Sets how long iterations that are under way when the load's time is up, or when it is stopped,
    /// may still take. Then a run by [`run_shared`](crate::run_shared) or
    /// [`run_async`](crate::run_async) ends without them. At the load's end they have failed, since they had this
    /// time to finish; after a stop they are counted as in flight.
    ///
    /// Unless set, nobody fails that is cut off at the load's end, and it is 25 ms or half a percent of the load's time, whichever is longer; in an open
    /// model the max_start_delay more, since an arrival may wait that long before it starts; and at most 1 s
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
                Model::Open {
                    max_start_delay, ..
                } => max_start_delay.saturating_add(short),
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

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
