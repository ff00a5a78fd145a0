//! Where the level of a series of runs changed.

use load_engine::Rng;
use schemars::JsonSchema;
use serde::Serialize;

use crate::comparison::median::median;

/// Between two runs, a figure went to another level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ChangePoint {
    /// The first run on the new level, from 0.
    pub at: usize,
    /// The median before, back to the last change.
    pub before: f64,
    /// The median after, up to the next change.
    pub after: f64,
    /// The chance of this where nothing changed.
    pub p: f64,
}

/// The chance at which a change is believed, over all series together: a history is looked at often.
const CHANGE_LEVEL: f64 = 0.005;

/// A smaller change is not worth a word.
const MIN_CHANGE: f64 = 0.05;

/// And so many median absolute deviations of the runs around their level.
const MIN_DEVIATIONS: f64 = 3.0;

/// Runs on either side of a change.
const MIN_SEGMENT: usize = 4;

/// Orders of the runs that are tried, at least: the usual approximation is too cautious by half for short
/// series.
const PERMUTATIONS: usize = 10_000;

/// Runs that are compared with those before them while there are too few for a test.
const LAST: usize = 3;
const BEFORE: usize = 12;

/// Where the level of a series changed, one of so many series, by Pettitt's test with the chance of a
/// permutation, and on either side of a change again. A. N. Pettitt, "A non-parametric approach to the
/// change-point problem", 1979.
pub(super) fn change_points(values: &[f64], series: usize) -> Vec<ChangePoint> {
    let mut cuts = Vec::new();
    divide(values, 0, CHANGE_LEVEL / series.max(1) as f64, &mut cuts);
    cuts.sort_by_key(|(at, _)| *at);
    let cuts = large(values, cuts);
    let ends = cuts.iter().map(|(at, _)| *at);
    let borders: Vec<usize> = std::iter::once(0)
        .chain(ends)
        .chain([values.len()])
        .collect();
    let level = |from: usize, until: usize| middle(&values[from..until]);
    cuts.iter()
        .enumerate()
        .map(|(number, &(at, p))| ChangePoint {
            at,
            before: level(borders[number], at),
            after: level(at, borders[number + 2]),
            p,
        })
        .collect()
}

/// How alike neighbouring runs are, besides the changes of level: the correlation of each with the next.
pub(super) fn autocorrelation(values: &[f64], changes: &[ChangePoint]) -> f64 {
    let mut rest = values.to_vec();
    let mut from = 0;
    for until in changes.iter().map(|change| change.at).chain([values.len()]) {
        let level = rest[from..until].iter().sum::<f64>() / (until - from).max(1) as f64;
        rest[from..until]
            .iter_mut()
            .for_each(|value| *value -= level);
        from = until;
    }
    let square: f64 = rest.iter().map(|value| value * value).sum();
    let product: f64 = rest.windows(2).map(|pair| pair[0] * pair[1]).sum();
    match square > 0.0 {
        true => product / square,
        false => 0.0,
    }
}

/// Whether the last three runs are all above, or all below, the twelve or more before them.
pub(super) fn is_outside(values: &[f64]) -> bool {
    let Some(split) = values
        .len()
        .checked_sub(LAST)
        .filter(|before| *before >= BEFORE)
    else {
        return false;
    };
    let (before, last) = values.split_at(split);
    let least = before.iter().copied().fold(f64::INFINITY, f64::min);
    let most = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    last.iter().all(|value| *value > most) || last.iter().all(|value| *value < least)
}

fn divide(values: &[f64], offset: usize, level: f64, cuts: &mut Vec<(usize, f64)>) {
    let Some((at, p)) = pettitt(values, level) else {
        return;
    };
    let (before, after) = values.split_at(at);
    if p >= level {
        return;
    }
    cuts.push((offset + at, p));
    divide(before, offset, level, cuts);
    divide(after, offset + at, level, cuts);
}

/// The cuts between levels that are far enough apart, by the levels between one cut and the next.
fn large(values: &[f64], cuts: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    let places: Vec<usize> = cuts.iter().map(|(at, _)| *at).collect();
    let is_large = |number: usize| {
        let from = number.checked_sub(1).map_or(0, |before| places[before]);
        let until = places.get(number + 1).copied().unwrap_or(values.len());
        let (before, after) = (
            &values[from..places[number]],
            &values[places[number]..until],
        );
        let (low, high) = (middle(before), middle(after));
        let deviations: Vec<f64> = before
            .iter()
            .map(|value| (value - low).abs())
            .chain(after.iter().map(|value| (value - high).abs()))
            .collect();
        let change = (high - low).abs();
        change >= MIN_CHANGE * low.abs() && change >= MIN_DEVIATIONS * middle(&deviations)
    };
    cuts.into_iter()
        .enumerate()
        .filter(|(number, _)| is_large(*number))
        .map(|(_, cut)| cut)
        .collect()
}

