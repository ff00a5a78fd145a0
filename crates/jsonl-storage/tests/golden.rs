//! Logs that an earlier build wrote: read exactly, and written again byte for byte.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use std::path::Path;
use std::sync::Arc;

use jsonl_storage::{
    Checkpoint, CheckpointSigner, FsBackend, Index, Log, LogOptions, Record, Seq, VerifyOptions,
    salvage,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const ORIGIN: &str = "example.com/golden";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    id: Option<String>,
    at: u64,
    data: Value,
}

/// Texts, numbers and lengths of many kinds; keys that come once, again and not at all; times that
/// are not in order.
fn entries() -> Vec<Entry> {
    let data = |number: u64| match number % 7 {
        0 => json!("line\nbreak, \"quote\", \\ and \u{0}\u{7f}\u{2028}\u{1f980}"),
        1 => json!([null, true, -1, 0.1, 1e-7, 1e21, u64::MAX, i64::MIN]),
        2 => json!({ "z": 1, "a": { "": [] }, "\u{fb33}": {} }),
        3 => json!("x".repeat(number as usize % 70 * 9)),
        4 => json!(number),
        5 => json!(""),
        _ => Value::Null,
    };
    let entry = |number: u64| Entry {
        id: (!number.is_multiple_of(5)).then(|| format!("key-{}", number % 90)),
        at: 1_700_000_000_000 + number * 1000 - (number % 3) * 5000,
        data: data(number),
    };
    (1..=130).map(entry).collect()
}

/// Without an identity, as version 1 of the format.
fn open(dir: &Path) -> Log<Entry> {
    let options = LogOptions::new().chained().segment_bytes(20_000);
    open_as(FsBackend::new(dir).without_identity(), options)
}

fn open_as(backend: FsBackend, options: LogOptions) -> Log<Entry> {
    let index = Index::new("golden v1")
        .by_key(|entry: &Entry| entry.id.as_deref().map(Into::into))
        .by_time(|entry| entry.at);
    options.indexed(index).open_on(Arc::new(backend)).unwrap()
}

fn signer() -> CheckpointSigner {
    CheckpointSigner::new("example.com/key", [7; 32]).unwrap()
}

/// Several segments with their sidecars, the last one of a clean close; and a signed checkpoint.
fn written() -> (TempDir, String) {
    let dir = tempdir().unwrap();
    let note = fill(open(dir.path()));
    (dir, note)
}

/// Appends all entries one by one; gives a signed checkpoint.
fn fill(log: Log<Entry>) -> String {
    for (number, entry) in entries().iter().enumerate() {
        assert_eq!(log.append(entry).unwrap(), Seq(number as u64 + 1));
        if number == 110 {
            log.rotate().unwrap();
        }
    }
    let note = signer().sign(&log.checkpoint(ORIGIN).unwrap());
    log.close().unwrap();
    note
}

fn copy(name: &str) -> TempDir {
    let dir = tempdir().unwrap();
    golden::copy_folder(name, dir.path());
    dir
}

fn data(records: impl Iterator<Item = Result<Record<Entry>, jsonl_storage::Error>>) -> Vec<Entry> {
    records.map(|record| record.unwrap().data).collect()
}

#[test]
fn golden_segments_sidecars_and_checkpoint_are_written_byte_for_byte() {
    let (dir, note) = written();
    golden::assert_folder("log", dir.path());
    golden::assert_file("checkpoint.txt", note.as_bytes());
    let key = format!("{}\n", signer().key());
    golden::assert_file("checkpoint_key.txt", key.as_bytes());
}

/// Version 2: an identity, groups that share a link, and a statement of what was removed.
#[test]
fn golden_version_2_is_written_byte_for_byte_and_reads_back() {
    let options = || {
        let options = LogOptions::new().chained().chained_in_groups();
        options.segment_bytes(8_000)
    };
    let dir = tempdir().unwrap();
    let backend = FsBackend::new(dir.path()).with_identity([0x5a; 16]);
    let log = open_as(backend.clone(), options());
    for group in entries().chunks(9) {
        log.append_all(group).unwrap();
    }
    log.close().unwrap();
    golden::assert_folder("v2_begun", dir.path());
    let log = open_as(backend, options());
    let retired = log.retire_while(None, |segment| segment.first == Seq(1));
    let retired = retired.unwrap()[0].last;
    log.append(&entries()[0]).unwrap();
    let note = signer().sign(&log.checkpoint(ORIGIN).unwrap());
    log.close().unwrap();
    golden::assert_folder("v2", dir.path());
    golden::assert_file("v2_checkpoint.txt", note.as_bytes());

    let stored = copy("v2");
    let checkpoint = String::from_utf8(golden::read("v2_checkpoint.txt")).unwrap();
    let checkpoint = Checkpoint::from_note(&checkpoint, &signer().key()).unwrap();
    let found = VerifyOptions::new().against(checkpoint);
    let found = found.verify(stored.path()).unwrap();
    assert_eq!(
        (found.breaks.len(), found.doubts().len()),
        (0, 0),
        "{found:?}"
    );
    let log = open_as(FsBackend::new(stored.path()), options());
    assert_eq!(log.identity().unwrap().to_string(), "5a".repeat(16));
    assert_eq!(log.removed().unwrap().last, retired);
    let entries = entries();
    let left = entries[retired.0 as usize..].iter().chain(&entries[..1]);
    assert!(data(log.scan().unwrap()).iter().eq(left));
}

