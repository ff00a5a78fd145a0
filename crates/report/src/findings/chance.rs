//! How probable what was seen is in a healthy run, and the grade that follows.

use crate::{Grade, Strength};

/// The chance at which a healthy run may have a strong finding, over all findings together: at most one
/// run in a hundred does, with room for what no formula knows.
const STRONG: f64 = 0.0015;

/// The same of a moderate finding.
const MODERATE: f64 = 0.05;

/// The grade of what has this chance in a healthy run, when so many tests were made.
pub(super) fn grade(p: f64, tests: usize) -> Grade {
    let tests = tests.max(1) as f64;
    if p < STRONG / tests {
        Grade::Strong
    } else if p < MODERATE / tests {
        Grade::Moderate
    } else {
        Grade::Weak
    }
}

pub(super) fn strength(grade: Grade, value: f64, meaning: &str) -> Strength {
    Strength {
        grade,
        value,
        meaning: meaning.to_owned(),
    }
}

/// The chance of `least` or more successes in `trials`, each with this chance.
pub(super) fn binomial_tail(trials: u64, chance: f64, least: u64) -> f64 {
    if least == 0 {
        return 1.0;
    }
    if chance <= 0.0 || least > trials {
        return 0.0;
    }
    if chance >= 1.0 {
        return 1.0;
    }
    let (n, mean) = (trials as f64, trials as f64 * chance);
    if (least as f64) < mean {
        // The other tail is the shorter one to sum.
        return 1.0 - binomial_tail(trials, 1.0 - chance, trials - least + 1);
    }
    let odds = chance / (1.0 - chance);
    let k = least as f64;
    let log = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
        + k * chance.ln()
        + (n - k) * (1.0 - chance).ln();
    let mut term = log.exp();
    let mut sum = term;
    for successes in least..trials {
        term *= odds * (trials - successes) as f64 / (successes + 1) as f64;
        sum += term;
        if term < sum * 1e-12 {
            break;
        }
    }
    sum.min(1.0)
}

/// The lower end of Wilson's interval of a share, so many standard deviations away.
pub(super) fn lower_bound(count: u64, of: u64, deviations: f64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    let (n, share) = (of as f64, count as f64 / of as f64);
    let z = deviations * deviations;
    let spread = (share * (1.0 - share) / n + z / (4.0 * n * n)).sqrt();
    ((share + z / (2.0 * n) - deviations * spread) / (1.0 + z / n)).max(0.0)
}

/// The logarithm of the gamma function, by Lanczos's approximation with nine terms: right to 1e-13.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = (1..)
        .zip(TERMS)
        .fold(0.999_999_999_999_809_9, |sum, (at, term)| {
            sum + term / (x + f64::from(at))
        });
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_sum_of_its_terms() {
        let by_force = |n: u64, p: f64, least: u64| -> f64 {
            let choose = |k: u64| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
            let term = |k: u64| choose(k) * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32);
            (least..=n).map(term).sum()
        };
        for (n, p, least) in [
            (10, 0.01, 3),
            (50, 0.01, 5),
            (40, 0.5, 15),
            (8, 0.9, 8),
            (5, 0.2, 0),
        ] {
            let (ours, forced) = (binomial_tail(n, p, least), by_force(n, p, least));
            assert!(
                (ours - forced).abs() < 1e-9,
                "{n} {p} {least}: {ours} {forced}"
            );
        }
        assert_eq!(binomial_tail(3, 0.5, 4), 0.0);
        assert!(binomial_tail(10_000_000, 0.01, 101_000) < 1e-3);
    }

    #[test]
    fn a_bound_is_below_the_share_and_comes_near_with_more() {
        assert_eq!(lower_bound(0, 0, 3.0), 0.0);
        let (few, many) = (lower_bound(5, 100, 3.0), lower_bound(5_000, 100_000, 3.0));
        assert!(
            few < 0.02 && few > 0.0 && many > 0.047 && many < 0.05,
            "{few} {many}"
        );
    }
}
