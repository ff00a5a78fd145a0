//! The memory store over the number of memories.

use std::time::Instant;

use memory_store::{
    Embedder as _, HashedNgrams, MemoryStore, Namespace, NewMemory, Query, Timestamp,
};

use super::{
    Kind, MEGABYTES, MICROSECONDS, MILLISECONDS, Measure, median, resident_bytes, spread, text,
    timed,
};
use crate::fit::Expected;

const THREADS: u64 = 32;

const RECALLS: u64 = 200;

pub(super) const KIND: Kind = Kind {
    name: "memory",
    varied: "memories",
    sizes: &[1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
    measures: &[
        Measure::new(
            "remember, durable, 32 threads",
            MICROSECONDS,
            Expected::Flat,
        ),
        Measure::new(
            "recall by words and vector, median",
            MICROSECONDS,
            Expected::LessThanLinear,
        ),
        Measure::new("open", MILLISECONDS, Expected::Linear),
        Measure::new("resident memory", MEGABYTES, Expected::Linear),
    ],
    measure: |dir, memories| {
        let store = MemoryStore::open(dir).map_err(text)?;
        let began = Instant::now();
        fill(&store, memories)?;
        let filled = began.elapsed().as_nanos() as f64 / memories as f64;
        store.close().map_err(text)?;
        drop(store);

        let (store, opened) = timed(|| MemoryStore::open(dir).map_err(text))?;
        let resident = resident_bytes()?;
        let recalled = recall(&store, memories)?;
        store.close().map_err(text)?;
        Ok(vec![filled, recalled, opened.as_nanos() as f64, resident])
    },
    planted: false,
};

fn namespace() -> Result<Namespace, String> {
    Namespace::new("sweep").map_err(text)
}

/// Words that are common, less common, and one's own.
fn words(number: u64) -> String {
    format!(
        "service {} reported incident {} in region {} with code c{number}",
        number % 97,
        number % 1_009,
        number % 11
    )
}

fn fill(store: &MemoryStore, memories: u64) -> Result<(), String> {
    let embedder = HashedNgrams::default();
    let one = |number: u64| -> Result<(), String> {
        let at = Timestamp::from_millis(1_700_000_000_000 + number as i64);
        let mut memory = NewMemory::new(namespace()?, words(number), at);
        if let Some(vector) = embedder.embed(&words(number)).map_err(text)? {
            memory = memory.vector(vector);
        }
        store.remember(memory).map_err(text)?;
        Ok(())
    };
    std::thread::scope(|scope| {
        let part = |thread: u64| {
            let one = &one;
            scope.spawn(move || {
                (thread..memories)
                    .step_by(THREADS as usize)
                    .try_for_each(one)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(part).collect();
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => Err("a thread panicked".to_owned()),
            })
    })
}

fn recall(store: &MemoryStore, memories: u64) -> Result<f64, String> {
    let embedder = HashedNgrams::default();
    let mut times = Vec::new();
    for turn in 0..RECALLS {
        let number = spread(turn, memories);
        let vector = embedder.embed(&words(number)).map_err(text)?;
        let vector = vector.ok_or("nothing to embed")?;
        let query = Query::new().text(words(number)).vector(vector).limit(10);
        let (found, time) = timed(|| store.recall(&namespace()?, &query).map_err(text))?;
        if !found.iter().any(|found| found.memory.text == words(number)) {
            return Err(format!(
                "memory {number} was asked for and is not among ten"
            ));
        }
        times.push(time);
    }
    Ok(median(times))
}
