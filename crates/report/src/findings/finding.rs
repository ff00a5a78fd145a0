//! What a run shows beyond its limits: findings, each with the evidence for it. Plain data: who looks
//! for them is elsewhere, and so is who draws them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something about a run that a reader should know, and how it is known.
///
/// ```
/// use report::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Span, Strength, Unit};
///
/// let stall = Finding {
///     kind: FindingKind::Stall,
///     scenario: "storage".to_owned(),
///     step: Some("append".to_owned()),
///     phase: None,
///     strength: Strength {
///         grade: Grade::Strong,
///         value: 0.97,
///         meaning: "share of the users that waited at the same time".to_owned(),
///     },
///     evidence: Evidence {
///         text: "97 of 100 users waited from 12.0 s to 14.1 s".to_owned(),
///         figures: vec![Figure::new("longest wait", 2.1e9, Unit::Nanoseconds)],
///     },
///     recommendation: "look at the disk: its pressure rose from 2 % to 91 %".to_owned(),
///     span: Some(Span { start_ns: 12_000_000_000, end_ns: 14_100_000_000 }),
///     plot: PlotKind::HeatMap,
/// };
/// assert_eq!(stall.place(), "storage, append");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was found.
    pub kind: FindingKind,
    /// In which scenario.
    pub scenario: String,
    /// In which step, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// In which phase, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// How sure it is.
    pub strength: Strength,
    /// What shows it.
    pub evidence: Evidence,
    /// What to do about it.
    pub recommendation: String,
    /// When it was, if it was not all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// The plot of its scenario on which it can be seen.
    pub plot: PlotKind,
}

impl Finding {
    /// The scenario, and the step and the phase where it names them.
    #[must_use]
    pub fn place(&self) -> String {
        let mut place = self.scenario.clone();
        if let Some(step) = &self.step {
            place.push_str(", ");
            place.push_str(step);
        }
        if let Some(phase) = &self.phase {
            place.push_str(" in phase ");
            place.push_str(phase);
        }
        place
    }
}

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// More load brought no more throughput: the knee.
    Saturation,
    /// Response times grew apart from service times: requests waited before they were begun.
    Queueing,
    /// One step takes most of the time.
    DominantStep,
    /// The tail is a population of its own, apart from the median.
    BimodalTail,
    /// It became slower over the run.
    Degradation,
    /// A resource grew, and did not stop.
    Leak,
    /// All users waited at the same time.
    Stall,
    /// Failures came together.
    ErrorBurst,
    /// Some users were served worse than others.
    Unfairness,
    /// After a peak, latencies took long to come back.
    SlowRecovery,
}

impl FindingKind {
    /// The kind in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Saturation => "saturation",
            Self::Queueing => "queueing",
            Self::DominantStep => "dominant step",
            Self::BimodalTail => "bimodal tail",
            Self::Degradation => "degradation",
            Self::Leak => "leak",
            Self::Stall => "stall",
            Self::ErrorBurst => "error burst",
            Self::Unfairness => "unfairness",
            Self::SlowRecovery => "slow recovery",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How sure a finding is: a word for people, and the number that the word was chosen by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Strength {
    /// In one word.
    pub grade: Grade,
    /// The number.
    pub value: f64, // finite
    /// What the number is, such as "correlation of time and median" or "z of Mann and Kendall's test".
    pub meaning: String,
}

/// How sure a finding is, in one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Worth a look.
    Weak,
    /// Probably so.
    Moderate,
    /// Hardly by chance, and large.
    Strong,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Weak => "weak",
            Self::Moderate => "moderate",
            Self::Strong => "strong",
        })
    }
}

/// What shows a finding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// In a sentence or two, without a full stop at the end.
    pub text: String,
    /// The figures behind it.
    pub figures: Vec<Figure>,
}

/// A figure with its name and unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The figure.
    pub value: f64, // finite
    /// What it is counted in.
    pub unit: Unit,
}

impl Figure {
    /// A figure.
    pub fn new(name: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
        }
    }
}

/// What a figure is counted in, so that it can be shown as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Time.
    Nanoseconds,
    /// Memory, or data.
    Bytes,
    /// So many a second.
    PerSecond,
    /// A part of a whole, from 0 to 1.
    Share,
    /// So many.
    Count,
    /// How many times another figure.
    Ratio,
    /// Processors in use.
    Cores,
    /// A number without a unit, such as a statistic.
    Plain,
}

/// A time of a run, from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Its beginning.
    pub start_ns: u64,
    /// Its end; not before the beginning.
    pub end_ns: u64,
}

/// The plots that a report has of each scenario.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlotKind {
    /// Users, or the rate of arrivals that was asked for, over time.
    Load,
    /// Operations and failures a second over time.
    Throughput,
    /// Percentiles of latency over time.
    Latency,
    /// How many operations took how long, over time.
    HeatMap,
    /// Latency by percentile, a curve a step.
    Percentiles,
    /// Resident memory over time.
    Memory,
    /// Processors in use over time.
    Processor,
    /// The share of time in which something waited for a processor, memory or a disk, over time.
    Pressure,
    /// Bytes read and written over time.
    Disk,
}

impl PlotKind {
    /// What its vertical axis shows.
    pub(crate) fn axis(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Throughput => "per second",
            Self::Latency | Self::HeatMap | Self::Percentiles => "latency",
            Self::Memory => "memory",
            Self::Processor => "cores",
            Self::Pressure => "share waiting",
            Self::Disk => "per second",
        }
    }

    /// The word for it in links within a report.
    #[must_use]
    pub fn anchor(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::HeatMap => "heat-map",
            Self::Percentiles => "percentiles",
            Self::Memory => "memory",
            Self::Processor => "processor",
            Self::Pressure => "pressure",
            Self::Disk => "disk",
        }
    }
}
