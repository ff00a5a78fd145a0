//! The memory of services whose processes are on this machine, sampled while they are under load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use load_engine::{Failure, MemorySample, Progress, ServiceMemory, Stage};

use super::machine;
use super::program::{Program, Service};

/// Time between two samples, at first: it doubles as a load gets long.
const SAMPLE_EACH: Duration = Duration::from_millis(100);

/// Samples of a service that are kept. When there are more, every other one goes.
const MOST_SAMPLES: usize = 2048;

/// How rarely is looked for the process of a service that has none: all of the machine's are looked at.
const FIND_EACH: Duration = Duration::from_secs(1);

/// The processes that a run has started, service by service; 0 where there is none.
pub(super) type Started = [AtomicU32];

/// Runs a load, meanwhile samples the memory of each service, and gives what was found.
pub(super) fn during<T>(
    program: &Program,
    started: &Started,
    load: impl FnOnce(&mut dyn FnMut(&Progress)) -> T,
) -> Result<(T, Vec<ServiceMemory>), Failure> {
    let began = OnceLock::new();
    let mut tell = |state: &Progress| {
        if state.stage == Stage::Running {
            began.get_or_init(|| {
                let now = Instant::now();
                now.checked_sub(state.elapsed).unwrap_or(now)
            });
        }
    };
    let watched = program.services.iter().zip(started).map(Watched::new);
    let mut watched: Vec<Watched<'_>> = watched.collect();
    let (running, ended) = sync_channel(0);
    let samples = &mut watched;
    let loaded = thread::scope(move |scope| {
        let sampler = thread::Builder::new()
            .name("harness:memory".to_owned())
            .spawn_scoped(scope, move || sample_all(samples, &ended))?;
        let loaded = load(&mut tell);
        drop(running);
        match sampler.join() {
            Ok(()) => Ok(loaded),
            Err(_) => Err(Failure::new("the thread harness:memory panicked")),
        }
    })?;
    let began = began.get().copied().unwrap_or_else(Instant::now);
    let found = watched.into_iter();
    let found = found.filter_map(|watched| watched.finish(began));
    Ok((loaded, found.collect()))
}

/// Samples until the sender is dropped, and once more then.
fn sample_all(watched: &mut [Watched<'_>], ended: &Receiver<()>) {
    let mut period = SAMPLE_EACH;
    loop {
        watched.iter_mut().for_each(Watched::sample);
        if watched.iter().any(|one| one.samples.len() >= MOST_SAMPLES) {
            watched.iter_mut().for_each(Watched::halve);
            period *= 2;
        }
        if ended.recv_timeout(period) != Err(RecvTimeoutError::Timeout) {
            watched.iter_mut().for_each(Watched::sample);
            return;
        }
    }
}

/// A service whose memory is sampled.
struct Watched<'p> {
    service: &'p Service,
    started: &'p AtomicU32,
    /// Its process, of one that the run did not start.
    found: Option<u32>,
    looked: Option<Instant>,
    process: String,
    samples: Vec<(Instant, u64)>,
}

impl<'p> Watched<'p> {
    fn new((service, started): (&'p Service, &'p AtomicU32)) -> Self {
        Self {
            service,
            started,
            found: None,
            looked: None,
            process: String::new(),
            samples: Vec::new(),
        }
    }

    fn sample(&mut self) {
        let Some(process) = self.process() else {
            return;
        };
        let Some(memory) = machine::memory_of(process) else {
            // It has ended, and another one may come in its place.
            self.found = None;
            return;
        };
        if !self.process.ends_with(&format!("({process})")) {
            self.process = format!("{} ({process})", machine::name_of(process));
        }
        self.samples.push((Instant::now(), memory));
    }

    fn process(&mut self) -> Option<u32> {
        let started = self.started.load(Ordering::Relaxed);
        if started != 0 {
            return Some(started);
        }
        let is_early = |looked: Instant| looked.elapsed() < FIND_EACH;
        if self.found.is_none() && !self.looked.is_some_and(is_early) {
            self.looked = Some(Instant::now());
            self.found = machine::listener_at(self.service.driver.address()?);
        }
        self.found
    }

    fn halve(&mut self) {
        let mut keep = false;
        self.samples.retain(|_| {
            keep = !keep;
            keep
        });
    }

    fn finish(self, began: Instant) -> Option<ServiceMemory> {
        let since = |at: Instant| match at.checked_duration_since(began) {
            Some(after) => after.as_nanos() as i64,
            None => -((began - at).as_nanos() as i64),
        };
        let samples = self.samples.iter();
        let samples = samples.map(|(at, resident_bytes)| MemorySample {
            at_ns: since(*at),
            resident_bytes: *resident_bytes,
        });
        (!self.samples.is_empty()).then(|| ServiceMemory {
            name: self.service.name.to_string(),
            process: self.process,
            samples: samples.collect(),
        })
    }
}
