//! Archives that are compressed.

use std::fs;
use std::path::{Path, PathBuf};

use jsonl_storage::{
    BreakKind, Checkpoint, Error, Log, LogOptions, Retention, SegmentInfo, Seq, VerifyOptions,
    salvage, verify_log,
};
use tempfile::TempDir;

/// Text that hardly shrinks, so that a file has several blocks.
fn noise(number: u64) -> String {
    let text = (0..40).map(|part| {
        let hash = (number * 40 + part + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "{:016x}",
            (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        )
    });
    text.collect()
}

fn open(dir: &Path, segment_bytes: u64) -> Log<String> {
    let options = LogOptions::new().chained().segment_bytes(segment_bytes);
    options.open(dir).unwrap()
}

fn fill(log: &Log<String>, records: u64, group: usize) {
    let values: Vec<_> = (1..=records).map(noise).collect();
    for group in values.chunks(group) {
        log.append_all(group).unwrap();
    }
}

struct Archived {
    live: TempDir,
    archive: TempDir,
    /// What is in the archive, as it was in the log.
    texts: Vec<(SegmentInfo, Vec<u8>)>,
    last: Seq,
    checkpoint: Checkpoint,
}

/// A log of which all but the last files are in an archive.
fn archived(records: u64, segment_bytes: u64) -> Archived {
    let (live, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(live.path(), segment_bytes);
    fill(&log, records, if segment_bytes > 100_000 { 100 } else { 2 });
    let read = |file: SegmentInfo| (file.clone(), fs::read(file.path).unwrap());
    let mut texts: Vec<_> = log.segments().into_iter().map(read).collect();
    let retention = Retention::new().bytes_max(0).archive(archive.path());
    let retired = log.retire(&retention.compressed()).unwrap();
    assert!(retired.len() > 1);
    texts.truncate(retired.len());
    let checkpoint = log.checkpoint("log").unwrap();
    log.close().unwrap();
    Archived {
        live,
        archive,
        last: retired.last().unwrap().last,
        texts,
        checkpoint,
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn compressed_path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("segment-{:020}.jsonl.zst", first.0))
}

fn copy_missing(from: &Path, to: &Path) {
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[test]
fn an_archive_is_a_standard_frame_a_file_and_verifies_like_a_log() {
    let found = archived(1500, 300_000);
    let dir = found.archive.path();
    assert_eq!(names(dir).len(), found.texts.len());
    for (file, text) in &found.texts {
        let bytes = fs::read(compressed_path(dir, file.first)).unwrap();
        assert_eq!(bytes[..4], 0xfd2f_b528_u32.to_le_bytes());
        assert!(zstd::decode_all(&bytes[..]).unwrap() == *text);
    }
    let verified = verify_log(dir).unwrap();
    assert_eq!(verified.breaks, []);
    assert_eq!(verified.segments, found.texts.len());
    assert_eq!(
        (verified.records, verified.last),
        (found.last.0, found.last)
    );
    assert!(verified.chained);

    let new = tempfile::tempdir().unwrap();
    let salvaged = salvage(dir, new.path()).unwrap();
    assert_eq!((salvaged.kept, salvaged.breaks), (found.last.0, vec![]));
}

#[test]
fn an_archive_and_the_rest_of_the_log_are_checked_against_a_checkpoint_together() {
    let found = archived(60, 3000);
    let dir = found.archive.path();
    copy_missing(found.live.path(), dir);
    let against = |checkpoint: &Checkpoint| {
        let options = VerifyOptions::new().against(checkpoint.clone());
        options.verify(dir).unwrap()
    };
    let verified = against(&found.checkpoint);
    // The sixty, and the record that states what was archived.
    assert_eq!((verified.records, verified.breaks), (61, vec![]));
    let other = Checkpoint {
        hash: [7; 32],
        last: found.last,
        ..found.checkpoint
    };
    let kind = BreakKind::Checkpoint { last: found.last };
    let verified = against(&other);
    assert_eq!(verified.breaks[0].kind, kind);
    let (last, _) = found.texts.last().unwrap();
    assert_eq!(verified.breaks[0].file, compressed_path(dir, last.first));
}

#[test]
fn a_cut_is_located_and_what_stands_before_and_behind_it_is_kept() {
    let found = archived(1500, 300_000);
    let dir = found.archive.path();
    let (file, text) = &found.texts[1];
    let path = compressed_path(dir, file.first);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();

    let verified = verify_log(dir).unwrap();
    assert!(!verified.holds());
    let damage = &verified.breaks[0];
    assert_eq!((damage.kind, &damage.file), (BreakKind::Compression, &path));
    assert!(file.first < damage.after && damage.after < file.last);
    assert_eq!(damage.line, damage.after.0 - file.first.0 + 2);
    let byte = usize::try_from(damage.byte).unwrap();
    assert_eq!(text[byte - 1], b'\n');
    let (expected, next) = (damage.after.next(), file.last.next());
    let gap = BreakKind::OutOfOrder {
        expected,
        found: next,
    };
    assert_eq!(verified.breaks[1].kind, gap);
    assert_eq!(verified.breaks.len(), 2);

    let new = tempfile::tempdir().unwrap();
    let salvaged = salvage(dir, new.path()).unwrap();
    let lost = file.last.0 - damage.after.0;
    assert_eq!(salvaged.kept, found.last.0 - lost);
    assert_eq!(salvaged.breaks, verified.breaks);
    assert_eq!(salvaged.runs[1].was, next);
    let half_a_line = fs::read(salvaged.unreadable.unwrap()).unwrap();
    assert!(text[byte..].starts_with(&half_a_line[..half_a_line.len() - 1]));
}

#[test]
fn a_flipped_byte_is_located_by_the_checks_of_the_records() {
    let found = archived(1500, 300_000);
    let dir = found.archive.path();
    let (file, _) = &found.texts[1];
    let path = compressed_path(dir, file.first);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x55;
    fs::write(&path, bytes).unwrap();

    let verified = verify_log(dir).unwrap();
    assert!(!verified.holds());
    let first = &verified.breaks[0];
    assert_eq!(first.file, path);
    assert!(file.first < first.after && first.after < file.last);
    let mut of_file = verified.breaks.iter().filter(|found| found.file == path);
    assert_eq!(of_file.next_back().unwrap().kind, BreakKind::Compression);
}

/// Where in a frame the headers of its blocks stand.
fn block_headers(frame: &[u8]) -> Vec<usize> {
    let descriptor = frame[4];
    let single_segment = descriptor & 0x20 != 0;
    let size_bytes = match descriptor >> 6 {
        0 => usize::from(single_segment),
        log => 1 << log,
    };
    let mut headers = vec![5 + usize::from(!single_segment) + size_bytes];
    loop {
        let at = headers[headers.len() - 1];
        let header = u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]);
        if header & 1 == 1 {
            return headers;
        }
        headers.push(at + 3 + usize::try_from(header >> 3).unwrap());
    }
}

#[test]
fn a_block_that_cannot_be_read_leaves_the_text_of_those_before_it() {
    let found = archived(1500, 300_000);
    let dir = found.archive.path();
    let (file, text) = &found.texts[1];
    let path = compressed_path(dir, file.first);
    let mut bytes = fs::read(&path).unwrap();
    let headers = block_headers(&bytes);
    // The type that is reserved.
    bytes[headers[2]] |= 0b110;
    fs::write(&path, bytes).unwrap();

    let damage = &verify_log(dir).unwrap().breaks[0];
    assert_eq!((damage.kind, &damage.file), (BreakKind::Compression, &path));
    assert!(damage.byte > text.len() as u64 / 4, "{damage:?}");
}

#[test]
fn no_flipped_byte_loses_a_record_silently() {
    let found = archived(12, 3000);
    let dir = found.archive.path();
    let (file, _) = found.texts.last().unwrap();
    let path = compressed_path(dir, file.first);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, flipped).unwrap();
        let verified = verify_log(dir).unwrap();
        let whole = verified.breaks.is_empty() && verified.last == found.last;
        assert!(whole || !verified.holds(), "byte {at}: {verified:?}");
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_a_loss_and_no_torn_tail() {
    let found = archived(12, 3000);
    let dir = found.archive.path();
    let (file, _) = found.texts.last().unwrap();
    let path = compressed_path(dir, file.first);
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let verified = verify_log(dir).unwrap();
        let kinds: Vec<_> = verified.breaks.iter().map(|found| found.kind).collect();
        assert_eq!(kinds, [BreakKind::Compression], "{length} bytes");
        assert!(!verified.holds(), "{length} bytes");
        assert!(verified.last >= Seq(file.first.0 - 1), "{length} bytes");
    }
}