fn middle(values: &[f64]) -> f64 {
    median(values.iter().copied()).unwrap_or(0.0)
}

/// The likeliest change and its chance where there is none; nothing for a short series.
fn pettitt(values: &[f64], level: f64) -> Option<(usize, f64)> {
    if values.len() < 2 * MIN_SEGMENT {
        return None;
    }
    let mut ranks = ranks(values);
    let (at, most) = likeliest(&ranks);
    // Enough that the level can be reached at all.
    let tries = PERMUTATIONS.max((4.0 / level) as usize);
    let mut rng = Rng::new(1);
    let mut as_uneven = 0;
    for _ in 0..tries {
        for last in (1..ranks.len()).rev() {
            ranks.swap(last, rng.below(last as u64 + 1) as usize);
        }
        as_uneven += usize::from(likeliest(&ranks).1 >= most);
    }
    Some((at, (as_uneven + 1) as f64 / (tries + 1) as f64))
}

/// Where the ranks before and after differ most, and by how much: Pettitt's U by its ranks.
fn likeliest(ranks: &[f64]) -> (usize, f64) {
    let each = ranks.len() as f64 + 1.0;
    let mut best = (MIN_SEGMENT, -1.0);
    let mut sum = 0.0;
    for (at, rank) in (1..).zip(ranks) {
        sum += 2.0 * rank - each;
        let inside = (MIN_SEGMENT..=ranks.len() - MIN_SEGMENT).contains(&at);
        if inside && sum.abs() > best.1 {
            best = (at, sum.abs());
        }
    }
    best
}

/// The rank of each value, from 1; equal ones share theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let shared = before as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|place| ranks[*place] = shared);
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(seed: u64, levels: &[(f64, usize)]) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let levels = levels.iter();
        levels
            .flat_map(|(level, runs)| std::iter::repeat_n(*level, *runs))
            .map(|level| level * (0.9 + 0.2 * rng.unit()))
            .collect()
    }

    #[test]
    fn steps_are_found_where_they_are() {
        for seed in 0..4 {
            let values = noisy(seed, &[(100.0, 20), (150.0, 20), (90.0, 15)]);
            let found = change_points(&values, 1);
            let places: Vec<usize> = found.iter().map(|change| change.at).collect();
            assert_eq!(places, [20, 40], "seed {seed}");
            assert!(found[0].before < 111.0 && found[0].after > 134.0);
        }
    }

    #[test]
    fn noise_alone_has_no_change() {
        let changed = (0..20).filter(|seed| {
            let values = noisy(*seed, &[(100.0, 40)]);
            !change_points(&values, 1).is_empty()
        });
        assert!(changed.count() <= 1);
    }

    #[test]
    fn twelve_runs_are_enough_for_one_series_and_fewer_say_nothing() {
        let steps = |each: usize| noisy(1, &[(100.0, each), (200.0, each)]);
        assert_eq!(change_points(&steps(6), 1).len(), 1);
        assert_eq!(change_points(&steps(4), 1), []);
        assert_eq!(change_points(&[], 1), []);
        assert_eq!(change_points(&[1.0, 1.0, 9.0, 9.0], 1), []);
    }

    #[test]
    fn three_runs_outside_of_all_before_are_provisional() {
        let mut values = noisy(2, &[(100.0, 12), (130.0, 3)]);
        assert!(is_outside(&values));
        values[14] = 100.0;
        assert!(!is_outside(&values));
        assert!(!is_outside(&values[3..]), "there are too few before");
    }

    #[test]
    fn runs_that_are_alike_are_told_from_others() {
        let slow: Vec<f64> = (0..40).map(|n| (f64::from(n) / 6.0).sin()).collect();
        assert!(autocorrelation(&slow, &[]) > 0.3);
        assert!(autocorrelation(&noisy(3, &[(100.0, 40)]), &[]) <= 0.3);
        let steps = noisy(4, &[(100.0, 20), (200.0, 20)]);
        assert!(autocorrelation(&steps, &change_points(&steps, 1)) <= 0.3);
    }
}
