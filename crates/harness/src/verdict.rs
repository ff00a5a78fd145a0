use std::fmt;

use load_engine::StepSummary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ScenarioResult;

/// What a run is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most failed operations in a scenario, as a share of all (0.05).
    pub error_rate: f64, // in [0, 1]
    /// The longest mean latency of a step, in milliseconds (100).
    pub mean_latency_ms: f64, // finite, not negative
    /// The most resident memory in a scenario, in megabytes of 10⁶ bytes (500).
    pub peak_memory_mb: f64, // finite, not negative
    /// The share of failed operations over all scenarios from which advice is given (0.01).
    pub overall_error_rate: f64, // in [0, 1]
    /// The most resident memory over all scenarios from which advice is given, in megabytes (1000).
    pub overall_memory_mb: f64, // finite, not negative
}

impl Limits {
    /// The arguments that set these limits on the command line, each with a space before it; none
    /// for those that are the default.
    #[must_use]
    pub fn to_arguments(&self) -> String {
        let default = Self::default();
        let limits = [
            (
                "max-error-rate",
                percent(self.error_rate),
                percent(default.error_rate),
            ),
            (
                "max-mean-latency",
                self.mean_latency_ms,
                default.mean_latency_ms,
            ),
            ("max-memory", self.peak_memory_mb, default.peak_memory_mb),
            (
                "advise-error-rate",
                percent(self.overall_error_rate),
                percent(default.overall_error_rate),
            ),
            (
                "advise-memory",
                self.overall_memory_mb,
                default.overall_memory_mb,
            ),
        ];
        let set = limits.iter().filter(|(_, value, default)| value != default);
        set.map(|(name, value, _)| format!(" --{name} {value}"))
            .collect()
    }
}

/// A share in percent, without the last digits of binary arithmetic: 0.07 is 7.
fn percent(share: f64) -> f64 {
    (share * 1e11).round() / 1e9
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            error_rate: 0.05,
            mean_latency_ms: 100.0,
            peak_memory_mb: 500.0,
            overall_error_rate: 0.01,
            overall_memory_mb: 1000.0,
        }
    }
}

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
    pub bottlenecks: Vec<Finding>,
    /// What is worth a look and fails nothing.
    pub recommendations: Vec<Finding>,
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
    /// Everything that was checked, held or not.
    pub checks: Vec<Check>,
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
        }
    }

    /// A value of this measure with its unit.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        match self {
            Self::ErrorRate => format!("{:.2} %", value * 100.0),
            Self::MeanLatencyMs => format!("{value:.2} ms"),
            Self::PeakMemoryMb => format!("{value:.1} MB"),
            _ => format!("{value:.0}"),
        }
    }
}

/// Something that a reader should know, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// In which scenario; nothing when it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// In which step, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What was measured.
    pub measure: Measure,
    /// What it came to.
    pub value: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario.as_deref().unwrap_or("all scenarios"))?;
        if let Some(step) = &self.step {
            write!(f, ", {step}")?;
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

/// Judges what scenarios measured. Depends on nothing else, so a saved run can be judged again.
#[must_use]
pub fn judge(scenarios: &[ScenarioResult], interrupted: bool, limits: &Limits) -> Verdict {
    let judged: Vec<_> = scenarios
        .iter()
        .map(|scenario| judge_one(scenario, limits))
        .collect();
    let bottlenecks: Vec<_> = judged.iter().flat_map(exceeded).collect();
    let (health, reason) = overall(&judged, &bottlenecks, interrupted);
    Verdict {
        health,
        reason,
        scenarios: judged,
        bottlenecks,
        recommendations: recommend(scenarios, limits),
    }
}

fn judge_one(scenario: &ScenarioResult, limits: &Limits) -> ScenarioVerdict {
    let mut checks = effect_checks(scenario);
    checks.push(Check::of(
        Measure::ErrorRate,
        Some(scenario.run.error_rate()),
        limits.error_rate,
    ));
    checks.extend(
        scenario
            .run
            .steps
            .iter()
            .filter(|step| step.attempted > 0)
            .map(|step| Check {
                step: Some(step.name.clone()),
                ..Check::of(
                    Measure::MeanLatencyMs,
                    Some(mean_ms(step)),
                    limits.mean_latency_ms,
                )
            }),
    );
    let peak = scenario
        .run
        .monitor
        .summary
        .resident_peak_bytes
        .map(megabytes);
    checks.push(Check::of(
        Measure::PeakMemoryMb,
        peak,
        limits.peak_memory_mb,
    ));
    let health = if checks.iter().any(|check| !check.held) {
        Health::Fail
    } else if scenario.run.interrupted || scenario.run.operations() == 0 {
        Health::NotJudged
    } else {
        Health::Pass
    };
    ScenarioVerdict {
        name: scenario.name.clone(),
        health,
        checks,
    }
}

/// Nothing is tolerated here: no limit can be set.
fn effect_checks(scenario: &ScenarioResult) -> Vec<Check> {
    let found = &scenario.verification;
    let vacuous = scenario.vacuous_steps.len() as u64;
    // An interrupted run may have ended before a step's first turn, which proves nothing.
    let vacuous = if scenario.run.interrupted { 0 } else { vacuous };
    [
        (Measure::Lost, found.lost),
        (Measure::Altered, found.altered),
        (Measure::Duplicated, found.duplicated),
        (Measure::Unexpected, found.unexpected),
        (Measure::Unreadable, found.unreadable),
        (Measure::VacuousSteps, vacuous),
    ]
    .map(|(measure, count)| Check::of(measure, Some(count as f64), 0.0))
    .into()
}

impl Check {
    fn of(measure: Measure, value: Option<f64>, limit: f64) -> Self {
        let held = value.is_some_and(|value| value <= limit);
        Self {
            measure,
            step: None,
            value,
            limit,
            held,
        }
    }
}

fn exceeded(scenario: &ScenarioVerdict) -> Vec<Finding> {
    let failed = scenario.checks.iter().filter(|check| !check.held);
    let finding = |check: &Check| Finding {
        scenario: Some(scenario.name.clone()),
        step: check.step.clone(),
        measure: check.measure,
        value: check.value,
        limit: check.limit,
        advice: advice(check.measure).to_owned(),
    };
    failed.map(finding).collect()
}

fn advice(measure: Measure) -> &'static str {
    match measure {
        Measure::Lost => "the target acknowledged what it does not hold: do not trust it",
        Measure::Altered => "what is there is not what was acknowledged: do not trust it",
        Measure::Duplicated => "something was written twice: look for a retry without a key",
        Measure::Unexpected => {
            "something came back or came from elsewhere: look for a lost removal"
        }
        Measure::Unreadable => "the target cannot read what it wrote: see the discrepancies",
        Measure::VacuousSteps => "the step did nothing, so its figures mean nothing",
        Measure::ErrorRate => "see the failure messages of each step",
        Measure::MeanLatencyMs => "fewer threads or a faster disk; compare the step's p50 and p99",
        Measure::PeakMemoryMb => "see the memory samples; a slope that goes on is a leak",
    }
}

