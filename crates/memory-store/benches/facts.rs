//! What time, states and size cost: a walk as of a moment over half a million edges; a version of a
//! large state of which little changed against one of which all did, with the disk's sync and
//! without; opening, and recall with writers at work, over 100,000 memories; and how much of a
//! skewed load the cache takes.
#![expect(
    clippy::print_stderr,
    reason = "criterion reports means, these are percentiles"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use memory_store::{
    AgentRun, Expected, Filter, HashedNgrams, MemoryId, MemoryStore, Namespace, NewMemory, Query,
    Timestamp, Traversal, When,
};

criterion_group!(
    benches,
    walk_as_of,
    state_versions,
    many_memories,
    cache_hit_rate
);
criterion_main!(benches);

const MEMORIES: u64 = 100_000;

fn namespace() -> Namespace {
    Namespace::new("bench").unwrap()
}

fn id(number: u64) -> MemoryId {
    MemoryId::new(number).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// Numbers without structure, the same at each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Twelve words of five thousand, the frequent ones more often.
fn text(numbers: &mut Numbers) -> String {
    let mut word = || {
        let part = numbers.below(1 << 20) as f64 / f64::from(1 << 20);
        format!("word{}", (part.powi(2) * 5_000.0) as u32)
    };
    (0..12).map(|_| word()).collect::<Vec<_>>().join(" ")
}

/// Memories and edges as an export, whose import is one transaction.
fn export(memories: u64, edges: u64) -> String {
    let mut numbers = Numbers(1);
    let mut lines = String::from("{\"kind\":\"begin\",\"format\":1}\n");
    let mut records = 2;
    writeln!(
        lines,
        "{{\"kind\":\"namespace\",\"name\":\"bench\",\"next_id\":1,\"dimension\":null,\
         \"quota\":{{\"items\":null,\"bytes\":null}}}}"
    )
    .unwrap();
    for number in 1..=memories {
        let text = text(&mut numbers);
        let agent = format!("agent-{}", number % 100);
        let digest = NewMemory::new(namespace(), text.as_str(), at(number.cast_signed()))
            .attribute("agent", agent.as_str())
            .digest();
        writeln!(
            lines,
            "{{\"kind\":\"memory\",\"id\":{number},\"version\":1,\"at\":{number},\
             \"text\":\"{text}\",\"tags\":[],\"attributes\":{{\"agent\":\"{agent}\"}},\
             \"vector\":null,\"valid_from\":{number},\"valid_until\":null,\"expires_at\":null,\
             \"recorded_at\":{number},\"digest\":\"{digest}\"}}"
        )
        .unwrap();
        records += 1;
    }
    let mut seen = std::collections::HashSet::new();
    while seen.len() < edges as usize {
        let (source, target) = (numbers.below(memories) + 1, numbers.below(memories) + 1);
        if !seen.insert((source, target)) {
            continue;
        }
        // One in four has ended before the moment that is asked for.
        let until = if numbers.below(4) == 0 {
            "150000"
        } else {
            "null"
        };
        writeln!(
            lines,
            "{{\"kind\":\"edge\",\"source\":{source},\"relation\":\"r\",\"target\":{target},\
             \"weight\":\"0.5\",\"at\":100000,\"valid_from\":100000,\"valid_until\":{until}}}"
        )
        .unwrap();
        records += 1;
    }
    let digest = blake3::hash(lines.as_bytes());
    writeln!(
        lines,
        "{{\"kind\":\"end\",\"records\":{records},\"digest\":\"{digest}\"}}"
    )
    .unwrap();
    lines
}

fn imported(directory: &Path, edges: u64) -> MemoryStore {
    let store = MemoryStore::open(directory).unwrap();
    let export = export(MEMORIES, edges);
    let began = Instant::now();
    store.import(export.as_bytes()).unwrap();
    eprintln!(
        "import of {MEMORIES} memories and {edges} edges: {:.1?}",
        began.elapsed()
    );
    store
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    eprintln!(
        "{what}: p50 {:.1?}, p99 {:.1?}, max {:.1?} of {}",
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100),
        times.len()
    );
}

fn walk_as_of(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let store = imported(directory.path(), 500_000);
    let mut numbers = Numbers(2);
    let walk = |start| {
        let walk = Traversal::new(id(start)).hops(NonZeroU32::new(2).unwrap());
        let walk = walk.when(When::AsOf(at(200_000)));
        store.recall_related(&namespace(), &walk).unwrap().len()
    };
    // Once through all, so that the cache holds what it can.
    (1..=MEMORIES).for_each(|number| drop(store.get(&namespace(), id(number)).unwrap()));
    let mut reached = 0;
    let times = (0..20_000)
        .map(|_| {
            let start = numbers.below(MEMORIES) + 1;
            let began = Instant::now();
            reached += walk(start);
            began.elapsed()
        })
        .collect();
    report("two hops as of a moment over 500000 edges", times);
    eprintln!(
        "memories reached by a walk: {:.1}",
        reached as f64 / 20_000.0
    );
    criterion.bench_function("two-hop-as-of/500000-edges", |bencher| {
        bencher.iter(|| walk(black_box(numbers.below(MEMORIES) + 1)));
    });
}

