//! A tail that is a population of its own: not the slow end of the usual, but something else that
//! happens to some operations.

use load_engine::{RunRecord, StepSummary};

use super::strength;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Unit};

/// Bins of the logarithm of latency: 10 to a decade, each 26 % wider than the last.
const BINS_PER_DECADE: f64 = 10.0;

/// From 1 ns to 1 h.
const BINS: usize = 128;

/// The second hill is at least so many bins from the first: a factor of 4.
const MIN_BINS_APART: usize = 6;

/// Between two hills there is a valley: at most this share of the lower hill.
const VALLEY: f64 = 0.25;

/// What is rarer is seen in the 99.9th percentile at most; what is more common is no tail.
const MIN_SHARE: f64 = 0.002;
const MAX_SHARE: f64 = 0.5;

/// A hill of fewer may be chance.
const MIN_COUNT: u64 = 30;

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
            times,
            10.0,
            50.0,
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
    let highest =
        |range: std::ops::Range<usize>| range.max_by(|a, b| smooth[*a].total_cmp(&smooth[*b]));
    let first = highest(0..BINS)?;
    let second = highest((first + MIN_BINS_APART).min(BINS)..BINS)?;
    let valley = (first..second).min_by(|a, b| smooth[*a].total_cmp(&smooth[*b]))?;
    // Right beside the range's edge the "hill" is the slope of the first one.
    let deep = smooth[valley] <= VALLEY * smooth[second];
    (smooth[second] >= MIN_COUNT as f64 / 2.0 && deep).then_some(Hills {
        first,
        valley,
        second,
    })
}

fn middle_of(bin: usize) -> f64 {
    10f64.powf((bin as f64 + 0.5) / BINS_PER_DECADE)
}
