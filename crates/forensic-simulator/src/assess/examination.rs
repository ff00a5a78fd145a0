use action::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::assess::analysis::Analysis;
use crate::assess::faults::{FaultDepth, FaultSummary};
use crate::assess::findings::{of_changes, of_report};
use crate::assess::forecast::Forecast;
use crate::assess::kinds::Finding;
use crate::assess::risk::{BlastRadius, Risk};
use crate::assess::summary::{self, Advice, Count};
use crate::formats::plan_file::PlanFile;
use crate::formats::planned::{AttributeChange, PlannedChanges, PlannedResource};
use crate::plan::Plan;
use crate::run::simulator::Simulator;
use crate::world::World;

/// Everything that there is to say of a plan: what a person reads before they approve it.
///
/// Its JSON is described by the schema that [`Examination::json_schema`] gives.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Examination {
    /// `proofload simulation`.
    pub format: &'static str,
    /// The version of this format.
    pub version: u32,
    /// What to do.
    pub advice: Advice,
    /// The advice and why, in one line.
    pub headline: String,
    /// How many resources or steps of each kind there are, the most dangerous first.
    pub counts: Vec<Count>,
    /// What speaks against running the plan as it is, the worst first; empty if nothing does.
    pub findings: Vec<Finding>,
    /// Why the plan is not whole; empty if it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
    /// What was done to read the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The resources of a plan of another tool, the most dangerous first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<PlannedResource>,
    /// The outputs of such a plan that would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<AttributeChange>,
    /// The report, the conflicts, the rollback and the risk.
    #[serde(flatten)]
    pub analysis: Analysis,
    /// How far the plan reaches.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub blast_radius: BlastRadius,
    /// What is left when one step fails, or any two of them, in numbers.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub faults: FaultSummary,
    /// How long it may take and what it may cost.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub forecast: Forecast,
    /// Whether the plan of another tool says that there is nothing to do.
    pub nothing_to_do: bool,
}

/// Draws of the forecast. The 99 % quantile of so many is within half a percentage point.
const SAMPLES: usize = 10_000;

/// Of plans with more steps, no two faults are combined: their number grows with the square.
const MAX_STEPS_IN_PAIRS: usize = 60;

impl Simulator {
    /// Runs every analysis. The seed is where the forecast's draws come from.
    ///
    /// ```
    /// use action::{Action, ActionPath};
    /// use forensic_simulator::{FindingKind, Simulator, Timestamp, Workflow, World};
    /// let simulator = Simulator::builder().builtins().build()?;
    /// let delete = Action::new(ActionPath::new("kv/delete")?, "Delete").with_parameter("key", "a");
    /// let plan = simulator.check(Workflow::new("clean up").step("delete", delete))?;
    /// let (here, now) = (World::from_iter([("a", 1)]), Timestamp::default());
    /// assert!(simulator.examine(&plan, &here, now, 1).findings.is_empty());
    /// let findings = simulator.examine(&plan, &World::new(), now, 1).findings;
    /// assert_eq!(findings[0].kind, FindingKind::Fails);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn examine(&self, plan: &Plan, world: &World, at: Timestamp, seed: u64) -> Examination {
        self.examine_changes(plan, None, world, at, seed)
    }

    /// As [`Simulator::examine`], for a plan that was read from a file: with what the file says beside
    /// its steps.
    ///
    /// # Errors
    ///
    /// As [`Simulator::check`].
    pub fn examine_file(
        &self,
        file: &PlanFile,
        world: &World,
        at: Timestamp,
        seed: u64,
    ) -> Result<Examination, crate::error::Error> {
        let plan = match &file.changes {
            Some(_) if file.workflow.steps.is_empty() => Plan::without_steps(&file.workflow),
            _ => self.check(file.workflow.clone())?,
        };
        let mut examination = self.examine_changes(&plan, file.changes.as_ref(), world, at, seed);
        examination.notes.splice(0..0, file.notes.iter().cloned());
        Ok(examination)
    }

    fn examine_changes(
        &self,
        plan: &Plan,
        changes: Option<&PlannedChanges>,
        world: &World,
        at: Timestamp,
        seed: u64,
    ) -> Examination {
        let mut analysis = match changes {
            Some(_) => self.analyse_imported(plan, world, at),
            None => self.analyse(plan, world, at),
        };
        let mut findings = of_report(&analysis, changes.is_some());
        let depth = match plan.steps().len() {
            0..=MAX_STEPS_IN_PAIRS => FaultDepth::Two,
            _ => FaultDepth::One,
        };
        let mut resources = Vec::new();
        if let Some(changes) = changes {
            findings.extend(of_changes(changes));
            analysis.risk = Risk::of_changes(changes, &findings);
            resources.clone_from(&changes.resources);
            resources.sort_by_key(|resource| (resource.kind, !resource.holds_data));
        }
        findings.sort_by_key(|finding| finding.severity);
        let incomplete = changes
            .map(|changes| changes.incomplete.clone())
            .unwrap_or_default();
        let counts = match changes {
            Some(changes) => summary::of_resources(&changes.resources),
            None => summary::of_steps(&analysis.report),
        };
        let advice = Advice::of(&findings, !incomplete.is_empty());
        Examination {
            format: "proofload simulation",
            version: 1,
            advice,
            headline: summary::headline(advice, &counts, &findings, changes),
            counts,
            findings,
            incomplete,
            notes: changes
                .map(|changes| changes.notes.clone())
                .unwrap_or_default(),
            resources,
            outputs: changes
                .map(|changes| changes.outputs.clone())
                .unwrap_or_default(),
            blast_radius: BlastRadius::of(&analysis.report),
            faults: match changes {
                // How providers fail is not modelled.
                Some(_) => FaultSummary::default(),
                None => self.fault_summary(plan, world, at, depth),
            },
            forecast: Forecast::of(plan, &analysis.report, SAMPLES, seed),
            nothing_to_do: changes.is_some_and(|changes| changes.nothing_to_do),
            analysis,
        }
    }
}

impl Examination {
    /// The JSON schema of its JSON.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        schema["$id"] = "https://proofload.dev/schemas/simulation.v1.json".into();
        schema
    }

    /// As JSON without white space, in which characters that deceive a reader are escapes.
    ///
    /// # Errors
    ///
    /// [`Error::Report`](crate::Error::Report) if it has no JSON form, which none has.
    pub fn to_json(&self) -> Result<String, crate::error::Error> {
        let json = serde_json::to_string(self)
            .map_err(|source| crate::error::Error::Report(std::sync::Arc::new(source)))?;
        Ok(action::visible_json(&json).into_owned())
    }
}
