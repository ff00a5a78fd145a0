use std::path::Path;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Event, NewRequest, Permission, PersonId, Policy,
    Request, RequestId, Timestamp, request_digest,
};
use load_engine::{Digest, Failure, Found, Iteration, StepSpec, Workload};
use serde_json::json;

use super::registry::{LoadFacts, NoOptions, OpenContext, RegisteredTarget};
use crate::prove::EffectsFound;
use crate::scenario::SpecError;
use crate::{Journal, Target, clock};

const CREATE: StepSpec = StepSpec::effectful("create request");
const DECIDE: StepSpec = StepSpec::effectful("decide");
const GATE: StepSpec = StepSpec::new("can execute");

const STEPS: [StepSpec; 3] = [CREATE, DECIDE, GATE];

/// The kind of the effects in the ledger: a request with its state, and each decision.
pub(super) const REQUEST: &str = "request";
const DECISION: &str = "decision";

/// What the scenarios decide by. Each action path matches a rule or is the default's: a load test in
/// which nothing matched, so that nothing was ever asked, is how a green report came to mean nothing.
pub(super) const POLICY: &str = r#"{
    "rules": [
        { "pattern": "payments/**", "sensitivity": "high", "requires_reason": true, "expiry": "4h",
          "affected_systems": ["ledger", "bank"] },
        { "pattern": "deploy/production/*", "sensitivity": "critical", "expiry": "1h" },
        { "pattern": "files/**", "sensitivity": "low", "expiry": "8h" }
    ]
}"#;

const PATHS: [&str; 4] = [
    "payments/refund",
    "deploy/production/api",
    "files/reports/archive",
    "mail/send",
];

/// Creates requests, decides them, and asks the gate.
pub struct ApprovalTarget {
    workflow: ApprovalWorkflow,
    journal: Journal,
}

/// Who asks and who decides.
#[derive(Debug)]
pub struct People {
    pub(super) agent: PersonId,
    reviewer: PersonId,
}

impl People {
    pub(super) fn new(user: u32) -> Result<Self, Failure> {
        Ok(Self {
            agent: PersonId::new(&format!("agent-{user}"))?,
            reviewer: PersonId::new(&format!("reviewer-{}", user % 7))?,
        })
    }
}

/// A workflow and the ledger of what it acknowledged: what two scenarios do alike.
pub(super) struct Gate<'t> {
    pub(super) workflow: &'t ApprovalWorkflow,
    pub(super) journal: &'t Journal,
}

impl Gate<'_> {
    pub(super) fn request(
        &self,
        people: &People,
        action: Action,
        step: &StepSpec,
        it: &mut Iteration<'_>,
    ) -> Result<RequestId, Failure> {
        it.step(step, |effects| {
            let new = NewRequest::new(action, people.agent.clone(), now());
            let request = self.workflow.request(new)?;
            let id = request.submission.id.clone();
            self.journal
                .created(effects, REQUEST, id.as_str(), state_digest(&request));
            Ok(id)
        })
    }

    pub(super) fn decide(
        &self,
        people: &People,
        id: &RequestId,
        approve: bool,
        step: &StepSpec,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        it.step(step, |effects| {
            self.journal.attempted(effects, REQUEST, id.as_str());
            let reviewer = people.reviewer.clone();
            let decision = match approve {
                true => Decision::approve(reviewer, now()),
                false => Decision::deny(reviewer, now()),
            };
            let request = self
                .workflow
                .decide(id, decision.with_reason("seen and weighed"))?;
            let review = request
                .reviews
                .last()
                .ok_or_else(|| Failure::new("no review is there"))?;
            self.journal
                .updated(effects, REQUEST, id.as_str(), state_digest(&request));
            self.journal
                .created(effects, DECISION, id.as_str(), Digest::of_json(review)?);
            Ok(())
        })
    }

    /// Asks for what was decided, and for what was not: another argument must never pass.
    pub(super) fn ask(
        &self,
        id: &RequestId,
        action: &Action,
        approved: bool,
        step: &StepSpec,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        it.step(step, |_| {
            let permission = self.workflow.can_execute(id, action, now());
            if permission.is_allowed() != approved {
                return Err(Failure::new(format!(
                    "decided {approved}, answered {permission:?}"
                )));
            }
            let other = action.clone().with_parameter("amount", -1);
            match self.workflow.can_execute(id, &other, now()) {
                Permission::Denied(DenyReason::ActionChanged) => Ok(()),
                answer => Err(Failure::new(format!(
                    "another argument was answered {answer:?}"
                ))),
            }
        })
    }

    /// Everything that lasts, from the log itself.
    pub(super) fn effects(workflow: &ApprovalWorkflow) -> Result<EffectsFound<'_>, Failure> {
        let requests = workflow.requests().map(|request| {
            let request = request?;
            let id = request.submission.id.to_string();
            Ok(Found::new(REQUEST, id, state_digest(&request)))
        });
        let decisions = workflow
            .audit_log()?
            .filter_map(|entry| match entry.map(|e| e.event) {
                Ok(Event::Reviewed(review)) => Some(
                    Digest::of_json(&review)
                        .map(|digest| Found::new(DECISION, review.id.to_string(), digest))
                        .map_err(Failure::from),
                ),
                Ok(_) => None,
                Err(error) => Some(Err(error.into())),
            });
        Ok(Box::new(requests.chain(decisions)))
    }
}

pub(super) fn open_workflow(dir: &Path) -> Result<ApprovalWorkflow, Failure> {
    let policy: Policy = serde_json::from_str(POLICY)?;
    Ok(ApprovalWorkflow::open(dir, policy)?)
}

/// An action of one of the paths that the policy knows or leaves to its default.
pub(super) fn action(it: &mut Iteration<'_>) -> Result<Action, Failure> {
    let (user, index) = (it.user(), it.index());
    let path = PATHS[(it.rng().next_u64() % PATHS.len() as u64) as usize];
    let amount = it.rng().next_u64() % 100_000;
    Ok(Action::new(
        ActionPath::new(path)?,
        format!("Task {index} of agent {user}"),
    )
    .with_description("what an agent would like to do")
    .with_parameter("amount", amount)
    .with_parameter("tags", json!(["load", user])))
}

pub(super) fn state_digest(request: &Request) -> Digest {
    Digest::from_blake3(*request_digest(request).as_bytes())
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_micros(clock::now_micros())
}

impl Workload for ApprovalTarget {
    type User = People;

    fn steps(&self) -> Vec<StepSpec> {
        STEPS.to_vec()
    }

    fn set_up(&self, user: u32) -> Result<People, Failure> {
        People::new(user)
    }

    fn iterate(&self, people: &mut People, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let gate = Gate {
            workflow: &self.workflow,
            journal: &self.journal,
        };
        let action = action(it)?;
        let approve = it.rng().next_u64() % 5 != 0;
        let id = gate.request(people, action.clone(), &CREATE, it)?;
        gate.decide(people, &id, approve, &DECIDE, it)?;
        gate.ask(&id, &action, approve, &GATE, it)
    }
}

impl Target for ApprovalTarget {
    fn close(self) -> Result<(), Failure> {
        Ok(self.workflow.close()?)
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        Gate::effects(&self.workflow)
    }
}

impl RegisteredTarget for ApprovalTarget {
    const NAME: &'static str = "approval";
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
            workflow: open_workflow(dir)?,
            journal,
        })
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        RegisteredTarget::open(dir, &(), OpenContext::default())
    }
}
