//! Keys as they are asked for, and the best that a bounded cache could do with them.

use std::collections::{BTreeSet, HashMap};

use crate::random::SplitMix64;

/// Keys from 0, the k-th of which is read in proportion to 1 / k^exponent (Zipf's law).
pub(super) fn zipf(keys: usize, exponent: f64, reads: usize, seed: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let mut random = SplitMix64::new(seed);
    let mut draw = || {
        let at = random.unit() * sum;
        cumulative.partition_point(|&up_to| up_to <= at) as u64
    };
    (0..reads).map(|_| draw()).collect()
}

/// The hit rate of the second time through the trace, when what is kept is always what will be
/// read again soonest (Belády's algorithm, with the freedom not to keep a value at all).
pub(super) fn best_hit_rate(trace: &[u64], capacity: usize) -> f64 {
    let twice: Vec<u64> = [trace, trace].concat();
    let mut upcoming = HashMap::new();
    let mut read_next: Vec<usize> = (0..twice.len())
        .rev()
        .map(|at| upcoming.insert(twice[at], at).unwrap_or(usize::MAX))
        .collect();
    read_next.reverse();

    // By when they are read next; no two are read at the same time, but for those never read.
    let mut kept: BTreeSet<(usize, u64)> = BTreeSet::new();
    let mut hits = 0_u64;
    for (at, (&key, &next)) in twice.iter().zip(&read_next).enumerate() {
        let hit = kept.remove(&(at, key));
        hits += u64::from(hit && at >= trace.len());
        kept.insert((next, key));
        if kept.len() > capacity {
            kept.pop_last();
        }
    }
    hits as f64 / trace.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_proportion_to_their_rank() {
        let trace = zipf(100, 1.0, 200_000, 7);
        let count = |key| trace.iter().filter(|&&it| it == key).count() as f64;
        for (key, rank) in [(1, 2.0), (3, 4.0), (9, 10.0)] {
            let ratio = count(0) / count(key);
            assert!((ratio / rank - 1.0).abs() < 0.1, "{ratio}, not {rank}");
        }
        assert_eq!(trace, zipf(100, 1.0, 200_000, 7));
    }

    #[test]
    fn the_best_keeps_what_is_read_soonest() {
        // Of three keys in a circle, two are kept for good and the third never.
        let circle: Vec<u64> = (0..3_000).map(|at| at % 3).collect();
        assert!((best_hit_rate(&circle, 2) - 2.0 / 3.0).abs() < 0.01);
        assert_eq!(best_hit_rate(&circle, 3), 1.0);
        assert_eq!(best_hit_rate(&circle, 0), 0.0);
    }
}