#[test]
fn archiving_again_after_a_crash_loses_nothing_and_duplicates_nothing() {
    let (live, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(live.path(), 3000);
    fill(&log, 40, 2);
    log.close().unwrap();
    let before_the_crash = tempfile::tempdir().unwrap();
    copy_missing(live.path(), before_the_crash.path());
    let retention = Retention::new().bytes_max(0).archive(archive.path());
    let retention = retention.compressed();

    // The first file was being written, and no other.
    let half = compressed_path(archive.path(), Seq(1)).with_extension("zst.tmp");
    fs::write(&half, "half of a frame").unwrap();
    assert_eq!(verify_log(archive.path()).unwrap().segments, 0);
    let retired = open(live.path(), 3000).retire(&retention).unwrap();
    assert!(!half.exists());
    let archived = names(archive.path());
    assert_eq!(archived.len(), retired.len());

    // All were archived, and none was removed.
    let log = open(before_the_crash.path(), 3000);
    let again = log.retire(&retention).unwrap();
    assert_eq!(again.len(), retired.len());
    assert_eq!(names(archive.path()), archived);
    let last = retired.last().unwrap().last;
    let verified = verify_log(archive.path()).unwrap();
    assert_eq!((verified.records, verified.breaks), (last.0, vec![]));
    let rest: Vec<_> = log
        .scan()
        .unwrap()
        .map(|record| record.unwrap().seq)
        .collect();
    assert_eq!((rest[0], rest.len() as u64), (last.next(), 40 - last.0));
}

#[test]
fn a_file_that_is_there_in_both_forms_is_read_once() {
    let found = archived(12, 3000);
    let dir = found.archive.path();
    let (file, text) = &found.texts[0];
    let plain = dir.join(file.path.file_name().unwrap());
    fs::write(plain, text).unwrap();
    let verified = verify_log(dir).unwrap();
    assert_eq!((verified.records, verified.breaks), (found.last.0, vec![]));
}

#[test]
fn a_log_with_a_compressed_file_is_not_opened_for_writing() {
    let found = archived(12, 3000);
    copy_missing(found.archive.path(), found.live.path());
    let before = names(found.live.path());
    let opened = LogOptions::new().open::<String>(found.live.path());
    let expected = compressed_path(found.live.path(), Seq(1));
    let error = opened.unwrap_err();
    assert!(
        matches!(&error, Error::Compressed { file } if *file == expected),
        "{error}"
    );
    assert_eq!(names(found.live.path()), before);
}
