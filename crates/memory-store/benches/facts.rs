//! What time, states and size cost: a walk as of a moment over half a million edges; a version of a
//! large state of which little changed against one of which all did, with the disk's sync and
//! without; and how much of a skewed load the cache takes.
#![expect(
    clippy::print_stderr,
    reason = "criterion reports means, these are percentiles"
)]

mod common;

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use common::{Numbers, at, export, id, imported, is_trial, memories, namespace, report};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use memory_store::{AgentRun, Expected, MemoryStore, Query, Traversal, When};

criterion_group!(benches, walk_as_of, state_versions, cache_hit_rate);
criterion_main!(benches);

fn walk_as_of(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let (memories, edges) = (memories(), 5 * memories());
    let store = imported(directory.path(), edges, false);
    let mut numbers = Numbers(2);
    let walk = |start| {
        let walk = Traversal::new(id(start)).hops(NonZeroU32::new(2).unwrap());
        let walk = walk.when(When::AsOf(at(200_000)));
        store
            .recall(&namespace(), &Query::new().related(walk).limit(usize::MAX))
            .unwrap()
            .len()
    };
    // Once through all, so that the cache holds what it can.
    (1..=memories).for_each(|number| drop(store.get(&namespace(), id(number)).unwrap()));
    let mut reached = 0;
    let times = (0..20_000)
        .map(|_| {
            let start = numbers.below(memories) + 1;
            let began = Instant::now();
            reached += walk(start);
            began.elapsed()
        })
        .collect();
    report(
        &format!("two hops as of a moment over {edges} edges"),
        times,
    );
    eprintln!(
        "memories reached by a walk: {:.1}",
        reached as f64 / 20_000.0
    );
    criterion.bench_function(&format!("two-hop-as-of/{edges}-edges"), |bencher| {
        bencher.iter(|| walk(black_box(numbers.below(memories) + 1)));
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

/// The rate of a cache that always holds the most frequent memories: what no cache exceeds in the
/// long run when each read is drawn independently.
fn best_rate(weights: &[f64], held: usize) -> f64 {
    weights[..held].iter().sum::<f64>() / weights.iter().sum::<f64>()
}

fn cache_hit_rate(_: &mut Criterion) {
    const ITEMS: usize = 20_000;
    let reads = if is_trial() { 4_000 } else { 400_000 };
    let directory = tempfile::tempdir().unwrap();
    {
        let store = MemoryStore::open(directory.path()).unwrap();
        store
            .import(export(ITEMS as u64, 0, false).as_bytes())
            .unwrap();
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
            (0..reads / 4).for_each(|_| read());
            let before = store.stats();
            (0..reads).for_each(|_| read());
            let after = store.stats();
            let hits = (after.cache_hits - before.cache_hits) as f64 / f64::from(reads);
            let held = after.cached as usize;
            eprintln!(
                "Zipf {exponent}, {kilobytes} KiB: hit rate {hits:.3}, of the {held} most frequent {:.3}",
                best_rate(&weights, held)
            );
        }
    }
}
