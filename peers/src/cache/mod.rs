//! Reading through a bounded cache: quick_cache as `memory-store` uses it, moka, dashmap.

mod trace;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::ensure;
use quick_cache::Weighter;
use quick_cache::sync::GuardResult;

use crate::comparison::{Comparison, Effort, Measured, Role, Setting, Side};

const ABOUT: &str = "\
Reads of 100,000 keys by Zipf's law (exponent 0.99), of which 10,000 are kept; a miss makes the value, \
which costs an allocation, and keeps it. The time is that of the window divided by the reads of all threads, \
each of which goes through the trace from another place. quick_cache is called as the cache tier of \
memory-store calls it: weighed, a plain look-up first, then a placeholder. dashmap keeps everything: it has no \
bound, so it is no cache, and shows what the bound costs.";

const KEYS: usize = 100_000;
const CAPACITY: usize = 10_000; // values kept
const EXPONENT: f64 = 0.99;
const READS: usize = 1 << 19; // of the trace, which is gone through again and again

pub(crate) fn compare(effort: Effort) -> anyhow::Result<Comparison> {
    let trace = trace::zipf(KEYS, EXPONENT, READS, 7);
    let best = trace::best_hit_rate(&trace, CAPACITY);
    let settings = [1, 100]
        .into_iter()
        .map(|threads| {
            let setting = measure(&trace, CAPACITY, threads, effort)?;
            Ok(setting.note(format!(
                "Whoever knew the whole trace would keep what is read again soonest and hit {:.1} % \
                 with the same bound.",
                best * 100.0
            )))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Comparison {
        name: "cache",
        about: ABOUT,
        quality: Some("hit rate"),
        settings,
    })
}

fn measure(
    trace: &[u64],
    capacity: usize,
    threads: usize,
    effort: Effort,
) -> anyhow::Result<Setting> {
    let caches: [(Role, &str, Box<dyn ReadThrough>); 3] = [
        (
            Role::Ours,
            "quick_cache, as memory-store uses it",
            Box::new(quick(capacity)),
        ),
        (Role::Peer, "moka", Box::new(Moka::new(capacity as u64))),
        (Role::Peer, "dashmap (no bound)", Box::new(Dash::new())),
    ];
    let passes = caches.iter().map(|(role, name, cache)| {
        // Filled by a first pass; the second one tells the hit rate, whatever a window holds.
        let hits = || trace.iter().filter(|key| cache.read(**key).1).count();
        hits();
        (*role, *name, &**cache, hits() as f64 / trace.len() as f64)
    });
    let sides = passes.map(|(role, name, cache, rate)| {
        let mut from = 0;
        Side::new(role, name, move || {
            let (nanos_each, reads) = read(cache, trace, from, threads, effort.window)?;
            // The next round reads on, so that no round meets what the one before has left.
            from += reads / threads;
            Ok(Measured {
                nanos_each,
                quality: Some(rate),
            })
        })
    });
    let sides = sides.collect();
    let threads = if threads == 1 {
        "1 thread".to_owned()
    } else {
        format!("{threads} threads")
    };
    Setting::measure(threads, effort.rounds, sides)
}

/// What one thread saw within the window.
#[derive(Default)]
struct Seen {
    reads: u64,
    wrong: u64,
}

fn read(
    cache: &dyn ReadThrough,
    trace: &[u64],
    from: usize,
    threads: usize,
    window: Duration,
) -> anyhow::Result<(f64, usize)> {
    let ended = AtomicBool::new(false);
    let start = Barrier::new(threads + 1);
    let (seen, elapsed) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (ended, start) = (&ended, &start);
                let from = (from + trace.len() / threads * thread) % trace.len();
                scope.spawn(move || {
                    start.wait();
                    read_until(cache, trace, from, ended)
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        std::thread::sleep(window);
        ended.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for worker in workers {
            let seen = worker.join().expect("a reader does not panic");
            all.reads += seen.reads;
            all.wrong += seen.wrong;
        }
        // All of the reads above happened until now, also those after the end was called.
        (all, began.elapsed())
    });
    ensure!(
        seen.wrong == 0,
        "{} reads gave another key's value",
        seen.wrong
    );
    ensure!(
        seen.reads > 0,
        "no read within {window:?}: give a longer --window-ms"
    );
    let nanos_each = elapsed.as_nanos() as f64 / seen.reads as f64;
    Ok((nanos_each, seen.reads as usize))
}

fn read_until(cache: &dyn ReadThrough, trace: &[u64], from: usize, ended: &AtomicBool) -> Seen {
    /// Reads between two looks at the flag.
    const BATCH: usize = 64;
    let mut seen = Seen::default();
    let mut keys = trace.iter().cycle().skip(from);
    while !ended.load(Ordering::Relaxed) {
        for &key in keys.by_ref().take(BATCH) {
            let (value, _) = cache.read(key);
            seen.wrong += u64::from(value.key != key);
        }
        seen.reads += BATCH as u64;
    }
    seen
}

/// About as large as a short memory.
struct Cached {
    key: u64,
    _text: [u8; 248],
}

fn load(key: u64) -> Arc<Cached> {
    Arc::new(Cached {
        key,
        _text: [b' '; 248],
    })
}

trait ReadThrough: Sync {
    /// The key's value, and whether it was there.
    fn read(&self, key: u64) -> (Arc<Cached>, bool);
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<u64, Arc<Cached>> for ByBytes {
    fn weight(&self, _: &u64, _: &Arc<Cached>) -> u64 {
        size_of::<Cached>() as u64
    }
}

type Quick = quick_cache::sync::Cache<u64, Arc<Cached>, ByBytes>;

fn quick(capacity: usize) -> Quick {
    let bytes = capacity * size_of::<Cached>();
    Quick::with_weighter(capacity, bytes as u64, ByBytes)
}

impl ReadThrough for Quick {
    fn read(&self, key: u64) -> (Arc<Cached>, bool) {
        if let Some(value) = self.get(&key) {
            return (value, true);
        }
        match self.get_value_or_guard(&key, None) {
            GuardResult::Value(value) => (value, false),
            GuardResult::Guard(placeholder) => {
                let value = load(key);
                // Refused if the key was removed meanwhile, which nobody does here.
                let _ = placeholder.insert(Arc::clone(&value));
                (value, false)
            }
            GuardResult::Timeout => unreachable!("no time-out was set"),
        }
    }
}

type Moka = moka::sync::Cache<u64, Arc<Cached>>;

impl ReadThrough for Moka {
    fn read(&self, key: u64) -> (Arc<Cached>, bool) {
        match self.get(&key) {
            Some(value) => (value, true),
            None => (self.get_with(key, || load(key)), false),
        }
    }
}

type Dash = dashmap::DashMap<u64, Arc<Cached>>;

impl ReadThrough for Dash {
    fn read(&self, key: u64) -> (Arc<Cached>, bool) {
        if let Some(value) = self.get(&key) {
            return (Arc::clone(&value), true);
        }
        let value = self.entry(key).or_insert_with(|| load(key));
        (Arc::clone(&value), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounded_caches_hit_less_than_the_best_and_the_unbounded_one_always() {
        let trace = trace::zipf(1_000, EXPONENT, 20_000, 7);
        let best = trace::best_hit_rate(&trace, 100);
        let effort = Effort {
            rounds: 1,
            window: Duration::from_millis(5),
        };
        let setting = measure(&trace, 100, 4, effort).unwrap();
        let rates: Vec<f64> = setting
            .rows
            .iter()
            .map(|row| row.quality.unwrap().median)
            .collect();
        assert!(
            rates[..2]
                .iter()
                .all(|rate| (0.2..best + 0.05).contains(rate)),
            "{rates:?}, {best}"
        );
        assert_eq!(rates[2], 1.0);
    }
}
