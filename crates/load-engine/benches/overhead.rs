//! What the engine costs: an operation that does nothing, beside the floor of its two clock readings
//! and one histogram write; and the verification of a million effects.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;
use std::num::{NonZeroU32, NonZeroU64};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use load_engine::{
    Clock, Digest, Effect, Failure, Found, Iteration, Ledger, LedgerEntry, Model, MonotonicClock,
    Plan, StepSpec, StopHandle, Workload, empty_histogram, run, verify,
};

const OPERATIONS: u64 = 1_000_000;
const EFFECTS: u64 = 1_000_000;
const WRITE: StepSpec = StepSpec::effectful("write");
const NOTHING: StepSpec = StepSpec::new("nothing");

/// Acknowledges an effect in each step, so that its cost in the ledger shows.
struct Acknowledging;

impl Workload for Acknowledging {
    type User = String;

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE]
    }

    fn set_up(&self, _user: u32) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn iterate(&self, key: &mut String, it: &mut Iteration<'_>) -> Result<(), Failure> {
        key.clear();
        write!(key, "record-{:012}", it.index())?;
        it.step(&WRITE, |effects| {
            effects.created("record", key, Digest::from_blake3([7; 32]));
            Ok(())
        })
    }
}

struct NoOp;

impl Workload for NoOp {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![NOTHING]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&NOTHING, |_| {
            black_box(());
            Ok(())
        })
    }
}

fn operations(c: &mut Criterion) {
    let mut group = c.benchmark_group("operation");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(OPERATIONS));
    group.bench_function("floor: two clock readings, one histogram write", |b| {
        let clock = MonotonicClock::new();
        let mut histogram = empty_histogram();
        b.iter(|| {
            for _ in 0..OPERATIONS {
                let started_ns = clock.now_ns();
                black_box(());
                histogram.saturating_record(clock.now_ns() - started_ns);
            }
        });
    });
    group.bench_function("closed, one user, one step of nothing", |b| {
        let plan = Plan::new("no-op", Model::iterations(NonZeroU32::MIN, each()));
        b.iter(|| run(&NoOp, &plan, &StopHandle::new(), |_| {}).expect("the run succeeds"));
    });
    group.bench_function("closed, one user, one acknowledged effect", |b| {
        let plan = Plan::new("effects", Model::iterations(NonZeroU32::MIN, each()));
        b.iter(|| {
            run(&Acknowledging, &plan, &StopHandle::new(), |_| {}).expect("the run succeeds")
        });
    });
    group.bench_function("closed, two users, half of it each", |b| {
        let half = NonZeroU64::new(OPERATIONS / 2).expect("not zero");
        let two = NonZeroU32::new(2).expect("not zero");
        let plan = Plan::new("no-op", Model::iterations(two, half));
        b.iter(|| run(&NoOp, &plan, &StopHandle::new(), |_| {}).expect("the run succeeds"));
    });
    group.finish();
}

fn each() -> NonZeroU64 {
    NonZeroU64::new(OPERATIONS).expect("not zero")
}

fn verification(c: &mut Criterion) {
    let digest = Digest::of(b"content");
    let ledger: Ledger = (0..EFFECTS)
        .map(|n| LedgerEntry {
            kind: "record".into(),
            key: key(n).into(),
            effect: Effect::Created(digest),
            user: 0,
            started_ns: n,
            settled_ns: n,
        })
        .collect();
    let found: Vec<Found> = (0..EFFECTS)
        .map(|n| Found::new("record", key(n), digest))
        .collect();
    let mut group = c.benchmark_group("verification");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(EFFECTS));
    group.bench_function("of a million effects", |b| {
        b.iter_batched(
            || found.clone(),
            |found| {
                let verification = verify(&ledger, found.into_iter().map(Ok::<_, Infallible>));
                assert_eq!(verification.verified, EFFECTS);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn key(n: u64) -> String {
    format!("record-{n:012}")
}

criterion_group!(benches, operations, verification);
criterion_main!(benches);
