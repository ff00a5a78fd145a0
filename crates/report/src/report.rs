use std::path::Path;
use std::time::SystemTime;

use load_engine::Threshold;
use load_engine::search::ProbeResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Build, Conclusion, Finding, Machine, ScenarioResult, Verdict, advice, clock, findings, judge,
};

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
