//! Thresholds: expressions such as `p99(create) < 200ms`, judged on a record and its verification.

pub(crate) mod metric;
pub(crate) mod parser;
pub mod quantity;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RunError;
use crate::plan::phase::Phase;
use crate::step::StepSpec;
use crate::threshold::metric::Metric;
use crate::threshold::quantity::Dimension;

/// What a run has to hold: a figure, a comparison and a limit.
///
/// ```text
/// p99(create) < 200ms       error_rate < 1%       lost == 0          rate > 1000/s
/// p99.9 <= 1.5s             failed(decide) == 0   dropped == 0       memory_peak < 500MB
/// mean("can execute") < 5ms                       p95(create @ peak) < 300ms
/// ```
///
/// A figure is asked of the whole run, of one step, of one phase (`error_rate(@ peak)`) or of a step
/// in a phase. The figures are
/// - times: `min`, `mean`, `max` and any percentile from `p0.001` to `p100`, of the response time of
///   successes in an open model and else of their service time, merged from the steps' histograms where no step is named;
/// - `rate` (successes that completed in the scheduled window, a second of it), `iteration_rate`,
///   `offered_rate` (arrivals that were due), `drained` (completed after the window), `error_rate`, `operations`, `succeeded`, `failed`, `effects`, `iterations` and
///   `failed_iterations`;
/// - of the verification, `verified`, `lost`, `altered`, `duplicated`, `unexpected`, `miscounted`, `stale`, `out_of_order`,
///   `partial`, `violated` (invariants), `indeterminate`, `unreadable`, and of the record `vacuous` steps;
/// - of an open model, `dropped` and `late_starts`;
/// - `memory_peak`, `memory_growth` (from before set-up to after tear-down, or in a phase; with the name of a service, of its
///   process: `memory_growth(api @ steady)`), `memory_leak` (by how much
///   the floors of memory rose, if they leak; 0 if not) and `cores`.
///
/// A limit can be a figure of the same dimension, by a factor if need be: `p99(a) <= 2 * p50(a)`,
/// `p95(@ after) < 1.5 * p95(@ before)`. Of a step, `p99(create.failed)` is of its failures and
/// `p99(create.service)` of its service time in any model. Times that a workload measures beside its steps
/// have names of the same form: `p95(say.first_event)`.
///
/// `mean(*)` asks a figure of each step that was taken. A percentile needs as many operations as make
/// it another figure than the maximum: 100 for p99, 1,000 for p99.9.
///
/// ```
/// use load_engine::{RunRecord, Threshold, Ruling};
///
/// let threshold: Threshold = "failed_iterations == 0".parse()?;
/// assert_eq!(threshold.judge(&RunRecord::default(), None).ruling, Ruling::Held);
///
/// let mistake = "p99(create) < 200".parse::<Threshold>().unwrap_err();
/// assert_eq!(
///     mistake.to_string(),
///     "threshold `p99(create) < 200`, column 15: `p99` is a time, so its limit needs a unit: ns, us, ms, s, m, h or d"
/// );
/// # Ok::<(), load_engine::RunError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub(crate) text: String,
    pub(crate) metric: Metric,
    pub(crate) dimension: Dimension,
    pub(crate) step: Option<Name>,
    /// Whether the figure is asked of each step that was taken: `mean(*)`.
    pub(crate) each_step: bool,
    pub(crate) phase: Option<Name>,
    pub(crate) comparison: Comparison,
    /// In the dimension's base unit: nanoseconds, a share from 0 to 1, a second, bytes. Of a limit that is a
    /// figure, 0: it is known when the run is.
    pub(crate) limit: f64,
    /// A limit that is a figure of the same run, by a factor.
    pub(crate) against: Option<Against>,
}

/// A limit that is so many times a figure: `2 * p50(create)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Against {
    pub(crate) factor: f64, // above 0
    pub(crate) metric: Metric,
    pub(crate) step: Option<Name>,
    pub(crate) phase: Option<Name>,
}

