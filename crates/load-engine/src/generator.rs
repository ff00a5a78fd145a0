//! What the engine itself costs, measured at the start of each run.

use std::hint::black_box;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, MonotonicClock};
use crate::record::rounded;
use crate::recorder::empty_histogram;

/// The engine's own part in what a run measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GeneratorRecord {
    /// What one step costs besides the target: two readings of the clock and one histogram write,
    /// calibrated just before the load. About half of it is inside each recorded latency.
    pub operation_overhead_ns: f64,
    /// That cost times the operations, as a share of the processor time that the process used
    /// during the load. Missing where the processor time is.
    pub cpu_share: Option<f64>,
    /// Processor time that the process used, target and engine, as a share of what the machine has.
    /// Near 1, latencies include waiting for a processor.
    pub machine_share: Option<f64>,
}

impl GeneratorRecord {
    pub(crate) fn new(
        operation_overhead_ns: f64,
        operations: u64,
        cpu_ns: Option<u64>,
        wall_ns: u64,
    ) -> Self {
        let own_ns = operation_overhead_ns * operations as f64;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let used = cpu_ns.filter(|&ns| ns > 0).map(|ns| ns as f64);
        Self {
            operation_overhead_ns: rounded(operation_overhead_ns, 3),
            cpu_share: used.map(|ns| rounded((own_ns / ns).min(1.0), 6)),
            machine_share: used
                .filter(|_| wall_ns > 0)
                .map(|ns| rounded((ns / (wall_ns as f64 * processors as f64)).min(1.0), 6)),
        }
    }
}

/// Operations of one timed batch.
const BATCH: u32 = 2_000;

/// Batches; the fastest counts, since whatever disturbs one only makes it slower.
const BATCHES: u32 = 10;

/// Nanoseconds for two readings of the clock and one histogram write.
pub(crate) fn calibrate() -> f64 {
    let clock = MonotonicClock::new();
    let mut histogram = empty_histogram();
    let fastest = (0..BATCHES)
        .map(|_| {
            let started_ns = clock.now_ns();
            for _ in 0..BATCH {
                let before = clock.now_ns();
                let after = clock.now_ns();
                histogram.saturating_record(black_box(after - before));
            }
            clock.now_ns() - started_ns
        })
        .min()
        .unwrap_or(0);
    fastest as f64 / f64::from(BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_costs_more_than_nothing_and_less_than_a_hundred_microseconds() {
        let overhead = calibrate();
        assert!((1.0..100_000.0).contains(&overhead), "{overhead} ns");
    }

    #[test]
    fn shares_of_nothing_are_missing_and_never_nan() {
        let idle = GeneratorRecord::new(50.0, 0, Some(0), 0);
        assert_eq!((idle.cpu_share, idle.machine_share), (None, None));
        let unknown = GeneratorRecord::new(50.0, 10, None, 1_000);
        assert_eq!((unknown.cpu_share, unknown.machine_share), (None, None));
    }
}
