//! What the monitor writes down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::monitor::usage::Usage;
use crate::numbers::rounded;

/// What a process used during a run: the load's own, target and engine together, or another that was
/// watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MonitorRecord {
    /// The watched process; none for the load's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<WatchedProcess>,
    /// The figures of the whole run.
    pub summary: MonitorSummary,
    /// Time between two samples, at the end of the run: it doubles as a run gets long.
    pub period_ns: u64,
    /// The first is from before set-up, the last from after tear-down.
    pub samples: Vec<MonitorSample>,
    /// Times of which nothing is known, since a sample came late; the first hundred.
    pub gaps: Vec<MonitorGap>,
    /// How many gaps there were.
    pub gap_count: u64,
    /// Sources that could not be read.
    pub missing: Vec<String>,
}

impl MonitorRecord {
    /// By how much a total grew from the last sample before the load to the last of all, as a share
    /// of that time.
    pub(crate) fn share_of_load(&self, total: fn(&MonitorSample) -> Option<u64>) -> Option<f64> {
        let before = self.samples.partition_point(|sample| sample.at_ns <= 0);
        let first = self.samples.get(before.saturating_sub(1))?;
        let last = self.samples.last()?;
        let time_ns = last.at_ns.checked_sub(first.at_ns).filter(|ns| *ns > 0)?;
        let grown_ns = total(last)?.checked_sub(total(first)?)?;
        Some(rounded(grown_ns as f64 / time_ns as f64, 6))
    }
}

/// What the process used, in a few figures. A figure is missing if its source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MonitorSummary {
    /// Resident memory before set-up.
    pub resident_before_bytes: Option<u64>,
    /// The most resident memory during the run.
    pub resident_peak_bytes: Option<u64>,
    /// Whether that peak is the kernel's high-water mark of this run. If not, it is the highest
    /// sample, and a short peak may have passed unseen.
    pub resident_peak_is_exact: bool,
    /// Resident memory after tear-down.
    pub resident_after_bytes: Option<u64>,
    /// Processor time used during the load.
    pub cpu_ns: Option<u64>,
    /// How many processors that is: the processor time divided by the time.
    pub cores_used: Option<f64>,
}

/// One sample. Times and counts are the process's totals so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MonitorSample {
    /// When, from the start of the load; negative before it.
    pub at_ns: i64,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// The part of it that is no file's: heap and stacks. (What the heap itself holds only its
    /// allocator could tell.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_bytes: Option<u64>,
    /// The kernel's high-water mark of resident memory.
    pub peak_resident_bytes: Option<u64>,
    /// Processor time in user mode.
    pub cpu_user_ns: Option<u64>,
    /// Processor time in the kernel.
    pub cpu_system_ns: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Times that a thread gave up its processor to wait.
    pub voluntary_switches: Option<u64>,
    /// Times that a thread was taken off its processor.
    pub involuntary_switches: Option<u64>,
    /// Time in which some task of the machine waited for a processor (PSI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure_ns: Option<u64>,
    /// Time in which some task of the machine waited for memory (PSI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_pressure_ns: Option<u64>,
    /// Time in which some task of the machine waited for a disk (PSI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_pressure_ns: Option<u64>,
    /// Time in which the process's control group was kept from running by its CPU limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
    /// Time in which the machine's processors were given to other machines on the same host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_ns: Option<u64>,
    /// Bytes that the process had read from disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
    /// Bytes that the process had written to disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_written_bytes: Option<u64>,
}

impl MonitorSample {
    pub(super) fn new(at_ns: i64, usage: &Usage) -> Self {
        Self {
            at_ns,
            resident_bytes: usage.resident_bytes,
            anonymous_bytes: usage.anonymous_bytes,
            peak_resident_bytes: usage.peak_resident_bytes,
            cpu_user_ns: usage.cpu_user_ns,
            cpu_system_ns: usage.cpu_system_ns,
            threads: usage.threads,
            open_files: usage.open_files,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            cpu_pressure_ns: usage.pressure.cpu_pressure_ns,
            memory_pressure_ns: usage.pressure.memory_pressure_ns,
            io_pressure_ns: usage.pressure.io_pressure_ns,
            throttled_ns: usage.pressure.throttled_ns,
            stolen_ns: usage.pressure.stolen_ns,
            disk_read_bytes: usage.pressure.disk_read_bytes,
            disk_written_bytes: usage.pressure.disk_written_bytes,
        }
    }
}

/// A time of which the monitor knows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MonitorGap {
    /// The last sample before it, from the start of the load.
    pub from_ns: i64,
    /// The first sample after it.
    pub to_ns: i64,
}

/// A process that was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct WatchedProcess {
    /// Its number.
    pub pid: u32,
    /// Its name, of at most 15 characters, as the kernel keeps it.
    pub name: String,
    /// When it was found to have ended, from the start of the load; none if it was there to the end.
    pub gone_at_ns: Option<i64>,
}
