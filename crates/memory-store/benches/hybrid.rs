//! Opening a store of 100,000 memories with vectors and edges, and recall in it by each signal alone
//! and by all five at once, with nobody else and with eight writers at work. Percentiles of the
//! clock; the fused recall stands beside the sum of its parts' medians.
#![expect(
    clippy::print_stderr,
    reason = "criterion reports means, these are percentiles"
)]

mod common;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Numbers, at, id, imported, memories, namespace, report, text};
use criterion::{Criterion, criterion_group, criterion_main};
use memory_store::{Embedder, Filter, HashedNgrams, MemoryStore, NewMemory, Query, Traversal};

criterion_group!(benches, many_memories);
criterion_main!(benches);

/// Recalls of each kind, in turns.
const ROUNDS: usize = 400;

fn many_memories(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = imported(directory.path(), memories(), true);
        let began = Instant::now();
        store.build_index(|_| {});
        eprintln!("graph of the vectors: {:.1?}", began.elapsed());
        store.close().unwrap();
    }
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    group.bench_function(
        format!("{}-memories-vectors-and-edges", memories()),
        |bencher| {
            bencher.iter(|| drop(MemoryStore::open(directory.path()).unwrap()));
        },
    );
    group.finish();

    let store = MemoryStore::open(directory.path()).unwrap();
    for is_written in [false, true] {
        let stop = AtomicBool::new(!is_written);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (store, stop) = (&store, &stop);
                scope.spawn(move || write(store, thread, stop));
            }
            let writers = if is_written { "8 writers" } else { "no writer" };
            recall_in_turns(&store, writers);
            stop.store(true, Ordering::Relaxed);
        });
    }
    let stats = store.stats();
    eprintln!(
        "as the store counted it: {:?}, commits {:?}",
        stats.recall, stats.commit
    );
}

fn write(store: &MemoryStore, thread: u64, stop: &AtomicBool) {
    let embedder = HashedNgrams::default();
    let mut numbers = Numbers(100 + thread);
    while !stop.load(Ordering::Relaxed) {
        let new = NewMemory::new(namespace(), text(&mut numbers), at(200_000));
        store.remember(new.embedded(&embedder).unwrap()).unwrap();
    }
}

/// Each signal alone, then all of them, then the next question.
fn recall_in_turns(store: &MemoryStore, writers: &str) {
    let embedder = HashedNgrams::default();
    let mut numbers = Numbers(5);
    let names = [
        "text",
        "similarity",
        "relation",
        "metadata",
        "recency",
        "all five",
    ];
    let mut times: [Vec<Duration>; 6] = Default::default();
    for _ in 0..ROUNDS {
        let words: Vec<String> = text(&mut numbers)
            .split(' ')
            .take(4)
            .map(str::to_owned)
            .collect();
        let words = words.join(" ");
        let vector = embedder.embed(&words).unwrap().unwrap();
        let start = id(numbers.below(memories()) + 1);
        let walk = || Traversal::new(start).hops(NonZeroU32::new(2).unwrap());
        let agent = || Filter::new().attribute("agent", "agent-7");
        let queries = [
            Query::new().text(words.clone()),
            Query::new().vector(vector.clone()),
            Query::new().related(walk()),
            Query::new().prefer(agent()),
            Query::new().recency(),
            Query::new()
                .text(words.clone())
                .vector(vector.clone())
                .related(walk())
                .prefer(agent())
                .recency(),
        ];
        for (query, times) in queries.iter().zip(&mut times) {
            let began = Instant::now();
            let found = store.recall(&namespace(), query).unwrap();
            times.push(began.elapsed());
            std::hint::black_box(found);
        }
    }
    let mut parts = Duration::ZERO;
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort_unstable();
        let median = times[times.len() / 2];
        report(&format!("{name}, {writers}"), times);
        if name == "all five" {
            eprintln!("the medians of the parts add up to {parts:.1?}, all five take {median:.1?}");
        } else {
            parts += median;
        }
    }
}
