//! Inputs of the benchmarks, the same at each run, and percentiles.
#![expect(
    clippy::print_stderr,
    reason = "criterion reports means, these are percentiles"
)]

mod numbers;

pub(crate) use numbers::Numbers;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use memory_store::{
    Embedder, HashedNgrams, MemoryId, MemoryStore, Namespace, NewMemory, Timestamp,
};

/// How many there are: few where nothing is measured, but only whether it runs.
pub(crate) fn memories() -> u64 {
    if is_trial() { 1_000 } else { 100_000 }
}

/// Whether criterion runs everything but once.
pub(crate) fn is_trial() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

pub(crate) fn namespace() -> Namespace {
    Namespace::new("bench").unwrap()
}

pub(crate) fn id(number: u64) -> MemoryId {
    MemoryId::new(number).unwrap()
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Twelve words of five thousand, the frequent ones more often.
pub(crate) fn text(numbers: &mut Numbers) -> String {
    let mut word = || {
        let part = numbers.below(1 << 20) as f64 / f64::from(1 << 20);
        format!("word{}", (part.powi(2) * 5_000.0) as u32)
    };
    (0..12).map(|_| word()).collect::<Vec<_>>().join(" ")
}

/// Memories and edges as an export, whose import is one transaction; the vectors are the hashed
/// n-grams of the texts.
pub(crate) fn export(memories: u64, edges: u64, has_vectors: bool) -> String {
    let embedder = HashedNgrams::default();
    let dimension = if has_vectors { "256" } else { "null" };
    let mut numbers = Numbers(1);
    let mut lines = String::from("{\"kind\":\"begin\",\"format\":1}\n");
    let mut records = 2;
    writeln!(
        lines,
        "{{\"kind\":\"namespace\",\"name\":\"bench\",\"next_id\":1,\"dimension\":{dimension},\
         \"quota\":{{\"items\":null,\"bytes\":null}}}}"
    )
    .unwrap();
    for number in 1..=memories {
        let text = text(&mut numbers);
        let agent = format!("agent-{}", number % 100);
        let mut new = NewMemory::new(namespace(), text.as_str(), at(number.cast_signed()))
            .attribute("agent", agent.as_str());
        let mut vector = "null".to_owned();
        if has_vectors {
            new = new.vector(embedder.embed(&text).unwrap().unwrap());
            let components = new.vector.iter().flatten().map(ToString::to_string);
            vector = format!("\"{}\"", components.collect::<Vec<_>>().join(" "));
        }
        let digest = new.digest();
        writeln!(
            lines,
            "{{\"kind\":\"memory\",\"id\":{number},\"version\":1,\"at\":{number},\
             \"text\":\"{text}\",\"tags\":[],\"attributes\":{{\"agent\":\"{agent}\"}},\
             \"vector\":{vector},\"valid_from\":{number},\"valid_until\":null,\"expires_at\":null,\
             \"recorded_at\":{number},\"digest\":\"{digest}\"}}"
        )
        .unwrap();
        records += 1;
    }
    let mut seen = HashSet::new();
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

pub(crate) fn imported(directory: &Path, edges: u64, has_vectors: bool) -> MemoryStore {
    let store = MemoryStore::open(directory).unwrap();
    let memories = memories();
    let export = export(memories, edges, has_vectors);
    let began = Instant::now();
    store.import(export.as_bytes()).unwrap();
    eprintln!(
        "import of {memories} memories and {edges} edges: {:.1?}",
        began.elapsed()
    );
    store
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

pub(crate) fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    eprintln!(
        "{what}: p50 {:.1?}, p99 {:.1?}, max {:.1?} of {}",
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100),
        times.len()
    );
}
