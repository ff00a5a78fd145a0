//! How the similarity index grows: from 1,000 vectors upwards, tenfold a step, the cost of a search
//! by the graph and one by one, the recall, the cost of building, and the memory. One JSON object a
//! step on standard output. Times are of the processor; the two percentiles are of the clock, with
//! nobody else and with a thread that replaces vectors and rebuilds the graph meanwhile.
//!
//! ```text
//! cargo bench -p proofload-memory-store --bench growth -- [--items N] [--dimension D] [--effort E]...
//!     [--links M] [--build-effort B] [--threads T] [--seed S] [--vectors FILE]
//! ```
//!
//! `--items` (default 10,000) bounds the last step; 1,000,000 takes the better part of an hour.
//! `--vectors` reads f32 in little endian instead of generating: `--items` vectors, then queries.
#![expect(clippy::print_stdout, reason = "the figures are what this is run for")]

#[path = "common/resident.rs"]
mod resident;

use std::collections::HashSet;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memory_store::{IndexOptions, MemoryId, VectorIndex};

use resident::resident_bytes;

const QUERIES: usize = 1_000;
const K: usize = 10;

fn main() {
    let arguments = Arguments::parse();
    let mut items = arguments.items.min(1_000);
    loop {
        step(&arguments, items);
        if items >= arguments.items {
            break;
        }
        items = (items * 10).min(arguments.items);
    }
}

struct Arguments {
    items: usize,
    dimension: usize,
    efforts: Vec<usize>,
    options: IndexOptions,
    threads: usize,
    seed: u64,
    vectors: Option<String>,
}

impl Arguments {
    fn parse() -> Self {
        let mut parsed = Self {
            items: 10_000,
            dimension: 384,
            efforts: Vec::new(),
            options: IndexOptions::new(),
            threads: 1,
            seed: 42,
            vectors: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            // What cargo adds by itself.
            if name == "--bench" || name == "--test" {
                continue;
            }
            let value = arguments
                .next()
                .unwrap_or_else(|| panic!("{name} needs a value"));
            let number = || {
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("{name} {value}: no number"))
            };
            match name.as_str() {
                "--items" => parsed.items = number(),
                "--dimension" => parsed.dimension = number(),
                "--effort" => parsed.efforts.push(number()),
                "--links" => parsed.options = parsed.options.links(number() as u16),
                "--build-effort" => parsed.options = parsed.options.build_effort(number()),
                "--threads" => parsed.threads = number(),
                "--seed" => parsed.seed = number() as u64,
                "--vectors" => parsed.vectors = Some(value),
                _ => panic!("unknown argument {name}"),
            }
        }
        if parsed.efforts.is_empty() {
            parsed.efforts = vec![parsed.options.search_effort];
        }
        parsed
    }
}

fn step(arguments: &Arguments, items: usize) {
    let mut vectors = match &arguments.vectors {
        Some(path) => read(path, arguments.dimension),
        None => clustered(items + QUERIES, arguments.dimension, arguments.seed),
    };
    let queries = vectors.split_off(vectors.len() - QUERIES);
    vectors.truncate(items);
    let before = resident_bytes();
    let index = VectorIndex::new(
        NonZeroUsize::new(arguments.dimension).expect("a dimension"),
        arguments.options.exact_below(0),
    );
    for (number, vector) in (1..).zip(&vectors) {
        index.insert(id(number), vector).expect("a valid vector");
    }
    let exact = time_exact(&index, &queries);
    let build: Duration = std::thread::scope(|scope| {
        let build = || {
            let time = CpuTime::start();
            index.build(|_| {});
            time.elapsed()
        };
        let threads: Vec<_> = (0..arguments.threads).map(|_| scope.spawn(build)).collect();
        let times = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        times.sum()
    });
    let memory = resident_bytes().saturating_sub(before);
    let truth: Vec<HashSet<MemoryId>> = queries
        .iter()
        .map(|query| nearest(&vectors, query))
        .collect();
    let quiet = percentile_99(&index, &queries);
    for effort in &arguments.efforts {
        let (recall, search) = measure(&index, &queries, &truth, *effort);
        let busy = while_writing(&index, &vectors, || percentile_99(&index, &queries));
        println!(
            "{{\"items\":{items},\"dimension\":{},\"effort\":{effort},\"recall_at_10\":{recall:.4},\
             \"search_us\":{:.1},\"searches_per_s\":{:.0},\"p99_us\":{:.0},\
             \"p99_us_while_writing\":{:.0},\"exact_us\":{:.1},\"build_s\":{:.2},\
             \"bytes_a_vector\":{},\"vector_bytes\":{},\"unreachable\":{}}}",
            arguments.dimension,
            search.as_secs_f64() * 1e6,
            1.0 / search.as_secs_f64(),
            quiet.as_secs_f64() * 1e6,
            busy.as_secs_f64() * 1e6,
            exact.as_secs_f64() * 1e6,
            build.as_secs_f64(),
            memory / items,
            arguments.dimension * 4,
            index.unreachable().len(),
        );
    }
}