/// The name of a step or a phase, and where it stands in the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
    Unequal,
}

impl Comparison {
    /// Whether it only says how high a figure may be.
    pub(crate) fn is_upper_bound(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    pub(crate) fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Self::Below => observed < limit,
            Self::AtMost => observed <= limit,
            Self::Above => observed > limit,
            Self::AtLeast => observed >= limit,
            Self::Equal => observed == limit,
            Self::Unequal => observed != limit,
        }
    }
}

/// What a threshold may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'n> {
    /// The steps of the run.
    pub steps: &'n [StepSpec],
    /// The times that the workload measures beside its steps: see [`Parts`](crate::Parts).
    pub parts: &'n [String],
    /// Steps and services with times beside them whose names are known only when the run has begun: `NAME.…`.
    pub open_parts: &'n [String],
    /// The services whose memory may be asked for.
    pub services: &'n [String],
    /// The phases of the plan.
    pub phases: &'n [Phase],
}

/// What became of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The run kept it.
    Held,
    /// The run violated it.
    #[serde(alias = "broken")]
    Violated,
    /// The figure is not there or not certain enough, which is no reason to pass.
    Unknown,
}

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// What holds for every run: no effect may be wrong.
    Effects,
    /// A limit of runs that set none of their own.
    Default,
    /// The scenario file, or the program.
    #[default]
    File,
    /// A flag.
    CommandLine,
}

/// A threshold, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Judgement {
    /// The threshold.
    pub threshold: Threshold,
    /// Where it comes from.
    #[serde(default)]
    pub source: Source,
    /// The step, if the threshold is about each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What became of it.
    pub ruling: Ruling,
    /// Whether it decides the verdict. A figure that is unknown because the generator was the limit, or
    /// because there were too few operations, is nobody's failure: the run is inconclusive.
    #[serde(default = "yes")]
    pub counts: bool,
    /// The figure, in `unit`.
    pub observed: Option<f64>,
    /// The limit, in `unit`.
    pub limit: f64,
    /// What both are counted in: `ns`, `share`, `count`, `per_s`, `bytes` or `cores`.
    pub unit: String,
    /// Why the threshold is not decided.
    pub reason: Option<String>,
    /// The ends of a percentile's 95 % interval, in `unit`, where the limit lies between them: another run
    /// of the same may come out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<(f64, f64)>,
}

fn yes() -> bool {
    true
}

impl Threshold {
    /// Checks, before a run, that what it names exists.
    ///
    /// # Errors
    ///
    /// When one does not; the error points at it. Of a part, when it is asked for what is no time.
    pub fn check_names(&self, names: &Names<'_>) -> Result<(), RunError> {
        let Names {
            steps,
            parts,
            open_parts,
            services,
            phases,
        } = *names;
        let against = self.against.as_ref();
        let figures = [(self.metric, &self.step)].into_iter();
        let figures = figures.chain(against.map(|of| (of.metric, &of.step)));
        for (metric, step) in figures {
            let Some(step) = step else { continue };
            if metric.is_of_services() {
                if !services.contains(&step.text) {
                    let known = services.iter().map(String::as_str);
                    return Err(self.mistake(step, unknown("service", &step.text, known)));
                }
                continue;
            }
            let is_known = |name: &str| steps.iter().any(|known| *known.name == *name);
            if is_known(&step.text) || is_known(part_of(&step.text).0) {
                continue;
            }
            if !parts.contains(&step.text) && !is_open(&step.text, open_parts) {
                return Err(self.mistake(step, unknown_step(&step.text, steps, parts)));
            }
            if !metric.is_time() && !metric.is_count_of_parts() {
                let problem = format!(
                    "`{}` is a time beside steps: ask for a time, such as p95({0}), or for \
                     operations({0}), failed({0}) or error_rate({0})",
                    step.text
                );
                return Err(self.mistake(step, problem));
            }
        }
        let named_phases = [&self.phase].into_iter().chain(against.map(|of| &of.phase));
        for phase in named_phases.flatten() {
            if phases.iter().all(|known| known.name != phase.text) {
                let names = phases.iter().map(|phase| phase.name.as_str());
                return Err(self.mistake(phase, unknown("phase", &phase.text, names)));
            }
        }
        Ok(())
    }

