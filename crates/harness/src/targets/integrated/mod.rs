mod bank;
mod plans;

use std::path::Path;
use std::sync::Arc;

use action::ActionPath;
use approval_workflow::{ApprovalWorkflow, DenyReason, Event, Policy, Request, RequestId, Vote};
use forensic_simulator::{Plan, PredictedOutcome, SimulationReport, SimulationStore, Simulator};
use load_engine::{Digest, Failure, Found, Iteration, StepSpec, Workload};

use self::bank::{Bank, Entry};
use self::plans::{Planted, Task};
use super::approval::{Gate, People, REQUEST, now, state_digest};
use super::forensic::{SIMULATION, ledger_digest};
use super::registry::{LoadFacts, NoOptions, OpenContext, RegisteredTarget};
use crate::prove::EffectsFound;
use crate::scenario::SpecError;
use crate::{Journal, Target};
use execution::{AuthorizedPlan, ExecutionResult, NotExecuted, PlanExecutor, Proposal};

const SIMULATE: StepSpec = StepSpec::effectful("simulate");
const PROPOSE: StepSpec = StepSpec::effectful("propose");
const DECIDE: StepSpec = StepSpec::effectful("decide");
const GATE: StepSpec = StepSpec::new("can execute");
const AUTHORIZE: StepSpec = StepSpec::effectful("simulate again and claim");
const REFUSED: StepSpec = StepSpec::effectful("stale or denied, refused");
const EXECUTE: StepSpec = StepSpec::effectful("execute and reconcile");
const AUDIT: StepSpec = StepSpec::new("audit trail agrees");

const STEPS: [StepSpec; 8] = [
    SIMULATE, PROPOSE, DECIDE, GATE, AUTHORIZE, REFUSED, EXECUTE, AUDIT,
];

/// The kind of the effects in the ledger: what the bank did for a claim, by its token.
const EXECUTION: &str = "execution";

/// What is granted by the simulation alone, and what a person decides.
const POLICY: &str = r#"
[[rules]]
name = "small plans that would succeed"
pattern = "plans/small"
sensitivity = "low"
expiry = "1h"
[rules.auto_approve]
all = [
    { equals = { field = "context.simulation.outcome", value = "success" } },
    { equals = { field = "context.simulation.irreversible", value = 0 } },
    { equals = { field = "context.simulation.not_modelled", value = 0 } },
    { less_than = { field = "context.simulation.changes", value = 10 } },
]

[[rules]]
name = "large plans"
pattern = "plans/large"
sensitivity = "high"
requires_reason = true
expiry = "4h"
affected_systems = ["bank"]
"#;

/// Whole plans: simulated, requested, decided, simulated again at the claim, executed, and compared
/// with the prediction, while the world changes under some of them.
pub struct IntegratedTarget {
    approvals: ApprovalWorkflow,
    simulator: Simulator,
    reports: SimulationStore,
    bank: Bank,
    journal: Journal,
}

impl IntegratedTarget {
    fn gate(&self) -> Gate<'_> {
        Gate {
            workflow: &self.approvals,
            journal: &self.journal,
        }
    }

    fn executor(&self) -> PlanExecutor<'_, Bank> {
        PlanExecutor {
            simulator: &self.simulator,
            approvals: &self.approvals,
            system: &self.bank,
        }
    }

    fn request(&self, id: &RequestId) -> Result<Arc<Request>, Failure> {
        let request = self.approvals.get(id)?;
        request.ok_or_else(|| Failure::new(format!("request {id} is gone")))
    }

    fn simulate(
        &self,
        plan: &Plan,
        planted: Planted,
        it: &mut Iteration<'_>,
    ) -> Result<Arc<SimulationReport>, Failure> {
        it.step(&SIMULATE, |effects| {
            let stored = self.reports.save(self.executor().simulate(plan, now()))?;
            let key = stored.id.to_string();
            self.journal
                .created(effects, SIMULATION, &key, ledger_digest(&stored)?);
            let outcome = stored.report.outcome;
            if outcome != planted.outcome() {
                return Err(Failure::new(format!(
                    "{planted:?} was planted, {outcome} came of it"
                )));
            }
            Ok(stored.report)
        })
    }

    fn propose(
        &self,
        people: &People,
        path: ActionPath,
        plan: Plan,
        report: Arc<SimulationReport>,
        it: &mut Iteration<'_>,
    ) -> Result<Proposal, Failure> {
        it.step(&PROPOSE, |effects| {
            let proposal =
                self.executor()
                    .propose(path, plan, report, people.agent.clone(), now())?;
            let id = proposal.request.submission.id.as_str();
            let digest = state_digest(&proposal.request);
            self.journal.created(effects, REQUEST, id, digest);
            Ok(proposal)
        })
    }

    /// Claims what was approved. None if the gate refused for a reason that `allowed` knows.
    fn authorize<'p>(
        &self,
        people: &People,
        proposal: &'p Proposal,
        allowed: &[DenyReason],
        it: &mut Iteration<'_>,
    ) -> Result<Option<AuthorizedPlan<'p>>, Failure> {
        let id = &proposal.request.submission.id;
        let step = if allowed.is_empty() {
            AUTHORIZE
        } else {
            REFUSED
        };
        it.step(&step, |effects| {
            self.journal.attempted(effects, REQUEST, id.as_str());
            let authorized = match self
                .executor()
                .authorize(proposal, people.agent.clone(), now())
            {
                Ok(authorized) => Some(authorized),
                Err(error) => match error.refusal() {
                    Some(reason) if allowed.contains(&reason) => None,
                    _ => return Err(error.into()),
                },
            };
            // A refusal is an answer about the state too: it must stand as it stood.
            let request = self.request(id)?;
            self.journal
                .updated(effects, REQUEST, id.as_str(), state_digest(&request));
            Ok(authorized)
        })
    }

    fn execute(
        &self,
        task: &Task,
        authorized: AuthorizedPlan<'_>,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        it.step(&EXECUTE, |effects| {
            let (id, token) = (authorized.claim.id.clone(), authorized.claim.token.0);
            let token_key = token.to_string();
            self.journal.attempted(effects, REQUEST, id.as_str());
            self.journal.attempted(effects, EXECUTION, &token_key);
            let result = self.executor().execute(authorized, now())?;
            let request = self.request(&id)?;
            self.journal
                .updated(effects, REQUEST, id.as_str(), state_digest(&request));
            match result {
                ExecutionResult::AsPredicted { changes } if task.may_be_done() => {
                    let digest = Digest::of_json(&Entry::done(token, &changes))?;
                    self.journal.created(effects, EXECUTION, &token_key, digest);
                    Ok(())
                }
                ExecutionResult::NotExecuted(NotExecuted::Changed(_)) if task.may_move_late() => {
                    self.journal.removed(effects, EXECUTION, &token_key);
                    Ok(())
                }
                other => Err(Failure::new(format!("{task:?}: {other:?}"))),
            }
        })
    }

    /// Holds the trail against what this user did, each thing once and in this order.
    fn audit(
        &self,
        proposal: &Proposal,
        decided: Option<bool>,
        claimed: bool,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        it.step(&AUDIT, |_| {
            let id = &proposal.request.submission.id;
            let trail = self.approvals.audit_trail(id)?.unwrap_or_default();
            let found: Vec<_> = trail.iter().map(|entry| kind(&entry.event)).collect();
            let mut expected = vec!["requested"];
            expected.extend(decided.map(|approved| if approved { "approved" } else { "denied" }));
            if claimed {
                expected.extend(["claimed", "finished"]);
            }
            if found == expected {
                return Ok(());
            }
            Err(Failure::new(format!(
                "the trail says {found:?}, and it was {expected:?}"
            )))
        })
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Requested(_) => "requested",
        Event::Reviewed(review) => match review.verdict {
            Vote::Approve => "approved",
            Vote::Deny => "denied",
        },
        Event::Claimed(_) => "claimed",
        Event::Finished(_) => "finished",
        _ => "something else",
    }
}

