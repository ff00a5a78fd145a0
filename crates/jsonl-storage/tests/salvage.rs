//! Taking what is whole out of a damaged log.

use std::fs;
use std::path::Path;

use jsonl_storage::{BreakKind, Error, Log, LogOptions, Run, Seq, salvage, verify_log};

fn filled(dir: &Path, records: u64) {
    let log: Log<u64> = LogOptions::new().segment_bytes(500).open(dir).unwrap();
    (1..=records).for_each(|value| assert!(log.append(&value).is_ok()));
}

fn first_segment(dir: &Path) -> std::path::PathBuf {
    dir.join("segment-00000000000000000001.jsonl")
}

fn values(dir: &Path) -> Vec<u64> {
    let log: Log<u64> = LogOptions::new().open(dir).unwrap();
    let records = log.scan().unwrap();
    records.map(|record| record.unwrap().data).collect()
}

#[test]
fn every_whole_record_is_kept_and_every_damaged_one_listed() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(old.path(), 40);
    let path = first_segment(old.path());
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[2] = lines[2].replace("\"data\":3", "\"data\":8");
    lines.insert(5, "[\"not ours\"]".to_owned());
    let damaged = lines.join("\n") + "\n";
    fs::write(&path, &damaged).unwrap();

    let error = LogOptions::new().open::<u64>(old.path()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { line: 3, .. }), "{error}");
    let found = salvage(old.path(), new.path()).unwrap();

    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        damaged,
        "the old log is as it was"
    );
    assert!(
        values(new.path())
            .into_iter()
            .eq((1..=40).filter(|value| *value != 3))
    );
    assert_eq!(verify_log(new.path()).unwrap().breaks, []);
    assert_eq!(found.kept, 39);
    let (first, rest) = (
        Run {
            was: Seq(1),
            is: Seq(1),
            records: 2,
        },
        Run {
            was: Seq(4),
            is: Seq(3),
            records: 37,
        },
    );
    assert_eq!(found.runs, [first, rest]);
    let places: Vec<_> = found.breaks.iter().map(|found| found.line).collect();
    assert_eq!(places, [3, 6]);
    let unreadable = fs::read_to_string(found.unreadable.unwrap()).unwrap();
    assert_eq!(unreadable, format!("{}\n[\"not ours\"]\n", lines[2]));
}

#[test]
fn records_that_stand_in_the_wrong_place_are_kept_and_listed() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(old.path(), 5);
    let path = first_segment(old.path());
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.swap(1, 2);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let found = salvage(old.path(), new.path()).unwrap();
    assert_eq!(values(new.path()), [1, 3, 2, 4, 5]);
    assert!(matches!(found.breaks[0].kind, BreakKind::OutOfOrder { .. }));
    assert_eq!(found.unreadable, None);
}

#[test]
fn a_log_is_not_salvaged_into_another_one() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(old.path(), 1);
    filled(new.path(), 2);
    let error = salvage(old.path(), new.path()).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(values(new.path()), [1, 2]);
}
