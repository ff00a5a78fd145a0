//! What the interface costs over its parts: a durable `remember` against a bare group-committed
//! insert into the same schema and against a connection an agent; a similarity search by the graph
//! and by comparing all, a search for words, and both fused; a cache hit.

use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::channel::{Receiver, Sender, bounded};
use memory_store::{IndexOptions, MemoryId, MemoryStore, Namespace, NewMemory, Query, Timestamp};
use rusqlite::{Connection, params};

const DIMENSION: usize = 384;
const VECTORS: u64 = 10_000;

criterion_group!(benches, durable_writes, similarity_and_hybrid, cache_hit);
criterion_main!(benches);

fn namespace() -> Namespace {
    Namespace::new("bench").unwrap()
}

fn memory(vector: Option<Vec<f32>>) -> NewMemory {
    let text = "the nightly build failed because the linker ran out of memory on the small runner";
    let new = NewMemory::new(namespace(), text, Timestamp::from_millis(1_767_225_600_000))
        .tag("failure")
        .attribute("agent", "builder-7");
    NewMemory { vector, ..new }
}

/// Numbers without structure, the same at each run (SplitMix64).
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

/// The time from the common start of all threads until the last one has done its share.
fn time_on_threads<S: Send>(
    threads: u64,
    iterations: u64,
    set_up: impl Fn() -> S + Sync,
    step: impl Fn(&mut S) + Sync,
) -> Duration {
    let barrier = Barrier::new(threads as usize + 1);
    thread::scope(|scope| {
        for thread in 0..threads {
            let share = iterations / threads + u64::from(thread < iterations % threads);
            let (barrier, set_up, step) = (&barrier, &set_up, &step);
            scope.spawn(move || {
                let mut state = set_up();
                barrier.wait();
                for _ in 0..share {
                    step(&mut state);
                }
                barrier.wait();
            });
        }
        barrier.wait();
        let start = Instant::now();
        barrier.wait();
        start.elapsed()
    })
}

fn durable_writes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("durable-remember");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for threads in [1, 100] {
        group.bench_function(BenchmarkId::new("memory-store", threads), |bencher| {
            let directory = tempfile::tempdir().unwrap();
            let store = MemoryStore::open(directory.path()).unwrap();
            let step = |(): &mut ()| {
                store.remember(memory(None)).unwrap();
            };
            bencher.iter_custom(|iterations| time_on_threads(threads, iterations, || (), step));
        });
        group.bench_function(BenchmarkId::new("bare-group-commit", threads), |bencher| {
            let directory = tempfile::tempdir().unwrap();
            let bare = BareWriter::start(directory.path());
            let step = |(): &mut ()| bare.insert();
            bencher.iter_custom(|iterations| time_on_threads(threads, iterations, || (), step));
        });
        group.bench_function(
            BenchmarkId::new("connection-an-agent", threads),
            |bencher| {
                let directory = tempfile::tempdir().unwrap();
                let database = create_schema(directory.path());
                let set_up = || connect(&database);
                let step = |connection: &mut Connection| {
                    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                    insert(connection);
                    connection.execute_batch("COMMIT").unwrap();
                };
                bencher
                    .iter_custom(|iterations| time_on_threads(threads, iterations, set_up, step));
            },
        );
    }
    group.finish();
}

fn similarity_and_hybrid(criterion: &mut Criterion) {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let open = |directory: &tempfile::TempDir, exact_below| {
        let index = IndexOptions::new().exact_below(exact_below);
        let store = MemoryStore::options().index(index).open(directory).unwrap();
        fill(&store);
        store
    };
    let exact = open(&directories[0], usize::MAX);
    let store = open(&directories[1], 0);
    let query = vector(VECTORS + 1);
    for (name, store) in [("scan", &exact), ("graph", &store)] {
        criterion.bench_function(&format!("similarity-{name}/10000x384-top10"), |bencher| {
            bencher.iter(|| {
                store
                    .recall(
                        &namespace(),
                        &Query::new().vector(black_box(&query).clone()).limit(10),
                    )
                    .unwrap()
            });
        });
    }
    let words = "word1 word20 word300 word400";
    criterion.bench_function("text/10000-four-terms-top10", |bencher| {
        bencher.iter(|| {
            store
                .recall(&namespace(), &Query::new().text(black_box(words)))
                .unwrap()
        });
    });
    let hybrid = Query::new().text(words).vector(query.clone()).recency();
    criterion.bench_function("hybrid/10000-similarity-text-recency-top10", |bencher| {
        bencher.iter(|| store.recall(&namespace(), black_box(&hybrid)).unwrap());
    });
}

