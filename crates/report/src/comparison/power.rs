//! How small a difference so many rounds can show.

use load_engine::Rng;

use super::signed_rank::SumOfRanks;

/// A difference counts as detectable if it is found in so many of all comparisons.
const POWER: f64 = 0.9;

/// Comparisons that are simulated for each size of the difference.
const SIMULATED: usize = 400;

/// Halvings of the interval in which the size is looked for.
const STEPS: usize = 9;

/// The difference, in standard deviations of the rounds' noise, that a signed-rank test of so many rounds at
/// this level finds in 9 of 10 comparisons; none if there are too few rounds to find any. The noise is normal.
pub(super) fn detectable(rounds: usize, level: f64) -> Option<f64> {
    let sums = SumOfRanks::of(rounds);
    let most = rounds * (rounds + 1) / 2;
    // The largest sum of the ranks of one sign that is significant.
    let critical = (0..=most)
        .take_while(|sum| 2.0 * sums.at_most(*sum) < level)
        .last()?;
    let (mut low, mut high) = (0.0, 16.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if power(rounds, critical, middle) < POWER {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// The same draws for each size, so that more is never found less often.
fn power(rounds: usize, critical: usize, size: f64) -> f64 {
    let mut rng = Rng::new(1);
    let mut found = 0;
    let mut sample = vec![0.0; rounds];
    for _ in 0..SIMULATED {
        for value in &mut sample {
            *value = size + normal(&mut rng);
        }
        sample.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
        let negative: usize = (1..)
            .zip(&sample)
            .filter(|(_, value)| **value < 0.0)
            .map(|(rank, _)| rank)
            .sum();
        found += usize::from(negative <= critical);
    }
    found as f64 / SIMULATED as f64
}

/// Standard normal, by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let (a, b) = (rng.unit().max(1e-12), rng.unit());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_that_is_found_falls_with_the_rounds() {
        let level = 0.01 / 11.0;
        assert_eq!(detectable(8, level), None);
        // 13 rounds find two standard deviations, and 28 find one.
        let size = |rounds| detectable(rounds, level).unwrap();
        assert!((1.7..2.4).contains(&size(13)), "{}", size(13));
        assert!((0.9..1.1).contains(&size(28)), "{}", size(28));
        assert!(size(12) > size(13));
    }
}