fn overall(
    judged: &[ScenarioVerdict],
    bottlenecks: &[Finding],
    interrupted: bool,
) -> (Health, String) {
    let failed = judged
        .iter()
        .filter(|scenario| scenario.health == Health::Fail)
        .count();
    let passed = judged
        .iter()
        .filter(|scenario| scenario.health.is_pass())
        .count();
    if let Some(first) = bottlenecks.first() {
        let more = match bottlenecks.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let all = judged.len();
        let scenarios = if all == 1 {
            "the scenario".to_owned()
        } else {
            format!("{failed} of {all} scenarios")
        };
        return (Health::Fail, format!("{scenarios} failed: {first}{more}"));
    }
    if interrupted {
        return (
            Health::NotJudged,
            "interrupted before it was through".to_owned(),
        );
    }
    if judged.is_empty() || passed < judged.len() {
        return (Health::NotJudged, "no operation was made".to_owned());
    }
    (
        Health::Pass,
        "every effect was verified and every limit held".to_owned(),
    )
}

fn recommend(scenarios: &[ScenarioResult], limits: &Limits) -> Vec<Finding> {
    let operations: u64 = scenarios
        .iter()
        .map(|scenario| scenario.run.operations())
        .sum();
    let failed: u64 = scenarios
        .iter()
        .map(|scenario| scenario.run.failed_operations())
        .sum();
    let error_rate = if operations == 0 {
        0.0
    } else {
        failed as f64 / operations as f64
    };
    let peaks = scenarios
        .iter()
        .filter_map(|s| s.run.monitor.summary.resident_peak_bytes);
    let memory = megabytes(peaks.max().unwrap_or(0));
    let overall = |measure, value, limit, advice: &str| {
        (value > limit).then(|| Finding {
            scenario: None,
            step: None,
            measure,
            value: Some(value),
            limit,
            advice: advice.to_owned(),
        })
    };
    let errors = overall(
        Measure::ErrorRate,
        error_rate,
        limits.overall_error_rate,
        "find the most frequent failure message and mend its cause before raising the load",
    );
    let memory = overall(
        Measure::PeakMemoryMb,
        memory,
        limits.overall_memory_mb,
        "give the process more memory, or bound what grows with the load",
    );
    errors.into_iter().chain(memory).collect()
}

fn mean_ms(step: &StepSummary) -> f64 {
    step.service_time.mean_ns / 1e6
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_repeated_as_they_were_given() {
        let limits = Limits {
            error_rate: 7.0 / 100.0,
            mean_latency_ms: 2.5,
            ..Limits::default()
        };
        let arguments = " --max-error-rate 7 --max-mean-latency 2.5";
        assert_eq!(limits.to_arguments(), arguments);
        assert_eq!(Limits::default().to_arguments(), "");
    }
}
