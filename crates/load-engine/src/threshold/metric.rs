//! What a threshold can be about: each figure's name, dimension and scope, and how it is found in a
//! record.

use crate::error::RunError;
use crate::ledger::verify::Verification;
use crate::plan::phase::PhaseSummary;
use crate::record::latency::LatencySummary;
use crate::record::recorder::empty_histogram;
use crate::record::{RunRecord, StepSummary, per_second, share};

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Metric {
    Quantile(f64), // in (0, 1]
    Min,
    Mean,
    Max,
    Operations,
    Succeeded,
    Failed,
    Rate,
    ErrorRate,
    Effects,
    Iterations,
    FailedIterations,
    Verified,
    Lost,
    Altered,
    Duplicated,
    Unexpected,
    Indeterminate,
    Unreadable,
    Vacuous,
    Dropped,
    LateStarts,
    MemoryPeak,
    MemoryGrowth,
    Cores,
}

impl Metric {
    /// Whether the figure can be told, and means what it will mean, before the load is over.
    pub(crate) fn is_known_during_load(self) -> bool {
        matches!(
            self,
            Self::Quantile(_)
                | Self::Min
                | Self::Mean
                | Self::Max
                | Self::Failed
                | Self::ErrorRate
                | Self::FailedIterations
        )
    }
}

/// What a figure is counted in, which decides the units of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dimension {
    Time,
    Share,
    Count,
    Rate,
    Bytes,
    Cores,
}

/// Of what a figure can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Of a whole run.
    Run,
    /// Of a run or one of its steps.
    Step,
    /// Of a run, a step, a phase, or a step in a phase.
    Phase,
}

/// Every figure but the percentiles, by name.
pub(crate) const METRICS: [(&str, Metric, Dimension, Scope); 24] = [
    ("min", Metric::Min, Dimension::Time, Scope::Phase),
    ("mean", Metric::Mean, Dimension::Time, Scope::Phase),
    ("max", Metric::Max, Dimension::Time, Scope::Phase),
    (
        "operations",
        Metric::Operations,
        Dimension::Count,
        Scope::Phase,
    ),
    (
        "succeeded",
        Metric::Succeeded,
        Dimension::Count,
        Scope::Phase,
    ),
    ("failed", Metric::Failed, Dimension::Count, Scope::Phase),
    ("rate", Metric::Rate, Dimension::Rate, Scope::Phase),
    (
        "error_rate",
        Metric::ErrorRate,
        Dimension::Share,
        Scope::Phase,
    ),
    ("effects", Metric::Effects, Dimension::Count, Scope::Step),
    (
        "iterations",
        Metric::Iterations,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "failed_iterations",
        Metric::FailedIterations,
        Dimension::Count,
        Scope::Run,
    ),
    ("verified", Metric::Verified, Dimension::Count, Scope::Run),
    ("lost", Metric::Lost, Dimension::Count, Scope::Run),
    ("altered", Metric::Altered, Dimension::Count, Scope::Run),
    (
        "duplicated",
        Metric::Duplicated,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "unexpected",
        Metric::Unexpected,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "indeterminate",
        Metric::Indeterminate,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "unreadable",
        Metric::Unreadable,
        Dimension::Count,
        Scope::Run,
    ),
    ("vacuous", Metric::Vacuous, Dimension::Count, Scope::Run),
    ("dropped", Metric::Dropped, Dimension::Count, Scope::Run),
    (
        "late_starts",
        Metric::LateStarts,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "memory_peak",
        Metric::MemoryPeak,
        Dimension::Bytes,
        Scope::Run,
    ),
    (
        "memory_growth",
        Metric::MemoryGrowth,
        Dimension::Bytes,
        Scope::Run,
    ),
    ("cores", Metric::Cores, Dimension::Cores, Scope::Run),
];

/// The figures of one scope, from which a scoped metric is read.
struct Figures {
    attempted: u64,
    failed: u64,
    effects: u64,
    time_ns: u64,
    latency: LatencySummary,
}

/// Finds a figure, or says why there is none.
pub(crate) fn observe(
    metric: Metric,
    step: Option<&str>,
    phase: Option<&str>,
    record: &RunRecord,
    verification: Option<&Verification>,
) -> Result<f64, String> {
    if let Some(count) = verified(metric, verification) {
        return count.map(|count| count as f64);
    }
    if let Some(value) = of_run(metric, record) {
        return value;
    }
    let figures = match phase {
        None => of_steps(record, step)?,
        Some(phase) => of_phase(record, phase, step)?,
    };
    if figures.attempted == 0 && !matches!(metric, Metric::Operations | Metric::Effects) {
        return Err("there was no operation".to_owned());
    }
    scoped(metric, &figures)
}

fn scoped(metric: Metric, figures: &Figures) -> Result<f64, String> {
    let latency = &figures.latency;
    Ok(match metric {
        Metric::Quantile(quantile) => {
            let histogram = latency.to_histogram().map_err(|error| error.to_string())?;
            histogram.value_at_quantile(quantile) as f64
        }
        Metric::Min => latency.min_ns as f64,
        Metric::Mean => latency.mean_ns,
        Metric::Max => latency.max_ns as f64,
        Metric::Operations => figures.attempted as f64,
        Metric::Succeeded => figures.attempted.saturating_sub(figures.failed) as f64,
        Metric::Failed => figures.failed as f64,
        Metric::Rate => per_second(figures.attempted, figures.time_ns),
        Metric::ErrorRate => share(figures.failed, figures.attempted),
        Metric::Effects => figures.effects as f64,
        other => return Err(format!("{other:?} is no figure of a step")),
    })
}

