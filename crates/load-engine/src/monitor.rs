//! The monitor: what the process uses, sampled on a thread of its own while the load runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, MonotonicClock};
use crate::record::rounded;
use crate::usage::{Usage, reset_peak_resident};

/// Samples that are kept. When there are more, every other one goes and the period doubles: a run of
/// hours costs what one of minutes does.
const MAX_SAMPLES: usize = 2048;

/// Gaps that are kept; more are only counted.
const MAX_GAPS: usize = 100;

/// A sample that comes later than this many periods after the last is a gap in what is known.
const GAP_PERIODS: u64 = 3;

/// What the process used during a run, target and engine together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MonitorRecord {
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
    /// Bytes that the process had read from disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
    /// Bytes that the process had written to disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_written_bytes: Option<u64>,
}

impl MonitorSample {
    fn new(at_ns: i64, usage: &Usage) -> Self {
        Self {
            at_ns,
            resident_bytes: usage.resident_bytes,
            peak_resident_bytes: usage.peak_resident_bytes,
            cpu_user_ns: usage.cpu_user_ns,
            cpu_system_ns: usage.cpu_system_ns,
            threads: usage.threads,
            open_files: usage.open_files,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            cpu_pressure_ns: usage.strain.cpu_pressure_ns,
            memory_pressure_ns: usage.strain.memory_pressure_ns,
            io_pressure_ns: usage.strain.io_pressure_ns,
            throttled_ns: usage.strain.throttled_ns,
            disk_read_bytes: usage.strain.disk_read_bytes,
            disk_written_bytes: usage.strain.disk_written_bytes,
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

/// A running monitor.
pub(crate) struct Monitor {
    clock: MonotonicClock,
    /// Dropped to end the thread.
    running: Option<SyncSender<()>>,
    thread: Option<JoinHandle<Sampler>>,
}

impl Monitor {
    /// Takes the first sample and starts the thread.
    pub(crate) fn start(period: Duration) -> std::io::Result<Self> {
        let peak_was_reset = reset_peak_resident();
        let mut sampler = Sampler::new(period, peak_was_reset);
        let origin = MonotonicClock::new();
        sampler.add(origin.now_ns(), &Usage::read());
        let (running, ended) = sync_channel(0);
        let clock = origin.clone(); // with the same origin
        let thread = Builder::new()
            .name("load-engine:monitor".to_owned())
            .spawn(move || sampler.run(&clock, &ended))?;
        Ok(Self {
            clock: origin,
            running: Some(running),
            thread: Some(thread),
        })
    }

    /// The monitor's time, to tell it later when the load began.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Takes the last sample, and gives the record or the message of the thread's panic.
    pub(crate) fn finish(
        mut self,
        load_began_ns: u64,
        cpu_ns: Option<u64>,
        wall_ns: u64,
    ) -> Result<MonitorRecord, crate::Failure> {
        drop(self.running.take());
        let thread = self
            .thread
            .take()
            .expect("only this method takes the thread");
        match thread.join() {
            Ok(sampler) => Ok(sampler.into_record(load_began_ns, cpu_ns, wall_ns)),
            Err(panic) => Err(crate::Failure::from_panic(&*panic)),
        }
    }
}

impl Drop for Monitor {
    /// Ends the thread of a run that gives no record.
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // Its samples are not wanted, and a panic has been printed by the hook.
            drop(thread.join());
        }
    }
}

/// What the thread collects, in bounded memory.
struct Sampler {
    period_ns: u64,
    peak_was_reset: bool,
    highest_resident: Option<u64>,
    last_at_ns: Option<u64>,
    samples: Vec<(u64, Usage)>,
    gaps: Vec<(u64, u64)>,
    gap_count: u64,
}

impl Sampler {
    fn new(period: Duration, peak_was_reset: bool) -> Self {
        Self {
            period_ns: period.as_nanos() as u64,
            peak_was_reset,
            highest_resident: None,
            last_at_ns: None,
            samples: Vec::new(),
            gaps: Vec::new(),
            gap_count: 0,
        }
    }

    fn run(mut self, clock: &MonotonicClock, ended: &Receiver<()>) -> Self {
        while ended.recv_timeout(Duration::from_nanos(self.period_ns))
            == Err(RecvTimeoutError::Timeout)
        {
            self.add(clock.now_ns(), &Usage::read());
        }
        self.add(clock.now_ns(), &Usage::read());
        self
    }

    fn add(&mut self, at_ns: u64, usage: &Usage) {
        if let Some(last) = self.last_at_ns
            && at_ns - last > GAP_PERIODS * self.period_ns
        {
            self.gap_count += 1;
            if self.gaps.len() < MAX_GAPS {
                self.gaps.push((last, at_ns));
            }
        }
        self.last_at_ns = Some(at_ns);
        self.highest_resident = self.highest_resident.max(usage.resident_bytes);
        if self.samples.len() == MAX_SAMPLES {
            self.halve();
        }
        self.samples.push((at_ns, *usage));
    }

