//! Worlds that move while a plan is on its way: nothing stale is ever executed, and a system that
//! does otherwise than was predicted is found.
//!
//! `DRIFTS=100000 cargo test --release -p proofload-harness --test drift` runs the long version.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use action::{Action, ActionPath, Timestamp};
use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, FencingToken, PersonId, Policy, State,
};
use execution::{ExecutionResult, Fidelity, NotExecuted, PlanExecutor, Proposal, System};
use forensic_simulator::{Change, Key, Plan, SimulationReport, Simulator, Workflow, World};
use load_engine::Rng;

const ACCOUNTS: u64 = 6;
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// How the system under test behaves, and what it was seen to do.
struct Scales {
    world: Mutex<World>,
    lie: Lie,
    /// Executions on a world in which something that was read had moved.
    stale: AtomicU64,
    executed: AtomicU64,
}

#[derive(Clone, Copy, PartialEq)]
enum Lie {
    Honest,
    /// Does not look whether the world moved.
    Blind,
    /// Loses one on the way.
    Leaks,
}

impl Scales {
    fn new(lie: Lie) -> Self {
        let accounts = (0..ACCOUNTS).map(|number| (format!("accounts/{number}"), 1_000_000));
        Self {
            world: Mutex::new(accounts.collect()),
            lie,
            stale: AtomicU64::new(0),
            executed: AtomicU64::new(0),
        }
    }

    fn drift(&self, rng: &mut Rng) {
        let key = format!("accounts/{}", rng.next_u64() % ACCOUNTS);
        let mut world = self.world.lock().unwrap();
        let before = number(&world, &key);
        world.insert(key, before + 1);
    }
}

fn number(world: &World, key: &str) -> u64 {
    let value = world.get(key).and_then(|fact| fact.value());
    value.and_then(serde_json::Value::as_u64).unwrap()
}

impl System for Scales {
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock().unwrap())
    }

    fn execute(
        &self,
        plan: &Plan,
        predicted: &SimulationReport,
        _: FencingToken,
    ) -> Result<Vec<Change>, NotExecuted> {
        let mut world = self.world.lock().unwrap();
        let moved: Vec<Key> = predicted.moved_keys(&world).into_iter().cloned().collect();
        if !moved.is_empty() {
            if self.lie != Lie::Blind {
                return Err(NotExecuted::Changed(moved));
            }
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
        self.executed.fetch_add(1, Ordering::Relaxed);
        let mut changes = Vec::new();
        let mut set = |key: &str, change: &dyn Fn(u64) -> u64| {
            let before = number(&world, key);
            let after = change(before);
            world.insert(key, after);
            changes.push(Change {
                key: key.into(),
                before: Some(before.into()),
                after: Some(after.into()),
            });
        };
        for step in plan.steps() {
            let text = |name: &str| step.action.parameters[name].as_str().unwrap();
            let amount = step.action.parameters["amount"].as_u64().unwrap();
            let lost = u64::from(self.lie == Lie::Leaks);
            set(text("from"), &|balance| balance - amount);
            set(text("to"), &|balance| balance + amount - lost);
        }
        Ok(changes)
    }
}

struct Fixture {
    _dir: tempfile::TempDir,
    approvals: ApprovalWorkflow,
    simulator: Simulator,
    system: Scales,
}

impl Fixture {
    fn new(lie: Lie) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = "[[rules]]\npattern = \"plans/**\"\nsensitivity = \"high\"\n";
        Self {
            approvals: ApprovalWorkflow::open(dir.path(), Policy::from_toml(policy).unwrap())
                .unwrap(),
            simulator: Simulator::builder().builtins().build().unwrap(),
            system: Scales::new(lie),
            _dir: dir,
        }
    }

    fn executor(&self) -> PlanExecutor<'_, Scales> {
        PlanExecutor {
            simulator: &self.simulator,
            approvals: &self.approvals,
            system: &self.system,
        }
    }

    fn plan(&self, rng: &mut Rng) -> Plan {
        let from = rng.next_u64() % ACCOUNTS;
        let to = (from + 1 + rng.next_u64() % (ACCOUNTS - 1)) % ACCOUNTS;
        let transfer = Action::new(ActionPath::new("kv/transfer").unwrap(), "Move")
            .with_parameter("from", format!("accounts/{from}"))
            .with_parameter("to", format!("accounts/{to}"))
            .with_parameter("amount", 2 + rng.next_u64() % 5);
        let workflow = Workflow::new("move").step("move", transfer);
        self.simulator.check(workflow).unwrap()
    }

    fn approved(&self, rng: &mut Rng) -> Proposal {
        let (executor, plan) = (self.executor(), self.plan(rng));
        let report = executor.simulate(&plan, NOW).into();
        let path = ActionPath::new("plans/run").unwrap();
        let proposal = executor.propose(path, plan, report, agent(), NOW).unwrap();
        let alice = PersonId::new("alice").unwrap();
        self.approvals
            .decide(
                &proposal.request.submission.id,
                Decision::approve(alice, NOW),
            )
            .unwrap();
        proposal
    }

    /// One plan from simulation to receipt, with drifts at random between all of it. None if the
    /// claim was refused.
    fn run(&self, rng: &mut Rng) -> Option<ExecutionResult> {
        let proposal = self.approved(rng);
        if rng.next_u64().is_multiple_of(3) {
            self.system.drift(rng);
        }
        let authorized = match self.executor().authorize(&proposal, agent(), NOW) {
            Ok(authorized) => authorized,
            Err(error) => {
                let reason = error.refusal().expect("only refusals");
                let stale = [DenyReason::EffectsChanged, DenyReason::ReadsChanged];
                assert!(stale.contains(&reason), "{reason}");
                // By now another plan may have moved the world back.
                return None;
            }
        };
        if rng.next_u64().is_multiple_of(3) {
            self.system.drift(rng);
        }
        let result = self.executor().execute(authorized, NOW).unwrap();
        let id = &proposal.request.submission.id;
        let request = self.approvals.get(id).unwrap().unwrap();
        assert!(matches!(request.state, State::Finished { .. }));
        Some(result)
    }
}