/// The figures that only a verification has.
fn verified(metric: Metric, verification: Option<&Verification>) -> Option<Result<u64, String>> {
    let read: fn(&Verification) -> u64 = match metric {
        Metric::Verified => |v| v.verified,
        Metric::Lost => |v| v.lost,
        Metric::Altered => |v| v.altered,
        Metric::Duplicated => |v| v.duplicated,
        Metric::Unexpected => |v| v.unexpected,
        Metric::Indeterminate => |v| v.indeterminate,
        Metric::Unreadable => |v| v.unreadable,
        _ => return None,
    };
    Some(
        verification
            .map(read)
            .ok_or_else(|| "the effects were not verified".to_owned()),
    )
}

/// The figures that only a whole run has.
fn of_run(metric: Metric, record: &RunRecord) -> Option<Result<f64, String>> {
    let memory = &record.monitor.summary;
    let open = record.open.as_ref();
    let (value, missing) = match metric {
        Metric::Iterations => (
            Some((record.iterations.completed + record.iterations.failed) as f64),
            "",
        ),
        Metric::FailedIterations => (Some(record.iterations.failed as f64), ""),
        Metric::Vacuous => (Some(record.vacuous_steps().count() as f64), ""),
        Metric::Dropped => (
            open.map(|open| open.arrivals.dropped as f64),
            "the model of load is not open",
        ),
        Metric::LateStarts => (
            open.map(|open| open.late_starts as f64),
            "the model of load is not open",
        ),
        Metric::MemoryPeak => (
            memory.resident_peak_bytes.map(|bytes| bytes as f64),
            "memory was not measured",
        ),
        Metric::MemoryGrowth => {
            let growth = memory
                .resident_after_bytes
                .zip(memory.resident_before_bytes);
            let growth = growth.map(|(after, before)| after.saturating_sub(before) as f64);
            (growth, "memory was not measured")
        }
        Metric::Cores => (memory.cores_used, "processor time was not measured"),
        _ => return None,
    };
    Some(value.ok_or_else(|| missing.to_owned()))
}

fn of_steps(record: &RunRecord, step: Option<&str>) -> Result<Figures, String> {
    let names = || record.steps.iter().map(|step| step.name.as_str());
    let steps: Vec<&StepSummary> = match step {
        None => record.steps.iter().collect(),
        Some(name) => vec![
            record
                .step(name)
                .ok_or_else(|| unknown("step", name, names()))?,
        ],
    };
    // In an open model the response time is what users felt.
    let felt = |step: &'_ &StepSummary| {
        step.response_time
            .clone()
            .unwrap_or_else(|| step.service_time.clone())
    };
    Ok(Figures {
        attempted: steps.iter().map(|step| step.attempted).sum(),
        failed: steps.iter().map(|step| step.failed).sum(),
        effects: steps.iter().map(|step| step.effects).sum(),
        time_ns: record.wall_ns,
        latency: together(steps.iter().map(felt)).map_err(|error| error.to_string())?,
    })
}

fn of_phase(record: &RunRecord, phase: &str, step: Option<&str>) -> Result<Figures, String> {
    let phases = || record.phases.iter().map(|phase| phase.name.as_str());
    let named = |candidate: &&PhaseSummary| candidate.name == phase;
    let phase = record
        .phases
        .iter()
        .find(named)
        .ok_or_else(|| unknown("phase", phase, phases()))?;
    if let Some(name) = step.filter(|name| phase.steps.iter().all(|step| step.name != *name)) {
        let names = phase.steps.iter().map(|step| step.name.as_str());
        return Err(unknown("step", name, names));
    }
    let steps = || {
        phase
            .steps
            .iter()
            .filter(|other| step.is_none_or(|name| other.name == name))
    };
    Ok(Figures {
        attempted: steps().map(|step| step.latency.count).sum(),
        failed: steps().map(|step| step.failed).sum(),
        effects: 0,
        time_ns: phase.end_ns.saturating_sub(phase.start_ns),
        latency: together(steps().map(|step| step.latency.clone()))
            .map_err(|error| error.to_string())?,
    })
}

/// One summary of several, from their histograms.
fn together(
    mut latencies: impl Iterator<Item = LatencySummary>,
) -> Result<LatencySummary, RunError> {
    let first = latencies.next().unwrap_or_default();
    let Some(second) = latencies.next() else {
        return Ok(first);
    };
    let mut sum = empty_histogram();
    for latency in [first, second].into_iter().chain(latencies) {
        latency.add_to(&mut sum)?;
    }
    Ok(LatencySummary::of(&sum))
}

pub(crate) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    if known.is_empty() {
        return format!("there is no {what} `{name}`, nor any other");
    }
    format!("there is no {what} `{name}`; there is {}", known.join(", "))
}
