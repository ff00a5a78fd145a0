//! Giving up the oldest files.

use std::path::Path;

use jsonl_storage::{BreakKind, Error, Index, Log, LogOptions, Retention, Seq, verify_log};

fn open(dir: &Path) -> Log<u64> {
    let index = Index::new("value")
        .by_time(|value: &u64| *value)
        .by_key(|value: &u64| Some(value.to_string().into()));
    let options = LogOptions::new().chained().segment_bytes(1200);
    options.indexed(index).open(dir).unwrap()
}

fn filled(records: u64) -> (tempfile::TempDir, Log<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    (1..=records).for_each(|value| assert!(log.append(&value).is_ok()));
    (dir, log)
}

fn values(log: &Log<u64>) -> Vec<u64> {
    let records = log.scan().unwrap();
    records.map(|record| record.unwrap().data).collect()
}

#[test]
fn the_oldest_files_go_until_the_rest_is_small_enough() {
    let (dir, log) = filled(100);
    let before = log.segments();
    let retired = log.retire(&Retention::new().bytes_max(3600)).unwrap();
    assert_eq!(retired, before[..retired.len()]);
    let bytes: u64 = log.segments().iter().map(|segment| segment.bytes).sum();
    assert!((2400..=3600).contains(&bytes), "{bytes}");

    let first = retired.last().unwrap().last.next();
    assert!(values(&log).into_iter().eq(first.0..=100));
    assert_eq!(log.get(Seq(first.0 - 1)).unwrap(), None);
    assert_eq!(log.find("1").unwrap(), None);
    assert_eq!(log.find("100").unwrap().unwrap().seq, Seq(100));
    drop(log);

    let log = open(dir.path());
    // Record 101 states the removal.
    assert_eq!(log.recovery().records, 102 - first.0);
    assert_eq!(log.get(Seq(101)).unwrap(), None);
    assert_eq!(log.append(&102).unwrap(), Seq(102));
    let left = (first.0..=100).chain([102]);
    assert!(values(&log).into_iter().eq(left.clone()));
    let back = log.range_back(..).map(|record| record.unwrap().data);
    assert!(back.eq(left.rev()));
    drop(log);
    let found = verify_log(dir.path()).unwrap();
    assert_eq!((found.breaks, found.chained), (vec![], true));
}

#[test]
fn files_that_are_old_are_moved_to_an_archive_that_verifies() {
    let (dir, log) = filled(100);
    let archive = dir.path().join("archive");
    let retention = Retention::new().since(50).archive(&archive);
    let retired = log.retire(&retention).unwrap();
    let last = retired.last().unwrap().last;
    assert!(last < Seq(50) && log.segments()[0].last >= Seq(50));
    let again = log.retire(&retention).unwrap();
    assert_eq!(again, []);

    let found = verify_log(&archive).unwrap();
    assert_eq!(
        (found.records, found.last, found.breaks),
        (last.0, last, vec![])
    );
}

#[test]
fn whoever_reads_a_file_goes_on_when_it_is_retired() {
    let (_dir, log) = filled(60);
    let scan = log.scan().unwrap();
    let mut back = log.range_back(..);
    let retired = log.retire_while(None, |_| true).unwrap();
    assert!(retired.len() > 2);
    assert_eq!(scan.map(Result::unwrap).count(), 60);
    assert_eq!(back.next().unwrap().unwrap().seq, Seq(60));
    let first = log.scan().unwrap().next().unwrap().unwrap().seq;
    assert_eq!(first, retired.last().unwrap().last.next());
}

#[test]
fn nothing_goes_without_a_limit_or_when_it_cannot_be_archived() {
    let (dir, log) = filled(60);
    assert_eq!(log.retire(&Retention::new()).unwrap(), []);
    let file = dir.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let retention = Retention::new().bytes_max(0).archive(file.join("archive"));
    assert!(matches!(log.retire(&retention), Err(Error::Io { .. })));
    assert_eq!(values(&log).len(), 60);
    assert_eq!(log.append(&61).unwrap(), Seq(61));
}

#[test]
fn a_file_that_is_removed_by_hand_is_a_loss() {
    let (dir, log) = filled(60);
    let oldest = log.segments().remove(0);
    drop(log);
    std::fs::remove_file(oldest.path).unwrap();
    let found = verify_log(dir.path()).unwrap();
    let expected = Seq(1);
    assert_eq!(found.breaks[0].kind, BreakKind::Missing { expected });
}

#[test]
fn a_chain_goes_on_when_all_that_can_be_is_retired() {
    let (dir, log) = filled(60);
    log.rotate().unwrap();
    let retired = log.retire_while(None, |_| true).unwrap();
    assert!(retired.len() > 2);
    drop(log);
    let log = open(dir.path());
    assert_eq!(log.append(&61).unwrap(), Seq(62));
    drop(log);
    let found = verify_log(dir.path()).unwrap();
    assert_eq!(
        (found.last, found.chained, found.breaks),
        (Seq(62), true, vec![])
    );
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_compressed_file_is_an_error_that_names_what_reads_it() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = old.path().join("segment-00000000000000000001.jsonl.zst");
    std::fs::write(&file, "").unwrap();
    let expected = format!(
        "{} is compressed, and the cargo feature `zstd` of jsonl-storage is off",
        file.display()
    );
    assert_eq!(verify_log(old.path()).unwrap_err().to_string(), expected);
    let salvaged = jsonl_storage::salvage(old.path(), new.path());
    assert_eq!(salvaged.unwrap_err().to_string(), expected);
}
