//! What somebody who can write to the directory does to a log: each attack succeeded once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonl_storage::{
    BreakKind, Checkpoint, Doubt, Error, Index, Log, LogOptions, Retention, Seq, VerifyOptions,
    salvage, verify_log,
};

fn options() -> LogOptions {
    LogOptions::new().chained().segment_bytes(1200)
}

/// A chained log of several segments, and the checkpoint of its head.
fn filled(records: u64) -> (tempfile::TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<u64> = options().open(dir.path()).unwrap();
    (1..=records).for_each(|value| assert!(log.append(&value).is_ok()));
    let checkpoint = log.checkpoint("example.com/attacks").unwrap();
    log.close().unwrap();
    (dir, checkpoint)
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let fits = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    let mut files: Vec<_> = entries.filter(fits).collect();
    files.sort();
    files
}

/// Removes the oldest segments, and what else could tell of them.
fn cut_start(dir: &Path, segments: usize) {
    for path in files(dir, "jsonl").iter().take(segments) {
        fs::remove_file(path).unwrap();
        let _ = fs::remove_file(path.with_extension("index"));
    }
}

fn first_number(dir: &Path) -> Seq {
    let name = files(dir, "jsonl")[0].file_stem().unwrap().to_owned();
    let digits = name.to_str().unwrap().trim_start_matches("segment-");
    Seq(digits.parse().unwrap())
}

fn kinds(dir: &Path, options: &VerifyOptions) -> Vec<BreakKind> {
    let found = options.verify(dir).unwrap();
    assert_eq!(found.holds(), found.breaks.is_empty(), "{found:?}");
    found.breaks.iter().map(|found| found.kind).collect()
}

/// `verify` printed "holds" with 135,121 events gone, even with the right checkpoint of the head. In public:
/// auditd's `rotate`, by which the oldest records go and nothing says so (auditd.conf(5)).
#[test]
fn a_cut_start_is_found_with_and_without_a_checkpoint_and_at_the_opening() {
    let (dir, checkpoint) = filled(60);
    cut_start(dir.path(), 2);
    let first = first_number(dir.path());
    let expected = [BreakKind::CutStart { first }];
    assert_eq!(kinds(dir.path(), &VerifyOptions::new()), expected);
    let with = VerifyOptions::new().against(checkpoint);
    assert_eq!(kinds(dir.path(), &with), expected);
    let error = options().open::<u64>(dir.path()).unwrap_err();
    assert!(
        matches!(error, Error::CutStart { stated: None, .. }),
        "{error}"
    );
    let error = error.to_string();
    assert!(
        error.contains("does not state that the records before were removed"),
        "{error}"
    );
}

#[test]
fn more_that_is_cut_than_the_log_states_is_found() {
    let (dir, _) = filled(100);
    let log: Log<u64> = options().open(dir.path()).unwrap();
    let mut kept = 0;
    log.retire_while(None, |_| {
        kept += 1;
        kept <= 2
    })
    .unwrap();
    let removed = log.removed().unwrap();
    assert_eq!(
        (removed.first, removed.why.as_str()),
        (Seq(1), "no longer wanted")
    );
    log.close().unwrap();
    let found = verify_log(dir.path()).unwrap();
    assert_eq!(
        (found.breaks, found.removed.unwrap().1),
        (vec![], removed.clone())
    );
    // What a removal that was interrupted would leave is more, and no attack.
    cut_start(dir.path(), 1);
    let first = first_number(dir.path());
    assert_eq!(
        kinds(dir.path(), &VerifyOptions::new()),
        [BreakKind::CutStart { first }]
    );
    let error = options().open::<u64>(dir.path()).unwrap_err();
    let stated = Some(removed.last);
    assert!(
        matches!(&error, Error::CutStart { stated: said, .. } if *said == stated),
        "{error}"
    );
}

