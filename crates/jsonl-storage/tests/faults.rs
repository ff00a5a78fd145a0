//! What the log does when the disk does not do its part.

mod faulty;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use jsonl_storage::{Durability, Error, Log, LogOptions, Seq, verify_log};

use faulty::{Faults, FaultyDisk};

struct Fixture {
    dir: tempfile::TempDir,
    faults: Arc<Faults>,
    log: Log<u64>,
}

fn fixture(options: LogOptions) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(dir.path());
    let faults = Arc::clone(&disk.faults);
    let log = options.open_on(disk).unwrap();
    Fixture { dir, faults, log }
}

fn values(log: &Log<u64>) -> Vec<u64> {
    let records = log.scan().unwrap();
    records.map(|record| record.unwrap().data).collect()
}

fn reopened(dir: &Path) -> Vec<u64> {
    let found = verify_log(dir).unwrap();
    assert_eq!(found.breaks, []);
    values(&LogOptions::new().open(dir).unwrap())
}

#[test]
fn after_a_failed_sync_appends_are_refused_and_reads_go_on() {
    let Fixture { dir, faults, log } = fixture(LogOptions::new());
    log.append(&1).unwrap();
    faults.fail_sync.store(true, SeqCst);
    let error = log.append(&2).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Io {
                operation: "sync",
                ..
            }
        ),
        "{error}"
    );

    faults.fail_sync.store(false, SeqCst);
    let syncs = faults.syncs.load(SeqCst);
    let error = log.append(&3).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    assert!(
        error.to_string().contains("the disk refuses the sync"),
        "{error}"
    );
    assert_eq!(values(&log), [1]);
    assert!(matches!(log.close(), Err(Error::Poisoned { .. })));
    assert_eq!(faults.syncs.load(SeqCst), syncs, "a sync was retried");
    assert_eq!(reopened(dir.path())[0], 1);
}

#[test]
fn everyone_who_waits_for_a_sync_that_fails_gets_an_error() {
    let Fixture {
        dir: _dir,
        faults,
        log,
    } = fixture(LogOptions::new());
    faults.fail_sync.store(true, SeqCst);
    std::thread::scope(|scope| {
        for value in 0..50 {
            let log = &log;
            scope.spawn(move || assert!(log.append(&value).is_err()));
        }
    });
    assert_eq!(log.durable(), Seq::ZERO);
}

#[test]
fn a_write_that_fails_for_no_known_reason_poisons() {
    let Fixture { dir, faults, log } = fixture(LogOptions::new());
    log.append(&1).unwrap();
    faults.fail_write.store(true, SeqCst);
    assert!(matches!(
        log.append(&2),
        Err(Error::Io {
            operation: "write",
            ..
        })
    ));
    faults.fail_write.store(false, SeqCst);
    assert!(matches!(log.append(&3), Err(Error::Poisoned { .. })));
    drop(log);
    assert_eq!(reopened(dir.path()), [1]);
}

#[test]
fn a_write_in_small_pieces_is_a_whole_write() {
    let Fixture { dir, faults, log } = fixture(LogOptions::new());
    faults.short_write_bytes.store(7, SeqCst);
    for value in 0..10 {
        log.append(&value).unwrap();
    }
    log.close().unwrap();
    assert!(reopened(dir.path()).into_iter().eq(0..10));
}

#[test]
fn a_leader_that_panics_poisons_and_leaves_nobody_waiting() {
    let Fixture {
        dir: _dir,
        faults,
        log,
    } = fixture(LogOptions::new());
    log.append(&1).unwrap();
    faults.panic_on_write.store(true, SeqCst);
    let panicked = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|value| {
                scope.spawn({
                    let log = &log;
                    move || log.append(&value).is_err()
                })
            })
            .collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|result| result.unwrap_or(true))
            .filter(|refused| *refused)
            .count()
    });
    assert_eq!(panicked, 20);
    faults.panic_on_write.store(false, SeqCst);
    let error = log.append(&2).unwrap_err().to_string();
    assert!(
        error.ends_with("a thread panicked while it was writing"),
        "{error}"
    );
    assert_eq!(values(&log), [1]);
}

#[test]
fn a_full_disk_refuses_exactly_what_did_not_fit_and_the_log_goes_on() {
    let Fixture { dir, faults, log } = fixture(LogOptions::new());
    log.append(&1).unwrap();
    // Room for half of a line: the write begins, and is taken back.
    faults.room_bytes.store(25, SeqCst);
    let tickets = [log.submit(&2).unwrap(), log.submit(&3).unwrap()];
    for ticket in tickets {
        let error = ticket.wait().unwrap_err();
        assert!(matches!(error, Error::Full { .. }), "{error}");
    }
    assert_eq!(
        faults.room_bytes.load(SeqCst),
        25,
        "what was written was cut off"
    );
    assert!(matches!(log.append(&4), Err(Error::Full { .. })));
    assert_eq!(values(&log), [1]);

    faults.room_bytes.store(1 << 20, SeqCst);
    assert_eq!(log.append(&5).unwrap(), Seq(2), "the number is free again");
    log.close().unwrap();
    assert_eq!(reopened(dir.path()), [1, 5]);
}

