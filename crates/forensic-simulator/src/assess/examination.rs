use std::collections::BTreeSet;

use serde::Serialize;

use crate::assess::analysis::Analysis;
use crate::assess::faults::{FaultDepth, FaultMatrix};
use crate::assess::forecast::Forecast;
use crate::assess::risk::BlastRadius;
use crate::assess::rollback::UndoKind;
use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::run::report::PredictedOutcome;
use crate::run::report::issue::IssueKind;
use crate::run::simulator::Simulator;
use crate::world::World;
use action::Timestamp;

/// Everything that there is to say of a plan: what a person reads before they approve it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Examination {
    /// What speaks against running the plan as it is; empty if nothing does.
    pub findings: Vec<Finding>,
    /// The report, the conflicts, the rollback and the risk.
    #[serde(flatten)]
    pub analysis: Analysis,
    /// How far the plan reaches.
    pub blast_radius: BlastRadius,
    /// What is left when one step fails, or any two of them.
    pub faults: FaultMatrix,
    /// How long it may take and what it may cost.
    pub forecast: Forecast,
}

/// Something that speaks against running a plan as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The steps that it is about; empty if it is about the whole plan.
    pub steps: Vec<StepId>,
    /// What was seen.
    pub evidence: String,
}

/// The kinds of [`Finding`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A step would not be a success.
    NoSuccess,
    /// Nothing would undo a step, or the plan would be left half done.
    Unsafe,
    /// The order of two steps decides, and nothing fixes it.
    Conflict,
    /// A step is not taken back by the rollback.
    NotTakenBack,
}

impl FindingKind {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSuccess => "no_success",
            Self::Unsafe => "unsafe",
            Self::Conflict => "conflict",
            Self::NotTakenBack => "not_taken_back",
        }
    }
}

/// Draws of the forecast. The 99 % quantile of so many is within half a percentage point.
const SAMPLES: usize = 10_000;

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
    /// assert_eq!(findings[0].kind, FindingKind::NoSuccess);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn examine(&self, plan: &Plan, world: &World, at: Timestamp, seed: u64) -> Examination {
        let analysis = self.analyse(plan, world, at);
        Examination {
            findings: findings(&analysis),
            blast_radius: BlastRadius::of(&analysis.report),
            faults: self.fault_matrix(plan, world, at, FaultDepth::Two),
            forecast: Forecast::of(plan, &analysis.report, SAMPLES, seed),
            analysis,
        }
    }
}

/// A plan without findings would do what it says, in every order that it allows, and can be taken
/// back as a whole.
fn findings(analysis: &Analysis) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |kind, steps: &[&StepId], evidence: String| {
        found.push(Finding {
            kind,
            steps: steps.iter().map(|&step| step.clone()).collect(),
            evidence,
        });
    };
    for step in &analysis.report.steps {
        if step.outcome != PredictedOutcome::Success {
            let evidence = format!("{}: {}", step.outcome, step.reason);
            add(FindingKind::NoSuccess, &[&step.id], evidence);
        }
    }
    let mut lasting = BTreeSet::new();
    for issue in &analysis.report.safety_issues {
        match issue.kind {
            // The outcome of the step says it.
            IssueKind::UnsafeStep | IssueKind::NotModelled => {}
            IssueKind::IrreversibleEffect => {
                lasting.insert(&issue.step);
                let evidence = format!("nothing takes it back: {}", issue.evidence);
                add(FindingKind::Unsafe, &[&issue.step], evidence);
            }
            IssueKind::HalfDone => {
                let evidence = format!("it would be left half done: {}", issue.evidence);
                add(FindingKind::Unsafe, &[&issue.step], evidence);
            }
        }
    }
    for pair in &analysis.conflicts.pairs {
        let keys: Vec<_> = pair
            .keys
            .iter()
            .map(crate::world::fact::Key::as_str)
            .collect();
        let verb = if pair.proven { "decides" } else { "may decide" };
        let evidence = format!("their order {verb}, by {}", keys.join(", "));
        add(
            FindingKind::Conflict,
            &[&pair.first, &pair.second],
            evidence,
        );
    }
    if !analysis.conflicts.exhaustive {
        let evidence = "it allows more orders than were looked at".to_owned();
        add(FindingKind::Conflict, &[], evidence);
    }
    for undo in &analysis.rollback.steps {
        let known = undo.how == UndoKind::Impossible && lasting.contains(&undo.step);
        if undo.outcome != PredictedOutcome::Success && !known {
            let evidence = undo.reason.clone().unwrap_or_default().into_owned();
            add(FindingKind::NotTakenBack, &[&undo.step], evidence);
        }
    }
    found
}
