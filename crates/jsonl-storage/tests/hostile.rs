//! Inputs that break careless logs, as records and as bytes in the files. The table in the crate's
//! documentation says what each of them gives.

use std::fs;
use std::path::{Path, PathBuf};

use jsonl_storage::{BreakKind, Error, Log, LogOptions, Record, Seq, verify_log};
use proptest::prelude::*;
use serde_json::value::RawValue;

fn log_with(value: &str) -> (tempfile::TempDir, Result<Seq, Error>) {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    let appended = log.append(&value.to_owned());
    log.close().unwrap();
    (dir, appended)
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("segment-00000000000000000001.jsonl")
}

fn only_record(dir: &Path) -> String {
    let log: Log<String> = LogOptions::new().open(dir).unwrap();
    assert_eq!(
        log.get(Seq(1)).unwrap().unwrap().data,
        log.scan().unwrap().next().unwrap().unwrap().data
    );
    log.get(Seq(1)).unwrap().unwrap().data
}

/// Opens a log of one record that was followed by other bytes when nothing wrote to it.
fn with_bytes_behind(bytes: &[u8]) -> (tempfile::TempDir, Log<String>) {
    let (dir, _) = log_with("first");
    let mut whole = fs::read(segment(dir.path())).unwrap();
    whole.extend_from_slice(bytes);
    fs::write(segment(dir.path()), whole).unwrap();
    let log = LogOptions::new().open(dir.path()).unwrap();
    (dir, log)
}

#[test]
fn line_breaks_nuls_and_a_byte_order_mark_in_a_text_are_part_of_it() {
    for text in [
        "a\nb",
        "a\r\nb",
        "\0",
        "\u{feff}text",
        "\u{2028}",
        "\u{7f}\u{1b}[2J",
        "\",\"crc\":\"00000000\"}",
    ] {
        let (dir, appended) = log_with(text);
        assert_eq!(appended.unwrap(), Seq(1));
        assert_eq!(only_record(dir.path()), text, "{text:?}");
        let bytes = fs::read(segment(dir.path())).unwrap();
        assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 1);
        assert!(!bytes.contains(&0) && !bytes.contains(&b'\r'));
    }
}

#[test]
fn a_record_without_a_form_of_one_line_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<Box<RawValue>> = LogOptions::new().open(dir.path()).unwrap();
    let raw = RawValue::from_string("{\n}".to_owned()).unwrap();
    assert!(matches!(log.append(&raw), Err(Error::Encode(_))));
    log.close().unwrap();
    // JSON allows a carriage return between values.
    let log: Log<Box<RawValue>> = LogOptions::new().open(dir.path()).unwrap();
    let raw = RawValue::from_string("{\r}".to_owned()).unwrap();
    log.append(&raw).unwrap();
    assert_eq!(log.get(Seq(1)).unwrap().unwrap().data.get(), "{\r}");

    let keys = std::collections::HashMap::from([(vec![1u8], 1)]);
    let log: Log<std::collections::HashMap<Vec<u8>, i32>> =
        LogOptions::new().open(dir.path().join("keys")).unwrap();
    assert!(matches!(log.append(&keys), Err(Error::Encode(_))));
}

#[test]
fn a_record_larger_than_every_buffer_is_a_record() {
    let text = "x".repeat(if cfg!(debug_assertions) { 20 } else { 100 } << 20);
    let (dir, appended) = log_with(&text);
    appended.unwrap();
    assert!(only_record(dir.path()) == text);
    let found = verify_log(dir.path()).unwrap();
    assert_eq!((found.records, found.breaks), (1, vec![]));
    // And one that was cut in the middle is a torn tail, however large.
    fs::remove_file(segment(dir.path()).with_extension("index")).unwrap();
    let cut = text.len() as u64;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(segment(dir.path()))
        .unwrap();
    file.set_len(cut).unwrap();
    let log: Log<String> = LogOptions::new().open(dir.path()).unwrap();
    assert_eq!(
        log.recovery().torn.as_ref().map(|torn| torn.bytes),
        Some(cut)
    );
}

#[test]
fn a_million_empty_lines_are_set_aside() {
    let (dir, log) = with_bytes_behind(&vec![b'\n'; 1_000_000]);
    assert_eq!(
        log.recovery().torn.as_ref().map(|torn| torn.bytes),
        Some(1_000_000)
    );
    assert_eq!(log.append(&"second".to_owned()).unwrap(), Seq(2));
    drop(log);
    assert_eq!(verify_log(dir.path()).unwrap().breaks, []);
}

#[test]
fn what_is_no_line_of_a_log_is_set_aside_at_the_end() {
    let foreign: [&[u8]; 8] = [
        b"\xff\xfe\x80\n",
        b"\0\0\0\0",
        b"\xef\xbb\xbf{\"seq\":2}\n",
        b"[1,2,3]\n",
        b"{}\n",
        b"null\n",
        b"{\"seq\":2,\"synced\":1,\"data\":1,\"crc\":\"00000000\"}\n",
        b"\r\n",
    ];
    for bytes in foreign {
        let (_dir, log) = with_bytes_behind(bytes);
        let torn = log.recovery().torn.clone().unwrap();
        assert_eq!(fs::read(torn.kept_in).unwrap(), bytes);
        assert_eq!(log.append(&"second".to_owned()).unwrap(), Seq(2));
    }
}

#[test]
fn a_byte_order_mark_or_other_line_ends_added_to_a_file_are_corruption() {
    let added: [fn(&str) -> String; 3] = [
        |text| format!("\u{feff}{text}"),
        |text| text.replace('\n', "\r\n"),
        |text| format!("\n{text}"),
    ];
    for add in added {
        let (dir, _) = log_with("first");
        let text = fs::read_to_string(segment(dir.path())).unwrap();
        fs::write(segment(dir.path()), add(&text)).unwrap();
        let error = LogOptions::new().open::<String>(dir.path()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Corrupt {
                    line: 1,
                    kind: BreakKind::NotARecord | BreakKind::Checksum { .. },
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_number_at_the_end_of_all_numbers_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let body = format!("{{\"seq\":{},\"synced\":{},\"data\":1", u64::MAX, u64::MAX);
    let line = format!(
        "{body},\"crc\":\"{:08x}\"}}\n",
        crc32c::crc32c(body.as_bytes())
    );
    fs::write(segment(dir.path()), line).unwrap();
    let expected = Seq(1);
    let found = Seq(u64::MAX);
    let breaks = verify_log(dir.path()).unwrap().breaks;
    assert_eq!(breaks[0].kind, BreakKind::OutOfOrder { expected, found });
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    assert!(log.recovery().torn.is_some());
    assert_eq!(log.append(&1).unwrap(), Seq(1));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn arbitrary_bytes_behind_a_log_cost_no_record(bytes: Vec<u8>) {
        let (_dir, log) = with_bytes_behind(&bytes);
        let records: Vec<Record<String>> = log.scan().unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(records.len(), 1);
        prop_assert_eq!(log.append(&"second".to_owned()).unwrap(), Seq(2));
    }

    #[test]
    fn arbitrary_files_are_opened_or_refused_and_never_panic(segment_bytes: Vec<u8>, index: Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(segment(dir.path()), segment_bytes).unwrap();
        fs::write(segment(dir.path()).with_extension("index"), index).unwrap();
        prop_assert!(verify_log(dir.path()).is_ok());
        if let Ok(log) = LogOptions::new().open::<u64>(dir.path()) {
            prop_assert_eq!(log.append(&1).unwrap(), Seq(log.recovery().last.0 + 1));
        }
    }
}
