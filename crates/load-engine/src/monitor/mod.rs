//! The monitor: what a process uses, sampled on a thread of its own while the load runs.

pub(crate) mod pressure;
pub(crate) mod process;
pub(crate) mod record;
pub(crate) mod ticks;
pub(crate) mod usage;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::monitor::process::Process;
use crate::monitor::usage::{Usage, reset_peak_resident};
use crate::numbers::rounded;

pub use record::{MonitorGap, MonitorRecord, MonitorSample, MonitorSummary, WatchedProcess};

/// Samples that are kept. When there are more, every other one goes and the period doubles: a run of
/// hours costs what one of minutes does.
const MAX_SAMPLES: usize = 2048;

/// Gaps that are kept; more are only counted.
const MAX_GAPS: usize = 100;

/// A sample that comes later than this many periods after the last is a gap in what is known.
const GAP_PERIODS: u64 = 3;

/// A running monitor.
pub(crate) struct Monitor {
    clock: MonotonicClock,
    /// Dropped to end the thread.
    running: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Locked for as long as a sample is added or the samples are copied.
    sampler: Arc<Mutex<Sampler>>,
}

impl Monitor {
    /// Takes the first sample and starts the thread.
    pub(crate) fn start(period: Duration) -> std::io::Result<Self> {
        Self::of(Sampler::new(period, reset_peak_resident(), None))
    }

    /// Watches another process. Its high-water mark of memory is not this run's alone.
    pub(crate) fn watch(period: Duration, process: Process) -> std::io::Result<Self> {
        Self::of(Sampler::new(period, false, Some(process)))
    }

    fn of(mut sampler: Sampler) -> std::io::Result<Self> {
        let origin = MonotonicClock::new();
        sampler.sample(&origin);
        let (running, ended) = sync_channel(0);
        let clock = origin.clone(); // with the same origin
        let sampler = Arc::new(Mutex::new(sampler));
        let filled = Arc::clone(&sampler);
        let thread = Builder::new()
            .name("load-engine:monitor".to_owned())
            .spawn(move || run(&filled, &clock, &ended))?;
        Ok(Self {
            clock: origin,
            running: Some(running),
            thread: Some(thread),
            sampler,
        })
    }

    /// The monitor's time, to tell it later when the load began.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// What is known by now, as long after the load began.
    pub(crate) fn so_far(&self, load_began_ns: u64, wall_ns: u64) -> MonitorRecord {
        let sampler = locked(&self.sampler);
        let (cpu_ns, _) = sampler.sampled_cpu(load_began_ns);
        sampler.to_record(load_began_ns, Some(cpu_ns), wall_ns)
    }

    /// Takes the last sample, and gives the record or the message of the thread's panic. The
    /// processor time is the caller's figure, or else that of the samples.
    pub(crate) fn finish(
        mut self,
        load_began_ns: u64,
        cpu_ns: Option<Option<u64>>,
        wall_ns: u64,
    ) -> Result<MonitorRecord, crate::Failure> {
        drop(self.running.take());
        let thread = self
            .thread
            .take()
            .expect("only this method takes the thread");
        match thread.join() {
            Ok(()) => Ok(locked(&self.sampler).to_record(load_began_ns, cpu_ns, wall_ns)),
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

fn locked(sampler: &Mutex<Sampler>) -> MutexGuard<'_, Sampler> {
    // A panic of the thread is told when it is joined.
    sampler.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Samples until the sender is dropped, and once more then.
fn run(sampler: &Mutex<Sampler>, clock: &MonotonicClock, ended: &Receiver<()>) {
    let mut period_ns = locked(sampler).period_ns;
    while ended.recv_timeout(Duration::from_nanos(period_ns)) == Err(RecvTimeoutError::Timeout) {
        let mut sampler = locked(sampler);
        sampler.sample(clock);
        period_ns = sampler.period_ns;
    }
    locked(sampler).sample(clock);
}

/// What the thread collects, in bounded memory.
struct Sampler {
    /// The watched process; none for the own one.
    process: Option<Process>,
    gone_at_ns: Option<u64>,
    period_ns: u64,
    peak_was_reset: bool,
    highest_resident: Option<u64>,
    last_at_ns: Option<u64>,
    samples: Vec<(u64, Usage)>,
    gaps: Vec<(u64, u64)>,
    gap_count: u64,
}

impl Sampler {
    fn new(period: Duration, peak_was_reset: bool, process: Option<Process>) -> Self {
        Self {
            process,
            gone_at_ns: None,
            period_ns: period.as_nanos() as u64,
            peak_was_reset,
            highest_resident: None,
            last_at_ns: None,
            samples: Vec::new(),
            gaps: Vec::new(),
            gap_count: 0,
        }
    }

    fn sample(&mut self, clock: &MonotonicClock) {
        let at_ns = clock.now_ns();
        match &self.process {
            None => self.add(at_ns, &Usage::read()),
            Some(process) => match process.read() {
                Some(usage) => self.add(at_ns, &usage),
                None => {
                    self.gone_at_ns.get_or_insert(at_ns);
                }
            },
        }
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

    fn to_record(
        &self,
        load_began_ns: u64,
        cpu_ns: Option<Option<u64>>,
        wall_ns: u64,
    ) -> MonitorRecord {
        let relative = |at_ns: u64| at_ns as i64 - load_began_ns as i64;
        let (cpu_ns, wall_ns) = match cpu_ns {
            Some(cpu_ns) => (cpu_ns, wall_ns),
            None => self.sampled_cpu(load_began_ns),
        };
        let last = self
            .samples
            .last()
            .map(|(_, usage)| *usage)
            .unwrap_or_default();
        MonitorRecord {
            process: self.process.as_ref().map(|process| WatchedProcess {
                pid: process.pid(),
                name: process.name().to_owned(),
                gone_at_ns: self.gone_at_ns.map(relative),
            }),
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
                .chain(last.pressure.sources())
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| name.to_owned())
                .collect(),
        }
    }

    /// Processor time between the last sample before the load and the last of all, and how long that
    /// was.
    fn sampled_cpu(&self, load_began_ns: u64) -> (Option<u64>, u64) {
        let before = self
            .samples
            .partition_point(|(at_ns, _)| *at_ns <= load_began_ns)
            .saturating_sub(1);
        let (Some((from_ns, first)), Some((to_ns, last))) =
            (self.samples.get(before), self.samples.last())
        else {
            return (None, 0);
        };
        let used = last.cpu_ns().zip(first.cpu_ns());
        let used_ns = used.map(|(last, first)| last.saturating_sub(first));
        (used_ns, to_ns - from_ns)
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
mod tests;
