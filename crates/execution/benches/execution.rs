//! What does the whole way of a plan cost, and which part of it?
//!
//! A plan of five actions is simulated, asked for, judged by a policy, approved by a person, simulated
//! again and claimed, executed, and held against what was observed. Everything is in memory: the
//! workflow's log is buffered, so what is measured is the work and not a disk.
//!
//! - `whole`: all of that;
//! - `gate`: the four writes of the approval workflow alone, of the same request;
//! - `simulate`, `digests`, `system`, `reconcile`: what the others cost. Of the first two, the whole has
//!   two each: one at the proposal and one at the claim, where only the effects are digested.

use std::sync::Arc;

use action::{Action, ActionPath, Timestamp};
use approval_workflow::{
    ApprovalWorkflow, Binding, Decision, Durability, EffectsDigest, FencingToken, NewRequest,
    PersonId, PlanDigest, Policy, Receipt, ReceiptOutcome, ReportDigest, Use,
};
use criterion::{Criterion, criterion_group, criterion_main};
use execution::{ExecutionResult, NotExecuted, PlanExecutor, System};
use forensic_simulator::{Change, Key, Plan, SimulationReport, Simulator, Workflow, World};
use parking_lot::RwLock;
use serde_json::{Value, json};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const ACCOUNTS: u64 = 1_000;

const POLICY: &str = r#"
[[rules]]
name = "plans"
pattern = "plans/**"
sensitivity = "high"
"#;

/// Accounts, moved by code that shares nothing with the simulator's schemas.
struct Accounts(RwLock<World>);

impl System for Accounts {
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.0.read())
    }

    fn execute(
        &self,
        plan: &Plan,
        predicted: &SimulationReport,
        _: FencingToken,
    ) -> Result<Vec<Change>, NotExecuted> {
        let mut world = self.0.write();
        if predicted.is_stale(&world) {
            let moved: Vec<Key> = predicted.moved_keys(&world).into_iter().cloned().collect();
            return Err(NotExecuted::Changed(moved));
        }
        let mut observed = Vec::new();
        for step in plan.steps() {
            let parameters = &step.action.parameters;
            let text = |name: &str| parameters[name].as_str().expect("a text");
            match step.action.path.as_str() {
                "kv/transfer" => {
                    let amount = parameters["amount"].as_i64().expect("an amount");
                    for (account, amount) in [(text("from"), -amount), (text("to"), amount)] {
                        let after = balance(&world, account) + amount;
                        observed.push(set(&mut world, account, after.into()));
                    }
                }
                "kv/update" => {
                    let value = parameters["value"].clone();
                    observed.push(set(&mut world, text("key"), value));
                }
                _ => {}
            }
        }
        Ok(observed)
    }
}

fn balance(world: &World, account: &str) -> i64 {
    let fact = world.get(account).and_then(|fact| fact.value());
    fact.and_then(Value::as_i64).expect("an account")
}

fn set(world: &mut World, key: &str, after: Value) -> Change {
    let before = world.insert(key, after.clone());
    Change {
        key: key.into(),
        before,
        after: Some(after.into()),
    }
}

/// Five actions, each after the last.
fn five_actions() -> Workflow {
    let act = |path: &str, parameters: &Value| {
        let path = ActionPath::new(path).expect("a path");
        let mut action = Action::new(path, "Do one thing");
        action.parameters = parameters.as_object().cloned().unwrap_or_default();
        action
    };
    let [from, to, note] = ["accounts/0001", "accounts/0002", "notes/0001"];
    let transfer = |amount: i64| json!({"from": from, "to": to, "amount": amount});
    Workflow::new("task-1")
        .step("step-1", act("kv/read", &json!({"key": from})))
        .step_after("step-2", act("kv/transfer", &transfer(30)), ["step-1"])
        .step_after("step-3", act("kv/transfer", &transfer(1)), ["step-2"])
        .step_after(
            "step-4",
            act("kv/update", &json!({"key": note, "value": "moved"})),
            ["step-3"],
        )
        .step_after("step-5", act("kv/read", &json!({"key": note})), ["step-4"])
}

struct Fixture {
    _dir: TempDir,
    approvals: ApprovalWorkflow,
    simulator: Simulator,
    system: Accounts,
    agent: PersonId,
    alice: PersonId,
    path: ActionPath,
}

