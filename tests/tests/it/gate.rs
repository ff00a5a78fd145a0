//! An action's way through the subsystems: simulated, asked for, decided from the prediction, and let
//! through the gate as it was approved, also after everything was closed and opened again.

use std::path::Path;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, NewRequest, Permission, PersonId, Policy, RequestId,
    Timestamp,
};
use forensic_simulator::{ForensicSimulator, PredictedOutcome, Simulator, Workflow, World};

const NOW: i64 = 1_767_225_600_000_000; // microseconds

struct Parts {
    approvals: ApprovalWorkflow,
    simulator: ForensicSimulator,
}

impl Parts {
    fn open(dir: &Path) -> Self {
        let policy =
            r#"{ "rules": [{ "pattern": "kv/**", "sensitivity": "high", "expiry": "4h" }] }"#;
        let policy: Policy = serde_json::from_str(policy).unwrap();
        let world = World::from_iter([("accounts/ann", 20), ("accounts/bob", 0)]);
        let simulator = Simulator::builder().builtins().build().unwrap();
        Self {
            approvals: ApprovalWorkflow::open(dir.join("approvals"), policy).unwrap(),
            simulator: ForensicSimulator::open(dir.join("simulations"), simulator, world).unwrap(),
        }
    }

    /// Simulates a transfer, asks for it, and decides as the prediction says.
    fn propose(&self, amount: u64) -> (RequestId, Action, PredictedOutcome) {
        let action = transfer(amount);
        let workflow = Workflow::new("pay").step("pay", action.clone());
        let at = forensic_simulator::Timestamp::from_micros(NOW);
        let outcome = self
            .simulator
            .simulate(&workflow, at)
            .unwrap()
            .report
            .outcome;

        let agent = PersonId::new("agent-7").unwrap();
        let request = NewRequest::new(action.clone(), agent, Timestamp::from_micros(NOW));
        let id = self
            .approvals
            .request(request)
            .unwrap()
            .submission
            .id
            .clone();
        let (reviewer, at) = (
            PersonId::new("alice").unwrap(),
            Timestamp::from_micros(NOW + 1),
        );
        let decision = match outcome {
            PredictedOutcome::Success => Decision::approve(reviewer, at),
            _ => Decision::deny(reviewer, at),
        };
        self.approvals.decide(&id, decision).unwrap();
        (id, action, outcome)
    }

    fn ask(&self, id: &RequestId, action: &Action) -> Permission {
        self.approvals
            .can_execute(id, action, Timestamp::from_micros(NOW + 2))
    }
}

fn transfer(amount: u64) -> Action {
    Action::new(ActionPath::new("kv/transfer").unwrap(), "Pay Bob")
        .with_parameter("from", "accounts/ann")
        .with_parameter("to", "accounts/bob")
        .with_parameter("amount", amount)
}

#[test]
fn what_was_simulated_and_approved_may_run_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let parts = Parts::open(dir.path());
    let (id, action, outcome) = parts.propose(15);
    assert_eq!(outcome, PredictedOutcome::Success);
    assert!(parts.ask(&id, &action).is_allowed());
    assert_eq!(
        parts.ask(&id, &transfer(16)),
        Permission::Denied(DenyReason::ActionChanged)
    );

    parts.approvals.close().unwrap();
    parts.simulator.close().unwrap();
    let parts = Parts::open(dir.path());
    assert!(
        parts.ask(&id, &action).is_allowed(),
        "an approval outlives the process"
    );
    assert_eq!(
        parts.ask(&id, &transfer(16)),
        Permission::Denied(DenyReason::ActionChanged)
    );
    assert_eq!(parts.simulator.statistics().reports, 1);
}

#[test]
fn what_would_fail_is_denied_and_stays_denied() {
    let dir = tempfile::tempdir().unwrap();
    let parts = Parts::open(dir.path());
    let (id, action, outcome) = parts.propose(21);
    assert_eq!(outcome, PredictedOutcome::WouldFail);
    assert_eq!(
        parts.ask(&id, &action),
        Permission::Denied(DenyReason::Denied)
    );
    assert_eq!(parts.approvals.audit_trail(&id).unwrap().unwrap().len(), 2);
}
