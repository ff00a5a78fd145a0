//! A chained log in the hands of someone who knows the format and can write to the files.

use std::fs;
use std::path::{Path, PathBuf};

use jsonl_storage::{
    BreakKind, Checkpoint, Error, Log, LogOptions, Seq, Verified, VerifyOptions, verify_log,
};
use proptest::prelude::*;

const RECORDS: usize = 30;

fn append(dir: &Path, values: impl Iterator<Item = String>) -> Checkpoint {
    let options = LogOptions::new().chained().segment_bytes(1000);
    let log: Log<String> = options.open(dir).unwrap();
    let values: Vec<_> = values.collect();
    for group in values.chunks(8) {
        log.append_all(group).unwrap();
    }
    let checkpoint = log.checkpoint("test/log").unwrap();
    log.close().unwrap();
    checkpoint
}

fn filled() -> (tempfile::TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = append(dir.path(), (0..RECORDS).map(|n| format!("record {n}")));
    (dir, checkpoint)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    segments.sort();
    segments
}

/// Makes the checksum fit, as whoever alters a line on purpose would.
fn with_checksum(line: &[u8]) -> Vec<u8> {
    let body = &line[..line.len() - 18];
    format!(
        "{},\"crc\":\"{:08x}\"}}",
        String::from_utf8_lossy(body),
        crc32c::crc32c(body)
    )
    .into()
}

/// All lines, each with its file and its line number there.
fn lines(dir: &Path) -> Vec<(PathBuf, u64, Vec<u8>)> {
    let mut lines = Vec::new();
    for path in segments(dir) {
        let bytes = fs::read(&path).unwrap();
        let split = bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty());
        lines.extend(
            split
                .enumerate()
                .map(|(at, line)| (path.clone(), at as u64 + 1, line.to_vec())),
        );
    }
    lines
}

/// Changes the lines of one file.
fn change(path: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = fs::read(path).unwrap();
    let mut lines: Vec<_> = bytes
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    lines.pop();
    change(&mut lines);
    let text = lines.into_iter().flat_map(|mut line| {
        line.push(b'\n');
        line
    });
    fs::write(path, text.collect::<Vec<_>>()).unwrap();
}

fn places(found: &Verified) -> Vec<(PathBuf, u64)> {
    found
        .breaks
        .iter()
        .map(|found| (found.file.clone(), found.line))
        .collect()
}

#[test]
fn a_chained_log_holds_and_goes_on_after_reopening() {
    let (dir, first) = filled();
    assert!(segments(dir.path()).len() > 2);
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    log.append(&"more".to_owned()).unwrap();
    let second = log.checkpoint("test/log").unwrap();
    drop(log);
    let options = VerifyOptions::new().against(first).against(second);
    let found = options.verify(dir.path()).unwrap();
    assert_eq!(found.breaks, []);
    assert!(found.chained);
    assert_eq!(found.records, RECORDS as u64 + 1);
}

#[test]
fn each_record_has_its_link_and_the_last_one_that_of_the_checkpoint() {
    let (dir, checkpoint) = filled();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    assert!(log.is_chained());
    let mut before = None;
    for number in 1..=RECORDS as u64 {
        let link = log.link(Seq(number)).unwrap().unwrap();
        let record = log.get(Seq(number)).unwrap().unwrap();
        let data = serde_json::to_vec(&record.data).unwrap();
        assert!(link.fits(&data) && !link.fits(b"\"other\""));
        assert!(before.is_none_or(|before| before == link.before));
        before = Some(link.hash);
    }
    assert_eq!(before, Some(checkpoint.hash));
    assert_eq!(log.link(Seq(0)).unwrap(), None);
    assert_eq!(log.link(Seq(RECORDS as u64 + 1)).unwrap(), None);

    let plain = tempfile::tempdir().unwrap();
    let log: Log<String> = LogOptions::new().open(plain.path()).unwrap();
    log.append(&"one".to_owned()).unwrap();
    assert!(!log.is_chained());
    assert_eq!(log.link(Seq(1)).unwrap(), None);
}

#[test]
fn a_chain_cannot_be_begun_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    log.append(&"unchained".to_owned()).unwrap();
    assert!(matches!(log.checkpoint("x"), Err(Error::NotChained { .. })));
    drop(log);
    let opened = LogOptions::new().chained().open::<String>(dir.path());
    assert!(matches!(opened, Err(Error::NotChained { .. })));
}