impl Fixture {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let options = ApprovalWorkflow::options().durability(Durability::Buffered);
        let policy = Policy::from_toml(POLICY).expect("a policy");
        let accounts = (0..ACCOUNTS).map(|number| (format!("accounts/{number:04}"), BALANCE));
        let mut world: World = accounts.collect();
        world.insert("notes/0001", "nothing yet");
        Self {
            approvals: options.open(dir.path(), policy).expect("a workflow"),
            simulator: Simulator::builder().builtins().build().expect("built-ins"),
            system: Accounts(RwLock::new(world)),
            agent: PersonId::new("agent-1").expect("a person"),
            alice: PersonId::new("alice").expect("a person"),
            path: ActionPath::new("plans/run").expect("a path"),
            _dir: dir,
        }
    }

    fn executor(&self) -> PlanExecutor<'_, Accounts> {
        PlanExecutor {
            simulator: &self.simulator,
            approvals: &self.approvals,
            system: &self.system,
        }
    }

    /// The whole way of one plan.
    fn whole(&self, plan: Plan) -> ExecutionResult {
        let executor = self.executor();
        let report = Arc::new(executor.simulate(&plan, NOW));
        let proposal = executor
            .propose(self.path.clone(), plan, report, self.agent.clone(), NOW)
            .expect("a proposal");
        let yes = Decision::approve(self.alice.clone(), NOW);
        let id = &proposal.request.submission.id;
        self.approvals.decide(id, yes).expect("a decision");
        let authorized = executor.authorize(&proposal, self.agent.clone(), NOW);
        executor
            .execute(authorized.expect("a claim"), NOW)
            .expect("an execution")
    }

    /// What the workflow writes on that way.
    fn gate(&self, action: &Action, bound: &Binding) {
        let new = NewRequest::new(action.clone(), self.agent.clone(), NOW)
            .with_context("simulation", json!({"outcome": "success", "changes": 5}));
        let request = self.approvals.request(new.bound_to(bound.clone()));
        let request = request.expect("a request");
        let id = &request.submission.id;
        let yes = Decision::approve(self.alice.clone(), NOW);
        self.approvals.decide(id, yes).expect("a decision");
        let wanted = Use::new(action.clone(), self.agent.clone(), NOW).seeing(bound.clone());
        let claim = self.approvals.claim(id, wanted).expect("a claim");
        let receipt = Receipt {
            id: claim.id,
            at: NOW,
            token: claim.token,
            outcome: ReceiptOutcome::Succeeded,
            observed: "3 keys changed, each as predicted".to_owned(),
        };
        self.approvals.finish(receipt).expect("a receipt");
    }
}

/// Enough for every iteration that a benchmark may take.
const BALANCE: i64 = 1 << 50;

fn executor(c: &mut Criterion) {
    let fixture = Fixture::new();
    let plan = fixture.simulator.check(five_actions()).expect("a plan");
    let report = fixture.executor().simulate(&plan, NOW);
    let mut group = c.benchmark_group("execute five actions");
    group.bench_function("whole", |b| {
        b.iter(|| {
            let result = fixture.whole(plan.clone());
            assert!(matches!(result, ExecutionResult::AsPredicted { .. }));
        });
    });
    let action = Action::new(fixture.path.clone(), "Run task-1").with_parameter(
        "steps",
        serde_json::to_value(plan.steps()).expect("JSON of the steps"),
    );
    let bound = binding(&plan, &report);
    group.bench_function("gate", |b| b.iter(|| fixture.gate(&action, &bound)));
    group.bench_function("simulate", |b| {
        b.iter(|| fixture.executor().simulate(&plan, NOW));
    });
    group.bench_function("digests", |b| {
        b.iter(|| (report.digest().expect("JSON"), report.effects_digest()));
    });
    let predicted = fixture.executor().simulate(&plan, NOW);
    group.bench_function("system", |b| {
        b.iter(|| {
            // Not stale, as the world moves with each execution.
            let now = fixture.executor().simulate(&plan, NOW);
            fixture
                .system
                .execute(&plan, &now, FencingToken(1))
                .expect("done")
        });
    });
    let observed: Vec<Change> = predicted.changes().cloned().collect();
    group.bench_function("reconcile", |b| {
        b.iter(|| ExecutionResult::reconcile(&predicted, observed.clone()));
    });
    group.finish();
}

fn binding(plan: &Plan, report: &SimulationReport) -> Binding {
    let digests: Vec<_> = (0..plan.steps().len())
        .map(|position| plan.action_digest(position))
        .collect();
    let rests_on = report.digest().expect("JSON of the report");
    let binding = Binding::default()
        .with_plan(PlanDigest::of(&digests))
        .with_report(ReportDigest::from_bytes(*rests_on.as_bytes()))
        .with_effects(EffectsDigest::from_bytes(
            *report.effects_digest().as_bytes(),
        ));
    report.reads.iter().fold(binding, |binding, read| {
        let version = read.version.expect("every key exists");
        binding.with_read(read.key.as_str(), version.to_string())
    })
}

criterion_group!(benches, executor);
criterion_main!(benches);