    /// Whether it asks for a time beside steps, of those that these names have.
    #[must_use]
    pub fn names_part(&self, names: &Names<'_>) -> bool {
        let against = self.against.as_ref().and_then(|of| of.step.as_ref());
        let mut named = self.step.iter().chain(against);
        named.any(|step| {
            let has_own = names
                .steps
                .iter()
                .any(|known| *known.name == *part_of(&step.text).0);
            names.parts.contains(&step.text) || !has_own && is_open(&step.text, names.open_parts)
        })
    }

    /// Checks, before a run, that the figure is known while the load goes on: times, `failed`,
    /// `error_rate` and `failed_iterations` are. Only such a threshold can end a load or a phase.
    ///
    /// # Errors
    ///
    /// When it is known only when the load is over.
    pub fn check_live(&self) -> Result<(), RunError> {
        let is_live = |of: &Against| of.metric.is_known_during_load();
        if self.metric.is_known_during_load() && self.against.as_ref().is_none_or(is_live) {
            return Ok(());
        }
        Err(RunError::Threshold {
            expression: self.text.clone(),
            column: 1,
            problem:
                "this figure is known only when the load is over, so it cannot end it: take a \
                      time, `failed`, `error_rate` or `failed_iterations`"
                    .to_owned(),
        })
    }

    fn mistake(&self, at: &Name, problem: String) -> RunError {
        RunError::Threshold {
            expression: self.text.clone(),
            column: at.column,
            problem,
        }
    }
}

/// A part of a step that has figures of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What users felt.
    Whole,
    /// From sending to completion, in any model.
    Service,
    /// The failed attempts.
    Failed,
}

/// A step's name without the part that it ends in, and that part.
pub(crate) fn part_of(name: &str) -> (&str, Part) {
    if let Some(step) = name.strip_suffix(".failed") {
        (step, Part::Failed)
    } else if let Some(step) = name.strip_suffix(".service") {
        (step, Part::Service)
    } else {
        (name, Part::Whole)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Threshold {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A figure, a comparison and a limit, such as `p99(create) < 200ms`.",
        })
    }
}

/// Whether a name is of a time beside a step that may have others than those that are known.
fn is_open(name: &str, owners: &[String]) -> bool {
    let is_of = |owner: &String| {
        name.strip_prefix(owner.as_str())
            .is_some_and(|rest| rest.starts_with('.'))
    };
    owners.iter().any(is_of)
}

/// That there is no step of this name: with the parts of a step or service that its beginning names, if it
/// names one.
fn unknown_step(name: &str, steps: &[StepSpec], parts: &[String]) -> String {
    let owner = name.rsplit_once('.').map_or(name, |(owner, _)| owner);
    let is_of_owner = |part: &str| part.rsplit_once('.').is_some_and(|(of, _)| of == owner);
    let own: Vec<String> = match steps.iter().any(|step| *step.name == *owner) {
        true => vec![format!("{owner}.failed"), format!("{owner}.service")],
        false => Vec::new(),
    };
    let mut known = parts
        .iter()
        .map(String::as_str)
        .filter(|part| is_of_owner(part))
        .chain(own.iter().map(String::as_str))
        .peekable();
    if owner != name && known.peek().is_some() {
        return unknown("part", name, known);
    }
    unknown("step", name, steps.iter().map(|step| step.name.as_str()))
}

pub(crate) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    if known.is_empty() {
        return format!("there is no {what} `{name}`, nor any other");
    }
    format!("there is no {what} `{name}`; there is {}", known.join(", "))
}
