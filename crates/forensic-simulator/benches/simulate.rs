//! Do simulations stay as fast as worlds and stores grow?

use std::hint::black_box;

use action::{Action, ActionPath};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use forensic_simulator::{
    FaultDepth, Forecast, Plan, Risk, SimulationReport, SimulationStore, Simulator, Timestamp,
    Workflow, World,
};
use serde_json::{Value, json};

fn act(path: &str, parameters: &Value) -> Action {
    let mut action = Action::new(ActionPath::new(path).expect("a path"), path);
    action.parameters = parameters.as_object().cloned().unwrap_or_default();
    action
}

/// A transfer, an update that waits for it, a new key, a deletion and a call to the outside.
fn five_actions() -> Workflow {
    let [from, to, note, new, old] = [1, 2, 3, 1_000_000, 4].map(|n| format!("accounts/{n:07}"));
    let amount = json!({"from": from, "to": to, "amount": 30});
    let call = json!({"url": "https://example.org/notify", "body": "done"});
    Workflow::new("five actions")
        .step("transfer", act("kv/transfer", &amount))
        .step_after(
            "note",
            act("kv/update", &json!({"key": note, "value": 0})),
            ["transfer"],
        )
        .step(
            "create",
            act("kv/create", &json!({"key": new, "value": {"owner": "ann"}})),
        )
        .step("delete", act("kv/delete", &json!({"key": old})))
        .step_after("notify", act("http/post", &call), ["note", "delete"])
}

fn world(keys: u32) -> World {
    (0..keys)
        .map(|n| (format!("accounts/{n:07}"), 100))
        .collect()
}

fn simulator() -> Simulator {
    Simulator::builder()
        .builtins()
        .build()
        .expect("built-in handlers")
}

fn report(simulator: &Simulator, plan: &Plan, world: &World) -> SimulationReport {
    simulator.simulate(plan, world, Timestamp::from_micros(0))
}

fn simulate(c: &mut Criterion) {
    let simulator = simulator();
    let plan = simulator.check(five_actions()).expect("a plan");
    let mut group = c.benchmark_group("simulate five actions, keys in the world");
    for keys in [100, 100_000] {
        let world = world(keys);
        group.bench_function(BenchmarkId::from_parameter(keys), |b| {
            b.iter(|| black_box(report(&simulator, &plan, &world)));
        });
    }
    group.finish();

    let json = serde_json::to_string(&five_actions()).expect("JSON");
    let world = world(100);
    c.bench_function("five actions from JSON to JSON", |b| {
        b.iter(|| {
            let workflow = serde_json::from_str(black_box(&json)).expect("a workflow");
            let plan = simulator.check(workflow).expect("a plan");
            report(&simulator, &plan, &world).to_json()
        });
    });
}

fn analyses(c: &mut Criterion) {
    let simulator = simulator();
    let world = world(100_000);
    let plan = simulator.check(five_actions()).expect("a plan");
    let now = Timestamp::from_micros(0);
    let report = report(&simulator, &plan, &world);
    let mut group = c.benchmark_group("analyse five actions");
    group.bench_function("report, conflicts, rollback and risk, in one pass", |b| {
        b.iter(|| simulator.analyse(&plan, &world, now));
    });
    group.bench_function("conflicts", |b| {
        b.iter(|| simulator.conflicts(&plan, &world, now));
    });
    group.bench_function("rollback", |b| {
        b.iter(|| simulator.rollback(&plan, &world, now));
    });
    group.bench_function("faults, one and two", |b| {
        b.iter(|| simulator.fault_matrix(&plan, &world, now, FaultDepth::Two));
    });
    group.bench_function("10,000 draws of duration and cost", |b| {
        b.iter(|| Forecast::of(&plan, &report, 10_000, 1));
    });
    group.bench_function("risk and reach", |b| b.iter(|| Risk::of(&report)));
    group.finish();
}

fn steps(c: &mut Criterion) {
    let simulator = simulator();
    let world = world(1_000);
    let mut group = c.benchmark_group("simulate a plan, steps");
    for steps in [1, 10, 100, 1_000] {
        let read = |n| {
            act(
                "kv/update",
                &json!({"key": format!("accounts/{n:07}"), "value": n}),
            )
        };
        let workflow = (0..steps).fold(Workflow::new("many"), |workflow, n| {
            workflow.step(n.to_string(), read(n))
        });
        let plan = simulator.check(workflow).expect("a plan");
        group.bench_function(BenchmarkId::from_parameter(steps), |b| {
            b.iter(|| black_box(report(&simulator, &plan, &world)));
        });
    }
    group.finish();
}

/// Durable, so it is mostly the disk; what matters is that both sizes cost the same.
fn store(c: &mut Criterion) {
    let simulator = simulator();
    let world = world(100);
    let plan = simulator.check(five_actions()).expect("a plan");
    let report = report(&simulator, &plan, &world);
    let mut group = c.benchmark_group("save and ask for statistics, reports stored");
    group.sample_size(20);
    for stored in [1_000, 100_000_u32] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SimulationStore::open(dir.path()).expect("a store");
        fill(&store, &report, stored);
        group.bench_function(BenchmarkId::from_parameter(stored), |b| {
            b.iter(|| {
                store.save(report.clone()).expect("saved");
                store.statistics()
            });
        });
    }
    group.finish();
}

/// From many threads, which share their syncs.
fn fill(store: &SimulationStore, report: &SimulationReport, reports: u32) {
    const THREADS: u32 = 100;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..reports / THREADS {
                    store.save(report.clone()).expect("saved");
                }
            });
        }
    });
}

criterion_group!(benches, simulate, analyses, steps, store);
criterion_main!(benches);
