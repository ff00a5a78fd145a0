//! What a store of many memories costs, and how long recall takes in it: by words that many texts
//! have and by words that few have, by all signals at once, under filters that let little, half or
//! nearly all through, with nobody else and with eight writers at work. Texts have 10 to 39 words,
//! frequent and rare ones as in natural language (Zipf's law), and vectors of 256 dimensions.
//!
//! ```text
//! cargo bench -p proofload-memory-store --bench scale -- [--items N] [--rounds N] [--directory DIR]
//! ```
//!
//! `--items` (default 5,000) says how many; percentiles are of the clock. A store is written into a
//! directory that is missing, and one that is there is asked. The asking is done by a process of its
//! own, whose memory is what the open store takes.
#![expect(clippy::print_stdout, reason = "the figures are what this is run for")]

#[path = "common/numbers.rs"]
mod numbers;
#[path = "common/resident.rs"]
mod resident;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use memory_store::{
    Edge, Filter, HashedNgrams, MemoryId, MemoryStore, Namespace, NewMemory, Query, Relation,
    Signal, Timestamp, Traversal,
};

use numbers::Numbers;
use resident::resident_bytes;

fn main() {
    let (mut items, mut rounds, mut directory) = (5_000, 400, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            // What cargo adds by itself.
            "--bench" => {}
            "--test" => (items, rounds) = (1_000, 5),
            "--items" => items = number(arguments.next()),
            "--rounds" => rounds = number(arguments.next()) as usize,
            "--directory" => directory = arguments.next().map(PathBuf::from),
            _ => panic!("unknown argument {name}"),
        }
    }
    match directory {
        Some(directory) if directory.exists() => ask(&directory, items, rounds),
        Some(directory) => run(&directory, items, rounds),
        None => {
            let temporary = tempfile::tempdir().expect("a temporary directory");
            run(&temporary.path().join("store"), items, rounds);
        }
    }
}

fn number(argument: Option<String>) -> u64 {
    let argument = argument.expect("an argument needs a value");
    let parsed = argument.parse();
    parsed.unwrap_or_else(|_| panic!("{argument}: no number"))
}

fn run(directory: &Path, items: u64, rounds: usize) {
    let store = open(directory);
    say("write", || fill(&store, items));
    say("index", || store.build_index(|_| {}));
    say("close", || store.close().expect("closed"));
    drop(store);
    let asking = Command::new(std::env::current_exe().expect("this program"))
        .arg("--directory")
        .arg(directory)
        .args([
            "--items",
            &items.to_string(),
            "--rounds",
            &rounds.to_string(),
        ])
        .status();
    assert!(asking.expect("started").success(), "it failed");
}

fn ask(directory: &Path, items: u64, rounds: usize) {
    let before = resident_bytes();
    let store = say("open", || open(directory));
    let resident = resident_bytes().saturating_sub(before) / 1_000_000;
    println!("resident after opening, more than before: {resident} MB");
    for writers in [0, 8] {
        let stop = AtomicBool::new(false);
        let mut written = 0;
        thread::scope(|scope| {
            let (store, stop) = (&store, &stop);
            let write = |writer| scope.spawn(move || write(store, items, writer, stop));
            let writing: Vec<_> = (0..writers).map(write).collect();
            let began = Instant::now();
            let stopping = Stop(stop);
            recall_in_turns(store, items, rounds, writers);
            drop(stopping);
            let counts = writing
                .into_iter()
                .map(|writer| writer.join().expect("ended"));
            written = (counts.sum::<u64>() as f64 / began.elapsed().as_secs_f64()) as u64;
        });
        println!("{writers} writers wrote {written} memories a second");
    }
}

/// Ends the writers, also where a recall fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn say<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let worked = work();
    println!("{what}: {:.2} s", began.elapsed().as_secs_f64());
    worked
}

fn open(directory: &Path) -> MemoryStore {
    let options = MemoryStore::options().embedder(Arc::new(HashedNgrams::default()));
    options.open(directory).expect("a store")
}

fn namespace() -> Namespace {
    Namespace::new("bench").expect("a valid name")
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis.cast_signed())
}

