//! Reading: all records, checks, one record by number or key, and opening, at several sizes.
//!
//! `BENCH_RECORDS` sets the largest size; the default keeps the run short.

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jsonl_storage::{Durability, Index, IndexedOptions, Log, LogOptions, Seq, verify_log};
use serde::{Deserialize, Serialize};

/// About 300 bytes as a line.
#[derive(Debug, Serialize, Deserialize)]
struct Event {
    id: String,
    kind: String,
    text: String,
    n: u64,
}

fn event(n: u64) -> Event {
    Event {
        id: format!("0198d2a4-7b1c-7000-8000-{n:012}"),
        kind: "approval.requested".to_owned(),
        text: "x".repeat(150),
        n,
    }
}

fn largest() -> u64 {
    let set = std::env::var("BENCH_RECORDS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn fill(log: &Log<Event>, records: u64) {
    for n in 1..=records {
        let _ticket = log.submit(&event(n)).unwrap();
    }
    log.sync().unwrap();
}

fn filled(dir: &Path, options: LogOptions, records: u64) {
    let log: Log<Event> = options.durability(Durability::Flushed).open(dir).unwrap();
    fill(&log, records);
    log.close().unwrap();
}

fn indexed() -> IndexedOptions<Event> {
    let index = Index::new("id").by_key(|event: &Event| Some(event.id.as_str().into()));
    LogOptions::new().indexed(index)
}

fn segments(dir: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
}

fn scan(c: &mut Criterion) {
    let records = largest().min(200_000);
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Elements(records));
    let (plain, chained) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(plain.path(), LogOptions::new(), records);
    filled(chained.path(), LogOptions::new().chained(), records);
    let log: Log<Event> = LogOptions::new().open(plain.path()).unwrap();
    group.bench_function("checked and typed", |b| {
        b.iter(|| log.scan().unwrap().map(Result::unwrap).count());
    });
    group.bench_function("serde_jsonlines", |b| {
        b.iter(|| {
            let read = |path| {
                let lines = serde_jsonlines::json_lines::<jsonl_storage::Record<Event>, _>(path);
                lines.unwrap().map(Result::unwrap).count()
            };
            segments(plain.path()).map(read).sum::<usize>()
        });
    });
    for (name, dir) in [("verify", &plain), ("verify the chain", &chained)] {
        group.bench_function(name, |b| b.iter(|| verify_log(dir.path()).unwrap().records));
    }
    group.finish();
}

fn point(c: &mut Criterion) {
    let mut group = c.benchmark_group("point");
    for records in [5_000, largest()] {
        let dir = tempfile::tempdir().unwrap();
        let log = indexed().open(dir.path()).unwrap();
        fill(&log, records);
        log.close().unwrap();
        let log = indexed().open(dir.path()).unwrap();
        let mut n = 0;
        let mut next = move || {
            n = (n + 7_919 * 613) % records;
            n + 1
        };
        let number = BenchmarkId::new("by number", records);
        group.bench_function(number, |b| {
            b.iter(|| log.get(Seq(next())).unwrap().unwrap());
        });
        let keys: Vec<_> = (0..1000).map(|_| event(next()).id).collect();
        let mut key = keys.iter().cycle();
        let by_key = BenchmarkId::new("by key", records);
        group.bench_function(by_key, |b| {
            b.iter(|| log.find(key.next().unwrap()).unwrap().unwrap());
        });
    }
    group.finish();
}

fn remove_indexes(dir: &Path, last: usize) {
    let mut indexes: Vec<_> = segments(dir)
        .map(|path| path.with_extension("index"))
        .collect();
    indexes.sort();
    for index in indexes.into_iter().rev().take(last) {
        std::fs::remove_file(index).unwrap();
    }
}

/// Brings a log into the state that it is opened in.
type Prepare = fn(&Path);

fn open(c: &mut Criterion) {
    let records = largest();
    let mut group = c.benchmark_group("open");
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), LogOptions::new(), records);
    let states: [(&str, Prepare); 3] = [
        ("after a clean close", |_| {}),
        // What a kill leaves: the last file's index is that of no close.
        ("after a kill", |dir| remove_indexes(dir, 1)),
        ("without any index", |dir| remove_indexes(dir, usize::MAX)),
    ];
    for (name, prepare) in states {
        group.bench_function(BenchmarkId::new(name, records), |b| {
            b.iter_custom(|iterations| {
                let time = |_| {
                    prepare(dir.path());
                    let began = Instant::now();
                    let log = LogOptions::new().open::<Event>(dir.path()).unwrap();
                    let took = began.elapsed();
                    log.close().unwrap();
                    took
                };
                (0..iterations).map(time).sum()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = scan, point, open
}
criterion_main!(all);
