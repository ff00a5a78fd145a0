//! The Universal Scalability Law, fitted to what a sweep over users measured.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::workload::rng::Rng;

/// Samples of the bootstrap: the ends of a 95 % interval then rest on 50 samples each.
const RESAMPLES: usize = 2000;

/// By how much a parameter has to better the sum of squares. Rounding errors alone would otherwise give
/// a target that scales without limit a peak somewhere at millions of users.
const ROUNDING: f64 = 1e-24;

/// Different numbers of users that a fit needs: three more than it has parameters, since a curve that
/// meets every point says nothing about its own error, and one with a point to spare nearly nothing.
const MIN_SIZES: usize = 6;

/// How many times the fewest the most users have to be. A shorter piece of the curve looks straight,
/// whatever the law is.
const MIN_SPREAD: u32 = 8;

/// A peak is believed if the whole interval of its users is below this share of the most that were measured.
const MAX_PEAK_SHARE: f64 = 0.8;

/// The law does not fit if the median of a number of users is so many standard errors off the curve.
const MISFIT_ERRORS: f64 = 3.0;

/// The standard error of a median is so many times that of a mean.
const OF_MEDIAN: f64 = 1.2533;

/// What was measured at one number of users.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalePoint {
    /// How many users.
    pub users: u32, // at least 1
    /// Operations a second of all of them.
    pub per_second: f64, // finite, above 0
}

/// Gunther's Universal Scalability Law, `X(n) = λ·n / (1 + σ·(n − 1) + κ·n·(n − 1))`, with the
/// parameters that fit a sweep best.
///
/// The fit is the least sum of squared relative errors of `n / X(n)`, which is linear in `1/λ`, `σ/λ`
/// and `κ/λ`, among parameters that are not negative. Intervals are the middle 95 % of 2,000 fits to
/// resampled residuals (Efron's bootstrap); their width says how far the sweep can be believed.
///
/// ```
/// use load_engine::{ScalePoint, ScalabilityFit};
///
/// let measured = [(1, 995.0), (2, 1_890.0), (4, 3_350.0), (8, 5_240.0), (16, 6_180.0), (32, 4_900.0)];
/// let points = measured.map(|(users, per_second)| ScalePoint { users, per_second });
/// let fit = ScalabilityFit::new(&points, 7)?;
/// assert!((14.0..20.0).contains(&fit.peak_users.unwrap()));
/// # Ok::<(), load_engine::RunError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScalabilityFit {
    /// λ: operations a second of one user alone.
    pub single_user_per_second: f64,
    /// σ: the share of the work that users do one after the other.
    pub contention: f64,
    /// κ: the cost, for each pair of users, of agreeing with each other.
    pub coherence: f64,
    /// The number of users with the most operations a second; none if more users never slow it.
    pub peak_users: Option<f64>,
    /// That most; without a peak, what many users come near to, or none if there is no limit.
    pub peak_per_second: Option<f64>,
    /// 95 % interval of λ.
    pub single_user_interval: ConfidenceInterval,
    /// 95 % interval of σ.
    pub contention_interval: ConfidenceInterval,
    /// 95 % interval of κ.
    pub coherence_interval: ConfidenceInterval,
    /// 95 % interval of the peak.
    pub peak_users_interval: ConfidenceInterval,
    /// The share of the variation of operations a second that the curve explains, at most 1: near 1 for any
    /// curve that rises as the data do, so it is no sign that the law fits.
    pub r_squared: f64,
    /// The most users that were measured.
    #[serde(default)]
    pub most_users: u32,
    /// Numbers of users whose median is off the curve by more than their rounds vary: the law does not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfits: Vec<u32>,
}

/// From where to where a figure may be. A missing end is beyond every number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfidenceInterval {
    /// The lower end.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

impl ScalabilityFit {
    /// Fits the law; the seed is that of the bootstrap.
    ///
    /// # Errors
    ///
    /// When the numbers of users are too few or too close, as [`check_sizes`] says, or a point is not positive.
    pub fn new(points: &[ScalePoint], seed: u64) -> Result<Self, RunError> {
        check(points)?;
        let law = Law::fit(points);
        let samples = law.resample(points, &mut Rng::new(seed));
        let interval = |figure: fn(&Law) -> f64| middle(samples.iter().map(figure).collect());
        Ok(Self {
            single_user_per_second: law.lambda,
            contention: law.sigma,
            coherence: law.kappa,
            peak_users: finite(law.peak()),
            peak_per_second: finite(law.peak_per_second()),
            single_user_interval: interval(|law| law.lambda),
            contention_interval: interval(|law| law.sigma),
            coherence_interval: interval(|law| law.kappa),
            peak_users_interval: interval(Law::peak),
            r_squared: law.r_squared(points),
            most_users: points.iter().map(|point| point.users).max().unwrap_or(0),
            misfits: law.misfits(points),
        })
    }

