//! Durable appends from one and from a hundred threads, beside the bare system calls.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jsonl_storage::{Log, LogOptions};
use serde_json::{Value, json};

fn record() -> Value {
    json!({ "id": "0198d2a4-7b1c-7000-8000-000000000000", "text": "x".repeat(220), "n": 17 })
}

fn bare(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path().join("bare")).unwrap();
    let line = format!("{}\n", record());
    c.bench_function("bare write and sync, 1 thread", |b| {
        b.iter(|| {
            file.write_all(line.as_bytes()).unwrap();
            file.sync_data().unwrap();
        });
    });
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable append");
    group.throughput(Throughput::Elements(1));
    let record = record();
    for threads in [1, 8, 100] {
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

fn scan(c: &mut Criterion) {
    const RECORDS: u64 = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let log: Log<Value> = LogOptions::new().open(dir.path()).unwrap();
    for _ in 0..RECORDS {
        let _ticket = log.submit(&record()).unwrap();
    }
    log.close().unwrap();
    let log: Log<Value> = LogOptions::new().open(dir.path()).unwrap();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("scan, checked and typed", |b| {
        b.iter(|| log.scan().unwrap().map(Result::unwrap).count());
    });
    group.bench_function("verify", |b| {
        b.iter(|| jsonl_storage::verify(dir.path()).unwrap().records);
    });
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = bare, append, scan
}
criterion_main!(all);
