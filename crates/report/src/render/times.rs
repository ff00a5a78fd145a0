//! The figures of latencies that every table of a report has.

use load_engine::LatencySummary;

/// Minimum, mean, p50, p90, p95, p99, p99.9 and maximum, in nanoseconds; none where there are too few
/// operations for the figure.
///
/// Of what never ran there is no fastest and no slowest, and a percentile needs as many operations as make
/// it another figure than the maximum.
pub(super) fn supported(times: &LatencySummary) -> [Option<f64>; 8] {
    let of_any = |ns: f64| (times.count > 0).then_some(ns);
    let percentile = |ns: Option<u64>| ns.map(|ns| ns as f64);
    [
        of_any(times.min_ns as f64),
        of_any(times.mean_ns),
        percentile(times.p50()),
        percentile(times.p90()),
        percentile(times.p95()),
        percentile(times.p99()),
        percentile(times.p999()),
        of_any(times.max_ns as f64),
    ]
}