    /// The number of users with the most operations a second, if the measurements show it: coherence is
    /// surely above 0, and the whole interval of the peak lies well below the most users that were measured.
    #[must_use]
    pub fn shown_peak(&self) -> Option<f64> {
        let most = MAX_PEAK_SHARE * f64::from(self.most_users);
        let is_certain = self.coherence_interval.low.is_some_and(|low| low > 0.0)
            && self
                .peak_users_interval
                .high
                .is_some_and(|high| high <= most);
        self.peak_users.filter(|_| is_certain)
    }

    /// Operations a second that the law expects of so many users.
    #[must_use]
    pub fn per_second(&self, users: f64) -> f64 {
        let law = Law {
            lambda: self.single_user_per_second,
            sigma: self.contention,
            kappa: self.coherence,
        };
        law.at(users)
    }
}

fn check(points: &[ScalePoint]) -> Result<(), RunError> {
    let refused = |problem: String| Err(RunError::Scalability { problem });
    for point in points {
        let rate = point.per_second;
        if point.users == 0 || !rate.is_finite() || rate <= 0.0 {
            let users = point.users;
            return refused(format!(
                "{users} users with {rate} operations/s say nothing"
            ));
        }
    }
    check_sizes(points.iter().map(|point| point.users))
}

/// Checks, before anything is measured, that a law can be told from these numbers of users: at least six, and
/// the most at least 8 times the fewest.
///
/// # Errors
///
/// When it cannot.
pub fn check_sizes(users: impl IntoIterator<Item = u32>) -> Result<(), RunError> {
    let sizes: BTreeSet<u32> = users.into_iter().collect();
    let found = sizes.len();
    let (fewest, most) = match (sizes.first(), sizes.last()) {
        (Some(fewest), Some(most)) => (*fewest, *most),
        _ => (0, 0),
    };
    let problem = if found < MIN_SIZES {
        format!("it takes {MIN_SIZES} different numbers of users, and these are {found}")
    } else if most / MIN_SPREAD < fewest {
        format!(
            "the most users have to be at least {MIN_SPREAD} times the fewest, and {most} are not of {fewest}"
        )
    } else {
        return Ok(());
    };
    Err(RunError::Scalability { problem })
}

#[derive(Clone, Copy, Debug)]
struct Law {
    lambda: f64, // above 0
    sigma: f64,  // at least 0
    kappa: f64,  // at least 0
}

impl Law {
    fn at(&self, users: f64) -> f64 {
        let others = users - 1.0;
        self.lambda * users / (1.0 + self.sigma * others + self.kappa * users * others)
    }

    /// The numbers of users whose median is further off the curve than their rounds vary. With one round of
    /// each, nobody knows how much they vary.
    fn misfits(&self, points: &[ScalePoint]) -> Vec<u32> {
        let mut sizes: Vec<u32> = points.iter().map(|point| point.users).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let off = |users: u32| -> Vec<f64> {
            let own = points.iter().filter(|point| point.users == users);
            let mut off: Vec<f64> = own
                .map(|point| (point.per_second / self.at(users.into())).ln())
                .collect();
            off.sort_unstable_by(f64::total_cmp);
            off
        };
        let all: Vec<(u32, Vec<f64>)> =
            sizes.into_iter().map(|users| (users, off(users))).collect();
        let squares = |of: &[f64]| {
            let mean = of.iter().sum::<f64>() / of.len() as f64;
            of.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
        };
        let within: f64 = all.iter().map(|(_, of)| squares(of)).sum();
        let free = points.len() - all.len();
        if free == 0 {
            return Vec::new();
        }
        let deviation = (within / free as f64).sqrt();
        let is_off = |(_, of): &&(u32, Vec<f64>)| {
            let median = f64::midpoint(of[(of.len() - 1) / 2], of[of.len() / 2]);
            let error = OF_MEDIAN * deviation / (of.len() as f64).sqrt();
            // Rounding alone is no misfit.
            median.abs() > MISFIT_ERRORS * error + 1e-6
        };
        all.iter().filter(is_off).map(|(users, _)| *users).collect()
    }

    /// Where the derivative is 0; infinite without coherence, and one user when contention is total.
    fn peak(&self) -> f64 {
        if self.sigma >= 1.0 {
            1.0
        } else if self.kappa > 0.0 {
            ((1.0 - self.sigma) / self.kappa).sqrt().max(1.0)
        } else {
            f64::INFINITY
        }
    }

    fn peak_per_second(&self) -> f64 {
        let peak = self.peak();
        if peak.is_finite() {
            self.at(peak)
        } else if self.sigma > 0.0 {
            self.lambda / self.sigma
        } else {
            f64::INFINITY
        }
    }

