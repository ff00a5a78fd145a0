//! Files of a log: when the next one is begun, what stands beside them, and what opening reads.

use std::fs;
use std::path::{Path, PathBuf};

use jsonl_storage::{BreakKind, Error, Index, Log, LogOptions, Seq, verify_log};

/// Small files, so that a few records fill several.
fn options() -> LogOptions {
    LogOptions::new().segment_bytes(1000)
}

fn open(dir: &Path) -> Log<u64> {
    options().open(dir).unwrap()
}

fn filled(records: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    (1..=records).for_each(|value| assert_eq!(log.append(&value).unwrap(), Seq(value)));
    log.close().unwrap();
    dir
}

fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    files.sort();
    files
}

fn assert_has(log: &Log<u64>, records: u64) {
    let found = log.scan().unwrap().map(|record| record.unwrap());
    assert!(
        found
            .map(|record| (record.seq, record.data))
            .eq((1..=records).map(|n| (Seq(n), n)))
    );
}

#[test]
fn a_full_file_is_followed_by_another() {
    let dir = filled(100);
    let segments = files(dir.path(), ".jsonl");
    assert!(segments.len() > 3, "{segments:?}");
    for segment in &segments {
        assert!(fs::metadata(segment).unwrap().len() <= 1000, "{segment:?}");
    }
    assert_eq!(files(dir.path(), ".index").len(), segments.len());
    let found = verify_log(dir.path()).unwrap();
    assert_eq!((found.records, found.breaks), (100, vec![]));
    let log = open(dir.path());
    assert_has(&log, 100);
    assert_eq!(log.append(&101).unwrap(), Seq(101));
    assert_has(&log, 101);
}

#[test]
fn a_log_can_be_rotated_by_hand_and_an_empty_file_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    log.rotate().unwrap();
    log.append(&1).unwrap();
    log.rotate().unwrap();
    log.rotate().unwrap();
    assert_eq!(files(dir.path(), ".jsonl").len(), 2);
    drop(log);
    let log = open(dir.path());
    assert_eq!(log.recovery().last, Seq(1));
    log.append(&2).unwrap();
    assert_has(&log, 2);
}

#[test]
fn a_file_ends_when_the_times_in_it_are_far_apart() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::new("time").by_time(|time: &u64| *time);
    let log = LogOptions::new()
        .segment_span(100)
        .indexed(index)
        .open(dir.path())
        .unwrap();
    for time in [5, 50, 104, 105, 204, 205] {
        log.append(&time).unwrap();
    }
    let names = files(dir.path(), ".jsonl");
    let firsts: Vec<_> = names.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(firsts.len(), 3, "{firsts:?}");
    assert!(
        firsts[1].ends_with("04.jsonl") && firsts[2].ends_with("06.jsonl"),
        "{firsts:?}"
    );
}

#[test]
fn after_a_clean_close_only_the_end_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    let text = "x".repeat(10_000);
    for _ in 0..500 {
        let _ticket = log.submit(&text).unwrap();
    }
    log.close().unwrap();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    let recovery = log.recovery();
    assert_eq!((recovery.records, recovery.last), (500, Seq(500)));
    assert!(
        (100..120).contains(&recovery.checked),
        "{}",
        recovery.checked
    );
    drop(log);
    fs::remove_file(&files(dir.path(), ".index")[0]).unwrap();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    assert_eq!(log.recovery().checked, 500);
}