/// The statement names the hash of the last record that was removed: another first segment of the same
/// numbers does not follow from it.
#[test]
fn a_first_segment_that_was_exchanged_is_found_at_the_opening() {
    let (dir, _) = filled(100);
    let log: Log<u64> = options().open(dir.path()).unwrap();
    log.retire(&Retention::new().bytes_max(3_000)).unwrap();
    log.close().unwrap();
    let (other, _) = filled(100);
    let first = &files(dir.path(), "jsonl")[0];
    // Another log's segment of this name, with its own chain.
    let name = first.file_name().unwrap();
    fs::copy(other.path().join(name), first).unwrap();
    let _ = fs::remove_file(first.with_extension("index"));
    assert!(!verify_log(dir.path()).unwrap().holds());
    let error = options().open::<u64>(dir.path()).unwrap_err();
    assert!(matches!(error, Error::CutStart { .. }), "{error}");
}

/// Whoever can write to the log can append a statement as well as remove files.
#[test]
fn a_removal_that_is_stated_behind_the_checkpoint_is_a_doubt() {
    let (dir, before) = filled(60);
    let log: Log<u64> = options().open(dir.path()).unwrap();
    log.retire(&Retention::new().bytes_max(2_000)).unwrap();
    let after = log.checkpoint("example.com/attacks").unwrap();
    let (at, last) = (after.last, log.removed().unwrap().last);
    log.close().unwrap();
    let found = VerifyOptions::new()
        .against(before)
        .verify(dir.path())
        .unwrap();
    assert!(found.holds(), "{found:?}");
    assert_eq!(found.doubts(), [Doubt::RemovedAfterCheckpoint { at, last }]);
    let found = VerifyOptions::new()
        .against(after)
        .verify(dir.path())
        .unwrap();
    assert_eq!((found.holds(), found.doubts()), (true, vec![]));
}

/// A checkpoint with a hash of zeros for a record that is not there "held" as well. In public:
/// sigstore/sigstore-java#654 and sigstore/sigstore-python#248, where an inclusion proof was checked against
/// a root that no checkpoint bound to the log.
#[test]
fn a_checkpoint_whose_record_is_absent_fails() {
    let (dir, checkpoint) = filled(60);
    let log: Log<u64> = options().open(dir.path()).unwrap();
    log.retire(&Retention::new().bytes_max(2_000)).unwrap();
    let removed = log.removed().unwrap();
    log.close().unwrap();
    let against = |last: Seq, hash| {
        let checkpoint = Checkpoint {
            last,
            hash,
            ..checkpoint.clone()
        };
        kinds(dir.path(), &VerifyOptions::new().against(checkpoint))
    };
    for last in [Seq(1), removed.last] {
        assert_eq!(
            against(last, [0; 32]),
            [BreakKind::CheckpointAbsent { last }]
        );
    }
    // The last one that was removed is stated with its hash.
    assert_eq!(against(removed.last, removed.hash().unwrap()), []);
    assert!(matches!(
        against(Seq(1000), [0; 32])[..],
        [BreakKind::Missing { .. }]
    ));
}

#[test]
fn a_checkpoint_of_another_log_is_named_as_that() {
    let ((dir, ours), (_other, theirs)) = (filled(10), filled(10));
    assert_ne!(ours.log.unwrap(), theirs.log.unwrap());
    let theirs = Checkpoint {
        hash: ours.hash,
        ..theirs
    };
    let with = VerifyOptions::new().against(theirs);
    assert_eq!(kinds(dir.path(), &with), [BreakKind::OtherLog]);
    let log: Log<u64> = options().open(dir.path()).unwrap();
    assert_eq!(
        (log.identity(), log.recovery().identity),
        (ours.log, ours.log)
    );
    assert_eq!(verify_log(dir.path()).unwrap().identity, ours.log);
}

#[test]
fn an_identity_that_was_altered_is_found_at_the_opening() {
    let (dir, _) = filled(60);
    let path = &files(dir.path(), "jsonl")[0];
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let at = lines[0].find("identity").unwrap() + 12;
    let digit = if &lines[0][at..=at] == "0" { "1" } else { "0" };
    lines[0].replace_range(at..=at, digit);
    fs::write(path, lines.join("\n") + "\n").unwrap();
    let error = options().open::<u64>(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { line: 1, .. }), "{error}");
    assert!(!verify_log(dir.path()).unwrap().holds());
}

