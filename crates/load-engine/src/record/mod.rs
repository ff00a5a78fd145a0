//! The run's record: plain data that can be saved, judged again and merged later.

pub(crate) mod abort;
pub(crate) mod counts;
pub(crate) mod export;
pub(crate) mod failures;
pub(crate) mod fairness;
pub(crate) mod generator;
pub(crate) mod histogram;
pub(crate) mod lag;
pub(crate) mod latency;
pub(crate) mod open_summary;
pub(crate) mod parts;
pub(crate) mod phase;
pub(crate) mod recorder;
pub(crate) mod service_memory;
pub(crate) mod summarise;
pub(crate) mod timeline;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::monitor::MonitorRecord;
use crate::numbers::{is_zero, per_second, share};
use crate::plan::model::Model;
use crate::plan::pacing::ThinkTime;
use crate::record::abort::Abort;
use crate::record::failures::FailureTally;
use crate::record::fairness::Fairness;
use crate::record::generator::GeneratorRecord;
use crate::record::lag::RuntimeLag;
use crate::record::latency::LatencySummary;
use crate::record::open_summary::OpenSummary;
use crate::record::parts::PartSummary;
use crate::record::phase::PhaseSummary;
use crate::record::service_memory::ServiceMemory;

/// Everything that a run measured. No number in it is ever NaN or infinite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunRecord {
    /// What the plan calls the run.
    pub label: String,
    /// The model of load.
    pub model: Model,
    /// How long closed users waited between two iterations.
    pub think_time: ThinkTime,
    /// The seed of every random number.
    pub seed: u64,
    /// Users that stood.
    pub users: u32,
    /// From the start of the load to the end of its last operation, without set-up and tear-down.
    pub wall_ns: u64,
    /// How long the load was scheduled to be, from its start, less what was left out or cut off. What
    /// completed later was drained. The same as `wall_ns` where the load ends by count; 0 in a record of
    /// an earlier version, whose latencies are of all attempts.
    #[serde(default)]
    pub window_ns: u64,
    /// Whether the run was stopped before it was through.
    pub interrupted: bool,
    /// The violated threshold that ended it, if one did.
    #[serde(alias = "early_end", default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// Iterations of all users.
    pub iterations: IterationCounts,
    /// Failures of iterations outside any step.
    pub failures: FailureCounts,
    /// What the workload checked, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckCount>,
    /// Failures of tear-downs.
    pub tear_down_failures: FailureCounts,
    /// How long an interval of a step is: a second, and longer in a run of more than 20 minutes.
    pub interval_ns: u64,
    /// Each declared step, in the workload's order.
    pub steps: Vec<StepSummary>,
    /// Times that the workload measured beside its steps. They are in no total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartSummary>,
    /// Operations that took at least 50 ms and ten times as long as is usual for their step: the longest
    /// 5,000, by their start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow_operations: Vec<SlowOperation>,
    /// Each phase of the plan.
    pub phases: Vec<PhaseSummary>,
    /// What became of the arrivals of an open model.
    pub open: Option<OpenSummary>,
    /// What the run had the target keep, and what the engine kept of it.
    #[serde(default)]
    pub stored: StoredEffects,
    /// How evenly users were served; only in a closed model, whose users all ask for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// How long ready tasks waited for their runtime; only in a run of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_lag: Option<RuntimeLag>,
    /// What the process used meanwhile.
    pub monitor: MonitorRecord,
    /// What the watched process used meanwhile, if the plan names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MonitorRecord>,
    /// The memory of each service that the load was put on, where its process is on this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceMemory>,
    /// What the engine itself cost.
    pub generator: GeneratorRecord,
}

impl RunRecord {
    /// The step of this name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&StepSummary> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The times beside steps of this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&PartSummary> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The steps with this tag.
    pub fn steps_tagged(&self, name: &str, value: &str) -> impl Iterator<Item = &StepSummary> {
        let tagged = move |step: &&StepSummary| step.tags.get(name).is_some_and(|is| is == value);
        self.steps.iter().filter(tagged)
    }

    /// The check of this name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&CheckCount> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Attempts of all steps.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.steps.iter().map(|step| step.attempted).sum()
    }

    /// Failed attempts of all steps.
    #[must_use]
    pub fn failed_operations(&self) -> u64 {
        self.steps.iter().map(|step| step.failed).sum()
    }

    /// The achieved rate: successful attempts of all steps that completed in the scheduled window, a
    /// second of it; 0 for a run that took no time.
    #[must_use]
    pub fn operations_per_second(&self) -> f64 {
        let completed = self.steps.iter().map(StepSummary::completed).sum();
        per_second(completed, self.window_ns())
    }

    /// How long the scheduled window was. A record of an earlier version does not say, so all of its
    /// time counts.
    #[must_use]
    pub fn window_ns(&self) -> u64 {
        match self.window_ns {
            0 => self.wall_ns,
            window_ns => window_ns,
        }
    }

    /// Attempts that ended in an interval of a step. Those of a record of an earlier version are all among
    /// its latencies.
    #[must_use]
    pub fn attempted_in(&self, interval: &IntervalSummary) -> u64 {
        match self.window_ns {
            0 => interval.latency.count,
            _ => interval.latency.count + interval.failed,
        }
    }

    /// How long the drain took: from the end of the scheduled window to the last completion.
    #[must_use]
    pub fn drain_ns(&self) -> u64 {
        self.wall_ns.saturating_sub(self.window_ns())
    }

    /// Which of the sums that have to be equal are not: a defect of the engine, or a damaged record.
    #[must_use]
    pub fn inconsistency(&self) -> Option<String> {
        if self.window_ns == 0 {
            return None;
        }
        let unequal = |what: &str, sum: u64, parts: u64| {
            (sum != parts).then(|| format!("{what}: {sum} are not the {parts} of its parts"))
        };
        let of_step = |step: &StepSummary| {
            let ended = step.succeeded + step.failed;
            let name = &step.name;
            unequal(&format!("operations of `{name}`"), step.attempted, ended)
                .or_else(|| {
                    let timed = step.service_time.count;
                    unequal(&format!("successes of `{name}`"), step.succeeded, timed)
                })
                .or_else(|| {
                    let timed = step.failure_time.as_ref().map_or(0, |times| times.count);
                    unequal(&format!("failures of `{name}`"), step.failed, timed)
                })
        };
        let arrivals = self.open.as_ref().and_then(|open| {
            let balanced = open.arrivals.balance();
            (!balanced).then(|| format!("arrivals do not add up: {:?}", open.arrivals))
        });
        arrivals.or_else(|| self.steps.iter().find_map(of_step))
    }

    /// Failed attempts and iterations that failed outside every step, as a share of both and of the
    /// other attempts, from 0 to 1; 0 for a run that attempted nothing.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        let outside = self.failures.total();
        share(
            self.failed_operations() + outside,
            self.operations() + outside,
        )
    }

    /// The steps that should have left an effect and acknowledged none in the whole run.
    pub fn vacuous_steps(&self) -> impl Iterator<Item = &StepSummary> {
        self.steps.iter().filter(|step| step.is_vacuous())
    }
}

