//! Whether something rises or falls over time, told without assuming how it is spread.
//!
//! Points are `(time, value)` in the order of time, and finite.
//!
//! ```
//! use load_engine::trend::{mann_kendall, theil_sen};
//!
//! let rising: Vec<(f64, f64)> = (0..12).map(|n| (f64::from(n), 3.0 * f64::from(n))).collect();
//! assert!(mann_kendall(&rising).1 > 4.0);
//! assert_eq!(theil_sen(&rising), 3.0);
//! ```

/// Mann and Kendall's S, the rises less the falls among all pairs, and z, the same in standard
/// deviations (normal approximation, corrected for ties and continuity); both 0 of fewer than two
/// points. H. B. Mann, "Nonparametric tests against trend", 1945.
#[must_use]
pub fn mann_kendall(points: &[(f64, f64)]) -> (i64, f64) {
    let mut sum = 0i64;
    for (number, (_, earlier)) in points.iter().enumerate() {
        for (_, later) in &points[number + 1..] {
            sum += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    let spread = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_unstable_by(f64::total_cmp);
    let ties: f64 = values
        .chunk_by(|a, b| a == b)
        .map(|equal| spread(equal.len() as f64))
        .sum();
    let variance = (spread(values.len() as f64) - ties) / 18.0;
    // One off towards 0, since S moves in steps: the correction for continuity.
    let corrected = (sum - sum.signum()) as f64;
    let z = if variance > 0.0 {
        corrected / variance.sqrt()
    } else {
        0.0
    };
    (sum, z)
}

/// The median slope of all pairs; 0 without a pair. P. K. Sen, "Estimates of the regression coefficient
/// based on Kendall's tau", 1968.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> f64 {
    let mut slopes = Vec::new();
    for (number, earlier) in points.iter().enumerate() {
        let later = points[number + 1..]
            .iter()
            .filter(|later| later.0 > earlier.0);
        slopes.extend(later.map(|later| (later.1 - earlier.1) / (later.0 - earlier.0)));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    match slopes.len() {
        0 => 0.0,
        count if count % 2 == 1 => slopes[count / 2],
        count => f64::midpoint(slopes[count / 2 - 1], slopes[count / 2]),
    }
}