/// Memories in commits of many, and an edge for each from one of them to another one.
fn fill(store: &MemoryStore, items: u64) {
    const AT_ONCE: u64 = 1_000;
    let mut numbers = Numbers(1);
    for first in (1..=items).step_by(AT_ONCE as usize) {
        let last = (first + AT_ONCE - 1).min(items);
        let memories = (first..=last).map(|number| memory(number, &mut numbers));
        let ids = store.remember_all(memories).expect("remembered");
        // Few are enough for a walk, and each is a commit of its own.
        let relation = Relation::new("caused").expect("a valid name");
        for pair in ids.windows(2).step_by(AT_ONCE as usize / 10) {
            let edge = Edge::new(namespace(), pair[0], relation.clone(), pair[1], at(first));
            store.link(edge).expect("linked");
        }
    }
}

fn memory(number: u64, numbers: &mut Numbers) -> NewMemory {
    let length = 10 + numbers.below(30);
    let words: Vec<String> = (0..length).map(|_| word(numbers)).collect();
    let mut new = NewMemory::new(namespace(), words.join(" "), at(number))
        .attribute("half", i64::from(number.is_multiple_of(2)))
        .attribute("agent", format!("agent-{}", number % 100));
    if number.is_multiple_of(1_000) {
        new = new.tag("rare");
    }
    if number.is_multiple_of(10) {
        new = new.valid_until(at(number + 1_000));
    }
    new
}

fn write(store: &MemoryStore, items: u64, writer: u64, stop: &AtomicBool) -> u64 {
    let mut numbers = Numbers(100 + writer);
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let new = memory(items + 1, &mut numbers);
        store.remember(new).expect("remembered");
        written += 1;
    }
    written
}

/// Each kind of question once, then the next round.
fn recall_in_turns(store: &MemoryStore, items: u64, rounds: usize, writers: u64) {
    let mut numbers = Numbers(5);
    let mut times: Vec<(&str, Vec<Duration>)> = Vec::new();
    for _ in 0..rounds {
        for (place, (name, query)) in queries(items, &mut numbers).into_iter().enumerate() {
            let began = Instant::now();
            let found = store.recall(&namespace(), &query).expect("recalled");
            let time = began.elapsed();
            std::hint::black_box(found);
            match times.get_mut(place) {
                Some((_, times)) => times.push(time),
                None => times.push((name, vec![time])),
            }
        }
    }
    for (name, mut times) in times {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        let (p50, p99) = (at(50), at(99));
        println!("{name}, {writers} writers: p50 {p50:.2?}, p99 {p99:.2?}");
    }
}

fn queries(items: u64, numbers: &mut Numbers) -> Vec<(&'static str, Query)> {
    // A word of rank r stands in about every (10 r)-th place.
    let mut words = |from: u64, to: u64| {
        let word = |_| format!("word{}", from + numbers.below(to - from));
        (0..3).map(word).collect::<Vec<_>>().join(" ")
    };
    let (common, rare, mixed) = (words(0, 20), words(5_000, 40_000), words(0, 2_000));
    let start = MemoryId::new(numbers.below(items) + 1).expect("not zero");
    let two_hops = NonZeroU32::new(2).expect("not zero");
    let text = |words: String| Query::new().text(words).weight(Signal::Similarity, 0.0);
    let fused = || Query::new().text(mixed.clone());
    let only = |filter| fused().only(filter);
    let agent = Filter::new().attribute("agent", "agent-7");
    vec![
        ("text of common words", text(common)),
        ("text of rare words", text(rare)),
        ("text and similarity", fused()),
        (
            "all five signals",
            fused()
                .related(Traversal::new(start).hops(two_hops))
                .prefer(agent)
                .recency(),
        ),
        ("with 0.1 %", only(Filter::new().tag("rare"))),
        ("with 50 %", only(Filter::new().attribute("half", 1))),
        ("with 99 %", only(Filter::new().from(at(items / 100)))),
        ("as of a moment", fused().as_of(at(items / 2))),
    ]
}

/// A word of fifty thousand, each as often as its rank says: the logarithm of a rank is drawn.
fn word(numbers: &mut Numbers) -> String {
    let part = numbers.below(1 << 30) as f64 / f64::from(1 << 30);
    format!("word{}", 50_000_f64.powf(part) as u64 - 1)
}