/// Remembers texts with vectors, and waits until the graph has them.
fn fill(store: &MemoryStore) {
    thread::scope(|scope| {
        for first in 0..50 {
            scope.spawn(move || {
                for seed in (first..VECTORS).step_by(50) {
                    let new = NewMemory {
                        text: text(seed),
                        ..memory(Some(vector(seed)))
                    };
                    store.remember(new).unwrap();
                }
            });
        }
    });
    store.build_index(|_| {});
}

/// Twelve words of a thousand, the frequent ones more often.
fn text(seed: u64) -> String {
    let words = vector(seed ^ 0x5eed);
    let word = |component: &f32| format!("word{}", (component.powi(4) * 1_000.0) as u32);
    words[..12].iter().map(word).collect::<Vec<_>>().join(" ")
}

fn cache_hit(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    let namespace = namespace();
    let ids: Vec<MemoryId> = (0..64)
        .map(|_| store.remember(memory(None)).unwrap())
        .collect();
    let read = |turn: &mut usize| {
        *turn += 1;
        black_box(store.get(&namespace, ids[*turn % ids.len()]).unwrap());
    };
    (0..ids.len()).for_each(|mut turn| read(&mut turn));
    let mut group = criterion.benchmark_group("cache-hit");
    for threads in [1, 100] {
        group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
            bencher.iter_custom(|iterations| time_on_threads(threads, iterations, || 0, read));
        });
    }
    group.finish();
}

/// The floor: one thread that groups inserts, without checks, digests and derived tiers.
struct BareWriter {
    queue: Option<Sender<Sender<()>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl BareWriter {
    fn start(directory: &Path) -> Self {
        let connection = connect(&create_schema(directory));
        let (queue, jobs) = bounded(1_024);
        let thread = thread::Builder::new()
            .name("bench:bare-writer".into())
            .spawn(move || run_bare_writer(&connection, &jobs))
            .unwrap();
        Self {
            queue: Some(queue),
            thread: Some(thread),
        }
    }

    fn insert(&self) {
        let (reply, committed) = bounded(1);
        self.queue.as_ref().unwrap().send(reply).unwrap();
        committed.recv().unwrap();
    }
}

impl Drop for BareWriter {
    fn drop(&mut self) {
        drop(self.queue.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn run_bare_writer(connection: &Connection, jobs: &Receiver<Sender<()>>) {
    while let Ok(first) = jobs.recv() {
        let group: Vec<_> = std::iter::once(first)
            .chain(jobs.try_iter().take(511))
            .collect();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        group.iter().for_each(|_| insert(connection));
        connection.execute_batch("COMMIT").unwrap();
        for reply in group {
            reply.send(()).unwrap();
        }
    }
}

/// An empty database with the store's own schema.
fn create_schema(directory: &Path) -> std::path::PathBuf {
    let store = MemoryStore::open(directory).unwrap();
    store.remember(memory(None)).unwrap();
    store.close().unwrap();
    directory.join("memory.sqlite")
}

fn connect(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 4000;",
        )
        .unwrap();
    connection
}

/// The row of one `remember`, in the open transaction.
fn insert(connection: &Connection) {
    let memory = memory(None);
    let next: i64 = connection
        .prepare_cached("SELECT max(id) + 1 FROM memories WHERE ns = 1")
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .unwrap();
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        connection
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params))
            .unwrap();
    };
    execute(
        "INSERT INTO memories(ns, id, at, text, tags, attributes, digest, valid_from, recorded_at,
             version)
         VALUES(1, ?1, ?2, ?3, '[\"failure\"]', '{\"agent\":\"builder-7\"}', zeroblob(32), ?2, ?2, 1)",
        params![next, memory.at.as_millis(), memory.text],
    );
}
