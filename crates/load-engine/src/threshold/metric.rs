//! What a threshold can be about: each figure's name, dimension and scope.

use crate::threshold::quantity::Dimension;

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Metric {
    Quantile(Quantile),
    Min,
    Mean,
    Max,
    Operations,
    Succeeded,
    Failed,
    Rate,
    ErrorRate,
    Effects,
    Iterations,
    FailedIterations,
    Verified,
    Lost,
    Altered,
    Duplicated,
    Unexpected,
    Miscounted,
    Stale,
    OutOfOrder,
    Partial,
    Violated,
    Indeterminate,
    Unreadable,
    Vacuous,
    Dropped,
    Drained,
    OfferedRate,
    IterationRate,
    LateStarts,
    MemoryPeak,
    MemoryGrowth,
    MemoryLeak,
    Cores,
    Elapsed,
    RuntimeLag,
    UnknownRate,
}

/// A quantile, exactly: 99.9 % of a binary fraction is a little more than 999 of 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantile(u64); // in [1, WHOLE]

impl Quantile {
    const WHOLE: u64 = 10_000_000_000;
    const DECIMALS: usize = 8;

    /// Reads a percentage such as `99.9`, from 0.001 to 100.
    pub(crate) fn of_percent(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(part) || part.len() > Self::DECIMALS
        {
            return None;
        }
        let digits = format!("{whole}{part:0<width$}", width = Self::DECIMALS);
        let quantile = digits.parse().ok()?;
        (100_000..=Self::WHOLE)
            .contains(&quantile)
            .then_some(Self(quantile))
    }

    /// Which of so many sorted values it is, from 1: the nearest rank.
    pub(crate) fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(self.0) * u128::from(count)).div_ceil(u128::from(Self::WHOLE));
        rank.max(1) as u64
    }

    /// The fewest samples of which it is another one than the maximum.
    pub(crate) fn least_samples(self) -> u64 {
        match Self::WHOLE - self.0 {
            0 => 1,
            above => Self::WHOLE.div_ceil(above),
        }
    }

    /// As a fraction.
    pub(crate) fn fraction(self) -> f64 {
        self.0 as f64 / Self::WHOLE as f64
    }
}

impl Metric {
    /// Whether it is a time.
    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::Quantile(_) | Self::Min | Self::Mean | Self::Max)
    }

    /// Whether it is asked of services in place of steps.
    pub(crate) fn is_of_services(self) -> bool {
        matches!(self, Self::MemoryPeak | Self::MemoryGrowth)
    }

    /// Whether it counts what was timed beside steps.
    pub(crate) fn is_count_of_parts(self) -> bool {
        matches!(
            self,
            Self::Operations | Self::Succeeded | Self::Failed | Self::ErrorRate
        )
    }

    /// Whether the figure can be told, and means what it will mean, before the load is over.
    pub(crate) fn is_known_during_load(self) -> bool {
        matches!(
            self,
            Self::Quantile(_)
                | Self::Min
                | Self::Mean
                | Self::Max
                | Self::Failed
                | Self::ErrorRate
                | Self::FailedIterations
        )
    }
}

/// Of what a figure can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of a whole run.
    Run,
    /// Of a run or one of its steps.
    Step,
    /// Of a run, a step, a phase, or a step in a phase.
    Phase,
    /// Of a run or one of its phases.
    PhaseOnly,
    /// Of a run, a service, a phase, or a service in a phase.
    Service,
}

impl Scope {
    pub(crate) fn has_steps(self) -> bool {
        matches!(self, Self::Step | Self::Phase)
    }

    pub(crate) fn has_phases(self) -> bool {
        matches!(self, Self::Phase | Self::PhaseOnly | Self::Service)
    }
}

