//! How each figure is found in a record and its verification.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::error::RunError;
use crate::judge::lateness::Lateness;
use crate::judge::leak::{LeakRuling, LeakVerdict};
use crate::ledger::verify::Verification;
use crate::numbers::{per_second, share};
use crate::record::histogram::empty_histogram;
use crate::record::latency::LatencySummary;
use crate::record::phase::{PhaseStep, PhaseSummary};
use crate::record::service_memory::{MemoryDuring, MemorySample};
use crate::record::{RunRecord, StepSummary};
use crate::threshold::metric::{Metric, Quantile};
use crate::threshold::quantity::Dimension;
use crate::threshold::{Part, part_of, unknown};

/// What was found of a figure.
pub(crate) enum Observation {
    /// The figure.
    Certain(f64),
    /// The figure, and what an on-time generator would have measured.
    Between(Figure),
    /// A quantile that is another name for the maximum.
    TooFew(TooFew),
}

/// A figure, and the bounds between which an on-time generator would have found it.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl Figure {
    pub(crate) fn exactly(value: f64) -> Self {
        Self {
            value,
            lower: value,
            upper: value,
        }
    }

    /// Why a limit between the bounds is not judged.
    pub(crate) fn undecided(self, threshold: &str, dimension: Dimension) -> Missing {
        let ms = |ns: f64| format!("{:.1} ms", ns / 1e6);
        let figure = threshold.split(['<', '>', '=', '!']).next().unwrap_or("it");
        let figure = figure.trim();
        let reason = if dimension == Dimension::Rate {
            let (lower, upper) = (self.lower, self.upper);
            format!(
                "{figure} is {lower:.1}/s to {upper:.1}/s: the generator was late at the end of the window"
            )
        } else {
            let late = ms(self.value - self.lower);
            let (lower, upper) = (ms(self.lower), ms(self.upper));
            format!("{figure} is {lower} to {upper}: the generator was up to {late} late")
        };
        Missing {
            reason,
            counts: false,
            observed: Some(self.value),
        }
    }
}

/// A quantile of fewer samples than it needs.
pub(crate) struct TooFew {
    pub(crate) quantile: Quantile,
    pub(crate) histogram: Histogram<u64>,
}

impl TooFew {
    pub(crate) fn value(&self) -> f64 {
        quantile_of(&self.histogram, self.quantile) as f64
    }

    /// How many are above a limit, or at it.
    pub(crate) fn above(&self, limit: f64, or_equal: bool) -> u64 {
        let above = |ns: u64| ns as f64 > limit || or_equal && ns as f64 == limit;
        let recorded = self.histogram.iter_recorded();
        let misses = recorded.filter(|bucket| above(bucket.value_iterated_to()));
        misses.map(|bucket| bucket.count_at_value()).sum()
    }

    pub(crate) fn missing(&self) -> Missing {
        let percent = self.quantile.fraction() * 100.0;
        let (count, needed) = (self.histogram.len(), self.quantile.least_samples());
        Missing {
            reason: format!("p{percent} of {count} operations: {needed} are needed"),
            counts: false,
            observed: None,
        }
    }
}

/// Why a figure is not there.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) reason: String,
    /// Whether that is the run's fault, not the generator's or the plan's.
    pub(crate) counts: bool,
    pub(crate) observed: Option<f64>,
}

impl From<String> for Missing {
    fn from(reason: String) -> Self {
        Self {
            reason,
            counts: true,
            observed: None,
        }
    }
}

