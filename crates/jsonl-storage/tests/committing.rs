//! What the owner of a log is told of its commits, and what a ticket says without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use jsonl_storage::{Durability, Error, Log, LogOptions, Seq};

fn open(level: Durability) -> (tempfile::TempDir, Log<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let log = LogOptions::new().durability(level).open(dir.path());
    (dir, log.unwrap())
}

#[test]
fn a_commit_is_told_before_anybody_who_waits_for_it_goes_on() {
    for level in [Durability::Synced, Durability::Flushed] {
        let (_dir, log) = open(level);
        let told = Arc::new(AtomicU64::new(0));
        let last = Arc::clone(&told);
        log.on_commit(move |seq| {
            let before = last.swap(seq.0, Ordering::SeqCst);
            assert!(before < seq.0, "told {before}, then {seq}");
        });
        thread::scope(|scope| {
            for number in 0..8 {
                let (log, told) = (&log, &told);
                let append = move || {
                    for value in 0..50 {
                        let seq = log.append(&value).unwrap();
                        assert!(told.load(Ordering::SeqCst) >= seq.0);
                    }
                };
                let named = thread::Builder::new().name(format!("committing-test:{number}"));
                named.spawn_scoped(scope, append).unwrap();
            }
        });
        assert_eq!(told.load(Ordering::SeqCst), 400);
    }
}

/// Who asks and does not sleep sees no outcome before the function has ended, however long it takes, and
/// although somebody syncs meanwhile.
#[test]
fn nobody_sees_an_outcome_before_a_slow_function_has_ended() {
    for level in [Durability::Synced, Durability::Flushed] {
        let (_dir, log) = open(level);
        let told = Arc::new(AtomicU64::new(0));
        let last = Arc::clone(&told);
        log.on_commit(move |seq| {
            thread::sleep(Duration::from_millis(2));
            last.store(seq.0, Ordering::SeqCst);
        });
        for value in 0..20 {
            let ticket = log.submit(&value).unwrap();
            thread::scope(|scope| {
                let named = |name: &str| thread::Builder::new().name(name.to_owned());
                let append = || assert!(log.append(&value).is_ok());
                named("committing-test:append")
                    .spawn_scoped(scope, append)
                    .unwrap();
                let sync = || log.sync().unwrap();
                named("committing-test:sync")
                    .spawn_scoped(scope, sync)
                    .unwrap();
                while ticket.outcome().is_none() {
                    thread::yield_now();
                }
                assert!(told.load(Ordering::SeqCst) >= ticket.seq().0);
            });
        }
    }
}

#[test]
fn the_first_function_is_kept() {
    let (_dir, log) = open(Durability::Synced);
    let told = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second"] {
        let told = Arc::clone(&told);
        log.on_commit(move |seq| told.lock().unwrap().push((name, seq)));
    }
    log.append(&1).unwrap();
    log.append_all(&[2, 3]).unwrap();
    assert_eq!(
        *told.lock().unwrap(),
        [("first", Seq(1)), ("first", Seq(3))]
    );
}

#[test]
fn a_panic_in_the_function_leaves_nothing_undecided() {
    let (_dir, log) = open(Durability::Synced);
    log.on_commit(|_| panic!("planted"));
    let append = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.append(&1)));
    assert!(append().is_err());
    let after = append().unwrap();
    assert!(matches!(after, Err(Error::Poisoned { .. })), "{after:?}");
}

#[test]
fn a_ticket_knows_its_outcome_as_soon_as_there_is_one() {
    let (_dir, log) = open(Durability::Synced);
    let ticket = log.submit(&1).unwrap();
    assert!(ticket.outcome().is_none());
    log.append(&2).unwrap();
    assert_eq!(ticket.outcome().unwrap().unwrap(), Seq(1));
    assert_eq!(ticket.wait().unwrap(), Seq(1));

    let (_dir, log) = open(Durability::Buffered);
    let ticket = log.submit(&1).unwrap();
    assert_eq!(ticket.outcome().unwrap().unwrap(), Seq(1));
}
