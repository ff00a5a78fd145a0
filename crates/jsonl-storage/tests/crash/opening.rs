//! Opening a log whose bytes anybody may have written: no panic, no altered record, no loss of the
//! good ones before the first bad byte. Shared by a property test here and the fuzz target.

use std::sync::Arc;

use jsonl_storage::{Backend, Error, Log, LogOptions, verify_log_on};
use serde_json::Value;

use crate::backend::{Machine, Plan};
use crate::disk::Disk;

const SEGMENT: &str = "segment-00000000000000000001.jsonl";

/// Reads the input as what is done to a log, does that, and opens it.
///
/// # Errors
///
/// When something that opening promises does not hold.
pub(crate) fn check(input: &[u8]) -> Result<(), String> {
    let (&[kind, number], rest) = input.split_first_chunk().unwrap_or((&[0, 0], &[]));
    let records = usize::from(number % 8);
    let good = written(records);
    match kind % 3 {
        0 => {
            // Anything at all behind some good records.
            let bytes = [good.as_slice(), rest].concat();
            check_opening(&bytes, records, None)
        }
        1 => check_opening(rest, 0, None),
        _ => {
            let (bytes, untouched) = edited(&good, rest);
            let whole = good[..untouched]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count();
            check_opening(&bytes, whole, Some(records))
        }
    }
}

/// The segment of a log with so many records, each synced by itself.
fn written(records: usize) -> Vec<u8> {
    let machine = Machine::new(Disk::default(), Plan::default());
    let log = open(&machine).expect("an empty directory opens");
    for number in 0..records {
        log.append(&value(number)).expect("a sound disk takes it");
    }
    log.close().expect("a sound disk takes it");
    machine.content(SEGMENT)
}

fn value(number: usize) -> Value {
    serde_json::json!({ "number": number, "text": "ä\n\"".repeat(number) })
}

fn open(machine: &Machine) -> Result<Log<Value>, Error> {
    LogOptions::new().open_on(machine.backend())
}

/// Changes bytes as the input says, four bytes of it a change; also gives how many of the first
/// bytes are as they were.
fn edited(good: &[u8], input: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = good.to_vec();
    let mut untouched = good.len();
    for change in input.chunks_exact(4).take(4).filter(|_| !good.is_empty()) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (bytes.len() + 1);
        let end = (at + 1 + usize::from(change[2] >> 3)).min(bytes.len());
        let replacement = match change[2] % 4 {
            0 => vec![change[3]; end - at],
            1 => Vec::new(),
            2 => [&[change[3]], &bytes[at..end]].concat(),
            _ => bytes[at..end].repeat(2),
        };
        bytes.splice(at..end, replacement);
        untouched = untouched.min(at);
    }
    (bytes, untouched)
}

/// Opens bytes that begin with so many good records; `of` them were written at all, if that is
/// known.
fn check_opening(bytes: &[u8], whole: usize, of: Option<usize>) -> Result<(), String> {
    let machine = Machine::new(Disk::with_file(SEGMENT, bytes), Plan::default());
    let backend = machine.backend();
    let before = verify_log_on(Arc::clone(&backend)).map_err(|error| format!("verify: {error}"))?;
    let log = match open(&machine) {
        Ok(log) => log,
        Err(Error::Corrupt { .. }) if before.holds() => {
            return Err("opening finds damage and verify none".to_owned());
        }
        Err(Error::Corrupt { .. }) if machine.content(SEGMENT) != bytes => {
            return Err("a log that was not opened was changed".to_owned());
        }
        Err(Error::Corrupt { .. }) => return Ok(()),
        Err(error) => return Err(format!("neither opened nor found damaged: {error}")),
    };
    if !before.holds() {
        return Err(format!("opened in spite of {:?}", before.breaks));
    }
    let found = values(&log)?;
    if found.len() < whole || of.is_some_and(|of| found.len() > of) {
        return Err(format!(
            "{} records found, {whole} good ones of {of:?}",
            found.len()
        ));
    }
    let written = of.unwrap_or(whole).min(found.len());
    if let Some(at) = (0..written).find(|&at| found[at] != value(at)) {
        return Err(format!("record {at} became {}", found[at]));
    }
    goes_on(&machine, &backend, log, found)
}

/// Whatever was there, the next record follows it and is found after the next opening.
fn goes_on(
    machine: &Machine,
    backend: &Arc<dyn Backend>,
    log: Log<Value>,
    mut found: Vec<Value>,
) -> Result<(), String> {
    let say = |error: Error| format!("after the opening: {error}");
    found.push(value(99));
    let seq = log.append(&value(99)).map_err(say)?;
    log.close().map_err(say)?;
    let log = open(machine).map_err(say)?;
    let again = values(&log)?;
    let verified = verify_log_on(Arc::clone(backend)).map_err(say)?;
    if again != found || log.durable() != seq || !verified.breaks.is_empty() {
        return Err(format!("{found:?} became {again:?}, {verified:?}"));
    }
    Ok(())
}

fn values(log: &Log<Value>) -> Result<Vec<Value>, String> {
    let say = |error: Error| format!("scan: {error}");
    let records = log.scan().map_err(say)?;
    records
        .map(|record| record.map(|record| record.data).map_err(say))
        .collect()
}
