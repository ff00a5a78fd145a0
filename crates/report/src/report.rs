use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use load_engine::search::ProbeResult;
use load_engine::{Judgement, RunRecord, Threshold, Verification};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Build, Conclusion, Finding, Machine, Verdict, advice, clock, findings, judge};

/// What one run of the suite found, whole: it can be saved, judged again, compared or drawn later
/// without running anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always [`Report::FORMAT`].
    pub format: String,
    /// The version of this format: a program reads its own version and those before.
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
    /// Where every random number came from.
    pub seed: u64,
    /// Each scenario, in the order in which they ran.
    pub scenarios: Vec<ScenarioResult>,
    /// Whether a signal stopped the suite before its end.
    pub interrupted: bool,
    /// What it comes to.
    pub verdict: Verdict,
    /// What it shows beyond its thresholds; a report of an older program has none.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl Report {
    /// What [`Report::format`] says.
    pub const FORMAT: &'static str = "proofload/report";
    /// The version of the format that this program writes.
    pub const VERSION: u32 = 2;

    /// A report of scenarios that ran on this machine, just now, were judged, and wrote to `out`. What ran
    /// them says more by setting the other fields.
    #[must_use]
    pub fn new(scenarios: Vec<ScenarioResult>, out: &Path) -> Self {
        let findings = findings::find(&scenarios);
        let interrupted = scenarios.iter().any(ScenarioResult::was_interrupted);
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
            seed: scenarios.first().map_or(0, |scenario| scenario.run.seed),
            verdict: judge(&scenarios, interrupted, &advice([])),
            scenarios,
            interrupted,
            findings,
        }
    }

    /// Judges the same figures again, with `flags` in place of the thresholds on the same figures, and
    /// gives advice by `advised`.
    #[must_use]
    pub fn judged_by(mut self, flags: &[Threshold], advised: &[Threshold]) -> Self {
        for scenario in &mut self.scenarios {
            scenario.judge_again(flags);
        }
        self.verdict = judge(&self.scenarios, self.interrupted, advised);
        self
    }

    /// What the run shows of a target that is searched for its limit: by its scenarios one after the
    /// other, and then by the verdict.
    #[must_use]
    pub fn ruling(&self) -> ProbeResult {
        let mut aborts = self
            .scenarios
            .iter()
            .filter_map(ScenarioResult::abort_reason);
        if let Some(reason) = aborts.next() {
            return ProbeResult::Violated(reason);
        }
        let mut rulings = self.scenarios.iter().map(|scenario| {
            let thresholds = scenario.thresholds();
            let thresholds: Vec<_> = thresholds.into_iter().map(|(_, own)| own).collect();
            ProbeResult::of(&scenario.run, Some(&scenario.verification), &thresholds)
        });
        let found = rulings.find(|ruling| *ruling != ProbeResult::Held);
        found.unwrap_or_else(|| match self.verdict.conclusion {
            Conclusion::Pass => ProbeResult::Held,
            Conclusion::Fail => ProbeResult::Violated(self.verdict.reason.clone()),
            Conclusion::Inconclusive => ProbeResult::Inconclusive(self.verdict.reason.clone()),
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
    /// Write steps that acknowledged no effect.
    pub vacuous_steps: Vec<String>,
    /// The file beside the report in which every discrepancy is, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discrepancies_file: Option<String>,
    /// Where the target's data was kept as evidence, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_kept_in: Option<String>,
    /// The scenario file that it was run from; none of a target that a program ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Definition>,
    /// Everything that it was judged by: the effects, and the thresholds of its file, of flags, or the
    /// defaults.
    #[serde(default)]
    pub judgements: Vec<Judgement>,
    /// What it comes to, in one word.
    #[serde(default)]
    pub conclusion: Conclusion,
    /// Why, if it does not pass and no threshold says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ScenarioResult {
    /// What was measured and found, not judged yet.
    #[must_use]
    pub fn new(name: &str, run: RunRecord, verification: Verification) -> Self {
        Self {
            name: name.to_owned(),
            title: String::new(),
            load: String::new(),
            tags: BTreeMap::new(),
            vacuous_steps: run.vacuous_steps().map(|step| step.name.clone()).collect(),
            run,
            verification,
            discrepancies_file: None,
            data_kept_in: None,
            definition: None,
            judgements: Vec::new(),
            conclusion: Conclusion::Inconclusive,
            reason: None,
        }
    }

    /// Whether every acknowledged effect was found, nothing else, and no write step wrote nothing.
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

/// Where the schema is published.
const SCHEMA_ID: &str = "https://raw.githubusercontent.com/proofload/proofload/main/crates/report/schemas/report.v2.json";

/// The JSON schema of a [`Report`], as published in `schemas/report.v2.json`.
#[must_use]
pub fn report_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("$id".to_owned(), SCHEMA_ID.into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let published = include_str!("../schemas/report.v2.json");
        let published: serde_json::Value = serde_json::from_str(published).unwrap();
        assert!(
            published == report_schema(),
            "run `cargo run -p proofload -- schema > crates/report/schemas/report.v2.json`"
        );
    }
}