/// A log that an earlier version retired does not state it.
#[test]
fn a_start_that_is_accepted_once_is_stated_from_then_on() {
    let (dir, _) = filled(60);
    cut_start(dir.path(), 1);
    let log: Log<u64> = options().accept_start().open(dir.path()).unwrap();
    let removed = log.removed().unwrap();
    assert_eq!(removed.last.next(), first_number(dir.path()));
    assert_eq!(removed.why, "accepted at an opening");
    log.close().unwrap();
    let log: Log<u64> = options().open(dir.path()).unwrap();
    assert_eq!(log.recovery().removed, Some(removed));
    log.close().unwrap();
    assert_eq!(verify_log(dir.path()).unwrap().breaks, []);
}

/// An archive that begins later than the log says so, although the log's own statement is elsewhere.
#[test]
fn a_second_archive_states_what_came_before_it() {
    let (dir, _) = filled(100);
    let archives = tempfile::tempdir().unwrap();
    let log: Log<u64> = options().open(dir.path()).unwrap();
    for (name, bytes) in [("one", 6_000), ("two", 3_000)] {
        let archive = archives.path().join(name);
        let retention = Retention::new().bytes_max(bytes).archive(&archive);
        assert!(!log.retire(&retention).unwrap().is_empty());
        let found = verify_log(&archive).unwrap();
        assert_eq!((found.breaks, found.chained), (vec![], true));
    }
    let second = archives.path().join("two");
    cut_start(&second, 1);
    assert!(!verify_log(&second).unwrap().holds());
}

/// 231,000 acknowledgements went into a file that somebody had removed. In public: hashicorp/vault#3935 and
/// hashicorp/vault#31718, an audit device that goes on into a deleted file.
#[test]
fn a_file_that_is_removed_moved_replaced_or_cut_under_the_log_ends_its_acknowledgements() {
    type Attack = fn(&Path);
    let attacks: [Attack; 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::rename(path, path.with_extension("old")).unwrap(),
        |path| {
            let copy = path.with_extension("copy");
            fs::copy(path, &copy).unwrap();
            fs::rename(&copy, path).unwrap();
        },
        |path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(10).unwrap();
        },
    ];
    for (at, attack) in attacks.into_iter().enumerate() {
        for options in [LogOptions::new(), LogOptions::new().chained()] {
            let dir = tempfile::tempdir().unwrap();
            let log: Log<u64> = options.open(dir.path()).unwrap();
            log.append(&1).unwrap();
            attack(&files(dir.path(), "jsonl")[0]);
            let error = log.append(&2).unwrap_err();
            assert!(
                matches!(error, Error::Replaced { .. }),
                "attack {at}: {error}"
            );
            let error = log.append(&3).unwrap_err();
            assert!(
                matches!(error, Error::Poisoned { .. }),
                "attack {at}: {error}"
            );
        }
    }
}

/// A pipe hung `verify`, and `/dev/zero` took 6 GB in 6 seconds.
#[test]
fn what_is_no_file_of_the_directory_is_refused() {
    let (old, _) = filled(5);
    let target = &files(old.path(), "jsonl")[0];
    type Make = fn(&Path, &Path);
    let makes: [Make; 4] = [
        |path, _| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        },
        |path, _| symlink("/dev/zero", path).unwrap(),
        |path, target| symlink(target, path).unwrap(),
        |path, _| fs::create_dir(path).unwrap(),
    ];
    for make in makes {
        let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make(
            &dir.path().join("segment-00000000000000000001.jsonl"),
            target,
        );
        let expected = ["a symbolic link", "not a regular file"];
        let errors = [
            verify_log(dir.path()).unwrap_err(),
            salvage(dir.path(), to.path()).unwrap_err(),
            options().open::<u64>(dir.path()).unwrap_err(),
        ];
        for error in errors {
            let Error::Io { source, .. } = &error else {
                panic!("{error}");
            };
            let source = source.to_string();
            assert!(
                expected.iter().any(|part| source.contains(part)),
                "{source}"
            );
        }
    }
}

