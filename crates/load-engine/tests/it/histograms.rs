//! Percentiles after a merge are those of one histogram of all values.

use load_engine::{LatencySummary, MAX_LATENCY_NS, RunError, empty_histogram};
use proptest::prelude::*;

fn summary(values: &[u64]) -> LatencySummary {
    let mut histogram = empty_histogram();
    for &value in values {
        histogram.saturating_record(value);
    }
    LatencySummary::of(&histogram)
}

fn latency() -> impl Strategy<Value = u64> {
    prop_oneof![0..2_000u64, 1_000..1_000_000_000u64, 0..=2 * MAX_LATENCY_NS]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_merge_equals_one_histogram_of_all_values(
        first in prop::collection::vec(latency(), 0..300),
        second in prop::collection::vec(latency(), 0..300),
    ) {
        let all: Vec<u64> = first.iter().chain(&second).copied().collect();
        let merged = summary(&first).merged(&summary(&second)).unwrap();
        prop_assert_eq!(merged, summary(&all));
    }

    #[test]
    fn percentiles_are_true_to_three_digits(mut values in prop::collection::vec(1..=MAX_LATENCY_NS, 1..500)) {
        let summary = summary(&values);
        values.sort_unstable();
        for (quantile, reported) in [(0.5, summary.p50_ns), (0.9, summary.p90_ns), (0.99, summary.p99_ns)] {
            let rank = (quantile * values.len() as f64).ceil().max(1.0) as usize;
            let truth = values[rank - 1] as f64;
            prop_assert!((reported as f64 - truth).abs() <= truth * 0.001 + 1.0, "{} {}", reported, truth);
        }
        prop_assert!(summary.min_ns <= summary.p50_ns && summary.p999_ns <= summary.max_ns);
    }
}

#[test]
fn a_summary_of_nothing_is_all_zero() {
    let nothing = summary(&[]);
    assert_eq!(nothing, LatencySummary::default());
    assert_eq!(nothing.to_histogram().unwrap().len(), 0);
    assert_eq!(nothing.merged(&summary(&[5])).unwrap(), summary(&[5]));
}

#[test]
fn a_damaged_histogram_is_refused() {
    let mut damaged = summary(&[1, 2, 3]);
    damaged.histogram = "bm90IGEgaGlzdG9ncmFt".to_owned();
    let error = damaged.to_histogram().unwrap_err();
    assert!(
        matches!(error, RunError::Histogram { length: 20, .. }),
        "{error}"
    );
}
