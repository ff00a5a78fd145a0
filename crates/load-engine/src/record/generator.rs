//! What the engine itself costs, measured at the start of each run.

use std::hint::black_box;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, MonotonicClock};
use crate::monitor::MonitorRecord;
use crate::numbers::rounded;
use crate::record::histogram::empty_histogram;

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
    /// Processor time that the host gave to other machines during the load, as a share of what this
    /// machine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_share: Option<f64>,
    /// Time in which a limit of its control group kept the process from running, as a share of the
    /// load's. With several threads it can be more than 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_share: Option<f64>,
    /// Time in which some task of the machine was ready and had no processor (PSI), as a share of the
    /// load's. A target in the same process makes it as well as the generator does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure_share: Option<f64>,
    /// The same of tasks that waited for memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_pressure_share: Option<f64>,
    /// By how much users of a closed model came late out of their think time, as a share of all users'
    /// time: so much less load was put on than the plan asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overslept_share: Option<f64>,
}

impl GeneratorRecord {
    pub(crate) fn new(
        operation_overhead_ns: f64,
        operations: u64,
        cpu_ns: Option<u64>,
        wall_ns: u64,
        monitor: &MonitorRecord,
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
            stolen_share: monitor
                .share_of_load(|sample| sample.stolen_ns)
                .map(|share| rounded(share / processors as f64, 6)),
            throttled_share: monitor.share_of_load(|sample| sample.throttled_ns),
            cpu_pressure_share: monitor.share_of_load(|sample| sample.cpu_pressure_ns),
            memory_pressure_share: monitor.share_of_load(|sample| sample.memory_pressure_ns),
            overslept_share: None,
        }
    }

    /// Without what the machine did: its time is another than the load's.
    pub(crate) fn of_simulated_time(self) -> Self {
        Self {
            operation_overhead_ns: self.operation_overhead_ns,
            ..Self::default()
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
    use crate::monitor::MonitorSample;

    #[test]
    fn an_operation_costs_more_than_nothing_and_less_than_a_hundred_microseconds() {
        let overhead = calibrate();
        assert!((1.0..100_000.0).contains(&overhead), "{overhead} ns");
    }

    #[test]
    fn shares_of_nothing_are_missing_and_never_nan() {
        let idle = GeneratorRecord::new(50.0, 0, Some(0), 0, &MonitorRecord::default());
        assert_eq!((idle.cpu_share, idle.machine_share), (None, None));
        let unknown = GeneratorRecord::new(50.0, 10, None, 1_000, &MonitorRecord::default());
        assert_eq!((unknown.cpu_share, unknown.machine_share), (None, None));
        assert_eq!(
            (unknown.stolen_share, unknown.throttled_share),
            (None, None)
        );
    }

    #[test]
    fn totals_of_the_monitor_are_shares_of_the_load_and_not_of_what_was_before() {
        let sample = |at_ms: i64, throttled_ms: u64| MonitorSample {
            at_ns: at_ms * 1_000_000,
            throttled_ns: Some(throttled_ms * 1_000_000),
            stolen_ns: Some(throttled_ms * 1_000_000),
            ..MonitorSample::default()
        };
        let monitor = MonitorRecord {
            samples: vec![
                sample(-500, 0),
                sample(0, 400),
                sample(100, 420),
                sample(200, 440),
            ],
            ..MonitorRecord::default()
        };
        let record = GeneratorRecord::new(50.0, 0, None, 0, &monitor);
        assert_eq!(record.throttled_share, Some(0.2));
        assert!(record.stolen_share.is_some_and(|share| share <= 0.2));
        assert_eq!(record.cpu_pressure_share, None, "nothing tells of it");
    }
}