#[test]
fn every_altered_byte_is_located_with_and_without_a_fitting_checksum() {
    let (dir, _) = filled();
    for (at, (path, line, text)) in lines(dir.path()).into_iter().enumerate().step_by(7) {
        for byte in (0..text.len()).step_by(5) {
            let whole = fs::read(&path).unwrap();
            for fit in [false, true] {
                let mut altered = text.clone();
                altered[byte] ^= 2;
                if fit {
                    altered = with_checksum(&altered);
                }
                if altered == text {
                    continue;
                }
                change(&path, |lines| lines[line as usize - 1] = altered);
                let found = verify_log(dir.path()).unwrap();
                assert!(
                    places(&found).contains(&(path.clone(), line)),
                    "record {at} byte {byte}"
                );
                assert_eq!(places(&found)[0], (path.clone(), line));
                fs::write(&path, &whole).unwrap();
            }
        }
    }
    assert!(verify_log(dir.path()).unwrap().breaks.is_empty());
}

#[test]
fn two_altered_records_are_two_breaks() {
    let (dir, _) = filled();
    let path = &segments(dir.path())[0];
    change(path, |lines| {
        for at in [3, 4] {
            let at_text = lines[at]
                .windows(6)
                .position(|text| text == b"record")
                .unwrap();
            lines[at][at_text] = b'R';
            lines[at] = with_checksum(&lines[at]);
        }
    });
    let found = verify_log(dir.path()).unwrap();
    assert_eq!(places(&found), [(path.clone(), 4), (path.clone(), 5)]);
    assert!(
        found
            .breaks
            .iter()
            .all(|found| found.kind == BreakKind::Chain)
    );
    let first = VerifyOptions::new()
        .first_break_only()
        .verify(dir.path())
        .unwrap();
    assert_eq!(first.breaks, found.breaks[..1]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn every_deletion_swap_and_insertion_is_located(which in 0usize..=RECORDS, other in 0usize..=RECORDS, kind in 0..4) {
        let (dir, _) = filled();
        let all = lines(dir.path());
        let (path, line, text) = all[which].clone();
        let at = line as usize - 1;
        let foreign = all[other].2.clone();
        let in_file = fs::read_to_string(&path).unwrap().lines().count();
        let expected = match kind {
            0 => {
                change(&path, |lines| drop(lines.remove(at)));
                // The place is that of the next record, wherever it is.
                let next = all.get(which + 1);
                next.map_or((path.clone(), 0), |(file, ..)| {
                    if *file == path { (path.clone(), line) } else { (file.clone(), 1) }
                })
            }
            1 => {
                let to = other % in_file;
                prop_assume!(to != at);
                change(&path, |lines| lines.swap(at, to));
                (path.clone(), at.min(to) as u64 + 1)
            }
            2 => {
                change(&path, |lines| lines.insert(at, foreign.clone()));
                // A copy in front of the original is taken for it, and the original for the copy.
                (path.clone(), if foreign == text { line + 1 } else { line })
            }
            _ => {
                prop_assume!(other != which);
                change(&path, |lines| lines[at] = foreign.clone());
                (path.clone(), line)
            }
        };
        let found = verify_log(dir.path()).unwrap();
        // What is put behind the last record is no loss, and is set aside by the next opening.
        prop_assert!(!found.holds() || (kind == 2 && which == RECORDS));
        prop_assert_eq!(&places(&found)[0], &expected);
    }

    #[test]
    fn a_log_that_was_cut_off_fails_its_checkpoint(keep in 0usize..=RECORDS) {
        let (dir, checkpoint) = filled();
        // Everything that could tell is removed: the files behind, and all sidecars.
        let all = lines(dir.path());
        let (last, line, _) = &all[keep];
        for segment in segments(dir.path()) {
            let _ = fs::remove_file(segment.with_extension("index"));
            if segment > *last {
                fs::remove_file(segment).unwrap();
            }
        }
        change(last, |lines| lines.truncate(*line as usize - 1));
        let found = VerifyOptions::new().against(checkpoint).verify(dir.path()).unwrap();
        prop_assert!(!found.holds());
        // The first line is the identity.
        let expected = Seq(keep.max(1) as u64);
        prop_assert_eq!(found.breaks[0].kind, BreakKind::Missing { expected });
    }

    #[test]
    fn a_log_that_was_written_anew_fails_its_checkpoint(altered in 0usize..RECORDS) {
        let (_dir, checkpoint) = filled();
        let other = tempfile::tempdir().unwrap();
        let values = (0..RECORDS).map(|n| format!("{} {n}", if n == altered { "Record" } else { "record" }));
        append(other.path(), values);
        prop_assert!(verify_log(other.path()).unwrap().holds(), "it is whole in itself");
        let found = VerifyOptions::new().against(checkpoint).verify(other.path()).unwrap();
        prop_assert!(!found.holds());
        let last = Seq(RECORDS as u64);
        prop_assert_eq!(found.breaks[0].kind, BreakKind::Checkpoint { last });
    }
}
