//! How many instructions the hot paths take, counted by callgrind: unlike a time, a count does not
//! depend on what else the machine does.
//!
//! `cargo xtask instructions` runs this under valgrind and compares the counts with
//! `benches/instructions.json`; by itself it needs gungraun's runner. Counted are the calling thread's
//! instructions in a path's function, without those of the kernel; what it works on is made before, in
//! the argument.

#![allow(
    missing_docs,
    reason = "gungraun's macros make public modules without documentation"
)]

use std::hint::black_box;
use std::num::NonZeroUsize;

use action::{Action, ActionPath, PathPattern};
use approval_workflow::{
    ApprovalWorkflow, Decision, Durability, NewRequest, PersonId, Policy, RequestId, Rule,
    Rulebook, Sensitivity, Timestamp,
};
use forensic_simulator::{Plan, Simulator, Workflow, World};
use gungraun::prelude::*;
use jsonl_storage::{Log, LogOptions};
use memory_store::{IndexOptions, MemoryId, MemoryStore, Namespace, NewMemory, VectorIndex};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

// ---- jsonl-storage: a durable, chained append, alone and in a batch

const APPENDS: usize = 200;

struct Appends {
    log: Log<Value>,
    records: Vec<Value>,
    _dir: TempDir,
}

fn appends() -> Appends {
    let dir = TempDir::new().expect("a directory");
    let log = LogOptions::new().chained().open(dir.path()).expect("a log");
    let record = |n: usize| json!({ "id": format!("record-{n:08}"), "text": "x".repeat(220) });
    let appends = Appends {
        records: (0..APPENDS).map(record).collect(),
        log,
        _dir: dir,
    };
    // The first one opens a segment.
    appends
        .log
        .append(&appends.records[0])
        .expect("a first record");
    appends
}

#[library_benchmark]
#[bench::one_by_one(appends())]
fn append(it: Appends) -> Appends {
    for record in &it.records {
        black_box(it.log.append(record)).expect("an append");
    }
    it
}

#[library_benchmark]
#[bench::batch(appends())]
fn append_all(it: Appends) -> Appends {
    black_box(it.log.append_all(&it.records)).expect("a batch");
    it
}

// ---- approval-workflow: the question before every action, and which rule decides

const QUESTIONS: usize = 100;

struct Asked {
    workflow: ApprovalWorkflow,
    questions: Vec<(RequestId, Action)>,
    _dir: TempDir,
}

fn refund(number: usize) -> Action {
    act(
        "payments/refund",
        &json!({ "order": "A-17", "number": number }),
    )
}

fn approved() -> Asked {
    let dir = TempDir::new().expect("a directory");
    let workflow = ApprovalWorkflow::options()
        .durability(Durability::Buffered)
        .open(dir.path(), Policy::default())
        .expect("a workflow");
    let [agent, alice] = ["agent-7", "alice"].map(|name| PersonId::new(name).expect("a person"));
    let ask = |number| {
        let id = RequestId::new(&format!("request-{number:07}")).expect("an id");
        let new = NewRequest::new(refund(number), agent.clone(), NOW).with_id(id.clone());
        workflow.request(new).expect("a request");
        let yes = Decision::approve(alice.clone(), NOW);
        workflow.decide(&id, yes).expect("a decision");
        (id, refund(number))
    };
    Asked {
        questions: (0..QUESTIONS).map(ask).collect(),
        workflow,
        _dir: dir,
    }
}

#[library_benchmark]
#[bench::approved(approved())]
fn can_execute(it: Asked) -> Asked {
    for (id, action) in &it.questions {
        let permission = it.workflow.can_execute(id, black_box(action), NOW);
        assert!(black_box(permission).is_allowed());
    }
    it
}

const RULES: usize = 500;

/// Five rules for each service, some exact, some with wildcards.
fn rules() -> (Rulebook, Vec<Action>) {
    let rule = |number: usize| {
        let service = number / 5;
        let pattern = match number % 5 {
            0 => format!("service-{service}/**"),
            1 => format!("service-{service}/operation-{number}"),
            2 => format!("service-{service}/delete-{number}*"),
            3 => format!("service-{service}/*/item-{number}"),
            _ => format!("service-{service}/group-{number}/*"),
        };
        Rule {
            name: Some(format!("rule {number}")),
            ..Rule::new(
                PathPattern::new(pattern).expect("a pattern"),
                Sensitivity::High,
            )
        }
    };
    let policy = Policy {
        rules: (0..RULES).map(rule).collect(),
        ..Policy::default()
    };
    let path = |number: usize| match number % 4 {
        0 => format!("service-{}/a/b/c", number / 5),
        1 => format!("service-{}/operation-{number}", number / 5),
        2 => format!("service-{}/x/item-{number}", number / 5),
        _ => format!("elsewhere/operation-{number}"),
    };
    let actions = (0..QUESTIONS).map(|number| act(&path(number * 7 % RULES), &json!({})));
    (Rulebook::new(policy).expect("rules"), actions.collect())
}

#[library_benchmark]
#[bench::rules_500(rules())]
fn judge((book, actions): (Rulebook, Vec<Action>)) -> (Rulebook, Vec<Action>) {
    let context = Map::new();
    for action in &actions {
        black_box(book.judge(black_box(action), &context));
    }
    (book, actions)
}