fn state_versions(criterion: &mut Criterion) {
    const LENGTH: usize = 1 << 20;
    let noise = |numbers: &mut Numbers, length: usize| -> Vec<u8> {
        let words = length.div_ceil(8);
        let mut bytes: Vec<u8> = (0..words)
            .flat_map(|_| numbers.next().to_le_bytes())
            .collect();
        bytes.truncate(length);
        bytes
    };
    let mut group = criterion.benchmark_group("checkpoint-of-a-megabyte");
    group.sample_size(20);
    for (place, parent) in [
        ("disk", std::env::temp_dir()),
        ("memory", "/dev/shm".into()),
    ] {
        for changed in [LENGTH, LENGTH / 100] {
            let directory = tempfile::tempdir_in(&parent).unwrap();
            let store = MemoryStore::open(directory.path()).unwrap();
            let run = AgentRun::new(namespace(), "agent", "run").unwrap();
            let mut numbers = Numbers(3);
            let mut state = noise(&mut numbers, LENGTH);
            store
                .put_state(&run, "k", state.clone(), Expected::Anything)
                .unwrap();
            let name = BenchmarkId::new(place, format!("{changed}-bytes-changed"));
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut total = Duration::ZERO;
                    for _ in 0..iterations {
                        let new = noise(&mut numbers, changed);
                        let from = numbers.below((LENGTH - changed) as u64 + 1) as usize;
                        state[from..from + changed].copy_from_slice(&new);
                        let value = state.clone();
                        let began = Instant::now();
                        store
                            .put_state(&run, "k", value, Expected::Anything)
                            .unwrap();
                        store.checkpoint(&run, "mark", at(0)).unwrap();
                        total += began.elapsed();
                        // Or the store would grow by a megabyte each time.
                        store
                            .retain_checkpoints(&run, memory_store::Retention::last(2))
                            .unwrap();
                    }
                    total
                });
            });
        }
    }
    group.finish();
}

fn many_memories(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    drop(imported(directory.path(), 100_000));
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    group.bench_function("100000-memories-and-edges", |bencher| {
        bencher.iter(|| drop(MemoryStore::open(directory.path()).unwrap()));
    });
    group.finish();

    let store = MemoryStore::open(directory.path()).unwrap();
    let mut numbers = Numbers(5);
    for is_written in [false, true] {
        let stop = AtomicBool::new(!is_written);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (store, stop) = (&store, &stop);
                scope.spawn(move || {
                    let mut numbers = Numbers(100 + thread);
                    while !stop.load(Ordering::Relaxed) {
                        let new = NewMemory::new(namespace(), text(&mut numbers), at(200_000));
                        store.remember(new).unwrap();
                    }
                });
            }
            let times = (0..500)
                .map(|_| {
                    let words: Vec<String> = text(&mut numbers)
                        .split(' ')
                        .take(4)
                        .map(str::to_owned)
                        .collect();
                    let walk = Traversal::new(id(numbers.below(MEMORIES) + 1))
                        .hops(NonZeroU32::new(2).unwrap());
                    let agent = Filter::new().attribute("agent", "agent-7").limit(50);
                    let query = Query::new()
                        .text(words.join(" "))
                        .related(walk)
                        .prefer(agent);
                    let began = Instant::now();
                    let found = store.recall(&namespace(), &query.recency()).unwrap();
                    assert!(!found.is_empty());
                    began.elapsed()
                })
                .collect();
            stop.store(true, Ordering::Relaxed);
            let writers = if is_written { "8 writers" } else { "no writer" };
            report(
                &format!("text, relation, metadata and recency, {writers}"),
                times,
            );
        });
    }
    let stats = store.stats();
    eprintln!(
        "as the store counted it: {:?}, commits {:?}",
        stats.recall, stats.commit
    );
    let embedder = HashedNgrams::default();
    let query = Query::new()
        .about("word1 word20 word300", &embedder)
        .unwrap();
    assert!(!store.recall(&namespace(), &query).unwrap().is_empty());
}

/// The rate of a cache that always holds the most frequent memories: what no cache exceeds in the
/// long run when each read is drawn independently.
fn best_rate(weights: &[f64], held: usize) -> f64 {
    weights[..held].iter().sum::<f64>() / weights.iter().sum::<f64>()
}

fn cache_hit_rate(_: &mut Criterion) {
    const ITEMS: usize = 20_000;
    const READS: usize = 400_000;
    let directory = tempfile::tempdir().unwrap();
    {
        let store = MemoryStore::open(directory.path()).unwrap();
        store.import(export(ITEMS as u64, 0).as_bytes()).unwrap();
    }
    for exponent in [0.8, 1.0] {
        let weights: Vec<f64> = (1..=ITEMS)
            .map(|rank| (rank as f64).powf(-exponent))
            .collect();
        let mut cumulated = weights.clone();
        (1..ITEMS).for_each(|rank| cumulated[rank] += cumulated[rank - 1]);
        for kilobytes in [256, 1_024, 4_096] {
            let store = MemoryStore::options()
                .cache_bytes(kilobytes << 10)
                .open(directory.path())
                .unwrap();
            let mut numbers = Numbers(9);
            let mut read = || {
                let part = (numbers.next() >> 11) as f64 / (1_u64 << 53) as f64;
                let place = cumulated.partition_point(|sum| *sum < part * cumulated[ITEMS - 1]);
                // Which are frequent has nothing to do with their order.
                let number = (place as u64 * 7_919) % ITEMS as u64 + 1;
                drop(store.get(&namespace(), id(number)).unwrap());
            };
            (0..READS / 4).for_each(|_| read());
            let before = store.stats();
            (0..READS).for_each(|_| read());
            let after = store.stats();
            let hits = (after.cache_hits - before.cache_hits) as f64 / READS as f64;
            let held = after.cached as usize;
            eprintln!(
                "Zipf {exponent}, {kilobytes} KiB: hit rate {hits:.3}, of the {held} most frequent {:.3}",
                best_rate(&weights, held)
            );
        }
    }
}
