//! How long a store takes to open with the saved graph of its vectors and without it. One JSON
//! object on standard output; times are of the clock.
//!
//! ```text
//! cargo bench -p proofload-memory-store --bench opening -- [--items N] [--dimension D]
//! ```
//!
//! `--items` (default 5,000) bounds it; 100,000 take some minutes to write and to build.
#![expect(clippy::print_stdout, reason = "the figures are what this is run for")]

use std::fs;
use std::time::{Duration, Instant};

use memory_store::{IndexOrigin, MemoryStore, Namespace, NewMemory, Timestamp};

const AGENTS: usize = 50;

fn main() {
    let (mut items, mut dimension) = (5_000, 384);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        // What cargo adds by itself.
        if name == "--bench" || name == "--test" {
            continue;
        }
        let value = arguments
            .next()
            .unwrap_or_else(|| panic!("{name} needs a value"));
        let number = value
            .parse()
            .unwrap_or_else(|_| panic!("{name} {value}: no number"));
        match name.as_str() {
            "--items" => items = number,
            "--dimension" => dimension = number,
            _ => panic!("unknown argument {name}"),
        }
    }
    run(items, dimension);
}

fn run(items: usize, dimension: usize) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = || MemoryStore::open(directory.path()).expect("a store");
    let store = open();
    let (write, ()) = timed(|| fill(&store, items, dimension));
    let (build, ()) = timed(|| store.build_index(|_| {}));
    let (close, ()) = timed(|| store.close().expect("closed"));
    drop(store);
    let (with_index, store) = timed(open);
    let health = &store.index_health()[0];
    let is_loaded = matches!(health.origin, IndexOrigin::Loaded { .. });
    let waiting = health.coverage.waiting;
    let (check, report) = timed(|| store.check().expect("a report"));
    drop(store);
    let folder = directory.path().join("similarity");
    let file_bytes: u64 = fs::read_dir(&folder)
        .map(|files| files.flatten().filter_map(|file| file.metadata().ok()))
        .map_or(0, |files| files.map(|file| file.len()).sum());
    // Nothing is saved below the number of vectors from which there is a graph.
    let _ = fs::remove_dir_all(&folder);
    let (without_index, store) = timed(open);
    let (rebuild, ()) = timed(|| store.build_index(|_| {}));
    println!(
        "{{\"items\":{items},\"dimension\":{dimension},\"write_s\":{:.2},\"build_after_s\":{:.2},\
         \"close_s\":{:.2},\"open_s\":{:.3},\"is_loaded\":{is_loaded},\"waiting\":{waiting},\
         \"open_without_s\":{:.3},\"rebuild_behind_s\":{:.2},\"check_s\":{:.2},\"is_clean\":{},\
         \"file_bytes\":{file_bytes}}}",
        write.as_secs_f64(),
        build.as_secs_f64(),
        close.as_secs_f64(),
        with_index.as_secs_f64(),
        without_index.as_secs_f64(),
        rebuild.as_secs_f64(),
        check.as_secs_f64(),
        report.is_clean(),
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let result = work();
    (began.elapsed(), result)
}

fn fill(store: &MemoryStore, items: usize, dimension: usize) {
    let namespace = Namespace::new("bench").expect("a name");
    std::thread::scope(|scope| {
        for agent in 0..AGENTS {
            let namespace = &namespace;
            scope.spawn(move || {
                for number in (agent..items).step_by(AGENTS) {
                    let at = Timestamp::from_millis(number as i64);
                    let new = NewMemory::new(namespace.clone(), format!("memory {number}"), at);
                    let new = new.vector(vector(number as u64, dimension));
                    store.remember(new).expect("remembered");
                }
            });
        }
    });
}

/// Around one of a hundred centres (SplitMix64).
fn vector(number: u64, dimension: usize) -> Vec<f32> {
    let component = |seed: u64, place: usize| {
        let state = (seed << 32 | place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..dimension)
        .map(|place| component(number % 100, place) + component(number + 1_000, place))
        .collect()
}
