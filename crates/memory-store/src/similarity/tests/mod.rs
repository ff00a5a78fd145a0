//! The graph against a comparison of all, with additions, removals and searches at a time.

mod saved;
mod tier;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::search::Allowed;
use super::space::Space;
use super::*;

const DIMENSION: usize = 16;

fn id(number: u64) -> MemoryId {
    MemoryId::new(number).unwrap()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In [-1, 1).
    fn component(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 8_388_608.0 - 1.0
    }
}

/// Vectors around a centre fifty of them, with lengths that differ.
fn clustered(count: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    let mut vector = |spread: f32, centre: &[f32]| -> Vec<f32> {
        centre
            .iter()
            .map(|x| x + spread * random.component())
            .collect()
    };
    let zero = [0.0; DIMENSION];
    let centres: Vec<Vec<f32>> = (0..count.div_ceil(50))
        .map(|_| vector(1.0, &zero))
        .collect();
    let around = |number: usize| vector(0.5, &centres[number * 7 % centres.len()]);
    (0..count).map(around).collect()
}

fn options(metric: Metric) -> IndexOptions {
    IndexOptions::new()
        .metric(metric)
        .build_effort(40)
        .exact_below(0)
}

fn space(options: IndexOptions, vectors: &[Vec<f32>]) -> Space {
    let space = Space::new(options.plan(), DIMENSION);
    insert(&space, 1, vectors);
    while space.work() {}
    space
}

fn prepared(space: &Space, vector: &[f32]) -> Vec<f32> {
    space.plan().metric.prepare(vector, String::new).unwrap()
}

fn insert(space: &Space, first: u64, vectors: &[Vec<f32>]) {
    for (number, vector) in (first..).zip(vectors) {
        space.insert(id(number), &prepared(space, vector));
    }
}

/// The nearest of all by exact vectors.
fn nearest(
    space: &Space,
    query: &[f32],
    k: usize,
    allowed: impl Fn(MemoryId) -> bool,
) -> Vec<MemoryId> {
    let mut best = top_k::TopK::new(k);
    space.for_each(|id, vector| {
        if allowed(id) {
            let score = space.plan().metric.score(query, vector);
            best.offer(Similar { id, score });
        }
    });
    best.into_sorted().iter().map(|found| found.id).collect()
}

/// The part of the ten nearest that searches find.
fn recall(space: &Space, queries: &[Vec<f32>], allowed: Allowed<'_>) -> f64 {
    let mut hits = 0;
    let mut wanted = 0;
    for query in queries {
        let query = prepared(space, query);
        let truth = nearest(space, &query, 10, |id| allowed.admits(id));
        let found = space.search(&query, 10, allowed);
        assert!(found.iter().all(|found| allowed.admits(found.id)));
        wanted += truth.len();
        hits += found
            .iter()
            .filter(|found| truth.contains(&found.id))
            .count();
    }
    hits as f64 / wanted as f64
}

#[test]
fn the_graph_finds_what_a_comparison_of_all_finds() {
    let vectors = clustered(2_000, 1);
    let queries = clustered(100, 1);
    for metric in [Metric::Cosine, Metric::Euclidean, Metric::InnerProduct] {
        let space = space(options(metric), &vectors);
        assert!(space.graph().entry().is_some());
        let recall = recall(&space, &queries, Allowed::Everything);
        assert!(recall >= 0.97, "{metric:?}: {recall}");
        assert_eq!(space.unreachable(), []);
    }
}

#[test]
fn a_filter_of_any_selectivity_leaves_only_what_it_admits_and_finds_it() {
    let space = space(options(Metric::Cosine), &clustered(2_000, 2));
    let queries = clustered(30, 2);
    for one_in in [2, 7, 50, 700] {
        let is_allowed = |id: MemoryId| id.get().is_multiple_of(one_in);
        let allowed = Allowed::Where(&is_allowed);
        let found = recall(&space, &queries, allowed);
        assert!(found >= 0.95, "one in {one_in} by a condition: {found}");
        let ids: HashSet<MemoryId> = (1..=2_000).map(id).filter(|id| is_allowed(*id)).collect();
        let found = recall(&space, &queries, Allowed::Only(&ids));
        assert!(found >= 0.95, "one in {one_in} by ids: {found}");
    }
    let nothing = recall_none(&space, &queries[0]);
    assert_eq!(nothing, 0);
}

fn recall_none(space: &Space, query: &[f32]) -> usize {
    let query = prepared(space, query);
    space.search(&query, 10, Allowed::Where(&|_| false)).len()
}

