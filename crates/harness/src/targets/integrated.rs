use std::path::Path;

use action::{Action, ActionPath};
use approval_workflow::{ApprovalWorkflow, Event, RequestId, Verdict};
use forensic_simulator::{ForensicSimulator, Outcome, Workflow};
use load_engine::{Failure, Iteration, StepSpec, Workload};

use super::approval::{Gate, People, open_workflow};
use super::forensic::{Planted, Rehearsal, open_simulator, workflow};
use crate::proof::EffectsFound;
use crate::scenario::Builtin;
use crate::{Journal, Target};

const REQUEST: StepSpec = StepSpec::effectful("request");
const SIMULATE: StepSpec = StepSpec::effectful("simulate");
const DECIDE: StepSpec = StepSpec::effectful("decide");
const GATE: StepSpec = StepSpec::new("can execute");
const AUDIT: StepSpec = StepSpec::new("audit trail agrees");

/// Whole workflows through the simulator and the approval gate.
pub struct IntegratedTarget {
    approvals: ApprovalWorkflow,
    simulator: ForensicSimulator,
    journal: Journal,
}

impl IntegratedTarget {
    fn gate(&self) -> Gate<'_> {
        Gate {
            workflow: &self.approvals,
            journal: &self.journal,
        }
    }

    fn rehearsal(&self) -> Rehearsal<'_> {
        Rehearsal {
            simulator: &self.simulator,
            journal: &self.journal,
        }
    }

    /// Holds the trail against what this user did: asked once, decided once, as the simulation said.
    fn audit(&self, id: &RequestId, approved: bool, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(AUDIT, |_| {
            let trail = self.approvals.audit_trail(id).unwrap_or_default();
            let expected = if approved {
                Verdict::Approve
            } else {
                Verdict::Deny
            };
            let events: Vec<_> = trail.iter().map(|entry| &entry.event).collect();
            match events.as_slice() {
                [Event::Requested(asked), Event::Reviewed(review)]
                    if asked.id == *id && review.verdict == expected =>
                {
                    Ok(())
                }
                other => Err(Failure::new(format!(
                    "the trail has {} events, not a request and its decision",
                    other.len()
                ))),
            }
        })
    }
}

/// The action that is asked for: to run the plan. Its steps are arguments, so that the approval is
/// bound to each of them.
fn run_of(plan: &Workflow) -> Result<Action, Failure> {
    let title = format!("Run {}", plan.name);
    Ok(Action::new(ActionPath::new("payments/run-plan")?, title)
        .with_parameter("steps", serde_json::to_value(&plan.steps)?))
}

impl Workload for IntegratedTarget {
    type User = People;

    fn steps(&self) -> Vec<StepSpec> {
        vec![REQUEST, SIMULATE, DECIDE, GATE, AUDIT]
    }

    fn set_up(&self, user: u32) -> Result<People, Failure> {
        People::new(user)
    }

    fn iterate(&self, people: &mut People, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let name = format!("task-{}-{}", it.user(), it.index());
        let planted = Planted::draw(it.rng());
        let plan = workflow(&name, planted, it.rng())?;
        let action = run_of(&plan)?;

        let id = self.gate().request(people, action.clone(), REQUEST, it)?;
        let stored = self.rehearsal().simulate(&plan, planted, SIMULATE, it)?;
        let approve = stored.report.outcome == Outcome::Success;
        self.gate().decide(people, &id, approve, DECIDE, it)?;
        self.gate().ask(&id, &action, approve, GATE, it)?;
        self.audit(&id, approve, it)
    }
}

impl Target for IntegratedTarget {
    fn close(self) -> Result<(), Failure> {
        self.approvals.close()?;
        self.simulator.close()?;
        Ok(())
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        let approvals = Gate::effects(&self.approvals)?;
        Ok(Box::new(
            approvals.chain(Rehearsal::effects(&self.simulator)?),
        ))
    }
}

impl Builtin for IntegratedTarget {
    fn open(dir: &Path, _: u64, journal: Journal) -> Result<Self, Failure> {
        Ok(Self {
            approvals: open_workflow(&dir.join("approvals"))?,
            simulator: open_simulator(&dir.join("simulations"))?,
            journal,
        })
    }
}