/// What effects left behind, by which growth of memory is explained. Those of a ledger on disk are not
/// known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StoredEffects {
    /// The engine's own ledger in memory.
    pub ledger_bytes: u64,
    /// Things created less things removed, as acknowledged.
    pub things: u64,
    /// The length of their keys, about.
    pub key_bytes: u64,
}

/// Iterations by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct IterationCounts {
    /// How many the model asked for, if it says.
    pub planned: Option<u64>,
    /// Those that succeeded.
    pub completed: u64,
    /// Those that failed or panicked.
    pub failed: u64,
    /// Those that a signal, an abort rule or a deadline without time to finish cut off: neither completed nor
    /// failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_flight: u64,
}

/// Failures by message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureCounts {
    /// The most frequent messages, by falling count.
    pub messages: Vec<FailureCount>,
    /// Failures with yet other messages.
    pub other: u64,
}

impl FailureCounts {
    /// How many failures there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.messages
            .iter()
            .map(|failure| failure.count)
            .sum::<u64>()
            + self.other
    }
}

impl From<FailureTally> for FailureCounts {
    fn from(tally: FailureTally) -> Self {
        let (messages, other) = tally.into_parts();
        let messages = messages
            .into_iter()
            .map(|(message, count)| FailureCount { message, count })
            .collect();
        Self { messages, other }
    }
}

/// One message and how often it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureCount {
    /// The message.
    pub message: String,
    /// How often it came.
    pub count: u64,
}

/// One check and how often it held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CheckCount {
    /// Its name.
    pub name: String,
    /// How often it held.
    pub passed: u64,
    /// How often it did not.
    pub failed: u64,
}

/// The figures of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StepSummary {
    /// The step's name.
    pub name: String,
    /// Whether it is meant to leave an effect.
    pub effect: bool,
    /// What to group it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How often it ran.
    pub attempted: u64,
    /// How often it succeeded.
    pub succeeded: u64,
    /// How often it failed or panicked.
    pub failed: u64,
    /// Effects that were acknowledged to it.
    pub effects: u64,
    /// Successes that acknowledged no effect, of a step that is meant to leave one.
    pub unacknowledged: u64,
    /// Successes that completed after the scheduled window.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drained: u64,
    /// How long successful attempts took, from their actual start.
    pub service_time: LatencySummary,
    /// In an open model, how long they took from when they were due: an iteration's first step bears
    /// the delay of its start.
    pub response_time: Option<LatencySummary>,
    /// How long failed attempts took: from when they were due in an open model, else from their start. Of
    /// those that did not finish, how long they were waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_time: Option<LatencySummary>,
    /// The same from interval to interval, from the start of the load to the last attempt's end.
    pub intervals: Vec<IntervalSummary>,
    /// Why attempts failed.
    pub failures: FailureCounts,
    /// Attempts that were cut off by a signal, an abort rule or a deadline without time to finish. They are in
    /// no other figure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_flight: u64,
    /// How long the longest of them had taken by then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub longest_in_flight_ns: u64,
}

impl StepSummary {
    /// Whether the step should have left an effect and acknowledged none.
    #[must_use]
    pub fn is_vacuous(&self) -> bool {
        self.effect && self.effects == 0
    }

    /// Failed attempts as a share of all, from 0 to 1.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        share(self.failed, self.attempted)
    }

    /// Successes that completed in the scheduled window: what the rate counts.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.succeeded.saturating_sub(self.drained)
    }

    /// What users felt: the response time in an open model, else the service time.
    #[must_use]
    pub fn felt(&self) -> &LatencySummary {
        self.response_time.as_ref().unwrap_or(&self.service_time)
    }
}

/// An operation that took much longer than is usual for its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlowOperation {
    /// The step's number in [`RunRecord::steps`].
    pub step: u32,
    /// The user.
    pub user: u32,
    /// When it began, from the start of the load.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// Attempts that had not ended when the run did.
#[derive(Clone, Copy, Default)]
pub(crate) struct InFlight {
    pub(crate) count: u64,
    pub(crate) longest_ns: u64,
}

/// One interval of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct IntervalSummary {
    /// Its beginning, from the start of the load.
    pub start_ns: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// How long successful attempts took that ended in it: response time in an open model, else service
    /// time.
    pub latency: LatencySummary,
}
