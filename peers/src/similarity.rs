//! The ten nearest of ten thousand vectors: `memory-store`'s index, exact and by its graph, a plain
//! loop, and the graph of hnsw_rs.

use std::collections::HashSet;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use hnsw_rs::prelude::{DistL2, Hnsw};
use memory_store::{IndexOptions, MemoryId, VectorIndex};

use crate::comparison::{Comparison, Effort, Measured, Role, Setting, Side, nanos_each};
use crate::random::SplitMix64;

const ABOUT: &str = "\
The ten nearest by cosine, one thread, in memory, of vectors that lie in clusters as those of texts do. \
recall@10 is the share of the true ten, found by a plain comparison in double precision. The exact scan compares \
the query with every vector; its limit is to read every vector once. The graphs are approximate: compare rows of \
about the same recall. Both have 16 links a node; hnsw_rs builds with ef 200 and its SIMD feature on, and gets \
vectors of unit length and squared distances, which rank as cosines do. usearch was left out: without its C++ \
kernels it is not what its users run, and with them it takes minutes to compile.";

const DIMENSION: usize = 384;
const VECTORS: usize = 10_000;
const QUERIES: usize = 100;
const NEAREST: usize = 10;
const LINKS: u16 = 16;

pub(crate) fn compare(effort: Effort) -> anyhow::Result<Comparison> {
    let input = Input::new(VECTORS, QUERIES);
    Ok(Comparison {
        name: "similarity",
        about: ABOUT,
        quality: Some("recall@10"),
        settings: vec![exact(&input, effort)?, by_graph(&input, effort)?],
    })
}

/// What is searched, what is asked, and what is right.
struct Input {
    vectors: Vec<Vec<f32>>,
    queries: Vec<Vec<f32>>,
    truth: Vec<HashSet<usize>>,
}

impl Input {
    fn new(vectors: usize, queries: usize) -> Self {
        const CLUSTERS: usize = 100;
        let mut random = SplitMix64::new(7);
        let centers: Vec<_> = (0..CLUSTERS)
            .map(|_| near(&[0.0; DIMENSION], &mut random))
            .collect();
        let mut some = |number: usize| -> Vec<Vec<f32>> {
            let each = (0..number).map(|at| near(&centers[at % CLUSTERS], &mut random));
            each.collect()
        };
        let (vectors, queries) = (some(vectors), some(queries));
        let truth = queries.iter().map(|query| nearest(&vectors, query));
        Self {
            truth: truth.collect(),
            vectors,
            queries,
        }
    }

    fn name(&self, how: &str) -> String {
        let count = self.vectors.len();
        format!("{how}, {count} vectors of {DIMENSION} dimensions")
    }

    /// Goes around the queries, from round to round; the recall is that of all of them.
    fn side<'a>(
        &'a self,
        role: Role,
        name: impl Into<String>,
        effort: Effort,
        search: impl Fn(&[f32]) -> anyhow::Result<Vec<usize>> + 'a,
    ) -> Side<'a> {
        let mut at = 0;
        Side::new(role, name, move || {
            let mut failed = None;
            let nanos = nanos_each(effort.window, 1, || {
                let found = search(&self.queries[at]).map(black_box);
                failed = found.err().or(failed.take());
                at = (at + 1) % self.queries.len();
            });
            if let Some(error) = failed {
                return Err(error);
            }
            let mut found = 0;
            for (query, truth) in self.queries.iter().zip(&self.truth) {
                let answer: HashSet<usize> = search(query)?.into_iter().collect();
                found += answer.intersection(truth).count();
            }
            Ok(Measured {
                nanos_each: nanos,
                quality: Some(found as f64 / (NEAREST * self.queries.len()) as f64),
            })
        })
    }
}

fn exact(input: &Input, effort: Effort) -> anyhow::Result<Setting> {
    let ours = ours(input, IndexOptions::new().exact_below(usize::MAX))?;
    let plain = |query: &[f32]| Ok(plain_scan(&input.vectors, query));
    let (window, all) = (effort.window, &input.vectors);
    let reading = move || {
        let nanos = nanos_each(window, 1, || {
            black_box(read_all(black_box(all)));
        });
        Ok(Measured::nanos(nanos))
    };
    let sides = vec![
        input.side(Role::Ours, "memory-store, exact scan", effort, |query| {
            search(&ours, query, 1)
        }),
        input.side(Role::Peer, "a plain loop", effort, plain),
        Side::new(Role::Limit, "reading every vector once", reading),
    ];
    Setting::measure(input.name("exact"), effort.rounds, sides)
}

