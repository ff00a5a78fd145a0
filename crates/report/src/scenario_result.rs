//! What one scenario of a report measured, and what it came to.

use std::collections::BTreeMap;

use load_engine::{Judgement, RunRecord, ServiceMemory, Verification};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Conclusion;
use crate::effects::{EffectReport, FaultReport, InvariantReport};

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
    /// How each effect of external services was read back; nothing of other targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<EffectReport>>,
    /// What the file's invariants gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<InvariantReport>,
    /// What was done to services during the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultReport>,
    /// What kept the run from being complete, such as a set-up or a restart that failed; then it is no
    /// pass, whatever it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
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
            effects: None,
            invariants: Vec::new(),
            faults: Vec::new(),
            incomplete: None,
            discrepancies_file: None,
            data_kept_in: None,
            definition: None,
            judgements: Vec::new(),
            conclusion: Conclusion::Inconclusive,
            reason: None,
        }
    }

    /// How the effects were read back, a line each, if the target was a service of others.
    #[must_use]
    pub fn effect_lines(&self) -> Vec<String> {
        let Some(effects) = &self.effects else {
            return Vec::new();
        };
        if effects.is_empty() {
            let none = "no effect was verified: the file names none".to_owned();
            let invariants = self.invariants.iter().map(InvariantReport::line);
            return [none]
                .into_iter()
                .chain(invariants)
                .chain(self.memory_lines())
                .collect();
        }
        let lines = effects.iter().map(EffectReport::line);
        lines
            .chain(self.invariants.iter().map(InvariantReport::line))
            .chain(self.faults.iter().map(FaultReport::line))
            .chain(self.memory_lines())
            .chain(effects.iter().filter_map(EffectReport::blind_spots))
            .collect()
    }

    fn memory_lines(&self) -> impl Iterator<Item = String> {
        self.run.services.iter().map(ServiceMemory::line)
    }

    /// After what the effects were read.
    #[must_use]
    pub fn proved_after(&self) -> &'static str {
        match &self.effects {
            None => "after reopening",
            Some(effects)
                if !effects.is_empty() && effects.iter().all(|effect| effect.restarted) =>
            {
                "after a restart"
            }
            Some(_) => "without a restart",
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
