//! From figures to places on an axis, and the ticks that help to read them back.

use crate::Unit;
use crate::units::{bytes, count, duration};

/// An axis: figures become shares of its length, from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// Seconds of the run.
    Time { end_s: f64 },
    /// From 0.
    Linear { high: f64, step: f64, unit: Unit },
    /// Latencies in nanoseconds.
    Log { low: f64, high: f64 },
    /// Percentiles as HdrHistogram draws them: each nine more is as wide as the one before.
    Nines { most: f64 },
}

/// Ticks of an axis of time at most.
const TIME_TICKS: f64 = 8.0;

/// Ticks of a linear axis at about.
const LINEAR_TICKS: f64 = 4.0;

/// A logarithmic axis of fewer factors of ten has ticks between them.
const FEW_DECADES: f64 = 2.5;

impl Scale {
    /// From 0 to a round figure above the highest.
    pub(super) fn linear(values: impl Iterator<Item = f64>, unit: Unit) -> Self {
        let highest = values.fold(0.0, f64::max);
        let step = round_step(if highest > 0.0 { highest } else { 1.0 } / LINEAR_TICKS);
        let high = ((highest / step).ceil()).max(1.0) * step;
        Self::Linear { high, step, unit }
    }

    /// From a little below the lowest to a little above the highest.
    pub(super) fn log(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.filter(|&value| value > 0.0);
        let low = positive.clone().fold(f64::INFINITY, f64::min);
        let high = positive.fold(0.0, f64::max);
        if high == 0.0 {
            return Self::Log {
                low: 1e3,
                high: 1e6,
            };
        }
        // A tenth of a decade of air, and an octave at the least.
        let (low, high) = (low / 1.25, high * 1.25);
        Self::Log {
            low,
            high: high.max(low * 2.0),
        }
    }

    /// Where a figure lies, from 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        let share = match self {
            Self::Time { end_s } => value / end_s,
            Self::Linear { high, .. } => value / high,
            Self::Log { low, high } => (value.max(low) / low).ln() / (high / low).ln(),
            Self::Nines { most } => nines(value) / most,
        };
        share.clamp(0.0, 1.0)
    }

    /// Figures to be marked, with their words.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Time { end_s } => time_ticks(end_s),
            Self::Linear { high, step, unit } => {
                let number = (high / step).round() as u32;
                let tick = |n| f64::from(n) * step;
                (0..=number)
                    .map(|n| (tick(n), linear_label(tick(n), step, unit)))
                    .collect()
            }
            Self::Log { low, high } => log_ticks(low, high),
            Self::Nines { most } => nines_ticks(most),
        }
    }
}

/// How many nines a quantile has: 0.9 has one, 0.99 two.
pub(super) fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(f64::MIN_POSITIVE).log10()
}

/// 1, 2 or 5 times a power of ten, at least as much.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= least * (1.0 - 1e-9))
        .unwrap_or(power * 10.0)
}

/// Steps that people count time by, in seconds.
const TIME_STEPS: [f64; 14] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
];

fn time_ticks(end_s: f64) -> Vec<(f64, String)> {
    // A run of 40.1 s is still one of 40 s.
    let least = end_s / TIME_TICKS * 0.95;
    let known = TIME_STEPS.into_iter().find(|&step| step >= least);
    let step = match known {
        _ if least < 1.0 => round_step(least),
        Some(step) => step,
        None => (least / 3600.0).ceil() * 3600.0,
    };
    let number = (end_s / step + 1e-9) as u32;
    (0..=number)
        .map(|n| f64::from(n) * step)
        .map(|at| (at, time_label(at, step, end_s)))
        .collect()
}