/// Whole segments that were gone or empty were not among what `salvage` named, and it ended well.
#[test]
fn salvage_names_every_range_that_is_missing() {
    let (dir, _) = filled(100);
    let segments = files(dir.path(), "jsonl");
    assert!(segments.len() > 5, "{segments:?}");
    let numbers: Vec<u64> = segments
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            name.trim_start_matches("segment-").parse().unwrap()
        })
        .collect();
    cut_start(dir.path(), 1);
    fs::write(&segments[2], "").unwrap();
    // The last one is emptied too: only its index tells what it had.
    fs::write(segments.last().unwrap(), "").unwrap();
    let text = fs::read_to_string(&segments[3]).unwrap();
    let damaged = text.replacen("\"data\":", "\"data\": ", 1);
    fs::write(&segments[3], damaged).unwrap();

    let to = tempfile::tempdir().unwrap();
    let found = salvage(dir.path(), to.path()).unwrap();
    assert!(!found.is_complete());
    let expected = [
        1..=numbers[1] - 1,
        numbers[2]..=numbers[3],
        *numbers.last().unwrap()..=100,
    ];
    assert_eq!(found.missing, expected);
    let gone: u64 = expected
        .iter()
        .map(|range| range.end() - range.start() + 1)
        .sum();
    assert_eq!(found.kept, 100 - gone);

    let (whole, to) = (filled(10).0, tempfile::tempdir().unwrap());
    let found = salvage(whole.path(), to.path()).unwrap();
    assert!(found.is_complete() && found.kept == 10, "{found:?}");
}

#[test]
fn what_was_retired_is_not_missing_to_salvage() {
    let (dir, _) = filled(60);
    let log: Log<u64> = options().open(dir.path()).unwrap();
    log.retire(&Retention::new().bytes_max(2_000)).unwrap();
    let removed = log.removed();
    log.close().unwrap();
    let to = tempfile::tempdir().unwrap();
    let found = salvage(dir.path(), to.path()).unwrap();
    assert!(found.is_complete(), "{found:?}");
    assert_eq!(found.removed, removed);
}

fn indexed(dir: &Path) -> Log<u64> {
    let index = Index::new("by value")
        .by_key(|value: &u64| Some((value % 50).to_string().into()))
        .by_time(|value: &u64| *value);
    options().indexed(index).open(dir).unwrap()
}

/// One flipped bit in a block of keys was an error for ever, and `verify` did not name it.
#[test]
fn a_flipped_bit_in_an_index_is_named_and_made_anew_at_its_first_use() {
    let dir = tempfile::tempdir().unwrap();
    let log = indexed(dir.path());
    (0..200).for_each(|value| assert!(log.append(&value).is_ok()));
    log.close().unwrap();
    let before = files(dir.path(), "index");
    assert!(before.len() > 4, "{before:?}");
    for (at, path) in before.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        for bit in (0..whole.len() * 8).step_by(whole.len() * 8 / 23) {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(path, &damaged).unwrap();
            let found = verify_log(dir.path()).unwrap();
            assert_eq!(
                (found.breaks, found.damaged_indexes),
                (vec![], vec![path.clone()])
            );
            let log = indexed(dir.path());
            for key in 0..50 {
                let found = log.find_all(&key.to_string()).unwrap();
                let found: Vec<u64> = found.map(|record| record.unwrap().data).collect();
                assert_eq!(
                    found,
                    [150 + key, 100 + key, 50 + key, key],
                    "file {at} bit {bit}"
                );
            }
            log.close().unwrap();
            assert_eq!(fs::read(path).unwrap(), whole, "file {at} bit {bit}");
        }
    }
    // Also when it happens while the log is open.
    let log = indexed(dir.path());
    let mut damaged = fs::read(&before[1]).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&before[1], damaged).unwrap();
    let found = (0..50).flat_map(|key| log.find_all(&key.to_string()).unwrap());
    assert_eq!(found.map(Result::unwrap).count(), 200);
    drop(log);
    assert_eq!(
        verify_log(dir.path()).unwrap().damaged_indexes,
        Vec::<PathBuf>::new()
    );
}

