//! The growth exponent: the slope of a figure over the size, both as logarithms.

use serde::Serialize;

/// How a figure may grow. The limits leave space for what caches cost as data outgrows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expected {
    Flat,
    LessThanLinear,
    Linear,
}

impl Expected {
    /// What an interval of exponents says about this expectation.
    pub(crate) fn conclude(self, growth: Growth) -> Conclusion {
        let most = match self {
            Self::Flat => 0.25,
            Self::LessThanLinear => 0.9,
            Self::Linear => 1.2,
        };
        if growth.exponent + growth.margin <= most {
            Conclusion::Held
        } else if growth.exponent - growth.margin > most {
            Conclusion::Exceeded
        } else {
            Conclusion::Inconclusive
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::LessThanLinear => "less than linear",
            Self::Linear => "linear",
        }
    }
}

/// Whether a figure grows as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conclusion {
    /// The upper end of the interval is within the limit.
    Held,
    /// The lower end is above the limit.
    Exceeded,
    /// The interval contains the limit, or there are too few sizes for one.
    Inconclusive,
}

impl Conclusion {
    /// What stands behind the expectation in a table.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::Held => "",
            Self::Exceeded => ": **exceeded**",
            Self::Inconclusive => ": **inconclusive**",
        }
    }
}

/// y ∝ n^exponent, by least squares over the logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Growth {
    pub(crate) exponent: f64,
    /// Half the width of the 95 % confidence interval (Student's t, n − 2 degrees of freedom).
    pub(crate) margin: f64,
}

impl Growth {
    /// Needs three points or more, all above zero.
    pub(crate) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let logs: Vec<(f64, f64)> = points.iter().map(|(n, y)| (n.ln(), y.ln())).collect();
        if logs.len() < 3 || logs.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return None;
        }
        let count = logs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
        let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let joint: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let exponent = joint / spread;
        let off = |(x, y): &(f64, f64)| (y - mean_y - exponent * (x - mean_x)).powi(2);
        let residual: f64 = logs.iter().map(off).sum();
        let error = (residual / (count - 2.0) / spread).sqrt();
        Some(Self {
            exponent,
            margin: student_t(logs.len() - 2) * error,
        })
    }

    /// In a word. The limits leave space for what caches cost as data outgrows them.
    pub(crate) fn word(self) -> &'static str {
        match self.exponent {
            exponent if exponent < 0.15 => "flat",
            exponent if exponent < 0.85 => "less than linear",
            exponent if exponent < 1.15 => "linear",
            _ => "worse than linear",
        }
    }
}

/// The two-sided 95 % quantile of Student's t distribution (Abramowitz & Stegun, table 26.10).
fn student_t(degrees: usize) -> f64 {
    const TABLE: [f64; 10] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    ];
    // Beyond the table it falls from 2.2 to 1.96: the next larger value is the careful one.
    TABLE
        .get(degrees.saturating_sub(1))
        .copied()
        .unwrap_or(2.228)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(law: impl Fn(f64) -> f64) -> Growth {
        let points: Vec<_> = [1e3, 1e4, 1e5, 1e6].map(|n| (n, law(n))).into();
        Growth::of(&points).unwrap()
    }

    #[test]
    fn a_planted_law_is_found() {
        assert!(growth(|_| 7.0).exponent.abs() < 1e-9);
        assert!((growth(|n| 3.0 * n).exponent - 1.0).abs() < 1e-9);
        let square = growth(|n| 0.1 * n * n);
        assert!((square.exponent - 2.0).abs() < 1e-9 && square.margin < 1e-6);
        assert_eq!(square.word(), "worse than linear");
        assert_eq!(growth(f64::ln).word(), "flat");
    }

    #[test]
    fn noise_widens_the_interval_around_the_true_exponent() {
        let noise = |n: f64| {
            if (n.log10() as u32).is_multiple_of(2) {
                1.5
            } else {
                0.7
            }
        };
        let noisy = growth(|n| n * noise(n));
        assert!(noisy.margin > 0.1, "{noisy:?}");
        assert!((noisy.exponent - 1.0).abs() < noisy.margin, "{noisy:?}");
    }

    /// An interval of 0.33 ± 0.37 passed as "flat" once, since its lower end was within the limit.
    #[test]
    fn a_wide_interval_is_inconclusive_and_never_held() {
        let conclude = |exponent, margin| Expected::Flat.conclude(Growth { exponent, margin });
        assert_eq!(conclude(0.05, 0.1), Conclusion::Held);
        assert_eq!(conclude(0.25, 0.0), Conclusion::Held);
        assert_eq!(conclude(0.33, 0.37), Conclusion::Inconclusive);
        assert_eq!(conclude(0.1, 0.2), Conclusion::Inconclusive);
        assert_eq!(conclude(0.5, 0.2), Conclusion::Exceeded);
    }

    #[test]
    fn what_cannot_be_fitted_is_not() {
        assert_eq!(Growth::of(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(Growth::of(&[(1.0, 1.0), (2.0, 0.0), (3.0, 1.0)]), None);
    }
}
