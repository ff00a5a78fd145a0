//! Finding records: by number, in ranges, backwards, by time, by key, and as they come.

use std::path::Path;
use std::time::Duration;

use jsonl_storage::{Error, Index, Log, LogOptions, Record, Seq};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Event {
    id: String,
    time: u64,
    text: String,
}

fn event(n: u64) -> Event {
    Event {
        // Each key comes three times.
        id: format!("event {}", n % 700),
        // Times go up and down, and up in the long run.
        time: 10 * n - 25 * (n % 3).min(n / 3),
        text: "x".repeat((n % 50) as usize * 10),
    }
}

fn index() -> Index<Event> {
    Index::new("events")
        .by_key(|event: &Event| Some(event.id.as_str().into()))
        .by_time(|event: &Event| event.time)
}

fn open(dir: &Path) -> Log<Event> {
    let options = LogOptions::new().segment_bytes(100_000);
    options.indexed(index()).open(dir).unwrap()
}

const RECORDS: u64 = 2100;

/// Several files, the last with records from before and after a close.
fn filled() -> (tempfile::TempDir, Log<Event>) {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for n in 1..=RECORDS - 50 {
        let ticket = log.submit(&event(n)).unwrap();
        if n % 100 == 0 {
            ticket.wait().unwrap();
        }
    }
    log.close().unwrap();
    let log = open(dir.path());
    log.append_all(&(RECORDS - 49..=RECORDS).map(event).collect::<Vec<_>>())
        .unwrap();
    (dir, log)
}

fn seqs(records: impl Iterator<Item = Result<Record<Event>, Error>>) -> Vec<u64> {
    let checked = records.map(|record| {
        let record = record.unwrap();
        assert_eq!(record.data, event(record.seq.0));
        record.seq.0
    });
    checked.collect()
}

fn assert_finds_everything(log: &Log<Event>) {
    for n in 1..=RECORDS {
        assert_eq!(log.get(Seq(n)).unwrap().unwrap().data, event(n));
    }
    for absent in [0, RECORDS + 1, u64::MAX] {
        assert_eq!(log.get(Seq(absent)).unwrap(), None);
    }
    for n in 0..700 {
        let found = seqs(log.find_all(&format!("event {n}")).unwrap());
        let expected: Vec<_> = (1..=RECORDS).rev().filter(|m| m % 700 == n).collect();
        assert_eq!(found, expected, "key {n}");
    }
    assert_eq!(log.find("event 700").unwrap(), None);
    for times in [0..1, 0..u64::MAX, 500..777, 20_000..20_500, 5..5] {
        let found = seqs(log.between(times.clone()).unwrap());
        let expected: Vec<_> = (1..=RECORDS)
            .filter(|n| times.contains(&event(*n).time))
            .collect();
        assert_eq!(found, expected, "{times:?}");
    }
}

#[test]
fn every_record_is_found_by_number_key_and_time() {
    let (dir, log) = filled();
    assert_finds_everything(&log);
    log.close().unwrap();
    assert_finds_everything(&open(dir.path()));
}

#[test]
fn indexes_that_were_made_anew_find_the_same() {
    let (dir, log) = filled();
    drop(log);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "index")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_finds_everything(&open(dir.path()));
}

#[test]
fn an_index_of_another_name_is_made_anew() {
    let (dir, log) = filled();
    drop(log);
    let plain: Log<Event> = LogOptions::new().open(dir.path()).unwrap();
    assert!(matches!(
        plain.find_all("event 1"),
        Err(Error::NotIndexed { by: "key", .. })
    ));
    assert!(matches!(
        plain.between(0..9),
        Err(Error::NotIndexed { by: "time", .. })
    ));
    drop(plain);

    let by_length =
        Index::new("lengths").by_key(|event: &Event| Some(event.text.len().to_string().into()));
    let log = LogOptions::new()
        .indexed(by_length)
        .open(dir.path())
        .unwrap();
    assert!(!log.recovery().rebuilt.is_empty());
    let found = seqs(log.find_all("490").unwrap());
    assert!(
        found
            .into_iter()
            .eq((1..=RECORDS).rev().filter(|n| n % 50 == 49))
    );
    drop(log);
    assert_finds_everything(&open(dir.path()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn ranges_go_both_ways(ranges in prop::collection::vec((0u64..2200, 0u64..2200), 5)) {
        let (_dir, log) = filled();
        for (from, to) in ranges {
            let expected: Vec<_> = (from.max(1)..to.min(RECORDS + 1)).collect();
            let found = seqs(log.range(Seq(from)..Seq(to)).unwrap());
            prop_assert_eq!(&found, &expected);
            let mut back = seqs(log.range_back(Seq(from)..Seq(to)));
            back.reverse();
            prop_assert_eq!(&back, &expected);
        }
    }
}

#[test]
fn a_follower_gets_every_record_once_while_others_append() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&event(1)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 2..=RECORDS {
                let ticket = log.submit(&event(n)).unwrap();
                if n % 20 == 0 {
                    ticket.wait().unwrap();
                }
            }
            log.flush().unwrap();
        });
        let mut follow = log.follow(Seq(1));
        for n in 1..=RECORDS {
            let record = follow
                .next_within(Duration::from_secs(60))
                .unwrap()
                .unwrap();
            assert_eq!((record.seq, record.data), (Seq(n), event(n)));
        }
        assert_eq!(follow.next_within(Duration::ZERO).unwrap(), None);
    });
}

#[test]
fn readers_and_appenders_do_not_disturb_one_another() {
    let (_dir, log) = filled();
    std::thread::scope(|scope| {
        let appender = scope.spawn(|| {
            for n in RECORDS + 1..=RECORDS + 300 {
                log.append(&event(n)).unwrap();
            }
        });
        let mut known = Seq::ZERO;
        while !appender.is_finished() {
            let last = log.range_back(..).next().unwrap().unwrap().seq;
            assert!(last >= known);
            known = last;
            assert_eq!(log.get(last).unwrap().unwrap().data, event(last.0));
            let id = event(last.0).id;
            assert!(log.find(&id).unwrap().unwrap().seq >= last);
        }
    });
}