impl From<&str> for Missing {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

impl From<RunError> for Missing {
    fn from(error: RunError) -> Self {
        error.to_string().into()
    }
}

/// The figures of one scope, from which a scoped metric is read.
struct Figures {
    attempted: u64,
    failed: u64,
    /// Iterations that failed outside every step.
    outside_failures: u64,
    effects: u64,
    /// Successes that completed in the window, and in how long a time.
    completed: u64,
    /// Those that completed so shortly after it that lateness of the generator may be why.
    just_after: u64,
    window_ns: u64,
    latency: LatencySummary,
    /// The least that an on-time generator would have measured, and by what factor the most is more
    /// than what was measured; only where arrivals were late.
    on_time: Option<(LatencySummary, f64)>,
}

impl Figures {
    /// A figure of the latencies, with its bounds.
    fn between(&self, value: f64, earliest: Option<f64>) -> Observation {
        match (&self.on_time, earliest) {
            (Some((_, factor)), Some(earliest)) => Observation::Between(Figure {
                value,
                lower: earliest.min(value),
                upper: value * factor,
            }),
            _ => Observation::Certain(value),
        }
    }

    fn summarised(&self, read: impl Fn(&LatencySummary) -> f64) -> Observation {
        let earliest = self.on_time.as_ref().map(|(earliest, _)| read(earliest));
        self.between(read(&self.latency), earliest)
    }
}

/// Finds a figure, or says why there is none.
pub(crate) fn observe(
    metric: Metric,
    step: Option<&str>,
    phase: Option<&str>,
    record: &RunRecord,
    verification: Option<&Verification>,
) -> Result<Observation, Missing> {
    if let Some(count) = verified(metric, verification) {
        return Ok(Observation::Certain(count? as f64));
    }
    if metric == Metric::MemoryLeak {
        return memory_leak(record, phase).map(Observation::Certain);
    }
    if metric == Metric::Elapsed {
        return elapsed(record, phase).map(Observation::Certain);
    }
    if metric == Metric::UnknownRate {
        return unknown_rate(verification).map(Observation::Certain);
    }
    if metric.is_of_services() && (step.is_some() || phase.is_some()) {
        return memory(metric, record, step, phase).map(Observation::Certain);
    }
    if let Some(value) = of_run(metric, record) {
        return Ok(Observation::Certain(value?));
    }
    let beside = step.filter(|name| record.step(name).is_none());
    let figures = match phase {
        _ if beside.is_some_and(|name| record.part(name).is_some()) => {
            of_part(record, beside.unwrap_or_default(), phase)?
        }
        None => of_steps(record, step)?,
        Some(phase) => of_phase(record, phase, step)?,
    };
    scoped(metric, &figures)
}

fn scoped(metric: Metric, figures: &Figures) -> Result<Observation, Missing> {
    let latency = &figures.latency;
    let value = match metric {
        Metric::Operations => figures.attempted as f64,
        Metric::Succeeded => figures.attempted.saturating_sub(figures.failed) as f64,
        Metric::Failed => figures.failed as f64,
        Metric::Effects => figures.effects as f64,
        Metric::Rate => {
            let rate = |completed| per_second(completed, figures.window_ns);
            let value = rate(figures.completed);
            return Ok(match figures.just_after {
                0 => Observation::Certain(value),
                more => Observation::Between(Figure {
                    value,
                    lower: value,
                    upper: rate(figures.completed + more),
                }),
            });
        }
        Metric::ErrorRate => {
            let ended = figures.attempted + figures.outside_failures;
            if ended == 0 {
                return Err("there was no operation".into());
            }
            share(figures.failed + figures.outside_failures, ended)
        }
        _ if latency.count == 0 => return Err("there was no operation".into()),
        Metric::Quantile(quantile) => {
            let histogram = latency.to_histogram()?;
            if histogram.len() < quantile.least_samples() {
                return Ok(Observation::TooFew(TooFew {
                    quantile,
                    histogram,
                }));
            }
            let earliest = match &figures.on_time {
                Some((earliest, _)) => {
                    Some(quantile_of(&earliest.to_histogram()?, quantile) as f64)
                }
                None => None,
            };
            let value = quantile_of(&histogram, quantile) as f64;
            return Ok(figures.between(value, earliest));
        }
        Metric::Min => return Ok(figures.summarised(|latency| latency.min_ns as f64)),
        Metric::Mean => return Ok(figures.summarised(|latency| latency.mean_ns)),
        Metric::Max => return Ok(figures.summarised(|latency| latency.max_ns as f64)),
        other => return Err(format!("{other:?} is no figure of a step").into()),
    };
    Ok(Observation::Certain(value))
}

/// The nearest rank: a value that is in the data, to the upper end of its bucket.
pub(crate) fn quantile_of(histogram: &Histogram<u64>, quantile: Quantile) -> u64 {
    value_at(histogram, quantile.rank(histogram.len()))
}

/// The value of a rank, from 1 on, to the upper end of its bucket.
pub(crate) fn value_at(histogram: &Histogram<u64>, rank: u64) -> u64 {
    let mut seen = 0;
    for bucket in histogram.iter_recorded() {
        seen += bucket.count_at_value();
        if seen >= rank {
            return histogram.highest_equivalent(bucket.value_iterated_to());
        }
    }
    histogram.max()
}

/// How long it took from the beginning to the end of the last iteration that began in a phase. One that never
/// ended went on for as long as anybody looked.
fn elapsed(record: &RunRecord, phase: Option<&str>) -> Result<f64, Missing> {
    let Some(name) = phase else {
        return Ok(record.wall_ns as f64);
    };
    let phase = phase_of(record, name)?;
    let ended_ns = phase
        .last_ended_ns
        .ok_or_else(|| Missing::from(format!("no iteration began in phase `{name}`")))?;
    Ok(ended_ns.saturating_sub(phase.start_ns) as f64)
}

/// The share of attempted writes of which nobody knows whether they were made.
fn unknown_rate(verification: Option<&Verification>) -> Result<f64, Missing> {
    let found = verification.ok_or("the effects were not verified")?;
    let unknown = found
        .unknown
        .ok_or("writes of unknown outcome are counted of services only")?;
    let attempted = found.effects + found.refused + unknown;
    if attempted == 0 {
        return Err("no write was attempted".into());
    }
    Ok(share(unknown, attempted))
}

/// By how much the floors of memory rose, if they leak.
fn memory_leak(record: &RunRecord, phase: Option<&str>) -> Result<f64, Missing> {
    let during = match phase {
        None => Duration::ZERO..Duration::from_nanos(record.wall_ns),
        Some(name) => {
            let phase = phase_of(record, name)?;
            Duration::from_nanos(phase.start_ns)..Duration::from_nanos(phase.end_ns)
        }
    };
    let verdict = LeakVerdict::of_run(record, during);
    match verdict.ruling {
        LeakRuling::Steady => Ok(0.0),
        LeakRuling::Leaking => Ok(verdict.growth_bytes),
        LeakRuling::Undecided => Err(Missing {
            reason: match verdict.floors {
                0..8 => {
                    "there are too few samples of memory to tell whether it leaks: 8 floors of its \
                         cycles are needed"
                        .to_owned()
                }
                _ => format!(
                    "memory grew by {:.1} MB, but not as evenly as by a leak: a longer run can tell",
                    verdict.growth_bytes / 1e6
                ),
            },
            counts: false,
            observed: None,
        }),
    }
}

/// The memory of a service, or of the process that makes the load, in a phase or in the whole run.
fn memory(
    metric: Metric,
    record: &RunRecord,
    service: Option<&str>,
    phase: Option<&str>,
) -> Result<f64, Missing> {
    let during = match phase {
        None => i64::MIN..i64::MAX,
        Some(name) => {
            let phase = phase_of(record, name)?;
            phase.start_ns as i64..phase.end_ns as i64
        }
    };
    let found = match service {
        Some(name) => {
            let service = record.services.iter().find(|service| service.name == name);
            let service = service.ok_or_else(|| {
                format!(
                    "no process of `{name}` was found on this machine, whose memory it would be"
                )
            })?;
            MemoryDuring::of(service.samples.iter().copied(), &during)
        }
        None => {
            let samples = record.monitor.samples.iter();
            let samples = samples.filter_map(|sample| {
                Some(MemorySample {
                    at_ns: sample.at_ns,
                    resident_bytes: sample.resident_bytes?,
                })
            });
            MemoryDuring::of(samples, &during)
        }
    };
    let found = found.ok_or("there is no sample of the memory in that time")?;
    Ok(match metric {
        Metric::MemoryPeak => found.peak as f64,
        _ => found.after.saturating_sub(found.before) as f64,
    })
}

/// The figures that only a verification has.
fn verified(metric: Metric, verification: Option<&Verification>) -> Option<Result<u64, Missing>> {
    let read: fn(&Verification) -> u64 = match metric {
        Metric::Verified => |v| v.verified,
        Metric::Lost => |v| v.lost,
        Metric::Altered => |v| v.altered,
        Metric::Duplicated => |v| v.duplicated,
        Metric::Unexpected => |v| v.unexpected,
        Metric::Miscounted => |v| v.miscounted,
        Metric::Stale => |v| v.stale,
        Metric::OutOfOrder => |v| v.out_of_order,
        Metric::Partial => |v| v.partial,
        Metric::Violated => |v| v.violated,
        Metric::Indeterminate => |v| v.indeterminate,
        Metric::Unreadable => |v| v.unreadable,
        _ => return None,
    };
    let found = verification.map(read);
    Some(found.ok_or_else(|| "the effects were not verified".into()))
}

/// The figures that only a whole run has.
fn of_run(metric: Metric, record: &RunRecord) -> Option<Result<f64, Missing>> {
    let memory = &record.monitor.summary;
    let open = record.open.as_ref();
    let not_open = "the model of load is not open";
    let (value, missing) = match metric {
        Metric::Iterations => (
            Some((record.iterations.completed + record.iterations.failed) as f64),
            "",
        ),
        Metric::FailedIterations => (Some(record.iterations.failed as f64), ""),
        Metric::Vacuous => (Some(record.vacuous_steps().count() as f64), ""),
        Metric::Drained => (
            Some(record.steps.iter().map(|step| step.drained as f64).sum()),
            "",
        ),
        Metric::OfferedRate => (
            open.map(|open| {
                let due = open.arrivals.scheduled - open.arrivals.skipped;
                per_second(due, record.window_ns())
            }),
            not_open,
        ),
        Metric::IterationRate => {
            // Which of a closed model's iterations ended late is not known, so all of its time counts.
            let (completed, time_ns) = match open {
                Some(open) => (open.arrivals.done, record.window_ns()),
                None => (record.iterations.completed, record.wall_ns),
            };
            (Some(per_second(completed, time_ns)), "")
        }
        Metric::Dropped => (open.map(|open| open.arrivals.dropped as f64), not_open),
        Metric::LateStarts => (open.map(|open| open.late_starts as f64), not_open),
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
        Metric::RuntimeLag => (
            record.runtime_lag.as_ref().map(|lag| lag.lag.p99_ns as f64),
            "users are threads here, which wait for no runtime",
        ),
        Metric::Cores => (memory.cores_used, "processor time was not measured"),
        _ => return None,
    };
    Some(value.ok_or_else(|| missing.into()))
}

fn of_steps(record: &RunRecord, step: Option<&str>) -> Result<Figures, Missing> {
    let names = || record.steps.iter().map(|step| step.name.as_str());
    // A step's own name goes before a part of another one's.
    let (name, part) = match step {
        Some(name) if record.step(name).is_none() => {
            let (name, part) = part_of(name);
            (Some(name), part)
        }
        other => (other, Part::Whole),
    };
    let steps: Vec<&StepSummary> = match name {
        None => record.steps.iter().collect(),
        Some(name) => vec![
            record
                .step(name)
                .ok_or_else(|| unknown("step", name, names()))?,
        ],
    };
    let times = |step: &StepSummary| match part {
        Part::Whole => step.felt().clone(),
        Part::Service => step.service_time.clone(),
        Part::Failed => step.failure_time.clone().unwrap_or_default(),
    };
    let late = Lateness::of(record);
    Ok(Figures {
        attempted: steps.iter().map(|step| step.attempted).sum(),
        failed: steps.iter().map(|step| step.failed).sum(),
        outside_failures: match step {
            None => record.failures.total(),
            Some(_) => 0,
        },
        effects: steps.iter().map(|step| step.effects).sum(),
        completed: steps.iter().map(|step| step.completed()).sum(),
        just_after: late.as_ref().map_or(0, |late| late.just_after(&steps)),
        window_ns: record.window_ns(),
        // Service times and those of failures have no bounds: lateness is not in them, or not known.
        on_time: match late.filter(|_| part == Part::Whole) {
            Some(late) => Some((late.earliest(&steps)?, late.upper_factor())),
            None => None,
        },
        latency: together(steps.iter().map(|step| times(step)))?,
    })
}

fn of_phase(record: &RunRecord, phase: &str, step: Option<&str>) -> Result<Figures, Missing> {
    let phase = phase_of(record, phase)?;
    if let Some(name) = step.filter(|name| phase.steps.iter().all(|step| step.name != *name)) {
        let names = phase.steps.iter().map(|step| step.name.as_str());
        return Err(unknown("step", name, names).into());
    }
    let steps = || {
        let all = phase.steps.iter();
        all.filter(|other| step.is_none_or(|name| other.name == name))
    };
    let late = Lateness::of(record);
    Ok(Figures {
        attempted: steps().map(PhaseStep::attempted).sum(),
        failed: steps().map(|step| step.failed).sum(),
        outside_failures: match step {
            None => phase.outside_failures,
            Some(_) => 0,
        },
        effects: 0,
        completed: steps()
            .map(|step| step.completed.unwrap_or(step.attempted()))
            .sum(),
        just_after: match &late {
            Some(late) => {
                let own = record.steps.iter();
                let own = own.filter(|own| step.is_none_or(|name| own.name == name));
                late.just_after_phase(phase, &own.collect::<Vec<_>>())
            }
            None => 0,
        },
        window_ns: phase.end_ns.saturating_sub(phase.start_ns),
        on_time: match &late {
            Some(late) => Some((late.earliest_in_phase(phase, steps())?, late.upper_factor())),
            None => None,
        },
        latency: together(steps().map(|step| step.latency.clone()))?,
    })
}

/// Times beside steps, of which nothing but the times is known.
fn of_part(record: &RunRecord, name: &str, phase: Option<&str>) -> Result<Figures, Missing> {
    let part = record.part(name);
    let of_phase = phase.map(|phase| phase_of(record, phase)).transpose()?;
    let latency = match of_phase {
        None => part.map(|part| &part.time),
        Some(phase) => part.and_then(|part| part.phases.get(&phase.name)),
    };
    let latency = latency.cloned().unwrap_or_default();
    let failed = match of_phase {
        None => part.map(|part| part.failed),
        Some(phase) => part.and_then(|part| part.failed_in.get(&phase.name).copied()),
    };
    let failed = failed.unwrap_or_default();
    Ok(Figures {
        attempted: latency.count + failed,
        failed,
        outside_failures: 0,
        effects: 0,
        completed: latency.count,
        just_after: 0,
        window_ns: record.window_ns(),
        latency,
        on_time: None,
    })
}

fn phase_of<'r>(record: &'r RunRecord, name: &str) -> Result<&'r PhaseSummary, Missing> {
    let mut phases = record.phases.iter();
    let names = || record.phases.iter().map(|phase| phase.name.as_str());
    phases
        .find(|phase| phase.name == name)
        .ok_or_else(|| unknown("phase", name, names()).into())
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