/// Every figure but the percentiles, by name.
pub(crate) const METRICS: [(&str, Metric, Dimension, Scope); 36] = [
    ("min", Metric::Min, Dimension::Time, Scope::Phase),
    ("mean", Metric::Mean, Dimension::Time, Scope::Phase),
    ("max", Metric::Max, Dimension::Time, Scope::Phase),
    (
        "operations",
        Metric::Operations,
        Dimension::Count,
        Scope::Phase,
    ),
    (
        "succeeded",
        Metric::Succeeded,
        Dimension::Count,
        Scope::Phase,
    ),
    ("failed", Metric::Failed, Dimension::Count, Scope::Phase),
    ("rate", Metric::Rate, Dimension::Rate, Scope::Phase),
    (
        "error_rate",
        Metric::ErrorRate,
        Dimension::Share,
        Scope::Phase,
    ),
    ("effects", Metric::Effects, Dimension::Count, Scope::Step),
    (
        "iterations",
        Metric::Iterations,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "failed_iterations",
        Metric::FailedIterations,
        Dimension::Count,
        Scope::Run,
    ),
    ("verified", Metric::Verified, Dimension::Count, Scope::Run),
    ("lost", Metric::Lost, Dimension::Count, Scope::Run),
    ("altered", Metric::Altered, Dimension::Count, Scope::Run),
    (
        "duplicated",
        Metric::Duplicated,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "unexpected",
        Metric::Unexpected,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "miscounted",
        Metric::Miscounted,
        Dimension::Count,
        Scope::Run,
    ),
    ("stale", Metric::Stale, Dimension::Count, Scope::Run),
    (
        "out_of_order",
        Metric::OutOfOrder,
        Dimension::Count,
        Scope::Run,
    ),
    ("partial", Metric::Partial, Dimension::Count, Scope::Run),
    ("violated", Metric::Violated, Dimension::Count, Scope::Run),
    (
        "indeterminate",
        Metric::Indeterminate,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "unreadable",
        Metric::Unreadable,
        Dimension::Count,
        Scope::Run,
    ),
    ("vacuous", Metric::Vacuous, Dimension::Count, Scope::Run),
    ("drained", Metric::Drained, Dimension::Count, Scope::Run),
    (
        "offered_rate",
        Metric::OfferedRate,
        Dimension::Rate,
        Scope::Run,
    ),
    (
        "iteration_rate",
        Metric::IterationRate,
        Dimension::Rate,
        Scope::Run,
    ),
    ("dropped", Metric::Dropped, Dimension::Count, Scope::Run),
    (
        "late_starts",
        Metric::LateStarts,
        Dimension::Count,
        Scope::Run,
    ),
    (
        "memory_peak",
        Metric::MemoryPeak,
        Dimension::Bytes,
        Scope::Service,
    ),
    (
        "memory_growth",
        Metric::MemoryGrowth,
        Dimension::Bytes,
        Scope::Service,
    ),
    (
        "memory_leak",
        Metric::MemoryLeak,
        Dimension::Bytes,
        Scope::PhaseOnly,
    ),
    ("cores", Metric::Cores, Dimension::Cores, Scope::Run),
    (
        "elapsed",
        Metric::Elapsed,
        Dimension::Time,
        Scope::PhaseOnly,
    ),
    (
        "runtime_lag",
        Metric::RuntimeLag,
        Dimension::Time,
        Scope::Run,
    ),
    (
        "unknown_rate",
        Metric::UnknownRate,
        Dimension::Share,
        Scope::Run,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_decimals() {
        let rank = |percent, count| Quantile::of_percent(percent).unwrap().rank(count);
        assert_eq!(rank("99.9", 1_000), 999);
        assert_eq!(rank("99", 100), 99);
        assert_eq!(rank("50", 5), 3);
        assert_eq!(rank("100", 7), 7);
        assert_eq!(rank("0.001", 10), 1);
        let least = |percent| Quantile::of_percent(percent).unwrap().least_samples();
        assert_eq!(
            ["50", "90", "95", "99", "99.9", "99.99", "100"].map(least),
            [2, 10, 20, 100, 1_000, 10_000, 1]
        );
        for wrong in ["", "0", "0.0001", "100.1", "9 9", "1e1", "99.999999999"] {
            assert_eq!(Quantile::of_percent(wrong), None, "{wrong}");
        }
    }
}