#[test]
fn what_is_inserted_is_found_at_once_however_far_the_graph_is() {
    let vectors = clustered(1_500, 3);
    let space = Space::new(options(Metric::Cosine).plan(), DIMENSION);
    for (number, vector) in (1..).zip(&vectors) {
        let vector = prepared(&space, vector);
        space.insert(id(number), &vector);
        if number % 3 == 0 {
            space.work();
        }
        if number % 10 == 0 {
            let found = space.search(&vector, 1, Allowed::Everything);
            assert_eq!(found[0].id, id(number));
        }
    }
    assert!(space.coverage().waiting > 0);
    assert_eq!(space.coverage().vectors, 1_500);
}

#[test]
fn removed_vectors_are_never_found_and_their_room_is_used_again() {
    let space = space(options(Metric::Cosine), &clustered(2_048, 4));
    let slots = space.graph().blocks().slots();
    let mut live: Vec<u64> = (1..=2_048).collect();
    for round in 0..3 {
        let (kept, gone): (Vec<u64>, Vec<u64>) =
            live.into_iter().partition(|number| number % 3 == round % 3);
        for number in &gone {
            assert!(space.remove(id(*number)));
            assert!(!space.remove(id(*number)));
        }
        for query in clustered(50, 4) {
            let found = space.search(&prepared(&space, &query), 10, Allowed::Everything);
            assert_eq!(found.len(), 10);
            assert!(found.iter().all(|found| kept.contains(&found.id.get())));
        }
        let first = 10_000 * (round + 1);
        insert(&space, first, &clustered(gone.len(), 5 + round));
        while space.work() {}
        live = kept;
        live.extend(first..first + gone.len() as u64);
        assert_eq!(space.len(), 2_048);
        assert_eq!(space.unreachable(), []);
    }
    // What a round adds before the room of the last one's removals is free.
    let now = space.graph().blocks().slots();
    assert!(now <= slots * 2, "{now} slots for {slots}");
    assert!(recall(&space, &clustered(50, 6), Allowed::Everything) >= 0.95);
}

#[test]
fn equal_vectors_are_all_reachable_and_ordered_by_id() {
    let mut vectors = vec![vec![1.0; DIMENSION]; 1_000];
    vectors.extend(clustered(536, 7));
    let space = space(options(Metric::Cosine), &vectors);
    assert_eq!(space.unreachable(), []);
    let found = space.search(&prepared(&space, &vectors[0]), 2_000, Allowed::Everything);
    assert_eq!(found.len(), 1_536);
    let first: Vec<u64> = found[..1_000].iter().map(|found| found.id.get()).collect();
    assert!(first.is_sorted());
}

#[test]
fn nothing_is_unreachable_after_concurrent_additions_removals_and_searches() {
    const THREADS: u64 = 4;
    const SHARE: usize = 400;
    let space = Space::new(options(Metric::Cosine).plan(), DIMENSION);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (space, is_over) = (&space, &is_over);
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let first = thread * 10_000 + 1;
                    for (number, vector) in (first..).zip(clustered(SHARE, thread)) {
                        space.insert(id(number), &prepared(space, &vector));
                        space.work();
                        if number % 4 == 0 {
                            assert!(space.remove(id(number)));
                        }
                    }
                    while space.work() {}
                })
            })
            .collect();
        let searcher = scope.spawn(move || {
            let queries = clustered(20, 1);
            let mut searches = 0;
            while !is_over.load(Ordering::Relaxed) {
                for query in &queries {
                    let found = space.search(&prepared(space, query), 10, Allowed::Everything);
                    let ids: HashSet<MemoryId> = found.iter().map(|found| found.id).collect();
                    assert_eq!(ids.len(), found.len(), "one was found twice");
                    searches += 1;
                }
            }
            searches
        });
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
        assert!(searcher.join().unwrap() > 0);
    });
    assert_eq!(space.unreachable(), []);
    let kept = THREADS as usize * SHARE * 3 / 4;
    assert_eq!(space.len(), kept);
    let all = space.search(
        &prepared(&space, &clustered(1, 1)[0]),
        kept,
        Allowed::Everything,
    );
    assert_eq!(all.len(), kept);
    assert!(recall(&space, &clustered(50, 2), Allowed::Everything) >= 0.95);
}

#[test]
fn a_node_that_was_cut_off_is_named() {
    let space = space(options(Metric::Cosine), &clustered(1_024, 8));
    let blocks = space.graph().blocks();
    let victim = blocks.linked().last().unwrap();
    for slot in blocks.linked() {
        let (block, place) = blocks.at(slot);
        let links: Vec<block::Slot> = block
            .nodes
            .links(place, 0)
            .filter(|link| *link != victim)
            .collect();
        block.nodes.set_links(place, 0, &links);
    }
    assert_eq!(space.unreachable(), [blocks.id(victim).unwrap()]);
    space.graph().span();
    assert_eq!(space.unreachable(), []);
}
