//! The figures that are compared, and their pairs of each round.

use std::collections::BTreeMap;

use load_engine::{RunRecord, StepSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Report, ScenarioResult};

/// A figure that can be compared, or followed from run to run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Successful iterations a second, of a scenario.
    Throughput,
    /// The share of operations that failed, of a scenario.
    ErrorRate,
    /// The median of the latency of successes, of a step.
    P50,
    /// Its 95th percentile.
    P95,
    /// Its 99th percentile.
    P99,
    /// Acknowledged effects a second, of a scenario; only followed.
    EffectsRate,
    /// The most resident memory, in bytes, of a scenario; only followed.
    MemoryPeak,
}

impl Metric {
    /// Those of a step.
    pub const OF_STEP: [Self; 3] = [Self::P50, Self::P95, Self::P99];

    /// Those of a scenario.
    pub const OF_SCENARIO: [Self; 2] = [Self::Throughput, Self::ErrorRate];

    /// The metric in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::ErrorRate => "error rate",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::EffectsRate => "effects",
            Self::MemoryPeak => "memory peak",
        }
    }

    /// Whether it is a latency.
    #[must_use]
    pub fn is_latency(self) -> bool {
        matches!(self, Self::P50 | Self::P95 | Self::P99)
    }

    /// Whether more is worse.
    #[must_use]
    pub fn is_better_low(self) -> bool {
        !matches!(self, Self::Throughput | Self::EffectsRate)
    }
}

/// How many figures of a scenario with so many steps are compared.
#[must_use]
pub fn figures_of_steps(steps: usize) -> usize {
    steps * Metric::OF_STEP.len() + Metric::OF_SCENARIO.len()
}

/// What is compared: a figure of a scenario, or of one of its steps.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Subject {
    /// The scenario.
    pub scenario: String,
    /// The step; empty for a figure of the whole scenario.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// The figure.
    pub metric: Metric,
}

/// A figure of a whole scenario; none where it has no value.
pub(crate) fn of_scenario(metric: Metric, scenario: &ScenarioResult) -> Option<f64> {
    let run = &scenario.run;
    match metric {
        Metric::Throughput => Some(iterations_per_second(run)),
        Metric::ErrorRate => (run.operations() > 0).then(|| run.error_rate()),
        Metric::EffectsRate => {
            let effects: u64 = run.steps.iter().map(|step| step.effects).sum();
            Some(effects as f64 * 1e9 / run.window_ns().max(1) as f64)
        }
        Metric::MemoryPeak => {
            let peak = run.monitor.summary.resident_peak_bytes;
            peak.map(|bytes| bytes as f64)
        }
        Metric::P50 | Metric::P95 | Metric::P99 => None,
    }
}

/// Successful iterations a second: of an open model those that ended in the schedule's time.
fn iterations_per_second(run: &RunRecord) -> f64 {
    let per_second = |count: u64, ns: u64| count as f64 * 1e9 / ns.max(1) as f64;
    match &run.open {
        Some(open) => {
            let done = open.arrivals.done.saturating_sub(run.iterations.failed);
            per_second(done, run.window_ns())
        }
        None => per_second(run.iterations.completed, run.wall_ns),
    }
}

/// A percentile of a step's successes; none where there are too few for it.
pub(crate) fn of_step(metric: Metric, step: &StepSummary) -> Option<f64> {
    let latency = step.felt();
    let ns = match metric {
        Metric::P50 => latency.p50(),
        Metric::P95 => latency.p95(),
        Metric::P99 => latency.p99(),
        _ => None,
    };
    ns.map(|ns| ns as f64)
}

/// What one side found of a figure in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Observed {
    Value(f64),
    /// The step was there, and nothing of it succeeded.
    NoSuccess,
    /// There are too few successes for it, or it is not there.
    Missing,
}

/// A figure of both sides, round by round.
pub(super) struct Pair {
    pub(super) subject: Subject,
    pub(super) a: Vec<Observed>,
    pub(super) b: Vec<Observed>,
}

/// The figures that both sides have in each round, and those that they do not.
pub(super) struct Paired {
    pub(super) pairs: Vec<Pair>,
    pub(super) not_compared: Vec<Subject>,
}

