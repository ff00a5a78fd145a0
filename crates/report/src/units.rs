//! Numbers as people read them.

use load_engine::MonitorSummary;

use crate::Unit;

/// Nanoseconds with three significant digits, in the unit that keeps them short.
#[must_use]
pub fn duration(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => scaled(ns / 1e3, "µs"),
        ns if ns < 1e9 => scaled(ns / 1e6, "ms"),
        ns => scaled(ns / 1e9, "s"),
    }
}

fn scaled(value: f64, unit: &str) -> String {
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {unit}")
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A count with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things, in the singular or the plural.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{} {thing}s", count(number)),
    }
}

/// Operations in a second.
#[must_use]
pub fn rate(per_second: f64) -> String {
    match per_second {
        // Three significant digits: a slow target does not do "0/s".
        slow if slow < 9.995 => format!("{}/s", three_digits(slow)),
        fast => format!("{}/s", count(fast.round() as u64)),
    }
}

/// A number below 10 with three significant digits, without trailing zeros.
fn three_digits(number: f64) -> String {
    if number <= 0.0 {
        return "0".to_owned();
    }
    let decimals = (2 - number.log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share as percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Resident memory before the load, at its peak, and after: "12 → 48 → 20 MB".
pub(super) fn memory(summary: &MonitorSummary) -> String {
    let figure = |bytes: Option<u64>| {
        bytes.map_or_else(
            || "?".to_owned(),
            |bytes| format!("{:.0}", megabytes(bytes)),
        )
    };
    format!(
        "{} → {} → {} MB",
        figure(summary.resident_before_bytes),
        figure(summary.resident_peak_bytes),
        figure(summary.resident_after_bytes)
    )
}

/// Processors in use on average.
pub(super) fn cores(summary: &MonitorSummary) -> String {
    summary
        .cores_used
        .map_or_else(|| "?".to_owned(), |cores| format!("{cores:.2} cores"))
}

/// Bytes in the unit of a power of a thousand that keeps them short.
pub(super) fn bytes(number: f64) -> String {
    match number {
        n if n < 1e3 => format!("{n:.0} B"),
        n if n < 1e6 => scaled(n / 1e3, "kB"),
        n if n < 1e9 => scaled(n / 1e6, "MB"),
        n => scaled(n / 1e9, "GB"),
    }
}

/// A figure with its unit.
pub(super) fn figure(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Nanoseconds => duration(value),
        Unit::Bytes => bytes(value),
        Unit::PerSecond => rate(value),
        Unit::Share => percent(value),
        Unit::Count => count(value.round() as u64),
        Unit::Ratio => format!("{value:.2} ×"),
        Unit::Cores => format!("{value:.2} cores"),
        Unit::Plain => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits() {
        let cases = [
            (0.0, "0 ns"),
            (999.0, "999 ns"),
            (1_234.0, "1.23 µs"),
            (45_678.0, "45.7 µs"),
            (99_960.0, "100 µs"),
            (2_500_000.0, "2.50 ms"),
            (61e9, "61.0 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text, "{ns}");
        }
    }

    #[test]
    fn slow_rates_keep_their_digits() {
        let cases = [
            (0.0, "0/s"),
            (0.0421, "0.0421/s"),
            (0.4, "0.4/s"),
            (1.0512, "1.05/s"),
            (9.99, "9.99/s"),
            (12.4, "12/s"),
            (1234.5, "1,235/s"),
        ];
        for (per_second, text) in cases {
            assert_eq!(rate(per_second), text);
        }
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ];
        for (number, text) in cases {
            assert_eq!(count(number), text);
        }
    }
}