#[test]
fn damage_to_the_last_record_after_a_clean_close_is_corruption() {
    for records in [1, 5, 100] {
        let dir = filled(records);
        let last = files(dir.path(), ".jsonl").pop().unwrap();
        let whole = fs::read(&last).unwrap();
        let cut = whole.len() as u64 - 3;
        fs::OpenOptions::new()
            .write(true)
            .open(&last)
            .unwrap()
            .set_len(cut)
            .unwrap();
        let error = options().open::<u64>(dir.path()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Corrupt {
                    kind: BreakKind::Unterminated,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!verify_log(dir.path()).unwrap().holds());

        // Also when the cut is between two lines.
        let line = whole[..whole.len() - 1]
            .iter()
            .rposition(|&byte| byte == b'\n');
        fs::write(&last, &whole[..line.map_or(0, |at| at + 1)]).unwrap();
        let error = options().open::<u64>(dir.path()).unwrap_err();
        let expected = Seq(records);
        assert!(
            matches!(error, Error::Corrupt { kind: BreakKind::Missing { expected: found }, .. } if found == expected),
            "{error}"
        );
        let found = verify_log(dir.path()).unwrap();
        assert_eq!(found.corruptions().count(), 1, "{:?}", found.breaks);
    }
}

#[test]
fn what_is_torn_behind_a_clean_close_is_set_aside() {
    let dir = filled(5);
    let last = files(dir.path(), ".jsonl").pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend_from_slice(b"{\"seq\":6,\"syn");
    fs::write(&last, &bytes).unwrap();
    let log = open(dir.path());
    assert_eq!(
        log.recovery().torn.as_ref().map(|torn| torn.bytes),
        Some(13)
    );
    log.append(&6).unwrap();
    assert_has(&log, 6);
}

#[test]
fn an_index_that_is_missing_or_damaged_is_made_anew() {
    for damage in [0, 1, 2] {
        let dir = filled(100);
        for index in files(dir.path(), ".index") {
            let mut bytes = fs::read(&index).unwrap();
            match damage {
                0 => fs::remove_file(&index).unwrap(),
                1 => fs::write(&index, &bytes[..bytes.len() / 2]).unwrap(),
                _ => {
                    *bytes.last_mut().unwrap() ^= 1;
                    fs::write(&index, bytes).unwrap();
                }
            }
        }
        let log = open(dir.path());
        let segments = files(dir.path(), ".jsonl").len();
        assert_eq!(log.recovery().rebuilt.len(), segments - 1);
        assert_eq!(log.recovery().records, 100);
        assert_has(&log, 100);
        drop(log);
        assert_eq!(open(dir.path()).recovery().rebuilt, Vec::<PathBuf>::new());
    }
}

#[test]
fn what_an_interrupted_rotation_leaves_is_recognised() {
    let dir = filled(100);
    // The next file exists, the index of the one before does not, or only half of it.
    let indexes = files(dir.path(), ".index");
    let unfinished = indexes[1].with_extension("index.tmp");
    fs::rename(&indexes[1], &unfinished).unwrap();
    fs::write(dir.path().join("segment-00000000000000000101.jsonl"), b"").unwrap();
    let log = open(dir.path());
    assert_eq!(log.recovery().leftovers, [unfinished]);
    assert_eq!(log.recovery().rebuilt, [indexes[1].clone()]);
    assert_eq!(log.append(&101).unwrap(), Seq(101));
    assert_has(&log, 101);
}

#[test]
fn a_file_that_is_gone_is_corruption() {
    let dir = filled(100);
    let segments = files(dir.path(), ".jsonl");
    for gone in &segments {
        let bytes = fs::read(gone).unwrap();
        fs::remove_file(gone).unwrap();
        let error = options().open::<u64>(dir.path()).unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { file, kind: BreakKind::Missing { .. }, .. } if file == gone),
            "{error}"
        );
        assert!(!verify_log(dir.path()).unwrap().holds(), "{gone:?}");
        fs::write(gone, bytes).unwrap();
    }
    assert_has(&open(dir.path()), 100);
}

#[test]
fn damage_in_a_complete_file_is_corruption_even_before_any_mark() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    // One group: its lines all say that nothing was on disk before them.
    (0..5).for_each(|value| drop(log.submit(&value).unwrap()));
    log.rotate().unwrap();
    drop(log);
    let first = &files(dir.path(), ".jsonl")[0];
    let mut bytes = fs::read(first).unwrap();
    bytes[70] ^= 1;
    fs::write(first, bytes).unwrap();
    assert!(!verify_log(dir.path()).unwrap().holds());
    fs::remove_file(&files(dir.path(), ".index")[0]).unwrap();
    assert!(matches!(
        LogOptions::new().open::<u64>(dir.path()),
        Err(Error::Corrupt { line: 2, .. })
    ));
}
