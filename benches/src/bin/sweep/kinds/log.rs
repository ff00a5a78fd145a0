//! The log over its records.

use std::path::Path;
use std::time::{Duration, Instant};

use jsonl_storage::{Index, Log, LogOptions, Seq};
use serde::{Deserialize, Serialize};

use super::{
    Kind, MEGABYTES, MICROSECONDS, MILLISECONDS, Measure, median, resident_bytes, spread, text,
    timed,
};
use crate::fit::Expected;

/// Records that one wait covers while the log is filled.
const BATCH: u64 = 10_000;

/// Single records that are read, each somewhere else.
const READS: u64 = 2_000;

/// Openings, of which the median counts.
const OPENINGS: usize = 5;

pub(super) const KIND: Kind = Kind {
    name: "log",
    varied: "records",
    sizes: &[
        5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    ],
    measures: &[
        Measure::new("append, a record of a batch", MICROSECONDS, Expected::Flat),
        Measure::new("get by number, median", MICROSECONDS, Expected::Flat),
        Measure::new("find by key, median", MICROSECONDS, Expected::Flat),
        Measure::new("scan, a record", MICROSECONDS, Expected::Flat),
        Measure::new("open after a close", MILLISECONDS, Expected::LessThanLinear),
        Measure::new("open after a kill", MILLISECONDS, Expected::Linear),
        Measure::new("resident memory", MEGABYTES, Expected::LessThanLinear),
    ],
    // Filled in one process, which is killed by its own hand, and read in this one.
    measure: |dir, records| {
        let filled = crate::call(&["--fill", crate::path(dir)?, &records.to_string()])?;
        let append: f64 = filled.trim().parse().map_err(text)?;
        let mut values = vec![append];
        values.extend(read(dir, records)?);
        Ok(values)
    },
    planted: false,
};

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
pub(crate) fn fill(dir: &Path, records: u64) -> Result<std::convert::Infallible, String> {
    use std::io::Write as _;
    let log = open(dir)?;
    let mut spent = Duration::ZERO;
    for start in (0..records).step_by(BATCH as usize) {
        let batch: Vec<_> = (start..(start + BATCH).min(records)).map(event).collect();
        let began = Instant::now();
        log.append_all(&batch).map_err(|error| error.to_string())?;
        spent += began.elapsed();
    }
    println!("{}", spent.as_nanos() as f64 / records as f64);
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    std::process::abort()
}

/// Opens what was left, reads single records, closes and opens it again, and scans it.
fn read(dir: &Path, records: u64) -> Result<[f64; 6], String> {
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
    let resident_bytes = resident_bytes()?;
    let (scanned, scan) = timed(|| {
        let scan = log.scan().map_err(|error| error.to_string())?;
        Ok(scan.filter(Result::is_ok).count() as u64)
    })?;
    if scanned != records {
        return Err(format!("{scanned} of {records} records were read"));
    }
    Ok([
        get_ns,
        find_ns,
        scan.as_nanos() as f64 / records as f64,
        median(openings),
        open_killed.as_nanos() as f64,
        resident_bytes,
    ])
}

/// The median time of reading one record, here and there.
fn median_read(
    records: u64,
    read: impl Fn(u64) -> Result<Option<String>, String>,
) -> Result<f64, String> {
    let mut times = Vec::new();
    for turn in 0..READS {
        let number = spread(turn, records);
        let (found, time) = timed(|| read(number))?;
        if found.as_deref() != Some(&key(number)) {
            return Err(format!(
                "record {number} was asked for, {found:?} was found"
            ));
        }
        times.push(time);
    }
    Ok(median(times))
}
