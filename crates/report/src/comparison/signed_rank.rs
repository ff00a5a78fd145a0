//! Wilcoxon's signed-rank test of paired differences, and the estimate and interval that go with it.

use crate::comparison::median::median;

/// From here on the normal approximation is right to three digits, and the exact counts are costly.
const EXACT_UP_TO: usize = 60;

/// Hodges and Lehmann's estimate: the median of the means of all pairs, each with itself included;
/// 0 of nothing.
pub(super) fn location(differences: &[f64]) -> f64 {
    median(walsh(differences)).unwrap_or(0.0)
}

/// The interval that the test at this level leaves: from the k-th lowest pairwise mean to the k-th
/// highest. Without bounds when there are too few differences for the level.
pub(super) fn interval(differences: &[f64], level: f64) -> (f64, f64) {
    let mut means = walsh(differences);
    means.sort_unstable_by(f64::total_cmp);
    let sums = SumOfRanks::of(differences.len());
    // The largest sum that is as unlikely as half of the level.
    let below = (0..=means.len()).take_while(|sum| sums.at_most(*sum) <= level / 2.0);
    match below.count() {
        0 => (f64::NEG_INFINITY, f64::INFINITY),
        k => (means[k - 1], means[means.len() - k]),
    }
}

/// The two-sided chance of sums of ranks as uneven as these, among equals. Differences of exactly 0
/// are left out, and equal ones share their ranks (Wilcoxon's own treatment).
pub(super) fn p_value(differences: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    sizes.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut negative = 0.0;
    let mut rank = 0;
    for equal in sizes.chunk_by(|a, b| a.abs() == b.abs()) {
        let shared = rank as f64 + (equal.len() as f64 + 1.0) / 2.0;
        negative += shared * equal.iter().filter(|d| **d < 0.0).count() as f64;
        rank += equal.len();
    }
    let total = (sizes.len() * (sizes.len() + 1) / 2) as f64;
    let smaller = negative.min(total - negative);
    // Shared ranks can be halves; the next whole sum is never less likely.
    (2.0 * SumOfRanks::of(sizes.len()).at_most(smaller.ceil() as usize)).min(1.0)
}

fn walsh(differences: &[f64]) -> Vec<f64> {
    let mut means = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (number, one) in differences.iter().enumerate() {
        means.extend(differences[number..].iter().map(|other| {
            let mean = f64::midpoint(*one, *other);
            // Without bound to either side: of the two together nothing is known.
            if mean.is_nan() { 0.0 } else { mean }
        }));
    }
    means
}

/// What the ranks of one sign sum up to, if each sign is a coin's toss.
pub(super) enum SumOfRanks {
    /// The chance of at most each sum.
    Exact(Vec<f64>),
    Normal {
        mean: f64,
        spread: f64,
    },
}

impl SumOfRanks {
    pub(super) fn of(count: usize) -> Self {
        if count > EXACT_UP_TO {
            return Self::normal(count);
        }
        // The number of subsets of the ranks 1..=count with each sum, as shares of all subsets.
        let most = count * (count + 1) / 2;
        let mut shares = vec![0.0; most + 1];
        shares[0] = 1.0;
        for rank in 1..=count {
            for total in (0..=rank * (rank + 1) / 2).rev() {
                let with = match total.checked_sub(rank) {
                    Some(without) => shares[without],
                    None => 0.0,
                };
                shares[total] = f64::midpoint(shares[total], with);
            }
        }
        let mut so_far = 0.0;
        for share in &mut shares {
            so_far += *share;
            *share = so_far;
        }
        Self::Exact(shares)
    }

    fn normal(count: usize) -> Self {
        let n = count as f64;
        Self::Normal {
            mean: n * (n + 1.0) / 4.0,
            spread: (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt(),
        }
    }

    pub(super) fn at_most(&self, sum: usize) -> f64 {
        match self {
            Self::Exact(shares) => shares[sum.min(shares.len() - 1)].min(1.0),
            Self::Normal { mean, spread } => normal_below((sum as f64 + 0.5 - mean) / spread),
        }
    }
}

/// The normal distribution up to z, by Abramowitz and Stegun 26.2.17: right to 7.5e-8.
fn normal_below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let tail = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z < 0.0 {
        density * tail
    } else {
        1.0 - density * tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted out over all signs.
    fn p_by_force(differences: &[f64]) -> f64 {
        let count = differences.len();
        let mut sizes = differences.to_vec();
        sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let sum = |signs: u32| -> usize {
            (0..count)
                .filter(|n| signs >> n & 1 == 1)
                .map(|n| n + 1)
                .sum()
        };
        let most = count * (count + 1) / 2;
        let signs = (0..count).map(|n| u32::from(sizes[n] < 0.0) << n).sum();
        let seen = sum(signs).min(most - sum(signs));
        let as_uneven =
            (0..1u32 << count).filter(|signs| sum(*signs).min(most - sum(*signs)) <= seen);
        as_uneven.count() as f64 / f64::from(1u32 << count)
    }

    #[test]
    fn the_chance_is_that_of_all_signs() {
        let samples: [&[f64]; 3] = [
            &[1.0, -2.0, 3.0, 4.5, 5.0, 6.0, 7.5, 8.0],
            &[-0.1, 0.2, -0.3, 0.4, -0.5, 0.6, 0.7],
            &[3.0, 1.0, 2.0, 9.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0],
        ];
        for differences in samples {
            let (ours, forced) = (p_value(differences), p_by_force(differences));
            assert!(
                (ours - forced).abs() < 1e-12,
                "{differences:?}: {ours} {forced}"
            );
        }
    }

    #[test]
    fn the_approximation_meets_the_exact_counts() {
        let sum = EXACT_UP_TO * (EXACT_UP_TO + 1) / 4 - 250;
        let exact = SumOfRanks::of(EXACT_UP_TO).at_most(sum);
        let near = SumOfRanks::normal(EXACT_UP_TO).at_most(sum);
        assert!((exact - near).abs() < 1e-3, "{exact} {near}");
    }

    #[test]
    fn nothing_and_zeros_show_nothing() {
        assert_eq!(p_value(&[]), 1.0);
        assert_eq!(p_value(&[0.0; 9]), 1.0);
        assert_eq!(location(&[]), 0.0);
        assert_eq!(
            interval(&[0.5, 0.6], 0.01),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
    }

    #[test]
    fn the_interval_holds_the_estimate_and_misses_what_the_test_refuses() {
        let shifted: Vec<f64> = (0..20).map(|n| 0.1 + 0.001 * f64::from(n % 7)).collect();
        let (low, high) = interval(&shifted, 0.01);
        let at = location(&shifted);
        assert!(low <= at && at <= high && low > 0.0, "{low} {at} {high}");
        assert!(p_value(&shifted) < 0.01);
    }
}
