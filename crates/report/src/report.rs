use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use load_engine::search::ProbeResult;
use load_engine::{RunRecord, Threshold, Verification};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Build, Finding, Health, Limits, Machine, Settings, Verdict, clock, findings, judge};

/// What one run of the suite found, whole: it can be saved, judged again, compared or drawn later
/// without running anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always [`Report::FORMAT`].
    pub format: String,
    /// The version of this format: a program reads its own version only.
    pub version: u32,
    /// When the suite began, RFC 3339 in UTC.
    pub started_at: String,
    /// How long the suite took, in seconds.
    pub elapsed_seconds: f64,
    /// The command that runs it again.
    pub command: String,
    /// The program.
    pub build: Build,
    /// The machine.
    pub machine: Machine,
    /// How large the load was.
    pub settings: Settings,
    /// Each scenario, in the order in which they ran.
    pub scenarios: Vec<ScenarioResult>,
    /// Whether the suite was stopped before it was through.
    pub interrupted: bool,
    /// What the verdict was judged by.
    pub limits: Limits,
    /// What it comes to.
    pub verdict: Verdict,
    /// What it shows beyond its limits; a report of an older program has none.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl Report {
    /// What [`Report::format`] says.
    pub const FORMAT: &'static str = "proofload/report";
    /// The version of the format that this program reads and writes.
    pub const VERSION: u32 = 1;

    /// A report of scenarios that ran on this machine, just now, and wrote to `out`. What ran them
    /// says more by setting the other fields.
    #[must_use]
    pub fn new(
        scenarios: Vec<ScenarioResult>,
        settings: &Settings,
        limits: Limits,
        out: &Path,
    ) -> Self {
        let findings = findings::find(&scenarios);
        let interrupted = scenarios.iter().any(|scenario| scenario.run.interrupted);
        Self {
            format: Self::FORMAT.to_owned(),
            version: Self::VERSION,
            started_at: clock::now().to_string(),
            elapsed_seconds: scenarios
                .iter()
                .map(|scenario| scenario.run.wall_ns as f64 / 1e9)
                .sum(),
            command: String::new(),
            build: Build::examine(),
            machine: Machine::examine(out),
            settings: settings.clone(),
            verdict: judge(&scenarios, interrupted, &limits),
            scenarios,
            interrupted,
            limits,
            findings,
        }
    }

    /// Judges the same figures by other limits.
    #[must_use]
    pub fn judged_by(mut self, limits: Limits) -> Self {
        self.verdict = judge(&self.scenarios, self.interrupted, &limits);
        self.limits = limits;
        self
    }

    /// What the run shows of a target that is searched for its limit: by its scenarios one after the
    /// other, and then by the verdict.
    #[must_use]
    pub fn ruling(&self) -> ProbeResult {
        let mut rulings = self.scenarios.iter().map(|scenario| {
            ProbeResult::of(
                &scenario.run,
                Some(&scenario.verification),
                &scenario.thresholds,
            )
        });
        let found = rulings.find(|ruling| *ruling != ProbeResult::Held);
        found.unwrap_or_else(|| match self.verdict.health {
            Health::Pass => ProbeResult::Held,
            Health::Fail => ProbeResult::Violated(self.verdict.reason.clone()),
            Health::NotJudged => ProbeResult::Inconclusive(self.verdict.reason.clone()),
        })
    }

    /// When the suite began; nothing, if what was saved is no time.
    #[must_use]
    pub fn started(&self) -> Option<SystemTime> {
        let time: jiff::Timestamp = self.started_at.parse().ok()?;
        Some(time.into())
    }

    /// Operations of all scenarios.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.scenarios
            .iter()
            .map(|scenario| scenario.run.operations())
            .sum()
    }

    /// Effects of all scenarios that were found as acknowledged.
    #[must_use]
    pub fn verified_effects(&self) -> u64 {
        self.scenarios
            .iter()
            .map(|scenario| scenario.verification.verified)
            .sum()
    }
}

/// What one scenario measured and what was found afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioResult {
    /// Its name.
    pub name: String,
    /// What is done, for people.
    pub title: String,
    /// How large the load was, for people.
    pub load: String,
    /// What its file says to group it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What was measured.
    pub run: RunRecord,
    /// What was found when the target was opened again.
    pub verification: Verification,
    /// Steps that should leave an effect and left none.
    pub vacuous_steps: Vec<String>,
    /// The file beside the report in which every discrepancy stands, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discrepancies_file: Option<String>,
    /// Where the target's data was kept as evidence, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_kept_in: Option<String>,
    /// The scenario file that it was run from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Definition>,
    /// What the scenario itself says that has to hold. It is judged by these, and by the run's limits
    /// only if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// The phase in which memory must not leak, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_leak_in: Option<String>,
}

impl ScenarioResult {
    /// Whether every acknowledged effect was found, nothing else, and no step was vacuous.
    #[must_use]
    pub fn effects_hold(&self) -> bool {
        self.verification.holds() && self.vacuous_steps.is_empty()
    }
}

/// The text that a scenario was run from, so that a report can be repeated when the file has changed
/// or is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Definition {
    /// The file, as it was named.
    pub file: String,
    /// Its whole text.
    pub text: String,
    /// What was set over it, as `key=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// The JSON schema of a [`Report`], as published in `schemas/report.v1.json`.
#[must_use]
pub fn report_schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let published = include_str!("../schemas/report.v1.json");
        let published: serde_json::Value = serde_json::from_str(published).unwrap();
        assert!(
            published == report_schema(),
            "run `cargo run -p proofload -- schema > crates/report/schemas/report.v1.json`"
        );
    }
}