fn id(number: u64) -> MemoryId {
    MemoryId::new(number).expect("above zero")
}

/// The time of one search without the graph: before it is built, all are compared.
fn time_exact(index: &VectorIndex, queries: &[Vec<f32>]) -> Duration {
    // Some millions of comparisons, as the system counts processor time in steps.
    let searches = (3_000_000 / index.coverage().vectors.max(1)).clamp(20, 1_000);
    let time = CpuTime::start();
    for query in queries.iter().cycle().take(searches) {
        index.search(query, K).expect("a valid query");
    }
    time.elapsed() / searches as u32
}

/// Recall, and the best mean time of a search in five rounds.
fn measure(
    index: &VectorIndex,
    queries: &[Vec<f32>],
    truth: &[HashSet<MemoryId>],
    effort: usize,
) -> (f64, Duration) {
    let mut best = Duration::MAX;
    let mut hits = 0;
    for _ in 0..5 {
        hits = 0;
        let time = CpuTime::start();
        for (query, truth) in queries.iter().zip(truth) {
            let found = index.search_with(query, K, effort).expect("a valid query");
            hits += found.iter().filter(|(id, _)| truth.contains(id)).count();
        }
        best = best.min(time.elapsed() / queries.len() as u32);
    }
    (hits as f64 / (queries.len() * K) as f64, best)
}

fn percentile_99(index: &VectorIndex, queries: &[Vec<f32>]) -> Duration {
    let time = |query: &Vec<f32>| {
        let began = Instant::now();
        index.search(query, K).expect("a valid query");
        began.elapsed()
    };
    let mut times: Vec<Duration> = queries.iter().cycle().take(5_000).map(time).collect();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// Does something while a thread replaces vectors by themselves, one after the other.
fn while_writing<T>(index: &VectorIndex, vectors: &[Vec<f32>], work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (number, vector) in (1..).zip(vectors).cycle() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                index.insert(id(number), vector).expect("a valid vector");
                index.build(|_| {});
            }
        });
        let result = work();
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

fn nearest(vectors: &[Vec<f32>], query: &[f32]) -> HashSet<MemoryId> {
    let dot = |vector: &[f32]| -> f32 {
        let (a, b) = (vector.as_chunks::<16>().0, query.as_chunks::<16>().0);
        let mut sums = [0.0_f32; 16];
        for (a, b) in a.iter().zip(b) {
            (0..16).for_each(|lane| sums[lane] += a[lane] * b[lane]);
        }
        sums.iter().sum()
    };
    let mut scored: Vec<(f32, u64)> = (1..)
        .zip(vectors)
        .map(|(number, vector)| (-dot(vector), number))
        .collect();
    scored.select_nth_unstable_by(K, |a, b| a.0.total_cmp(&b.0));
    scored[..K].iter().map(|(_, number)| id(*number)).collect()
}

/// Unit vectors around one centre a hundred of them, spread as far as the centres are long: about
/// as hard as the embeddings of texts.
fn clustered(count: usize, dimension: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    let clusters = (count / 100).max(10);
    let normal =
        |random: &mut Random| -> Vec<f32> { (0..dimension).map(|_| random.normal()).collect() };
    let centres: Vec<Vec<f32>> = (0..clusters).map(|_| normal(&mut random)).collect();
    let vector = |_| {
        let centre = &centres[(random.next() % clusters as u64) as usize];
        let mut vector = normal(&mut random);
        vector.iter_mut().zip(centre).for_each(|(x, c)| *x += c);
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    };
    (0..count).map(vector).collect()
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

    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// By Box and Muller.
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }
}

fn read(path: &str, dimension: usize) -> Vec<Vec<f32>> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let components: Vec<f32> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    components.chunks(dimension).map(<[f32]>::to_vec).collect()
}

/// The processor time of this thread where the system tells it, as others may use the machine;
/// otherwise the time that passes.
struct CpuTime {
    cpu: Option<Duration>,
    began: Instant,
}

impl CpuTime {
    fn start() -> Self {
        Self {
            cpu: thread_time(),
            began: Instant::now(),
        }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, thread_time()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.began.elapsed(),
        }
    }
}

/// In nanoseconds (see "schedstat" in the kernel's documentation).
fn thread_time() -> Option<Duration> {
    let line = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = line.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