pub(super) fn paired(a: &[Report], b: &[Report]) -> Paired {
    let mut subjects: BTreeMap<Subject, [bool; 2]> = BTreeMap::new();
    for (side, reports) in [a, b].into_iter().enumerate() {
        for scenario in reports.iter().flat_map(|report| &report.scenarios) {
            for subject in subjects_of(scenario) {
                subjects.entry(subject).or_default()[side] = true;
            }
        }
    }
    let common = |name: &str| [a, b].iter().all(|side| has_scenario(side, name));
    let mut paired = Paired {
        pairs: Vec::new(),
        not_compared: Vec::new(),
    };
    for (subject, sides) in subjects {
        if !common(&subject.scenario) {
            continue;
        }
        let observed = |reports: &[Report]| -> Vec<Observed> {
            let of = |report: &Report| observe(report, &subject);
            reports.iter().map(of).collect()
        };
        let (of_a, of_b) = (observed(a), observed(b));
        let missing = |side: &[Observed]| side.contains(&Observed::Missing);
        if sides != [true, true] {
            paired.not_compared.push(subject);
        } else if missing(&of_a) && missing(&of_b) && never(&of_a) && never(&of_b) {
            // Too few operations for the percentile, on both sides alike.
        } else if missing(&of_a) || missing(&of_b) {
            paired.not_compared.push(subject);
        } else {
            paired.pairs.push(Pair {
                subject,
                a: of_a,
                b: of_b,
            });
        }
    }
    paired
}

fn never(side: &[Observed]) -> bool {
    !side.iter().any(|own| matches!(own, Observed::Value(_)))
}

fn subjects_of(scenario: &ScenarioResult) -> impl Iterator<Item = Subject> {
    let subject = |step: &str, metric| Subject {
        scenario: scenario.name.clone(),
        step: step.to_owned(),
        metric,
    };
    let whole = Metric::OF_SCENARIO.map(|metric| subject("", metric));
    let steps = scenario.run.steps.iter().filter(|step| step.attempted > 0);
    let of_steps: Vec<Subject> = steps
        .flat_map(|step| Metric::OF_STEP.map(|metric| subject(&step.name, metric)))
        .collect();
    whole.into_iter().chain(of_steps)
}

fn observe(report: &Report, subject: &Subject) -> Observed {
    let mut scenarios = report.scenarios.iter();
    let Some(scenario) = scenarios.find(|other| other.name == subject.scenario) else {
        return Observed::Missing;
    };
    if subject.step.is_empty() {
        let value = of_scenario(subject.metric, scenario);
        return value.map_or(Observed::Missing, Observed::Value);
    }
    match scenario.run.step(&subject.step) {
        Some(step) if step.attempted > 0 && step.felt().count == 0 => Observed::NoSuccess,
        Some(step) => of_step(subject.metric, step).map_or(Observed::Missing, Observed::Value),
        None => Observed::Missing,
    }
}

fn has_scenario(reports: &[Report], name: &str) -> bool {
    let mut all = reports.iter().flat_map(|report| &report.scenarios);
    all.any(|scenario| scenario.name == name)
}

/// The scenarios of one side only, each once.
pub(super) fn unmatched(a: (&str, &[Report]), b: (&str, &[Report])) -> Vec<(String, String)> {
    let mut unmatched: Vec<(String, String)> = Vec::new();
    for ((side, own), other) in [(a, b.1), (b, a.1)] {
        for scenario in own.iter().flat_map(|report| &report.scenarios) {
            let one = (side.to_owned(), scenario.name.clone());
            if !has_scenario(other, &scenario.name) && !unmatched.contains(&one) {
                unmatched.push(one);
            }
        }
    }
    unmatched
}

/// Whether each round was over on both sides before the next one began on either.
pub(super) fn are_in_turns(a: &[Report], b: &[Report]) -> bool {
    let began = |report: &Report| report.started();
    let rounds: Vec<_> = a.iter().zip(b).map(|(a, b)| (began(a), began(b))).collect();
    rounds.windows(2).all(|pair| {
        let [(a, b), (next_a, next_b)] = [pair[0], pair[1]];
        let (Some(a), Some(b)) = (a, b) else {
            return false;
        };
        [next_a, next_b]
            .into_iter()
            .all(|next| next.is_some_and(|next| next >= a && next >= b))
    })
}