    /// The best fit with no negative parameter. With so few it is the best of those that have some of
    /// σ and κ at 0 and the others free, which is what an active-set method would find.
    fn fit(points: &[ScalePoint]) -> Self {
        let candidates = [&[0, 1, 2][..], &[0, 1], &[0, 2], &[0]];
        candidates
            .into_iter()
            .filter_map(|free| least_squares(points, free))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, [one, contention, coherence])| Self {
                lambda: 1.0 / one,
                sigma: contention / one,
                kappa: coherence / one,
            })
            .expect("λ alone always fits positive points")
    }

    fn resample(&self, points: &[ScalePoint], rng: &mut Rng) -> Vec<Self> {
        let expected: Vec<f64> = points
            .iter()
            .map(|point| self.at(point.users.into()))
            .collect();
        let ratios: Vec<f64> = points
            .iter()
            .zip(&expected)
            .map(|(point, expected)| (point.per_second / expected).ln())
            .collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        // A fit of three parameters takes up some of the noise; this gives it back.
        let count = points.len() as f64;
        let inflation = (count / (count - 3.0)).sqrt();
        let mut sample = points.to_vec();
        (0..RESAMPLES)
            .map(|_| {
                for (point, expected) in sample.iter_mut().zip(&expected) {
                    let residual = ratios[rng.below(ratios.len() as u64) as usize] - mean;
                    point.per_second = expected * (residual * inflation).exp();
                }
                Self::fit(&sample)
            })
            .collect()
    }

    fn r_squared(&self, points: &[ScalePoint]) -> f64 {
        let mean = points.iter().map(|point| point.per_second).sum::<f64>() / points.len() as f64;
        let squares = |of: &dyn Fn(&ScalePoint) -> f64| -> f64 {
            points.iter().map(|point| of(point).powi(2)).sum()
        };
        let all = squares(&|point| point.per_second - mean);
        let left = squares(&|point| point.per_second - self.at(point.users.into()));
        if all > 0.0 { 1.0 - left / all } else { 1.0 }
    }
}

/// The sum of squares and the coefficients of `1`, `n − 1` and `n·(n − 1)`, where only those in `free`
/// are not 0; none if one would be negative or the points do not determine them.
fn least_squares(points: &[ScalePoint], free: &[usize]) -> Option<(f64, [f64; 3])> {
    // Relative to what was measured, each row's right-hand side is 1.
    let rows = points.iter().map(|point| {
        let users = f64::from(point.users);
        let weight = point.per_second / users;
        [
            weight,
            weight * (users - 1.0),
            weight * users * (users - 1.0),
        ]
    });
    let rows: Vec<[f64; 3]> = rows.collect();
    // Columns differ by orders of magnitude; scaled to length 1 the normal equations are well posed.
    let length = |column: usize| {
        rows.iter()
            .map(|row| row[column].powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let lengths = [length(0), length(1), length(2)];
    let mut matrix = [[0.0; 4]; 3];
    for (at, &column) in free.iter().enumerate() {
        for (other_at, &other) in free.iter().enumerate() {
            let product = rows.iter().map(|row| row[column] * row[other]).sum::<f64>();
            matrix[at][other_at] = product / lengths[column] / lengths[other];
        }
        matrix[at][3] = rows.iter().map(|row| row[column]).sum::<f64>() / lengths[column];
    }
    let solution = eliminate(matrix, free.len())?;
    let mut coefficients = [0.0; 3];
    for (at, &column) in free.iter().enumerate() {
        coefficients[column] = solution[at] / lengths[column];
    }
    if coefficients[0] <= 0.0 || coefficients.iter().any(|value| *value < 0.0) {
        return None;
    }
    let error = |row: &[f64; 3]| {
        let fitted: f64 = row.iter().zip(&coefficients).map(|(a, b)| a * b).sum();
        (1.0 - fitted).powi(2)
    };
    let squares: f64 = rows.iter().map(error).sum();
    Some((squares + ROUNDING * free.len() as f64, coefficients))
}

/// Gauss's elimination with partial pivoting, of the first `size` equations.
fn eliminate(mut matrix: [[f64; 4]; 3], size: usize) -> Option<[f64; 3]> {
    for column in 0..size {
        let largest = |a: &usize, b: &usize| {
            let (a, b): (f64, f64) = (matrix[*a][column], matrix[*b][column]);
            a.abs().total_cmp(&b.abs())
        };
        let pivot = (column..size).max_by(largest)?;
        matrix.swap(column, pivot);
        if matrix[column][column].abs() < 1e-12 {
            return None;
        }
        let above = matrix[column];
        for row in matrix.iter_mut().take(size).skip(column + 1) {
            let factor = row[column] / above[column];
            for (value, above) in row.iter_mut().zip(above) {
                *value -= factor * above;
            }
        }
    }
    let mut solution = [0.0; 3];
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size)
            .map(|at| matrix[row][at] * solution[at])
            .sum();
        solution[row] = (matrix[row][3] - known) / matrix[row][row];
    }
    Some(solution)
}

/// The middle 95 %.
fn middle(mut figures: Vec<f64>) -> ConfidenceInterval {
    figures.sort_unstable_by(f64::total_cmp);
    let tail = figures.len() / 40;
    ConfidenceInterval {
        low: finite(figures[tail]),
        high: finite(figures[figures.len() - 1 - tail]),
    }
}

fn finite(figure: f64) -> Option<f64> {
    figure.is_finite().then_some(figure)
}

#[cfg(test)]
mod tests;
