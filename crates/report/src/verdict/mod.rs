//! What a run comes to, by limits.

mod judge;
mod limits;
mod thresholds;

use std::fmt;

use load_engine::Judgement;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::judge::judge;
pub(crate) use self::judge::megabytes;
pub use self::limits::Limits;
pub use self::thresholds::{describe_figure, describe_judgement};

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// In one word.
    pub health: Health,
    /// In one sentence.
    pub reason: String,
    /// Each scenario, in the report's order.
    pub scenarios: Vec<ScenarioVerdict>,
    /// Limits that were exceeded; each of them fails the run.
    pub bottlenecks: Vec<Exceedance>,
    /// What is worth a look and fails nothing.
    pub recommendations: Vec<Exceedance>,
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Every effect was verified and every limit held.
    Pass,
    /// An effect, or a limit, did not hold.
    Fail,
    /// Nothing failed, but the run says too little to pass.
    NotJudged,
}

impl Health {
    /// Whether it is [`Health::Pass`].
    #[must_use]
    pub fn is_pass(self) -> bool {
        self == Self::Pass
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotJudged => "not judged",
        })
    }
}

/// What one scenario comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioVerdict {
    /// The scenario.
    pub name: String,
    /// In one word.
    pub health: Health,
    /// Why it is not judged, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Everything that was checked, held or not.
    pub checks: Vec<Check>,
    /// Each threshold that the scenario brings, judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Judgement>,
    /// Whether the thresholds count. They do not where the generator was the bottleneck, nor in a run
    /// that was interrupted.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub thresholds_judged: bool,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What was measured.
    pub measure: Measure,
    /// In which step; nothing when it is about the whole scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What it came to; nothing when the system did not say, in which case it does not hold.
    pub value: Option<f64>,
    /// The most that is right.
    pub limit: f64,
    /// Whether it held.
    pub held: bool,
    /// Whether it counts. Limits do not where the generator was the bottleneck; effects always do.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub judged: bool,
}

impl Check {
    /// Whether it counts and did not hold.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.judged && !self.held
    }
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_yes(flag: &bool) -> bool {
    *flag
}

/// What a check is about. All of them are better when smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Acknowledged effects that are gone.
    Lost,
    /// Acknowledged effects with another content.
    Altered,
    /// Effects that are there more than once.
    Duplicated,
    /// Effects that nobody asked for.
    Unexpected,
    /// What could not be read again.
    Unreadable,
    /// Steps that should leave an effect and left none.
    VacuousSteps,
    /// Failed operations as a share of all.
    ErrorRate,
    /// Mean latency of a step, in milliseconds.
    MeanLatencyMs,
    /// The most resident memory, in megabytes.
    PeakMemoryMb,
    /// By how much memory kept rising from floor to floor, in megabytes; 0 where that was chance or a
    /// trifle.
    LeakedMemoryMb,
    /// A threshold of the scenario's own.
    Threshold,
}

impl Measure {
    /// The measure in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost effects",
            Self::Altered => "altered effects",
            Self::Duplicated => "duplicated effects",
            Self::Unexpected => "unexpected effects",
            Self::Unreadable => "unreadable effects",
            Self::VacuousSteps => "vacuous steps",
            Self::ErrorRate => "error rate",
            Self::MeanLatencyMs => "mean latency",
            Self::PeakMemoryMb => "peak memory",
            Self::LeakedMemoryMb => "leaked memory",
            Self::Threshold => "threshold",
        }
    }

    /// Whether it is about what was found after the load, in which nothing is tolerated.
    #[must_use]
    pub fn is_of_effects(self) -> bool {
        !matches!(
            self,
            Self::ErrorRate
                | Self::MeanLatencyMs
                | Self::PeakMemoryMb
                | Self::LeakedMemoryMb
                | Self::Threshold
        )
    }

    /// A value of this measure with its unit.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        match self {
            Self::ErrorRate => format!("{:.2} %", value * 100.0),
            Self::MeanLatencyMs => format!("{value:.2} ms"),
            Self::PeakMemoryMb | Self::LeakedMemoryMb => format!("{value:.1} MB"),
            _ => format!("{value:.0}"),
        }
    }
}

/// A limit that was exceeded, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exceedance {
    /// In which scenario; nothing when it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// In which step, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What was measured.
    pub measure: Measure,
    /// The scenario's own threshold, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Judgement>,
    /// What it came to.
    pub value: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Exceedance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario.as_deref().unwrap_or("all scenarios"))?;
        if let Some(step) = &self.step {
            write!(f, ", {step}")?;
        }
        if let Some(threshold) = &self.threshold {
            return write!(f, ": {}; {}", describe_judgement(threshold), self.advice);
        }
        let name = self.measure.name();
        let limit = self.measure.format(self.limit);
        match self.value {
            Some(value) => write!(f, ": {name} {} (limit {limit})", self.measure.format(value))?,
            None => write!(f, ": {name} not measured (limit {limit})")?,
        }
        write!(f, "; {}", self.advice)
    }
}
