//! A median and what it hides.

use std::fmt;

use serde::Serialize;

/// The middle of some figures, and their extremes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) lowest: f64,
    pub(crate) median: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// Not a number without figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        Self {
            lowest: sorted.first().copied().unwrap_or(f64::NAN),
            median: match sorted.len() {
                0 => f64::NAN,
                odd if odd % 2 == 1 => sorted[middle],
                _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
            },
            highest: sorted.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// As a ratio: `3.1 × (2.9 – 3.3)`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, median, high) = (self.lowest, self.median, self.highest);
        write!(
            f,
            "{} × ({} – {})",
            Figure(median),
            Figure(low),
            Figure(high)
        )
    }
}

/// A figure to two or three digits, without a power of ten.
pub(crate) struct Figure(pub(crate) f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0.abs() {
            large if large >= 99.95 => 0,
            middling if middling >= 9.995 => 1,
            small if small >= 0.0995 => 2,
            _ => 4,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(
            (spread.lowest, spread.median, spread.highest),
            (1.0, 2.5, 4.0)
        );
        assert!(Spread::of([]).median.is_nan());
    }

    #[test]
    fn a_figure_has_two_or_three_digits() {
        let shown = [1234.5, 45.67, 4.567, 0.1234, 0.012].map(|it| Figure(it).to_string());
        assert_eq!(shown, ["1234", "45.7", "4.57", "0.12", "0.0120"]);
    }
}
