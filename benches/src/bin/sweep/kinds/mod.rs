//! What is varied, and what is measured meanwhile.

mod gate;
pub(crate) mod log;
mod memory;
mod planted;
mod simulate;
mod state;
mod threads;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::fit::Expected;

/// One sweep.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What the sizes count.
    pub(crate) varied: &'static str,
    pub(crate) sizes: &'static [u64],
    pub(crate) measures: &'static [Measure],
    /// Measures one size in a directory of its own: a value for each measure.
    pub(crate) measure: fn(&Path, u64) -> Result<Vec<f64>, String>,
    /// Whether it is there to show that the sweep finds what it looks for.
    pub(crate) planted: bool,
}

/// One figure.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// What it is shown in.
    pub(crate) unit: &'static str,
    /// How many of what is measured (nanoseconds, bytes) make one of that.
    pub(crate) scale: f64,
    pub(crate) expected: Expected,
}

const MICROSECONDS: (&str, f64) = ("µs", 1e3);
const MILLISECONDS: (&str, f64) = ("ms", 1e6);
const MEGABYTES: (&str, f64) = ("MB", 1e6);

impl Measure {
    const fn new(
        name: &'static str,
        (unit, scale): (&'static str, f64),
        expected: Expected,
    ) -> Self {
        Self {
            name,
            unit,
            scale,
            expected,
        }
    }
}

impl Kind {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}

pub(crate) static KINDS: [Kind; 8] = [
    log::KIND,
    gate::KIND,
    simulate::WORLD,
    simulate::PLAN,
    threads::KIND,
    memory::KIND,
    state::KIND,
    planted::KIND,
];

fn timed<T>(work: impl FnOnce() -> Result<T, String>) -> Result<(T, Duration), String> {
    let began = Instant::now();
    let result = work()?;
    Ok((result, began.elapsed()))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0.0, |time| time.as_nanos() as f64)
}

/// Places that are spread by a multiplicative hash (Knuth, The Art of Computer Programming, volume 3,
/// section 6.4), the same in each run.
fn spread(turn: u64, size: u64) -> u64 {
    turn.wrapping_mul(11_400_714_819_323_198_485) % size
}

/// From `/proc/self/status`, described in proc(5).
fn resident_bytes() -> Result<f64, String> {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024.0)
    };
    read().ok_or_else(|| "the system does not say how much memory is used".to_owned())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