// ---- forensic-simulator: five actions, simulated

const SIMULATIONS: usize = 20;

struct Simulation {
    simulator: Simulator,
    plan: Plan,
    world: World,
}

fn act(path: &str, parameters: &Value) -> Action {
    let mut action = Action::new(ActionPath::new(path).expect("a path"), path);
    action.parameters = parameters.as_object().cloned().unwrap_or_default();
    action
}

/// A transfer, an update that waits for it, a new key, a deletion and a call to the outside.
fn simulation() -> Simulation {
    let [from, to, note, new, old] = [1, 2, 3, 1_000_000, 4].map(|n| format!("accounts/{n:07}"));
    let transfer = json!({ "from": from, "to": to, "amount": 30 });
    let create = json!({ "key": new, "value": { "owner": "ann" } });
    let call = json!({ "url": "https://example.org/notify", "body": "done" });
    let update = act("kv/update", &json!({ "key": note, "value": 0 }));
    let notify = act("http/post", &call);
    let workflow = Workflow::new("five actions")
        .step("transfer", act("kv/transfer", &transfer))
        .step_after("note", update, ["transfer"])
        .step("create", act("kv/create", &create))
        .step("delete", act("kv/delete", &json!({ "key": old })))
        .step_after("notify", notify, ["note", "delete"]);
    let builder = Simulator::builder().builtins();
    let simulator = builder.build().expect("built-in handlers");
    Simulation {
        plan: simulator.check(workflow).expect("a plan"),
        world: (0..1_000)
            .map(|n| (format!("accounts/{n:07}"), 100))
            .collect(),
        simulator,
    }
}

#[library_benchmark]
#[bench::five_actions(simulation())]
fn simulate(it: Simulation) -> Simulation {
    for _ in 0..SIMULATIONS {
        let at = forensic_simulator::Timestamp::from_micros(0);
        let report = it.simulator.simulate(black_box(&it.plan), &it.world, at);
        assert_eq!(black_box(report).steps.len(), 5);
    }
    it
}

// ---- memory-store: from the cache, and by similarity

const MEMORIES: usize = 100;

struct Remembered {
    store: MemoryStore,
    namespace: Namespace,
    ids: Vec<MemoryId>,
    _dir: TempDir,
}

fn remembered() -> Remembered {
    let dir = TempDir::new().expect("a directory");
    let store = MemoryStore::open(dir.path()).expect("a store");
    let namespace = Namespace::new("instructions").expect("a namespace");
    let at = memory_store::Timestamp::from_millis(1_767_225_600_000);
    let remember = |number: usize| {
        let memory = NewMemory::new(namespace.clone(), format!("memory {number}"), at);
        let id = store.remember(memory).expect("a memory");
        // From here on it is in the cache.
        store.get(&namespace, id).expect("a read");
        id
    };
    Remembered {
        ids: (0..MEMORIES).map(remember).collect(),
        namespace,
        store,
        _dir: dir,
    }
}

#[library_benchmark]
#[bench::cached(remembered())]
fn get(it: Remembered) -> Remembered {
    for &id in &it.ids {
        let found = it.store.get(&it.namespace, black_box(id));
        assert!(black_box(found).expect("a read").is_some());
    }
    it
}

const DIMENSION: usize = 128;
const VECTORS: u64 = 600;
const SEARCHES: u64 = 20;

struct Indexed {
    index: VectorIndex,
    queries: Vec<Vec<f32>>,
}

/// Numbers without structure, the same at each run (Sebastiano Vigna's SplitMix64).
fn vector(seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed >> 40) as f32) / 8_388_608.0 - 1.0
    };
    (0..DIMENSION).map(|_| next()).collect()
}

fn indexed(exact_below: usize) -> Indexed {
    let dimension = NonZeroUsize::new(DIMENSION).expect("not zero");
    let options = IndexOptions::new().exact_below(exact_below);
    let index = VectorIndex::new(dimension, options.search_effort(32));
    for number in 1..=VECTORS {
        let id = MemoryId::new(number).expect("an id");
        index.insert(id, &vector(number)).expect("an insertion");
    }
    index.build(|_| {});
    let queries = (0..SEARCHES).map(|number| vector(u64::MAX - number));
    Indexed {
        index,
        queries: queries.collect(),
    }
}

#[library_benchmark]
#[bench::by_graph(indexed(0))]
#[bench::exact(indexed(usize::MAX))]
fn similar(it: Indexed) -> Indexed {
    for query in &it.queries {
        let found = it.index.search(black_box(query), 10);
        assert_eq!(black_box(found).expect("a search").len(), 10);
    }
    it
}

// ---- What the comparison must find, or it is none: the same work, and seven in a hundred more

#[library_benchmark]
#[bench::as_before(100_000)]
#[bench::slower(107_000)]
fn planted(steps: u64) -> u64 {
    (0..steps).fold(0, |sum, step| black_box(sum ^ step))
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [
        append,
        append_all,
        can_execute,
        judge,
        simulate,
        get,
        similar,
        planted,
    ]
);

main!(library_benchmark_groups = hot_paths);
