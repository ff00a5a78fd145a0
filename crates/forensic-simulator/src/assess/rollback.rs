use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::plan::workflow::Step;
use crate::run::Run;
use crate::run::handler::Handler;
use crate::run::report::{ExternalEffect, PredictedOutcome, Reversibility, StepReport};
use crate::run::simulator::Simulator;
use crate::world::World;
use crate::world::change::Change;
use action::Timestamp;

/// How the steps that were done are taken back, itself simulated, and what stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rollback {
    /// One for each step that was done, the last one first.
    pub steps: Vec<Undo>,
    /// The keys that are not as they were at the start, sorted.
    pub residue: Vec<Change>,
    /// What was done outside of the world, and is not taken back.
    pub external_residue: Vec<ExternalEffect>,
    /// The steps that may have done something that is not modelled.
    pub not_modelled: Vec<StepId>,
}

impl Rollback {
    /// Of steps of which nobody knows what takes them back.
    pub(crate) fn not_modelled(steps: Vec<StepId>) -> Self {
        Self {
            steps: Vec::new(),
            residue: Vec::new(),
            external_residue: Vec::new(),
            not_modelled: steps,
        }
    }

    /// Whether the world would be as before the plan, as far as it is modelled.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.residue.is_empty() && self.external_residue.is_empty() && self.not_modelled.is_empty()
    }
}

/// Taking back one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// The step.
    pub step: StepId,
    /// By what.
    pub how: UndoKind,
    /// What would come of it.
    pub outcome: PredictedOutcome,
    /// Why, unless it is a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// What it would change.
    pub changes: Vec<Change>,
}

/// By what a step is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoKind {
    /// There is nothing to take back.
    Nothing,
    /// The values from before are written again.
    Restore,
    /// Another action makes up for it.
    Compensate,
    /// Nothing does.
    Impossible,
}

impl Simulator {
    /// Plays a plan, and then takes back every step that was done, the last one first.
    #[must_use]
    pub fn rollback(&self, plan: &Plan, world: &World, at: Timestamp) -> Rollback {
        let mut run = Run::new(&self.handlers, plan, world, at);
        for &position in plan.order() {
            run.step(position);
        }
        let steps = std::mem::take(&mut run.steps);
        roll_back(self, &mut run, &steps)
    }
}

/// Takes back what whoever runs the plan knows to be done: `done`, in the plan's order.
pub(crate) fn roll_back(simulator: &Simulator, run: &mut Run<'_>, done: &[StepReport]) -> Rollback {
    let mut rollback = Rollback {
        steps: Vec::with_capacity(done.len()),
        residue: Vec::new(),
        external_residue: Vec::new(),
        not_modelled: Vec::new(),
    };
    let positions = run.plan().order().iter();
    for (step, &position) in done.iter().zip(positions).rev() {
        if matches!(
            step.outcome,
            PredictedOutcome::Unknown | PredictedOutcome::Unsafe
        ) && !step.would_run
        {
            rollback.not_modelled.push(step.id.clone());
        }
        if !step.would_run {
            // Something that failed after it had an effect: nobody takes back what they think was
            // not done.
            rollback
                .external_residue
                .extend(step.external.iter().cloned());
            continue;
        }
        let undo = undo(simulator, run, step, position);
        if undo.how == UndoKind::Impossible {
            rollback
                .external_residue
                .extend(step.external.iter().cloned());
        }
        rollback.steps.push(undo);
    }
    rollback.residue = run.overlay.net_changes();
    rollback
}

fn undo(simulator: &Simulator, run: &mut Run<'_>, step: &StepReport, position: usize) -> Undo {
    let nothing = step.external.is_empty() && step.changes.iter().all(Change::is_noop);
    match &step.reversibility {
        _ if nothing => end(
            step,
            UndoKind::Nothing,
            PredictedOutcome::Success,
            None,
            Vec::new(),
        ),
        Reversibility::Reversible => {
            let changes = restore(run, step);
            end(
                step,
                UndoKind::Restore,
                PredictedOutcome::Success,
                None,
                changes,
            )
        }
        Reversibility::CompensatedBy(_) => compensate(simulator, run, step, position),
        Reversibility::Irreversible => impossible(step, "nothing takes it back"),
        Reversibility::Opaque => impossible(step, "nobody said how it is taken back"),
    }
}

fn restore(run: &mut Run<'_>, step: &StepReport) -> Vec<Change> {
    run.overlay.begin_step();
    for change in step.changes.iter().rev() {
        run.overlay
            .write(change.key.as_str(), change.before.clone());
    }
    run.overlay.keep_step().changes
}

fn compensate(
    simulator: &Simulator,
    run: &mut Run<'_>,
    step: &StepReport,
    position: usize,
) -> Undo {
    let original = run.action_of(position);
    let handler = simulator.handlers.find(&original.path);
    let Some(action) = handler.and_then(|handler| Handler::compensation(handler, &original)) else {
        return impossible(step, "nothing says with which parameters it is made up for");
    };
    let step_of_undo = Step {
        id: step.id.clone(),
        action,
        depends_on: Vec::new(),
    };
    let (outcome, reason, changes) = run.play_beside(&step_of_undo);
    let reason = (outcome != PredictedOutcome::Success).then_some(reason);
    end(step, UndoKind::Compensate, outcome, reason, changes)
}

fn impossible(step: &StepReport, reason: &'static str) -> Undo {
    let (how, outcome) = (UndoKind::Impossible, PredictedOutcome::WouldFail);
    end(step, how, outcome, Some(reason.into()), Vec::new())
}

fn end(
    step: &StepReport,
    how: UndoKind,
    outcome: PredictedOutcome,
    reason: Option<Cow<'static, str>>,
    changes: Vec<Change>,
) -> Undo {
    Undo {
        step: step.id.clone(),
        how,
        outcome,
        reason,
        changes,
    }
}