impl Workload for IntegratedTarget {
    type User = People;

    fn steps(&self) -> Vec<StepSpec> {
        STEPS.to_vec()
    }

    fn set_up(&self, user: u32) -> Result<People, Failure> {
        People::new(user)
    }

    fn iterate(&self, people: &mut People, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let task = Task::draw(it);
        let plan = self.simulator.check(task.workflow(&self.bank)?)?;
        let path = ActionPath::new(if task.large {
            "plans/large"
        } else {
            "plans/small"
        })?;

        let report = self.simulate(&plan, task.planted, it)?;
        let approve = report.outcome == PredictedOutcome::Success;
        let proposal = self.propose(people, path, plan, report, it)?;
        let id = proposal.request.submission.id.clone();
        let by_a_person = task.large || !approve;
        if by_a_person {
            self.gate().decide(people, &id, approve, &DECIDE, it)?;
        }
        self.gate()
            .ask(&id, proposal.action(), approve, &GATE, it)?;

        if task.planted == Planted::MovesBeforeTheClaim {
            self.bank.pay_in(&task.from(&self.bank), 1)?;
        }
        let authorized = self.authorize(people, &proposal, task.refusals(), it)?;
        let claimed = authorized.is_some();
        if let Some(authorized) = authorized {
            if task.planted == Planted::MovesAfterTheClaim {
                self.bank.pay_in(&task.from(&self.bank), 1)?;
            }
            self.execute(&task, authorized, it)?;
        }
        self.audit(&proposal, by_a_person.then_some(approve), claimed, it)
    }
}

impl Target for IntegratedTarget {
    fn close(self) -> Result<(), Failure> {
        self.approvals.close()?;
        self.reports.close()?;
        self.bank.close()
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        let approvals = Gate::effects(&self.approvals)?;
        let reports = self.reports.stored()?.map(|stored| {
            let stored = stored?;
            let key = stored.id.to_string();
            Ok(Found::new(SIMULATION, key, ledger_digest(&stored)?))
        });
        let executions = self.bank.executions()?.map(|execution| {
            let (token, entry) = execution?;
            let digest = Digest::of_json(&entry)?;
            Ok(Found::new(EXECUTION, token.to_string(), digest))
        });
        Ok(Box::new(approvals.chain(reports).chain(executions)))
    }
}

impl RegisteredTarget for IntegratedTarget {
    const NAME: &'static str = "integrated";
    type Options = NoOptions;
    type PhaseOptions = NoOptions;
    type Prepared = ();

    fn prepare(_: NoOptions, _: Vec<NoOptions>, _: &LoadFacts) -> Result<(), SpecError> {
        Ok(())
    }

    fn steps((): &()) -> Vec<StepSpec> {
        STEPS.to_vec()
    }

    fn open(dir: &Path, (): &(), context: OpenContext) -> Result<Self, Failure> {
        let journal = context.journal;
        Ok(Self {
            approvals: ApprovalWorkflow::open(dir.join("approvals"), Policy::from_toml(POLICY)?)?,
            simulator: Simulator::builder().builtins().build()?,
            reports: SimulationStore::open(dir.join("simulations"))?,
            bank: Bank::open(&dir.join("bank"), plans::ACCOUNTS)?,
            journal,
        })
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        RegisteredTarget::open(dir, &(), OpenContext::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_one() {
        let policy = Policy::from_toml(POLICY).unwrap();
        assert_eq!(policy.rules.len(), 2);
    }
}
