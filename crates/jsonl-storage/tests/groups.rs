//! A chain in which records that were written together share a link: every byte is proved as with a link
//! of its own, and the place of an alteration is the group.

use std::fs;
use std::path::{Path, PathBuf};

use jsonl_storage::{
    BreakKind, Doubt, Error, Log, LogOptions, Retention, Seq, VerifyOptions, verify_log,
};

fn options() -> LogOptions {
    LogOptions::new().chained().chained_in_groups()
}

/// A log of groups of seven records, in several segments.
fn filled(segment_bytes: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<String> = options()
        .segment_bytes(segment_bytes)
        .open(dir.path())
        .unwrap();
    let values: Vec<_> = (0..70).map(|n| format!("record {n}")).collect();
    for group in values.chunks(7) {
        log.append_all(group).unwrap();
    }
    log.close().unwrap();
    dir
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "jsonl");
    let mut segments: Vec<_> = entries.filter(is_segment).collect();
    segments.sort();
    segments
}

fn remove_indexes(dir: &Path) {
    for segment in segments(dir) {
        let _ = fs::remove_file(segment.with_extension("index"));
    }
}

/// Makes the checksum fit, as whoever alters a line on purpose would.
fn with_checksum(line: &str) -> String {
    let body = &line[..line.len() - 18];
    format!(
        "{body},\"crc\":\"{:08x}\"}}",
        crc32c::crc32c(body.as_bytes())
    )
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn write(path: &Path, lines: &[String]) {
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn records_written_together_share_a_link_and_a_lone_one_has_its_own() {
    let dir = filled(64 << 20);
    let links: Vec<bool> = lines(&segments(dir.path())[0])
        .iter()
        .map(|line| line.contains("\"chain\":"))
        .collect();
    assert!(links[0], "the identity has one");
    let is_last = |at: usize| at % 7 == 6;
    assert!(
        links[1..]
            .iter()
            .enumerate()
            .all(|(at, linked)| *linked == is_last(at))
    );

    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    assert_eq!(log.append(&"alone".to_owned()).unwrap(), Seq(71));
    let checkpoint = log.checkpoint("test/groups").unwrap();
    assert_eq!(log.link(Seq(69)).unwrap(), None);
    assert!(log.link(Seq(71)).unwrap().unwrap().fits(b"\"alone\""));
    log.append(&"more".to_owned()).unwrap();
    log.close().unwrap();
    let found = VerifyOptions::new()
        .against(checkpoint)
        .verify(dir.path())
        .unwrap();
    assert_eq!(
        (found.breaks, found.records, found.chained),
        (vec![], 72, true)
    );
}

#[test]
fn a_large_batch_is_many_groups() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<String> = options().open(dir.path()).unwrap();
    let values: Vec<_> = (0..2_000).map(|n| format!("{n:0100}")).collect();
    log.append_all(&values).unwrap();
    log.close().unwrap();
    let linked = lines(&segments(dir.path())[0]);
    let linked = linked
        .iter()
        .filter(|line| line.contains("\"chain\":"))
        .count();
    assert!((7..20).contains(&linked), "{linked}");
    assert_eq!(verify_log(dir.path()).unwrap().breaks, []);
}

#[test]
fn every_altered_record_is_found_in_its_group_although_its_checksum_fits() {
    let dir = filled(1500);
    for path in segments(dir.path()) {
        let whole = lines(&path);
        for (at, line) in whole.iter().enumerate() {
            let Some(byte) = line.find("record ") else {
                continue;
            };
            let mut altered = whole.clone();
            altered[at].replace_range(byte..=byte, "R");
            let damaged = altered.clone();
            altered[at] = with_checksum(&altered[at]);
            write(&path, &altered);
            let found = verify_log(dir.path()).unwrap();
            assert!(!found.holds(), "{line}");
            let broken = &found.breaks[0];
            assert_eq!((&broken.file, broken.kind), (&path, BreakKind::Chain));
            assert!(
                (at as u64 + 1..at as u64 + 8).contains(&broken.line),
                "{broken:?}"
            );
            // Without a checksum that fits, the line itself is the place, and the only one.
            write(&path, &damaged);
            let found = verify_log(dir.path()).unwrap();
            let places: Vec<_> = found.breaks.iter().map(|broken| broken.line).collect();
            assert_eq!(places, [at as u64 + 1], "{line}");
        }
        write(&path, &whole);
    }
    assert_eq!(verify_log(dir.path()).unwrap().breaks, []);
}

#[test]
fn every_removed_and_every_moved_record_is_found() {
    let dir = filled(64 << 20);
    let path = &segments(dir.path())[0];
    let whole = lines(path);
    for at in 0..whole.len() - 1 {
        let mut removed = whole.clone();
        removed.remove(at);
        write(path, &removed);
        assert!(
            !verify_log(dir.path()).unwrap().holds(),
            "line {at} removed"
        );
        let mut swapped = whole.clone();
        swapped.swap(at, at + 1);
        write(path, &swapped);
        assert!(!verify_log(dir.path()).unwrap().holds(), "line {at} moved");
    }
}

/// A link that is taken off leaves its group to the next one, which does not fit.
#[test]
fn a_link_that_is_taken_off_is_found() {
    let dir = filled(64 << 20);
    let path = &segments(dir.path())[0];
    let whole = lines(path);
    for at in (1..whole.len() - 1).filter(|at| at % 7 == 0) {
        let mut stripped = whole.clone();
        let link = stripped[at].find(",\"chain\":").unwrap();
        let crc = stripped[at].find(",\"crc\":").unwrap();
        stripped[at].replace_range(link..crc, "");
        stripped[at] = with_checksum(&stripped[at]);
        write(path, &stripped);
        assert!(!verify_log(dir.path()).unwrap().holds(), "line {at}");
    }
}

#[test]
fn a_group_that_was_torn_is_set_aside_as_a_whole() {
    let dir = filled(64 << 20);
    remove_indexes(dir.path());
    let path = &segments(dir.path())[0];
    let whole = fs::read(path).unwrap();
    let all = lines(path);
    // Within the fifth line of the last group, and behind it.
    let upto = |count: usize| {
        all[..count]
            .iter()
            .map(|line| line.len() + 1)
            .sum::<usize>()
    };
    for end in [upto(68) - 20, upto(68)] {
        fs::write(path, &whole[..end]).unwrap();
        let found = verify_log(dir.path()).unwrap();
        let bytes = (end - upto(64)) as u64;
        let last = Seq(63);
        assert!(found.holds(), "{found:?}");
        assert_eq!((found.last, found.records), (last, 63));
        assert_eq!(found.doubts(), [Doubt::TornTail { last, bytes }]);
        let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
        assert_eq!(
            log.recovery().torn.as_ref().map(|torn| torn.bytes),
            Some(bytes)
        );
        assert_eq!(log.append(&"next".to_owned()).unwrap(), Seq(64));
        log.close().unwrap();
        remove_indexes(dir.path());
        let found = verify_log(dir.path()).unwrap();
        assert_eq!((found.breaks, found.last), (vec![], Seq(64)));
    }
}

#[test]
fn what_is_left_after_a_retirement_follows_from_what_is_stated() {
    let dir = filled(1500);
    let log: Log<String> = options().segment_bytes(1500).open(dir.path()).unwrap();
    assert!(
        !log.retire(&Retention::new().bytes_max(3_000))
            .unwrap()
            .is_empty()
    );
    log.close().unwrap();
    assert_eq!(verify_log(dir.path()).unwrap().breaks, []);
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    log.append_all(&["a".to_owned(), "b".to_owned()]).unwrap();
    log.close().unwrap();
    assert_eq!(verify_log(dir.path()).unwrap().breaks, []);

    // Other records in the first group that is left, with a link that fits them.
    let path = &segments(dir.path())[0];
    let altered = lines(path)[0].replacen("record", "Record", 1);
    let mut all = lines(path);
    all[0] = with_checksum(&altered);
    write(path, &all);
    assert!(!verify_log(dir.path()).unwrap().holds());
    let error = LogOptions::new().open::<String>(dir.path()).unwrap_err();
    assert!(matches!(error, Error::CutStart { .. }), "{error}");
}