#[test]
fn a_ticket_never_takes_another_record_for_its_own() {
    let Fixture {
        dir: _dir,
        faults,
        log,
    } = fixture(LogOptions::new());
    let refused = log.submit(&1).unwrap();
    faults.room_bytes.store(0, SeqCst);
    assert!(matches!(log.append(&2), Err(Error::Full { .. })));
    faults.room_bytes.store(1 << 20, SeqCst);
    assert_eq!(log.append(&3).unwrap(), refused.seq());
    assert!(matches!(refused.wait(), Err(Error::Full { .. })));
    assert_eq!(values(&log), [3]);
}

#[test]
fn many_threads_on_a_disk_that_fills_and_empties_lose_nothing_acknowledged() {
    let Fixture { dir, faults, log } = fixture(LogOptions::new());
    faults.room_bytes.store(3000, SeqCst);
    let mut acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u64)
            .map(|thread| {
                let (log, faults) = (&log, &faults);
                scope.spawn(move || {
                    let append = |index| {
                        let value = thread * 1000 + index;
                        match log.append(&value) {
                            Ok(_) => Some(value),
                            Err(Error::Full { .. }) => {
                                faults.room_bytes.fetch_add(200, SeqCst);
                                None
                            }
                            Err(error) => panic!("{error}"),
                        }
                    };
                    (0..100).filter_map(append).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(
        (30..800).contains(&acknowledged.len()),
        "{}",
        acknowledged.len()
    );
    faults.room_bytes.store(1 << 20, SeqCst);
    log.close().unwrap();
    let mut found = reopened(dir.path());
    acknowledged.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, acknowledged);
}

#[test]
fn a_cut_that_fails_poisons() {
    let Fixture {
        dir: _dir,
        faults,
        log,
    } = fixture(LogOptions::new());
    faults.room_bytes.store(0, SeqCst);
    faults.fail_sync.store(true, SeqCst);
    let error = log.append(&1).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot cut an unfinished write off"),
        "{error}"
    );
    assert!(matches!(log.append(&1), Err(Error::Poisoned { .. })));
}

#[test]
fn what_a_buffer_acknowledged_waits_for_room() {
    let Fixture { dir, faults, log } = fixture(LogOptions::new().durability(Durability::Buffered));
    log.append(&1).unwrap();
    faults.room_bytes.store(10, SeqCst);
    assert!(matches!(log.flush(), Err(Error::Full { .. })));
    log.append(&2).unwrap();
    faults.room_bytes.store(1 << 20, SeqCst);
    log.flush().unwrap();
    assert_eq!(values(&log), [1, 2]);
    log.close().unwrap();
    assert_eq!(reopened(dir.path()), [1, 2]);
}

#[test]
fn a_buffer_that_cannot_be_written_refuses_more() {
    let options = LogOptions::new().durability(Durability::Buffered);
    let Fixture { dir, faults, log } = fixture(options.queue_records(10));
    faults.room_bytes.store(10, SeqCst);
    let acknowledged = (0..100)
        .take_while(|value| log.append(value).is_ok())
        .count();
    assert_eq!(acknowledged, 10);
    faults.room_bytes.store(1 << 20, SeqCst);
    log.close().unwrap();
    assert!(reopened(dir.path()).into_iter().eq(0..10));
}

#[test]
fn each_level_syncs_when_it_says() {
    for (level, written, synced) in [
        (Durability::Synced, 1, 1),
        (Durability::Flushed, 1, 0),
        (Durability::Buffered, 0, 0),
    ] {
        let Fixture {
            dir: _dir,
            faults,
            log,
        } = fixture(LogOptions::new().durability(level));
        let (writes, syncs) = (faults.writes.load(SeqCst), faults.syncs.load(SeqCst));
        log.append(&1).unwrap();
        assert_eq!(faults.writes.load(SeqCst) - writes, written, "{level:?}");
        assert_eq!(faults.syncs.load(SeqCst) - syncs, synced, "{level:?}");
        assert_eq!(log.durable(), Seq(synced));
        log.sync().unwrap();
        assert_eq!(log.durable(), Seq(1), "{level:?}");
        assert_eq!(faults.syncs.load(SeqCst) - syncs, 1, "{level:?}");
    }
}

#[test]
fn what_no_sync_confirmed_is_written_again_at_the_opening() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(dir.path());
    let faults = Arc::clone(&disk.faults);
    let log: Log<u64> = LogOptions::new().open_on(disk.clone()).unwrap();
    log.append(&1).unwrap();
    faults.fail_sync.store(true, SeqCst);
    log.append(&2).unwrap_err();
    drop(log);
    faults.fail_sync.store(false, SeqCst);

    // The kernel still shows the record that it could not write, and would call it clean.
    let (writes, syncs) = (faults.writes.load(SeqCst), faults.syncs.load(SeqCst));
    let log: Log<u64> = LogOptions::new().open_on(disk).unwrap();
    assert_eq!(log.recovery().last, Seq(2));
    assert_eq!(faults.writes.load(SeqCst), writes + 1);
    assert_eq!(faults.syncs.load(SeqCst), syncs + 1);
    log.close().unwrap();
    assert_eq!(reopened(dir.path()), [1, 2]);
}