fn by_graph(input: &Input, effort: Effort) -> anyhow::Result<Setting> {
    let options = IndexOptions::new().links(LINKS).exact_below(0);
    let (ours, ours_built) = timed(|| ours(input, options))?;
    let (theirs, theirs_built) = timed(|| hnsw(&input.vectors))?;
    let (ours, theirs) = (&ours, &theirs);

    let usual = options.search_effort;
    let mut sides = vec![input.side(
        Role::Ours,
        format!("memory-store, effort {usual}"),
        effort,
        move |query| search(ours, query, usual),
    )];
    for ef in [32, 64, 128, 256] {
        sides.push(input.side(
            Role::Peer,
            format!("hnsw_rs, ef {ef}"),
            effort,
            move |query| {
                let found = theirs.search(query, NEAREST, ef);
                Ok(found.into_iter().map(|it| it.d_id).collect())
            },
        ));
    }
    let setting = Setting::measure(input.name("by a graph"), effort.rounds, sides)?;
    Ok(setting.note(format!(
        "Built before the rounds, once, by one thread: ours in {ours_built:.1} s, hnsw_rs in {theirs_built:.1} s."
    )))
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
    let began = Instant::now();
    let done = work()?;
    Ok((done, began.elapsed().as_secs_f64()))
}

/// Ids are places counted from 1.
fn ours(input: &Input, options: IndexOptions) -> anyhow::Result<VectorIndex> {
    let dimension = NonZeroUsize::new(DIMENSION).context("no dimensions")?;
    let index = VectorIndex::new(dimension, options);
    for (id, vector) in (1..).zip(&input.vectors) {
        index.insert(MemoryId::new(id)?, vector)?;
    }
    index.build(|_| {});
    let waiting = index.coverage().waiting;
    ensure!(waiting == 0, "{waiting} vectors wait for the graph");
    Ok(index)
}

fn search(index: &VectorIndex, query: &[f32], effort: usize) -> anyhow::Result<Vec<usize>> {
    let found = index.search_with(query, NEAREST, effort)?;
    let place = |(id, _): (MemoryId, f32)| Ok(usize::try_from(id.get())? - 1);
    found.into_iter().map(place).collect()
}

fn hnsw(vectors: &[Vec<f32>]) -> anyhow::Result<Hnsw<'static, f32, DistL2>> {
    const LAYERS: usize = 16;
    const EF_CONSTRUCTION: usize = 200;
    let links = usize::from(LINKS);
    let graph = Hnsw::new(links, vectors.len(), LAYERS, EF_CONSTRUCTION, DistL2 {});
    for (at, vector) in vectors.iter().enumerate() {
        graph.insert((vector.as_slice(), at));
    }
    ensure!(
        graph.get_nb_point() == vectors.len(),
        "hnsw_rs has {} vectors",
        graph.get_nb_point()
    );
    Ok(graph)
}

/// A unit vector some way from a center.
fn near(center: &[f32], random: &mut SplitMix64) -> Vec<f32> {
    let moved: Vec<f32> = center
        .iter()
        .map(|it| it + 0.1 * (random.unit() - 0.5) as f32)
        .collect();
    let length = moved.iter().map(|it| it * it).sum::<f32>().sqrt();
    moved.iter().map(|it| it / length).collect()
}

/// By comparing all, in double precision.
fn nearest(vectors: &[Vec<f32>], query: &[f32]) -> HashSet<usize> {
    let cosine = |vector: &[f32]| -> f64 {
        let pairs = vector.iter().zip(query);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let mut scored: Vec<_> = vectors.iter().map(|it| cosine(it)).enumerate().collect();
    scored.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    scored.into_iter().take(NEAREST).map(|(at, _)| at).collect()
}

/// What one would write without a library: sums in lanes, and the ten best in a sorted list.
fn plain_scan(vectors: &[Vec<f32>], query: &[f32]) -> Vec<usize> {
    const LANES: usize = 16;
    let mut best: Vec<(f32, usize)> = Vec::with_capacity(NEAREST + 1);
    for (at, vector) in vectors.iter().enumerate() {
        let mut sums = [0.0; LANES];
        for (a, b) in vector.chunks_exact(LANES).zip(query.chunks_exact(LANES)) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        let score: f32 = sums.iter().sum();
        let place = best.partition_point(|(other, _)| *other >= score);
        if place < NEAREST {
            best.insert(place, (score, at));
            best.truncate(NEAREST);
        }
    }
    best.into_iter().map(|(_, at)| at).collect()
}

/// Sums in as many lanes as there are, so that memory is the limit and not an addition's latency.
fn read_all(vectors: &[Vec<f32>]) -> [f32; 64] {
    let mut sums = [0.0; 64];
    for vector in vectors {
        for lanes in vector.chunks_exact(sums.len()) {
            sums.iter_mut().zip(lanes).for_each(|(sum, it)| *sum += it);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EFFORT: Effort = Effort {
        rounds: 1,
        window: Duration::from_millis(1),
    };

    fn recalls(setting: &Setting) -> Vec<f64> {
        let rows = setting.rows.iter();
        rows.filter_map(|row| Some(row.quality?.median)).collect()
    }

    #[test]
    fn exact_scans_find_all_of_the_truth() {
        let setting = exact(&Input::new(500, 10), EFFORT).unwrap();
        assert_eq!(recalls(&setting), [1.0, 1.0]);
        assert_eq!(setting.rows.len(), 3);
    }

    #[test]
    fn a_wide_search_of_either_graph_finds_nearly_all() {
        let setting = by_graph(&Input::new(2_000, 10), EFFORT).unwrap();
        let recalls = recalls(&setting);
        assert!(recalls[0] > 0.9 && recalls[4] > 0.9, "{recalls:?}");
    }
}
