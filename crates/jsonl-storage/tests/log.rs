//! The log from the outside: what it promises to whoever opens, appends and reopens.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jsonl_storage::{BreakKind, Error, Log, LogOptions, Record, Seq, verify_log};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Event {
    thread: usize,
    index: usize,
}

fn open(dir: &Path) -> Log<Event> {
    LogOptions::new().open(dir).unwrap()
}

fn read(log: &Log<Event>) -> Vec<Record<Event>> {
    log.scan().unwrap().collect::<Result<_, _>>().unwrap()
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("segment-00000000000000000001.jsonl")
}

fn filled(records: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for index in 0..records {
        log.append(&Event { thread: 0, index }).unwrap();
    }
    log.close().unwrap();
    dir
}

#[test]
fn what_a_hundred_threads_append_is_all_there_and_in_each_threads_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..100 {
            let log = &log;
            scope.spawn(move || {
                for index in 0..20 {
                    let seq = log.append(&Event { thread, index }).unwrap();
                    assert!(log.durable() >= seq, "acknowledged before it was durable");
                }
            });
        }
    });
    log.close().unwrap();

    let log = open(dir.path());
    let records = read(&log);
    assert_eq!(records.len(), 2000);
    assert!(records.iter().map(|record| record.seq.0).eq(1..=2000));
    for thread in 0..100 {
        let own = records.iter().filter(|record| record.data.thread == thread);
        assert!(
            own.map(|record| record.data.index).eq(0..20),
            "thread {thread}"
        );
    }
}

#[test]
fn many_records_can_share_one_wait() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let tickets: Vec<_> = (0..1000)
        .map(|index| log.submit(&Event { thread: 0, index }).unwrap())
        .collect();
    assert_eq!(tickets.last().unwrap().seq(), Seq(1000));
    tickets.into_iter().next_back().unwrap().wait().unwrap();
    assert_eq!(log.durable(), Seq(1000));
    assert_eq!(read(&log).len(), 1000);
}

#[test]
fn a_queue_over_its_bound_is_written_before_submit_returns() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<Event> = LogOptions::new()
        .queue_bytes(1000)
        .open(dir.path())
        .unwrap();
    let first = log
        .submit(&Event {
            thread: 0,
            index: 0,
        })
        .unwrap();
    assert_eq!(log.durable(), Seq::ZERO, "one record is within the bound");
    for index in 1..40 {
        let _ticket = log.submit(&Event { thread: 0, index }).unwrap();
    }
    assert!(log.durable() > first.seq());
}

#[test]
fn records_that_nobody_waited_for_are_written_at_the_close() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    drop(
        log.submit(&Event {
            thread: 1,
            index: 2,
        })
        .unwrap(),
    );
    drop(log);
    assert_eq!(read(&open(dir.path())).len(), 1);
}

#[test]
fn a_torn_tail_is_set_aside_and_reported_and_the_log_goes_on() {
    let whole = fs::read(segment(filled(3).path())).unwrap();
    let last_line = whole[..whole.len() - 1]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap()
        + 1;
    for cut in last_line + 1..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(segment(dir.path()), &whole[..cut]).unwrap();

        let log = open(dir.path());
        let torn = log.recovery().torn.clone().unwrap();
        assert_eq!(
            (torn.line, torn.byte),
            (3, last_line as u64),
            "cut at {cut}"
        );
        assert_eq!(fs::read(&torn.kept_in).unwrap(), &whole[last_line..cut]);
        assert_eq!(
            log.append(&Event {
                thread: 9,
                index: 9
            })
            .unwrap(),
            Seq(3)
        );
        log.close().unwrap();

        let log = open(dir.path());
        assert_eq!(log.recovery().torn, None);
        let records = read(&log);
        assert_eq!(records.len(), 3);
        assert_eq!(
            records[2].data,
            Event {
                thread: 9,
                index: 9
            }
        );
    }
}

#[test]
fn damage_to_a_synced_record_is_corruption_and_nothing_is_changed() {
    let dir = filled(3);
    let mut bytes = fs::read(segment(dir.path())).unwrap();
    bytes[30] ^= 1;
    fs::write(segment(dir.path()), &bytes).unwrap();

    let error = LogOptions::new().open::<Event>(dir.path()).unwrap_err();
    let Error::Corrupt {
        line, byte, kind, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((*line, *byte), (1, 0));
    assert!(matches!(kind, BreakKind::Checksum { .. }), "{kind}");
    assert_eq!(fs::read(segment(dir.path())).unwrap(), bytes);

    let found = verify_log(dir.path()).unwrap();
    assert!(!found.holds());
    assert_eq!(
        found
            .corruptions()
            .map(|found| found.line)
            .collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn a_removed_line_is_found() {
    let dir = filled(4);
    let text = fs::read_to_string(segment(dir.path())).unwrap();
    let without_second: String = text
        .lines()
        .enumerate()
        .filter(|(at, _)| *at != 1)
        .map(|(_, l)| format!("{l}\n"))
        .collect();
    fs::write(segment(dir.path()), without_second).unwrap();
    let error = LogOptions::new()
        .open::<Event>(dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("line 2 (byte 68): out of order: record 2 expected, 3 found"),
        "{error}"
    );
}

#[test]
fn a_second_opener_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let error = LogOptions::new().open::<Event>(dir.path()).unwrap_err();
    let Error::Locked { holder, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(holder, &std::process::id().to_string());
    drop(log);
    open(dir.path());
}

#[test]
fn other_tools_read_the_lines() {
    let dir = filled(3);
    let records: Vec<Record<Event>> = serde_jsonlines::json_lines(segment(dir.path()))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        records[2],
        Record {
            seq: Seq(3),
            data: Event {
                thread: 0,
                index: 2
            }
        }
    );
}

#[test]
fn a_scan_sees_what_was_durable_when_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&Event {
        thread: 0,
        index: 0,
    })
    .unwrap();
    let scan = log.scan().unwrap();
    log.append(&Event {
        thread: 0,
        index: 1,
    })
    .unwrap();
    assert_eq!(scan.count(), 1);
}

#[test]
fn a_record_of_another_type_is_an_error_that_names_it() {
    let dir = filled(1);
    let log: Log<Vec<u8>> = LogOptions::new().open(dir.path()).unwrap();
    let error = log.scan().unwrap().next().unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("record 1 is not of the expected type"),
        "{error}"
    );
}

#[test]
fn a_raw_value_with_a_line_break_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<Box<serde_json::value::RawValue>> = LogOptions::new().open(dir.path()).unwrap();
    let raw = serde_json::value::RawValue::from_string("[1,\n2]".to_owned()).unwrap();
    assert!(matches!(log.append(&raw), Err(Error::Encode(_))));
    assert_eq!(log.durable(), Seq::ZERO);
}

#[test]
fn lines_of_someone_else_at_the_end_are_set_aside() {
    let dir = filled(2);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(segment(dir.path()))
        .unwrap();
    file.write_all(b"[1,2]\n\n{\"seq\":3}\n").unwrap();
    let log = open(dir.path());
    assert_eq!(log.recovery().torn.as_ref().unwrap().bytes, 17);
    assert_eq!(log.recovery().last, Seq(2));
}
