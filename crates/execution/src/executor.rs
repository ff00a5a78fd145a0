//! The steps from a proposal to an execution.

use std::sync::Arc;

use action::{Action, ActionPath, Timestamp};
use approval_workflow::{
    ApprovalWorkflow, Binding, Claim, FencingToken, NewRequest, PersonId, PlanDigest, Receipt,
    ReportDigest, Request, Use,
};
use forensic_simulator::{Change, Plan, Reversibility, SimulationReport, Simulator, World};
use serde_json::{Value, json};

use crate::error::{ExecutionError, NotExecuted};
use crate::result::ExecutionResult;

/// The system that plans act on.
pub trait System {
    /// Shows the state as it is now. It does not move while `look` runs.
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T;

    /// Does what a plan says if everything that the simulation read is as it was then, all of it or
    /// nothing, and once for a token; returns what changed, as it was observed.
    ///
    /// # Errors
    ///
    /// Why it was not done, or that nobody knows.
    fn execute(
        &self,
        plan: &Plan,
        predicted: &SimulationReport,
        token: FencingToken,
    ) -> Result<Vec<Change>, NotExecuted>;
}

/// Simulates plans, requests their approval, and executes each approved plan once.
#[derive(Debug, Clone, Copy)]
pub struct PlanExecutor<'a, S> {
    /// What simulates.
    pub simulator: &'a Simulator,
    /// What decides.
    pub approvals: &'a ApprovalWorkflow,
    /// What is acted on.
    pub system: &'a S,
}

/// A plan that was asked for.
#[derive(Debug)]
pub struct Proposal {
    /// The request, as it stood after it was made: a policy may have granted it at once.
    pub request: Arc<Request>,
    /// The plan.
    pub plan: Plan,
    /// The report that the approval rests on.
    pub report: Arc<SimulationReport>,
    plan_digest: PlanDigest,
    report_digest: ReportDigest,
    /// The action, if the request does not hold it as it was asked for: the policy hides a secret in it.
    unhidden: Option<Action>,
}

impl Proposal {
    /// The action that stands for the plan: its parameters are the plan's steps.
    #[must_use]
    pub fn action(&self) -> &Action {
        let asked_for = &self.request.submission.action;
        self.unhidden.as_ref().unwrap_or(asked_for)
    }
}

/// A plan that may run now, under a claim: executed once, by [`PlanExecutor::execute`].
#[derive(Debug)]
#[must_use = "a claim that is not executed stays open"]
pub struct AuthorizedPlan<'p> {
    /// The claim.
    pub claim: Claim,
    /// What was predicted at the moment of the claim.
    pub report: SimulationReport,
    proposal: &'p Proposal,
}

impl<S: System> PlanExecutor<'_, S> {
    /// Predicts what a plan would do in the present state of the system.
    pub fn simulate(&self, plan: &Plan, at: Timestamp) -> SimulationReport {
        self.system
            .look(|world| self.simulator.simulate(plan, world, at))
    }

    /// Asks for the approval of a plan, bound to the plan, the report, the effects and the versions
    /// of what was read. The policy sees the simulation as `context.simulation`: `outcome`, and how
    /// many steps are `irreversible` (or nobody said) and `not_modelled`, and the number of
    /// `safety_issues` and of `changes`.
    ///
    /// # Errors
    ///
    /// As [`ApprovalWorkflow::request`].
    pub fn propose(
        &self,
        path: ActionPath,
        plan: Plan,
        report: Arc<SimulationReport>,
        requester: PersonId,
        at: Timestamp,
    ) -> Result<Proposal, ExecutionError> {
        let plan_digest = plan.plan_digest();
        let report_digest = report.digest()?;
        let bound = bind(plan_digest, report_digest, &report);
        let new = NewRequest::new(stand_in(path, &plan)?, requester, at)
            .with_context("simulation", summary(&report));
        let request = self.approvals.request(new.bound_to(bound))?;
        let asked_for = &*request.submission;
        let unhidden = match asked_for.hidden {
            Some(_) => Some(stand_in(asked_for.action.path.clone(), &plan)?),
            None => None,
        };
        Ok(Proposal {
            request,
            plan,
            report,
            plan_digest,
            report_digest,
            unhidden,
        })
    }

    /// Simulates again in the world of now, and claims the approval with what was seen.
    ///
    /// # Errors
    ///
    /// As [`ApprovalWorkflow::claim`]. [`ExecutionError::refusal`] says whether the gate refused:
    /// because nobody approved, or because the world, the effects or the policy are others now.
    pub fn authorize<'p>(
        &self,
        proposal: &'p Proposal,
        claimant: PersonId,
        at: Timestamp,
    ) -> Result<AuthorizedPlan<'p>, ExecutionError> {
        let report = self.simulate(&proposal.plan, at);
        // The report is the one that the approval rests on; effects and reads are those of now.
        let seen = bind(proposal.plan_digest, proposal.report_digest, &report);
        let wanted = Use::new(proposal.action().clone(), claimant, at).seeing(seen);
        let id = &proposal.request.submission.id;
        let claim = self.approvals.claim(id, wanted)?;
        Ok(AuthorizedPlan {
            claim,
            report,
            proposal,
        })
    }

    /// Executes what was authorized, compares what was observed with what was predicted, and reports
    /// it to the workflow.
    ///
    /// # Errors
    ///
    /// As [`ApprovalWorkflow::finish`]; the execution has happened by then, as far as it did.
    pub fn execute(
        &self,
        authorized: AuthorizedPlan<'_>,
        at: Timestamp,
    ) -> Result<ExecutionResult, ExecutionError> {
        let AuthorizedPlan {
            claim,
            report,
            proposal,
        } = authorized;
        let result = match self.system.execute(&proposal.plan, &report, claim.token) {
            Ok(observed) => ExecutionResult::reconcile(&report, observed),
            Err(not_done) => ExecutionResult::NotExecuted(not_done),
        };
        self.approvals.finish(Receipt {
            id: claim.id,
            at,
            token: claim.token,
            outcome: result.outcome(),
            observed: result.in_words(),
        })?;
        Ok(result)
    }
}

/// The action that stands for a plan.
fn stand_in(path: ActionPath, plan: &Plan) -> Result<Action, ExecutionError> {
    let workflow = plan.workflow();
    let steps = serde_json::to_value(&workflow.steps).map_err(action::Error::Canonical)?;
    Ok(Action::new(path, format!("Run {}", workflow.name)).with_parameter("steps", steps))
}

fn bind(plan: PlanDigest, rests_on: ReportDigest, report: &SimulationReport) -> Binding {
    let mut binding = Binding::default()
        .with_plan(plan)
        .with_report(rests_on)
        .with_effects(report.effects_digest());
    for read in &report.reads {
        let version = match read.version {
            Some(version) => version.to_string(),
            None => ABSENT.to_owned(),
        };
        binding = binding.with_read(read.key.as_str(), version);
    }
    binding
}

/// The version of a key that does not exist: no version is written like this.
const ABSENT: &str = "absent";

fn summary(report: &SimulationReport) -> Value {
    let for_good = |step: &&forensic_simulator::StepReport| {
        matches!(
            step.reversibility,
            Reversibility::Irreversible | Reversibility::Opaque
        )
    };
    json!({
        "outcome": report.outcome,
        "irreversible": report.steps.iter().filter(for_good).count(),
        "not_modelled": report.not_modelled.len(),
        "safety_issues": report.safety_issues.len(),
        "changes": report.changes().count(),
    })
}