#[test]
fn golden_a_stored_log_reads_back_exactly_and_is_left_as_it_was() {
    let dir = copy("log");
    let log = open(dir.path());
    assert!(log.recovery().torn.is_none(), "{:?}", log.recovery());
    assert!(log.segments().len() > 1, "{:?}", log.segments());
    let entries = entries();
    assert_eq!(data(log.scan().unwrap()), entries);
    let reversed: Vec<Entry> = entries.iter().rev().cloned().collect();
    assert_eq!(data(log.range_back(..)), reversed);
    for number in 0..90 {
        let key = format!("key-{number}");
        let with_key = |entry: &&Entry| entry.id.as_ref() == Some(&key);
        let expected: Vec<Entry> = entries.iter().rev().filter(with_key).cloned().collect();
        assert_eq!(data(log.find_all(&key).unwrap()), expected, "{key}");
    }
    let times = entries[80].at..entries[115].at;
    let between = entries.iter().filter(|entry| times.contains(&entry.at));
    let between: Vec<Entry> = between.cloned().collect();
    assert_eq!(data(log.between(times).unwrap()), between);
    log.close().unwrap();
    golden::assert_folder("log", dir.path());
}

#[test]
fn golden_a_stored_log_verifies_against_its_stored_checkpoint() {
    let text = |name| String::from_utf8(golden::read(name)).unwrap();
    let key = text("checkpoint_key.txt").trim_end().parse().unwrap();
    let checkpoint = Checkpoint::from_note(&text("checkpoint.txt"), &key).unwrap();
    assert_eq!(checkpoint.last, Seq(entries().len() as u64));
    let verified = VerifyOptions::new().against(checkpoint);
    let verified = verified.verify(copy("log").path()).unwrap();
    assert_eq!(verified.breaks, []);
    assert!(verified.chained);
}

/// A log without a chain and an index, as most small ones are.
fn write_plain(dir: &Path) {
    let log: Log<Entry> = LogOptions::new().open(dir).unwrap();
    for entries in entries()[..20].chunks(4) {
        log.append_all(entries).unwrap();
    }
    log.close().unwrap();
}

#[test]
fn golden_a_plain_log_is_written_byte_for_byte_and_reads_back() {
    let dir = tempdir().unwrap();
    write_plain(dir.path());
    golden::assert_folder("plain", dir.path());
    let stored = copy("plain");
    let log: Log<Entry> = LogOptions::new().open(stored.path()).unwrap();
    assert_eq!(data(log.scan().unwrap()), entries()[..20]);
}

#[test]
fn golden_what_recovery_sets_aside_and_what_salvage_writes_are_as_stored() {
    let torn = copy("plain");
    let segment = torn.path().join("segment-00000000000000000001.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.extend(b"{\"seq\":21,\"synced\":20,\"da");
    std::fs::write(&segment, bytes).unwrap();
    let log: Log<Entry> = LogOptions::new().open(torn.path()).unwrap();
    assert!(log.recovery().torn.is_some());
    log.close().unwrap();
    golden::assert_folder("torn", torn.path());

    let damaged = copy("plain");
    let segment = damaged.path().join("segment-00000000000000000001.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\"seq\":5,", "\"seq\":6,", 1)).unwrap();
    let salvaged = tempdir().unwrap();
    assert_eq!(salvage(damaged.path(), salvaged.path()).unwrap().kept, 19);
    golden::assert_folder("salvaged", salvaged.path());
}

/// `cargo test -p jsonl-storage --features zstd golden` runs these.
#[cfg(feature = "zstd")]
mod compressed {
    use std::fs;

    use jsonl_storage::{Retention, verify_log};

    use super::*;

    /// Magic number, descriptor and content size (RFC 8878, section 3.1.1): behind them, another
    /// version of the library may compress otherwise.
    const HEADER_BYTES: usize = 4 + 1 + 2;

    fn archive(to: &Path) -> TempDir {
        let dir = copy("log");
        let log = open(dir.path());
        let retention = Retention::new().bytes_max(0).archive(to).compressed();
        assert!(!log.retire(&retention).unwrap().is_empty());
        log.close().unwrap();
        dir
    }

    #[test]
    fn golden_a_stored_compressed_archive_reads_back() {
        let dir = copy("archive");
        let verified = verify_log(dir.path()).unwrap();
        assert_eq!(verified.breaks, []);
        let salvaged = tempdir().unwrap();
        let kept = salvage(dir.path(), salvaged.path()).unwrap().kept;
        let log: Log<Entry> = LogOptions::new().open(salvaged.path()).unwrap();
        assert_eq!(data(log.scan().unwrap()), entries()[..kept as usize]);
    }

    #[test]
    fn golden_an_archive_is_compressed_in_the_stored_form() {
        let to = tempdir().unwrap();
        archive(to.path());
        if !golden::path("archive").exists() {
            golden::assert_folder("archive", to.path());
        }
        let names = fs::read_dir(golden::path("archive")).unwrap();
        for name in names.map(|entry| entry.unwrap().file_name()) {
            let stored = golden::read(&format!("archive/{}", name.display()));
            let written = fs::read(to.path().join(&name)).unwrap();
            assert_eq!(stored[..HEADER_BYTES], written[..HEADER_BYTES]);
            let text = |bytes: &[u8]| zstd::decode_all(bytes).unwrap();
            assert!(text(&stored) == text(&written), "{}", name.display());
        }
    }
}