    fn halve(&mut self) {
        let mut keep = false;
        self.samples.retain(|_| {
            keep = !keep;
            keep
        });
        self.period_ns *= 2;
    }

    fn into_record(self, load_began_ns: u64, cpu_ns: Option<u64>, wall_ns: u64) -> MonitorRecord {
        let relative = |at_ns: u64| at_ns as i64 - load_began_ns as i64;
        let last = self
            .samples
            .last()
            .map(|(_, usage)| *usage)
            .unwrap_or_default();
        MonitorRecord {
            summary: self.summary(&last, cpu_ns, wall_ns),
            period_ns: self.period_ns,
            samples: self
                .samples
                .iter()
                .map(|(at_ns, usage)| MonitorSample::new(relative(*at_ns), usage))
                .collect(),
            gaps: self
                .gaps
                .iter()
                .map(|&(from, to)| MonitorGap {
                    from_ns: relative(from),
                    to_ns: relative(to),
                })
                .collect(),
            gap_count: self.gap_count,
            missing: last
                .sources()
                .into_iter()
                .chain(last.strain.sources())
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| name.to_owned())
                .collect(),
        }
    }

    fn summary(&self, last: &Usage, cpu_ns: Option<u64>, wall_ns: u64) -> MonitorSummary {
        let high_water_mark = last.peak_resident_bytes.filter(|_| self.peak_was_reset);
        MonitorSummary {
            resident_before_bytes: self
                .samples
                .first()
                .and_then(|(_, usage)| usage.resident_bytes),
            resident_peak_bytes: high_water_mark.max(self.highest_resident),
            resident_peak_is_exact: high_water_mark.is_some(),
            resident_after_bytes: last.resident_bytes,
            cpu_ns,
            cores_used: cpu_ns
                .filter(|_| wall_ns > 0)
                .map(|ns| rounded(ns as f64 / wall_ns as f64, 6)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_nanos(100);

    fn resident(bytes: u64) -> Usage {
        Usage {
            resident_bytes: Some(bytes),
            ..Usage::default()
        }
    }

    #[test]
    fn a_late_sample_is_a_gap_and_a_slow_one_is_none() {
        let mut sampler = Sampler::new(PERIOD, false);
        for at in [0, 100, 400, 701] {
            sampler.add(at, &Usage::default());
        }
        let record = sampler.into_record(100, None, 0);
        assert_eq!(
            record.gaps,
            [MonitorGap {
                from_ns: 300,
                to_ns: 601
            }]
        );
        assert_eq!(record.gap_count, 1);
    }

    #[test]
    fn a_missing_source_is_reported_as_missing() {
        let mut sampler = Sampler::new(PERIOD, true);
        sampler.add(0, &resident(5));
        let record = sampler.into_record(0, None, 0);
        assert!(record.missing.contains(&"open files".to_owned()));
        assert!(record.missing.contains(&"CPU throttling".to_owned()));
        assert!(!record.missing.contains(&"resident memory".to_owned()));
        assert!(!record.summary.resident_peak_is_exact);
        assert_eq!(record.samples[0].open_files, None);
    }

    #[test]
    fn a_long_run_keeps_a_bounded_number_of_evenly_spread_samples() {
        let mut sampler = Sampler::new(PERIOD, false);
        let (mut at, periods) = (0, 100_000);
        while at < periods * 100 {
            sampler.add(at, &resident(at));
            at += sampler.period_ns;
        }
        let last = sampler.last_at_ns;
        let record = sampler.into_record(0, None, 0);
        assert!((MAX_SAMPLES / 2..=MAX_SAMPLES).contains(&record.samples.len()));
        assert_eq!(record.gap_count, 0);
        let steps: std::collections::BTreeSet<_> = record
            .samples
            .windows(2)
            .map(|pair| pair[1].at_ns - pair[0].at_ns)
            .collect();
        // The halving falls between two samples, so at most one step is a short one.
        assert!(steps.len() <= 2, "{steps:?}");
        assert_eq!(record.summary.resident_peak_bytes, last);
    }

    #[test]
    fn a_peak_between_two_samples_is_the_kernels() {
        let mut sampler = Sampler::new(PERIOD, true);
        sampler.add(0, &resident(10));
        sampler.add(
            100,
            &Usage {
                peak_resident_bytes: Some(50),
                ..resident(12)
            },
        );
        let summary = sampler.into_record(0, Some(30), 100).summary;
        assert_eq!(summary.resident_peak_bytes, Some(50));
        assert_eq!(summary.resident_before_bytes, Some(10));
        assert_eq!(summary.resident_after_bytes, Some(12));
        assert_eq!(summary.cores_used, Some(0.3));
    }
}