/// Seconds, or hours, minutes and seconds in a run of minutes. The script labels in the same way.
fn time_label(at_s: f64, step_s: f64, end_s: f64) -> String {
    const COUNTED_IN_SECONDS: f64 = 180.0;
    if end_s <= COUNTED_IN_SECONDS {
        let decimals = (-step_s.log10().floor()).clamp(0.0, 9.0) as usize;
        return format!("{at_s:.decimals$} s");
    }
    let seconds = at_s.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 || end_s >= 3600.0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn linear_label(value: f64, step: f64, unit: Unit) -> String {
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    match unit {
        Unit::Bytes if value == 0.0 => "0".to_owned(),
        Unit::Bytes => round(&bytes(value)),
        Unit::Share => format!("{:.0} %", value * 100.0),
        _ if step >= 1.0 => count(value.round() as u64),
        _ => format!("{value:.decimals$}"),
    }
}

fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let factors: &[f64] = if (high / low).log10() < FEW_DECADES {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    decades
        .flat_map(|decade| {
            factors
                .iter()
                .map(move |factor| factor * 10f64.powi(decade))
        })
        .filter(|&value| (low..=high).contains(&value))
        .map(|value| (value, short_duration(value)))
        .collect()
}

/// A round time without trailing zeros.
fn short_duration(ns: f64) -> String {
    round(&duration(ns * (1.0 + 1e-9)))
}

fn round(text: &str) -> String {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number} {unit}")
}

fn nines_ticks(most: f64) -> Vec<(f64, String)> {
    let mut ticks = vec![(0.0, "0 %".to_owned()), (0.5, "50 %".to_owned())];
    for nines in 1..=most.floor() as usize {
        let quantile = 1.0 - 10f64.powi(-(nines as i32));
        let decimals = nines.saturating_sub(2);
        ticks.push((quantile, format!("{:.decimals$} %", quantile * 100.0)));
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> String {
        let ticks = scale.ticks().into_iter().map(|(_, label)| label);
        ticks.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn ticks_are_round_and_few() {
        let time = |end_s| labels(Scale::Time { end_s });
        assert_eq!(
            time(0.35),
            "0.00 s | 0.05 s | 0.10 s | 0.15 s | 0.20 s | 0.25 s | 0.30 s | 0.35 s"
        );
        assert_eq!(
            time(40.0),
            "0 s | 5 s | 10 s | 15 s | 20 s | 25 s | 30 s | 35 s | 40 s"
        );
        assert_eq!(
            time(3600.0),
            "0:00:00 | 0:10:00 | 0:20:00 | 0:30:00 | 0:40:00 | 0:50:00 | 1:00:00"
        );
        assert_eq!(time(86_400.0).split(" | ").count(), 9);

        let linear = |high: f64, unit| labels(Scale::linear([high].into_iter(), unit));
        assert_eq!(
            linear(1730.0, Unit::PerSecond),
            "0 | 500 | 1,000 | 1,500 | 2,000"
        );
        assert_eq!(linear(0.31, Unit::Share), "0 % | 10 % | 20 % | 30 % | 40 %");
        assert_eq!(linear(9e6, Unit::Bytes), "0 | 5 MB | 10 MB");
        assert_eq!(linear(0.0, Unit::PerSecond), "0.0 | 0.5");

        let log = |low, high| labels(Scale::log([low, high].into_iter()));
        assert_eq!(
            log(900.0, 4.2e9),
            "1 µs | 10 µs | 100 µs | 1 ms | 10 ms | 100 ms | 1 s"
        );
        assert_eq!(log(1e6, 9e6), "1 ms | 2 ms | 5 ms | 10 ms");
        assert_eq!(
            labels(Scale::Nines { most: 4.3 }),
            "0 % | 50 % | 90 % | 99 % | 99.9 % | 99.99 %"
        );
    }

    #[test]
    fn places_are_between_both_ends_whatever_comes() {
        let scales = [
            Scale::Time { end_s: 10.0 },
            Scale::linear([5.0].into_iter(), Unit::Count),
            Scale::log([1e3, 1e6].into_iter()),
            Scale::Nines { most: 3.0 },
        ];
        for scale in scales {
            for value in [0.0, 0.5, 1.0, 7.0, 1e9, -3.0] {
                assert!((0.0..=1.0).contains(&scale.at(value)), "{scale:?} {value}");
            }
        }
        assert_eq!(Scale::Nines { most: 2.0 }.at(0.9), 0.5);
    }
}