#[test]
fn a_record_that_could_not_be_read_back_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<f64> = options().open(dir.path().join("numbers")).unwrap();
    for number in [f64::NAN, f64::INFINITY] {
        let error = log.append(&number).unwrap_err();
        assert!(matches!(error, Error::Encode(_)), "{error}");
    }
    assert_eq!(log.append(&0.5).unwrap(), Seq(1));
    // Nothing that is `null` on purpose.
    let log: Log<Option<f64>> = options().open(dir.path().join("options")).unwrap();
    assert_eq!(log.append(&None).unwrap(), Seq(1));
    assert_eq!(log.get(Seq(1)).unwrap().unwrap().data, None);

    let nested = |depth: usize| {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        serde_json::value::RawValue::from_string(text).unwrap()
    };
    type Raw = Box<serde_json::value::RawValue>;
    let log: Log<Raw> = options().open(dir.path().join("raw")).unwrap();
    assert!(matches!(log.append(&nested(128)), Err(Error::Encode(_))));
    log.append(&nested(127)).unwrap();
    log.close().unwrap();
    let log: Log<serde_json::Value> = options().open(dir.path().join("raw")).unwrap();
    assert!(log.get(Seq(1)).is_ok());
}

#[test]
fn a_reader_goes_past_a_record_that_is_not_of_its_type_or_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<serde_json::Value> = LogOptions::new().open(dir.path()).unwrap();
    for value in [1.into(), "two".into(), 3.into(), 4.into()] {
        log.append(&value).unwrap();
    }
    log.close().unwrap();
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    let path = dir.path().join("segment-00000000000000000001.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"data\":3", "\"data\":8")).unwrap();

    let items: Vec<_> = log.scan().unwrap().collect();
    assert_eq!(items.len(), 4);
    assert!(matches!(&items[1], Err(Error::Type { seq: Seq(2), .. })));
    assert!(matches!(&items[2], Err(Error::Corrupt { line: 3, .. })));
    assert_eq!(items[3].as_ref().unwrap().data, 4);

    let mut follow = log.follow(Seq(1));
    let mut next = || follow.next_within(Duration::ZERO);
    assert_eq!(next().unwrap().unwrap().data, 1);
    assert!(matches!(next(), Err(Error::Type { .. })));
    assert!(matches!(next(), Err(Error::Corrupt { line: 3, .. })));
    assert!(
        matches!(next(), Err(Error::Corrupt { line: 3, .. })),
        "tried again"
    );
    follow.skip();
    let record = follow.next_within(Duration::ZERO).unwrap().unwrap();
    assert_eq!((record.seq, record.data), (Seq(4), 4));
    assert_eq!(follow.next_within(Duration::ZERO).unwrap(), None);
}

/// "Torn (never acknowledged)" was printed of a log that had lost 205 acknowledged records.
#[test]
fn a_torn_tail_is_a_doubt_and_no_proof_of_anything() {
    let (dir, checkpoint) = filled(3);
    for index in files(dir.path(), "index") {
        fs::remove_file(index).unwrap();
    }
    let path = &files(dir.path(), "jsonl")[0];
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..whole.len() - 30]).unwrap();
    let found = verify_log(dir.path()).unwrap();
    let bytes = found.torn_bytes;
    assert!(found.holds() && bytes > 30);
    let last = Seq(2);
    assert_eq!(found.doubts(), [Doubt::TornTail { last, bytes }]);
    // A checkpoint that names a record which cannot be read is a proof.
    let found = VerifyOptions::new()
        .against(checkpoint)
        .verify(dir.path())
        .unwrap();
    assert!(!found.holds());
}