fn agent() -> PersonId {
    PersonId::new("agent-1").unwrap()
}

fn drifts() -> u64 {
    match std::env::var("DRIFTS") {
        Ok(text) => text.parse().expect("DRIFTS is a number"),
        Err(_) => 400,
    }
}

/// Runs plans from several threads; what each of them was counts once.
fn race(fixture: &Fixture, plans: u64) -> (Fidelity, u64) {
    const THREADS: u64 = 8;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let (mut fidelity, mut refused) = (Fidelity::default(), 0);
                    for index in 0..plans / THREADS {
                        let mut rng = Rng::for_iteration(7, thread as u32, index);
                        match fixture.run(&mut rng) {
                            Some(result) => fidelity.count(&result),
                            None => refused += 1,
                        }
                    }
                    (fidelity, refused)
                })
            })
            .collect();
        threads
            .into_iter()
            .fold((Fidelity::default(), 0), |(sum, refused), thread| {
                let (one, more) = thread.join().unwrap();
                let sum = Fidelity {
                    as_predicted: sum.as_predicted + one.as_predicted,
                    otherwise: sum.otherwise + one.otherwise,
                    moved: sum.moved + one.moved,
                    not_done: sum.not_done + one.not_done,
                };
                (sum, refused + more)
            })
    })
}

#[test]
fn nothing_stale_is_executed_however_the_world_moves() {
    let fixture = Fixture::new(Lie::Honest);
    let plans = drifts();
    let (fidelity, refused) = race(&fixture, plans);

    assert_eq!(fixture.system.stale.load(Ordering::Relaxed), 0);
    assert_eq!(fidelity.share(), Some(1.0), "{fidelity:?}");
    let executed = fixture.system.executed.load(Ordering::Relaxed);
    assert_eq!(
        fidelity.as_predicted, executed,
        "an execution for each claim"
    );
    assert_eq!(
        fidelity.as_predicted + fidelity.moved + refused,
        plans / 8 * 8
    );
    // The test would prove nothing if nothing moved, or everything did.
    assert!(
        refused > 0 && fidelity.moved > 0 && executed > 0,
        "{fidelity:?}"
    );
}

#[test]
fn a_system_that_does_not_look_is_found() {
    let fixture = Fixture::new(Lie::Blind);
    let (fidelity, _) = race(&fixture, 80);
    let stale = fixture.system.stale.load(Ordering::Relaxed);
    assert!(stale > 0, "the lie was told");
    assert_eq!(fidelity.otherwise, stale, "{fidelity:?}");
}

#[test]
fn a_system_that_loses_something_is_found() {
    let fixture = Fixture::new(Lie::Leaks);
    let proposal = fixture.approved(&mut Rng::new(1));
    let authorized = fixture
        .executor()
        .authorize(&proposal, agent(), NOW)
        .unwrap();
    let result = fixture.executor().execute(authorized, NOW).unwrap();
    let ExecutionResult::Otherwise { differences } = &result else {
        panic!("{result:?}");
    };
    assert_eq!(differences.len(), 1, "only the receiving account differs");
    assert!(
        result
            .in_words()
            .contains("changed differently than predicted: accounts/")
    );
    // The receipt on the log says so too.
    let request = fixture
        .approvals
        .get(&proposal.request.submission.id)
        .unwrap()
        .unwrap();
    let (_, receipt) = request.uses().next().unwrap();
    assert!(receipt.unwrap().observed.starts_with("changed differently"));
}

#[test]
fn a_claim_is_refused_exactly_while_what_was_read_is_otherwise() {
    let fixture = Fixture::new(Lie::Honest);
    let proposal = fixture.approved(&mut Rng::new(3));
    let key = proposal.report.reads[0].key.as_str().to_owned();
    let set = |value: u64| {
        fixture
            .system
            .world
            .lock()
            .unwrap()
            .insert(key.clone(), value)
    };
    let before = fixture.system.look(|world| number(world, &key));

    set(before + 1);
    assert!(fixture.system.look(|world| proposal.report.is_stale(world)));
    let refused = fixture
        .executor()
        .authorize(&proposal, agent(), NOW)
        .unwrap_err();
    assert_eq!(refused.refusal(), Some(DenyReason::EffectsChanged));

    // A world of the same content is the world that was simulated, however it came to be.
    set(before);
    assert!(!fixture.system.look(|world| proposal.report.is_stale(world)));
    assert!(
        fixture
            .executor()
            .authorize(&proposal, agent(), NOW)
            .is_ok()
    );
}

#[test]
fn what_was_not_approved_is_not_cleared() {
    let fixture = Fixture::new(Lie::Honest);
    let (executor, plan) = (fixture.executor(), fixture.plan(&mut Rng::new(2)));
    let report = executor.simulate(&plan, NOW).into();
    let path = ActionPath::new("plans/run").unwrap();
    let proposal = executor.propose(path, plan, report, agent(), NOW).unwrap();
    let refused = executor.authorize(&proposal, agent(), NOW).unwrap_err();
    assert_eq!(refused.refusal(), Some(DenyReason::Pending));
}
