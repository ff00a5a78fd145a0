//! A tail that is a population of its own: not the slow end of the usual, but something else that
//! happens to some operations.

use load_engine::{RunRecord, StepSummary};

use super::chance::strength;
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Unit};

/// Bins of the logarithm of latency: 10 to a decade, each 26 % wider than the last.
const BINS_PER_DECADE: f64 = 10.0;

/// From 1 ns to 1 h.
const BINS: usize = 128;

/// The second hill is at least so many bins from the first: a factor of 4.
const MIN_BINS_APART: usize = 6;

/// Between two hills there is a valley: at most this share of the lower hill.
const VALLEY: f64 = 0.35;

/// What is rarer is seen in the 99.9th percentile at most; what is more common is no tail.
const MIN_SHARE: f64 = 0.002;
const MAX_SHARE: f64 = 0.5;

/// A hill of fewer may be chance.
const MIN_COUNT: u64 = 30;

/// The hill is higher than the valley by so many standard deviations of their difference.
const MIN_DEVIATIONS: f64 = 5.0;

/// The same, for a strong finding, and how many times as slow its operations are.
const STRONG_DEVIATIONS: f64 = 8.0;
const STRONG_TIMES: f64 = 10.0;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let steps = run.steps.iter();
    steps.filter_map(|step| of_step(scenario, step)).collect()
}

fn of_step(scenario: &str, step: &StepSummary) -> Option<Finding> {
    // A damaged text is the loader's to complain of.
    let histogram = step.service_time.to_histogram().ok()?;
    let mut bins = [0u64; BINS];
    for bucket in histogram.iter_recorded() {
        let log = (bucket.value_iterated_to().max(1) as f64).log10();
        bins[((log * BINS_PER_DECADE) as usize).min(BINS - 1)] += bucket.count_at_value();
    }
    let hills = second_hill(&bins)?;
    let slow: u64 = bins[hills.valley..].iter().sum();
    let share = slow as f64 / histogram.len().max(1) as f64;
    if slow < MIN_COUNT || !(MIN_SHARE..=MAX_SHARE).contains(&share) {
        return None;
    }
    let (fast_ns, slow_ns) = (middle_of(hills.first), middle_of(hills.second));
    let times = slow_ns / fast_ns;
    Some(Finding {
        kind: FindingKind::BimodalTail,
        scenario: scenario.to_owned(),
        step: Some(step.name.clone()),
        phase: None,
        strength: strength(
            match times >= STRONG_TIMES && hills.deviations >= STRONG_DEVIATIONS {
                true => Grade::Strong,
                false => Grade::Moderate,
            },
            times,
            "the tail's typical latency over the usual one",
        ),
        evidence: Evidence {
            text: format!(
                "{:.1} % of the operations are a group of their own, about {times:.0} times as slow \
                 as the rest, with a gap between the two",
                share * 100.0
            ),
            figures: vec![
                Figure::new("usual latency, about", fast_ns, Unit::Nanoseconds),
                Figure::new("the tail's latency, about", slow_ns, Unit::Nanoseconds),
                Figure::new("share of the tail", share, Unit::Share),
            ],
        },
        recommendation:
            "find what these operations have in common: a cache that missed, a lock, a \
                         sync, a retry after a time-out"
                .to_owned(),
        span: None,
        plot: PlotKind::Percentiles,
    })
}

struct Hills {
    first: usize,
    /// The lowest bin between the two.
    valley: usize,
    second: usize,
    /// Of the difference between the second hill and the valley.
    deviations: f64,
}

/// The highest hill, and the highest one to its right behind a valley.
fn second_hill(bins: &[u64; BINS]) -> Option<Hills> {
    // Each bin with its neighbours, since the bins are narrow against a few dozen counts.
    let smooth: Vec<f64> = (0..BINS)
        .map(|bin| {
            let around = bin.saturating_sub(1)..(bin + 2).min(BINS);
            bins[around].iter().sum::<u64>() as f64
        })
        .collect();
    let first = (0..BINS).max_by(|a, b| smooth[*a].total_cmp(&smooth[*b]))?;
    // The slope of the first one is no hill, however high.
    let is_hill = |bin: &usize| {
        let mut around = bin.saturating_sub(2)..(bin + 3).min(BINS);
        around.all(|other| smooth[other] <= smooth[*bin])
    };
    let apart = (first + MIN_BINS_APART).min(BINS)..BINS;
    let hills = apart.filter(is_hill).filter_map(|second| {
        let valley = (first..second).min_by(|a, b| smooth[*a].total_cmp(&smooth[*b]))?;
        let (hill, low) = (smooth[second], smooth[valley]);
        let deviations = (hill - low) / (hill + low).sqrt().max(1.0);
        (low <= VALLEY * hill && deviations > MIN_DEVIATIONS).then_some(Hills {
            first,
            valley,
            second,
            deviations,
        })
    });
    hills.max_by(|a, b| smooth[a.second].total_cmp(&smooth[b.second]))
}

fn middle_of(bin: usize) -> f64 {
    10f64.powf((bin as f64 + 0.5) / BINS_PER_DECADE)
}
