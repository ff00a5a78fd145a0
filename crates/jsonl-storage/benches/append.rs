//! Durable appends from one and from many threads, beside the bare system calls, on the disk of
//! the temporary directory. Compare only within one run: a disk's sync takes 0.1 ms or 10.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jsonl_storage::{Durability, Log, LogOptions};
use serde_json::{Value, json};

fn record() -> Value {
    json!({ "id": "0198d2a4-7b1c-7000-8000-000000000000", "text": "x".repeat(220), "n": 17 })
}

/// One thread: the log against what it cannot do without. The two take turns, so that both meet
/// the same disk; each measurement gives the time of one of them.
fn alone(c: &mut Criterion) {
    let mut group = c.benchmark_group("one thread, in turns");
    let record = record();
    for (name, options) in [
        ("plain", LogOptions::new()),
        ("chained", LogOptions::new().chained()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut bare = File::create(dir.path().join("bare")).unwrap();
        let log: Log<Value> = options.open(dir.path().join("log")).unwrap();
        let mut bare = || {
            let began = Instant::now();
            let mut line = serde_json::to_vec(&record).unwrap();
            line.resize(line.len() + 50, b' ');
            bare.write_all(&line).unwrap();
            bare.sync_data().unwrap();
            began.elapsed()
        };
        let append = || {
            let began = Instant::now();
            log.append(&record).unwrap();
            began.elapsed()
        };
        group.bench_function(BenchmarkId::new("bare encode, write and sync", name), |b| {
            b.iter_custom(|iterations| (0..iterations).map(|_| (bare(), append()).0).sum());
        });
        group.bench_function(BenchmarkId::new("append", name), |b| {
            b.iter_custom(|iterations| (0..iterations).map(|_| (bare(), append()).1).sum());
        });
    }
    group.finish();
}

fn together(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable append");
    group.throughput(Throughput::Elements(1));
    let record = record();
    for threads in [8, 100] {
        let dir = tempfile::tempdir().unwrap();
        let log: Log<Value> = LogOptions::new().open(dir.path()).unwrap();
        group.bench_function(format!("{threads} threads"), |b| {
            b.iter_custom(|iterations| spread(&log, &record, threads, iterations));
        });
    }
    group.finish();
}

/// The time that `threads` threads need together for `iterations` appends.
fn spread(log: &Log<Value>, record: &Value, threads: u64, iterations: u64) -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let own = iterations / threads + u64::from(thread < iterations % threads);
            scope.spawn(move || (0..own).for_each(|_| assert!(log.append(record).is_ok())));
        }
    });
    began.elapsed()
}

/// Many records and one wait, and appends that wait for no disk.
fn many(c: &mut Criterion) {
    const RECORDS: u64 = 10_000;
    let mut group = c.benchmark_group("tickets");
    group.throughput(Throughput::Elements(RECORDS));
    let dir = tempfile::tempdir().unwrap();
    let record = record();
    let chained = LogOptions::new().chained();
    let in_groups = chained.clone().chained_in_groups();
    for (name, options) in [
        ("append many, wait once", LogOptions::new()),
        ("append many, wait once, chained", chained),
        ("append many, wait once, chained in groups", in_groups),
        ("flushed", LogOptions::new().durability(Durability::Flushed)),
        (
            "buffered",
            LogOptions::new().durability(Durability::Buffered),
        ),
    ] {
        let log: Log<Value> = options.open(dir.path().join(name)).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| {
                for _ in 1..RECORDS {
                    let _ticket = log.submit(&record).unwrap();
                }
                log.append(&record).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = alone, together, many
}
criterion_main!(all);
