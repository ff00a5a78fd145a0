//! The whole way of an action, durably: simulate, request, decide, gate. Beside it, the log alone, so
//! that the cost of the two subsystems over their two and one appends can be read off.

use std::path::Path;

use action::{Action, ActionPath};
use approval_workflow::{ApprovalWorkflow, Decision, NewRequest, PersonId, Policy, Timestamp};
use criterion::{Criterion, criterion_group, criterion_main};
use forensic_simulator::{ForensicSimulator, Simulator, Workflow, World};
use jsonl_storage::{Log, LogOptions};
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600_000_000; // microseconds

struct Parts {
    approvals: ApprovalWorkflow,
    simulator: ForensicSimulator,
    workflow: Workflow,
}

impl Parts {
    fn open(dir: &Path) -> Self {
        let transfer = Action::new(ActionPath::new("kv/transfer").unwrap(), "Pay Bob")
            .with_parameter("from", "accounts/ann")
            .with_parameter("to", "accounts/bob")
            .with_parameter("amount", 1);
        let world = World::from_iter([("accounts/ann", 20), ("accounts/bob", 0)]);
        let simulator = Simulator::builder().builtins().build().unwrap();
        Self {
            approvals: ApprovalWorkflow::open(dir.join("approvals"), Policy::default()).unwrap(),
            simulator: ForensicSimulator::open(dir.join("simulations"), simulator, world).unwrap(),
            workflow: Workflow::new("pay").step("pay", transfer),
        }
    }

    fn whole_way(&self) {
        let at = forensic_simulator::Timestamp::from_micros(NOW);
        self.simulator.simulate(&self.workflow, at).unwrap();
        let (agent, alice) = (
            PersonId::new("agent").unwrap(),
            PersonId::new("alice").unwrap(),
        );
        let now = Timestamp::from_micros(NOW);
        let action = self.workflow.steps[0].action.clone();
        let request = self
            .approvals
            .request(NewRequest::new(action.clone(), agent, now))
            .unwrap();
        let id = &request.submission.id;
        self.approvals
            .decide(id, Decision::deny(alice, now).with_reason("bench"))
            .unwrap();
        assert!(!self.approvals.can_execute(id, &action, now).is_allowed());
    }
}

fn benches(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let parts = Parts::open(dir.path());
    c.bench_function("simulate, request, decide, gate", |b| {
        b.iter(|| parts.whole_way());
    });

    let log: Log<Value> = LogOptions::new().open(dir.path().join("log")).unwrap();
    let record = json!({ "text": "x".repeat(300) });
    c.bench_function("three durable appends", |b| {
        b.iter(|| (0..3).for_each(|_| assert!(log.append(&record).is_ok())));
    });
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(20);
    targets = benches
}
criterion_main!(all);
