//! A judged threshold in words: what it came to, and by how much it is beaten or missed.

use load_engine::{Judgement, Ruling};

use crate::units::{count, duration};

/// A judged threshold with its figure and, where a ratio says something, by how much it is beaten or
/// missed: `p99(append) < 50ms: 12.5 ms, beaten 4.0 times`.
#[must_use]
pub fn describe_judgement(judgement: &Judgement) -> String {
    let figure = describe_figure(judgement);
    let word = match judgement.ruling {
        Ruling::Held => "beaten",
        _ => "missed",
    };
    match judgement.observed.and_then(|value| ratio(judgement, value)) {
        Some(times) => format!("{figure}, {word} {times:.1} times"),
        None => figure,
    }
}

/// A threshold with its figure alone, of which nothing is to be said: `p99(append) < 50ms: 12.5 ms`.
#[must_use]
pub fn describe_figure(judgement: &Judgement) -> String {
    let text = judgement.threshold.to_string();
    match judgement.observed {
        Some(observed) => format!("{text}: {}", figure(observed, &judgement.unit)),
        None => {
            let reason = judgement.reason.as_deref().unwrap_or("not measured");
            format!("{text}: {reason}")
        }
    }
}

/// How many times better the figure is than its limit, or worse if it is missed; nothing where that is
/// no number that says anything, as of a count that has to be 0.
fn ratio(judgement: &Judgement, observed: f64) -> Option<f64> {
    let text = judgement.threshold.to_string();
    let limit = judgement.limit;
    if observed <= 0.0 || limit <= 0.0 {
        return None;
    }
    let better = if text.contains('<') {
        limit / observed
    } else if text.contains('>') {
        observed / limit
    } else {
        return None;
    };
    Some(match judgement.ruling {
        Ruling::Held => better,
        _ => 1.0 / better,
    })
}

fn figure(value: f64, unit: &str) -> String {
    match unit {
        "ns" => duration(value),
        "share" => format!("{:.3} %", value * 100.0),
        "per_s" => format!("{value:.0}/s"),
        "bytes" => format!("{:.1} MB", value / 1e6),
        "cores" => format!("{value:.2} cores"),
        _ if value.fract() == 0.0 && (0.0..1e15).contains(&value) => count(value as u64),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use load_engine::{RunRecord, Threshold, Verification};

    use super::*;

    fn described(threshold: &str, record: &RunRecord) -> String {
        let threshold: Threshold = threshold.parse().unwrap();
        describe_judgement(&threshold.judge(record, Some(&Verification::default())))
    }

    #[test]
    fn a_threshold_is_told_with_its_figure_and_by_how_much_it_is_beaten() {
        let mut record = RunRecord::default();
        record.iterations.completed = 500;
        record.monitor.summary.resident_peak_bytes = Some(40_000_000);
        assert_eq!(
            described("iterations >= 100", &record),
            "iterations >= 100: 500, beaten 5.0 times"
        );
        assert_eq!(
            described("memory_peak < 20MB", &record),
            "memory_peak < 20MB: 40.0 MB, missed 2.0 times"
        );
        assert_eq!(described("lost == 0", &record), "lost == 0: 0");
        assert_eq!(
            described("p99 < 1s", &record),
            "p99 < 1s: there was no operation"
        );
    }
}
