//! What is measured at one size.

use std::path::Path;
use std::time::{Duration, Instant};

use jsonl_storage::{Index, Log, LogOptions, Seq};
use serde::{Deserialize, Serialize};

/// Records that one wait covers while the log is filled.
const BATCH: u64 = 10_000;

/// Single records that are read, each somewhere else.
const READS: u64 = 2_000;

/// Openings, of which the median counts.
const OPENINGS: usize = 5;

/// The figures of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) records: u64,
    /// One record of a batch, submitted and synced.
    pub(crate) append_ns: f64,
    /// One record by its number: median.
    pub(crate) get_ns: f64,
    /// One record by its key: median.
    pub(crate) find_ns: f64,
    /// One record of a whole scan, checked and parsed.
    pub(crate) scan_ns: f64,
    /// Opening what a killed process left.
    pub(crate) open_killed_ns: f64,
    /// Opening after a clean close: median.
    pub(crate) open_ns: f64,
    /// Resident memory once the log is open and was read from, in bytes.
    pub(crate) resident_bytes: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Filled {
    append_ns: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Read {
    open_killed_ns: f64,
    open_ns: f64,
    get_ns: f64,
    find_ns: f64,
    resident_bytes: f64,
    scan_ns: f64,
}

impl Figures {
    pub(crate) fn joined(records: u64, filled: &str, read: &str) -> Option<Self> {
        let filled: Filled = serde_json::from_str(filled).ok()?;
        let read: Read = serde_json::from_str(read).ok()?;
        Some(Self {
            records,
            append_ns: filled.append_ns,
            get_ns: read.get_ns,
            find_ns: read.find_ns,
            scan_ns: read.scan_ns,
            open_killed_ns: read.open_killed_ns,
            open_ns: read.open_ns,
            resident_bytes: read.resident_bytes,
        })
    }
}

/// About 300 bytes as a line.
#[derive(Debug, Serialize, Deserialize)]
struct Event {
    id: String,
    text: String,
}

fn event(number: u64) -> Event {
    Event {
        id: key(number),
        text: format!("{number:->180}"),
    }
}

fn key(number: u64) -> String {
    format!("0198d2a4-7b1c-7000-8000-{number:012}")
}

fn open(dir: &Path) -> Result<Log<Event>, String> {
    let index = Index::new("id").by_key(|event: &Event| Some(event.id.as_str().into()));
    LogOptions::new()
        .indexed(index)
        .open(dir)
        .map_err(|error| error.to_string())
}

/// Fills a log, says how long that took, and aborts: the log is left as a kill leaves it.
pub(crate) fn fill(dir: &Path, records: u64) -> Result<String, String> {
    use std::io::Write as _;
    let log = open(dir)?;
    let mut spent = Duration::ZERO;
    for start in (0..records).step_by(BATCH as usize) {
        let batch: Vec<_> = (start..(start + BATCH).min(records)).map(event).collect();
        let began = Instant::now();
        log.append_all(&batch).map_err(|error| error.to_string())?;
        spent += began.elapsed();
    }
    let filled = Filled {
        append_ns: spent.as_nanos() as f64 / records as f64,
    };
    let json = serde_json::to_string(&filled).map_err(|error| error.to_string())?;
    println!("{json}");
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    std::process::abort()
}

/// Opens what was left, reads single records, closes and opens it again, and scans it.
pub(crate) fn read(dir: &Path, records: u64) -> Result<String, String> {
    let (log, open_killed) = timed(|| open(dir))?;
    if log.recovery().last != Seq(records) {
        return Err(format!(
            "{} of {records} records are there",
            log.recovery().last
        ));
    }
    log.close().map_err(|error| error.to_string())?;

    let mut openings = Vec::new();
    for _ in 0..OPENINGS {
        let (log, opening) = timed(|| open(dir))?;
        openings.push(opening);
        log.close().map_err(|error| error.to_string())?;
    }
    let log = open(dir)?;
    let get_ns = median_read(records, |number| {
        let found = log
            .get(Seq(number + 1))
            .map_err(|error| error.to_string())?;
        Ok(found.map(|record| record.data.id))
    })?;
    let find_ns = median_read(records, |number| {
        let found = log.find(&key(number)).map_err(|error| error.to_string())?;
        Ok(found.map(|record| record.data.id))
    })?;
    let resident_bytes = resident_bytes().ok_or("the system does not say how much memory")?;
    let (scanned, scan) = timed(|| {
        let scan = log.scan().map_err(|error| error.to_string())?;
        Ok(scan.filter(Result::is_ok).count() as u64)
    })?;
    if scanned != records {
        return Err(format!("{scanned} of {records} records were read"));
    }
    let read = Read {
        open_killed_ns: open_killed.as_nanos() as f64,
        open_ns: median(openings).as_nanos() as f64,
        get_ns,
        find_ns,
        resident_bytes,
        scan_ns: scan.as_nanos() as f64 / records as f64,
    };
    serde_json::to_string(&read).map_err(|error| error.to_string())
}

/// The median time of reading one record, at places that are spread by a multiplicative hash
/// (Knuth, The Art of Computer Programming, volume 3, section 6.4), the same in each run.
fn median_read(
    records: u64,
    read: impl Fn(u64) -> Result<Option<String>, String>,
) -> Result<f64, String> {
    let mut times = Vec::new();
    for turn in 0..READS {
        let number = turn.wrapping_mul(11_400_714_819_323_198_485) % records;
        let (found, time) = timed(|| read(number))?;
        if found.as_deref() != Some(&key(number)) {
            return Err(format!(
                "record {number} was asked for, {found:?} was found"
            ));
        }
        times.push(time);
    }
    Ok(median(times).as_nanos() as f64)
}

fn timed<T>(work: impl FnOnce() -> Result<T, String>) -> Result<(T, Duration), String> {
    let began = Instant::now();
    let result = work()?;
    Ok((result, began.elapsed()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// From `/proc/self/status`, described in proc(5).
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}
