//! The commit path under schedules of shuttle's choice: thousands of orders in which threads can
//! submit, lead, gather, wait, fail and close. Every operation of `src/sync.rs` and every write and
//! sync of the disk is a point where another thread may go on.
//!
//! Each check is over when every thread has returned: a lost wake-up is a deadlock, which shuttle
//! reports with the schedule that leads to it.
//!
//! Run by `RUSTFLAGS="--cfg shuttle" cargo test -p proofload-jsonl-storage --test shuttle --target-dir
//! target/shuttle`, a stage of `cargo xtask ci`; without the cfg there is nothing here.
#![cfg(shuttle)]

#[path = "shuttle/disk.rs"]
mod disk;

use std::sync::Arc;

use jsonl_storage::{Durability, Error, Log, LogOptions, Seq};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, future, thread};

use crate::disk::{Disk, Mounted};

/// For each check and each of the two ways to choose.
const SCHEDULES: usize = 4_000;
/// How many points of a schedule matter to a bug that the second way is sure to come upon.
const DEPTH: usize = 3;

type TestLog = Log<(usize, usize)>;

fn explore(check: fn()) {
    run(RandomScheduler::new(SCHEDULES), check);
    run(PctScheduler::new(DEPTH, SCHEDULES), check);
}

fn run(scheduler: impl Scheduler + 'static, check: fn()) {
    let mut config = Config::new();
    config.stack_size = 512 << 10;
    Runner::new(scheduler, config).run(check);
}

fn open(disk: &Arc<Disk>, options: LogOptions) -> Arc<TestLog> {
    let mounted = Arc::new(Mounted(Arc::clone(disk)));
    Arc::new(options.open_on(mounted).unwrap())
}

/// Has each of `threads` do something with the log, and returns when all have.
fn together<R: Send + 'static>(
    log: &Arc<TestLog>,
    threads: usize,
    act: impl Fn(&TestLog, usize) -> R + Clone + Send + 'static,
) -> Vec<R> {
    let spawned: Vec<_> = (0..threads)
        .map(|number| {
            let (log, act) = (Arc::clone(log), act.clone());
            thread::spawn(move || act(&log, number))
        })
        .collect();
    let joined = spawned.into_iter().map(|thread| thread.join().unwrap());
    joined.collect()
}

fn close(log: Arc<TestLog>) -> Result<(), Error> {
    Arc::into_inner(log).expect("nobody else has it").close()
}

/// What was acknowledged is on the disk, under the number that it was acknowledged with.
fn assert_durable(disk: &Disk, seq: Seq, record: (usize, usize)) {
    let synced = disk.synced();
    assert_eq!(synced.get(seq.0 as usize - 1), Some(&(seq, record)));
}

/// Every record is there once, and those of one thread are in its order.
fn assert_complete(disk: &Disk, threads: usize, each: usize) {
    let synced = disk.synced();
    assert_eq!(synced.len(), threads * each);
    for number in 0..threads {
        let own = synced.iter().filter(|(_, record)| record.0 == number);
        let order: Vec<_> = own.map(|(_, record)| record.1).collect();
        assert_eq!(order, (0..each).collect::<Vec<_>>());
    }
}

#[test]
fn every_append_returns_and_what_is_acknowledged_is_synced() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        let seen = Arc::clone(&disk);
        together(&log, 3, move |log, number| {
            for turn in 0..2 {
                let seq = log.append(&(number, turn)).unwrap();
                assert_durable(&seen, seq, (number, turn));
            }
        });
        close(log).unwrap();
        assert_complete(&disk, 3, 2);
    });
}

#[test]
fn all_who_wait_for_one_round_are_woken_although_the_next_one_began() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        let submit = |number| log.submit(&(number, 0)).unwrap();
        let tickets: Vec<_> = (0..5).map(submit).collect();
        let waiting: Vec<_> = tickets
            .into_iter()
            .map(|ticket| thread::spawn(move || ticket.wait().unwrap()))
            .collect();
        together(&log, 1, |log, _| log.append(&(5, 0)).unwrap());
        for thread in waiting {
            thread.join().unwrap();
        }
        close(log).unwrap();
        assert_complete(&disk, 6, 1);
    });
}

#[test]
fn a_call_after_each_commit_keeps_nobody_asleep() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        log.on_commit(|_| thread::yield_now());
        together(&log, 4, move |log, number| {
            for turn in 0..2 {
                log.append(&(number, turn)).unwrap();
            }
        });
        close(log).unwrap();
        assert_complete(&disk, 4, 2);
    });
}

#[test]
fn tickets_that_are_awaited_are_woken_with_and_without_a_thread_that_waits() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        let seen = Arc::clone(&disk);
        together(&log, 3, move |log, number| {
            for turn in 0..2 {
                let ticket = log.submit(&(number, turn)).unwrap();
                let seq = match number {
                    0 => ticket.wait().unwrap(),
                    _ => future::block_on(ticket).unwrap(),
                };
                assert_durable(&seen, seq, (number, turn));
            }
        });
        close(log).unwrap();
        assert_complete(&disk, 3, 2);
    });
}

#[test]
fn tickets_that_nobody_but_the_flusher_leads_are_woken() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        let seen = Arc::clone(&disk);
        together(&log, 2, move |log, number| {
            let tickets = [0, 1].map(|turn| log.submit(&(number, turn)).unwrap());
            for (turn, ticket) in tickets.into_iter().enumerate() {
                let seq = future::block_on(ticket).unwrap();
                assert_durable(&seen, seq, (number, turn));
            }
        });
        close(log).unwrap();
        assert_complete(&disk, 2, 2);
    });
}

#[test]
fn a_failed_sync_answers_everyone_and_nobody_tries_again() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        disk.fail_after_syncs(1);
        let seen = Arc::clone(&disk);
        let failed = together(&log, 3, move |log, number| {
            let mut failed = 0;
            for turn in 0..2 {
                let ticket = log.submit(&(number, turn));
                let outcome = ticket.and_then(|ticket| match number {
                    0 => future::block_on(ticket),
                    _ => ticket.wait(),
                });
                match outcome {
                    Ok(seq) => assert_durable(&seen, seq, (number, turn)),
                    Err(Error::Io { .. } | Error::Poisoned { .. }) => failed += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            failed
        });
        let closed = close(log);
        if disk.has_failed() {
            assert!(matches!(
                closed,
                Err(Error::Io { .. } | Error::Poisoned { .. })
            ));
        } else {
            assert_eq!(failed, [0, 0, 0]);
        }
        assert_eq!(disk.touched_after_failure(), 0);
    });
}

#[test]
fn a_full_disk_refuses_some_and_the_log_goes_on_with_their_numbers() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        disk.limit_room(200);
        let seen = Arc::clone(&disk);
        let refused = together(&log, 3, move |log, number| {
            let mut refused = 0;
            for turn in 0..2 {
                match log.append(&(number, turn)) {
                    Ok(seq) => assert_durable(&seen, seq, (number, turn)),
                    Err(Error::Full { .. }) => {
                        refused += 1;
                        seen.limit_room(u64::MAX);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            refused
        });
        let seq = log.append(&(3, 0)).unwrap();
        assert_durable(&disk, seq, (3, 0));
        close(log).unwrap();
        let kept = 7 - refused.iter().sum::<usize>();
        assert_eq!(disk.synced().len(), kept);
    });
}

#[test]
fn a_close_answers_the_tickets_that_others_wait_for() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new());
        let waiting: Vec<_> = (0..3)
            .map(|number| {
                let ticket = log.submit(&(number, 0)).unwrap();
                let seen = Arc::clone(&disk);
                thread::spawn(move || {
                    let seq = match number {
                        0 => ticket.wait().unwrap(),
                        _ => future::block_on(ticket).unwrap(),
                    };
                    assert_durable(&seen, seq, (number, 0));
                })
            })
            .collect();
        close(log).unwrap();
        for thread in waiting {
            thread.join().unwrap();
        }
        assert_complete(&disk, 3, 1);
    });
}

#[test]
fn submitters_wait_for_room_in_the_queue_and_get_it() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new().queue_records(1));
        let seen = Arc::clone(&disk);
        together(&log, 3, move |log, number| {
            let _first = log.submit(&(number, 0)).unwrap();
            let seq = log.submit(&(number, 1)).unwrap().wait().unwrap();
            assert_durable(&seen, seq, (number, 1));
        });
        close(log).unwrap();
        assert_complete(&disk, 3, 2);
    });
}

#[test]
fn syncs_and_rotations_between_appends_lose_nobody() {
    explore(|| {
        let disk = Disk::new();
        let log = open(&disk, LogOptions::new().durability(Durability::Flushed));
        let seen = Arc::clone(&disk);
        together(&log, 3, move |log, number| {
            let seq = log.append(&(number, 0)).unwrap();
            match number {
                0 => log.sync().unwrap(),
                1 => log.rotate().unwrap(),
                _ => return,
            }
            assert_durable(&seen, seq, (number, 0));
        });
        close(log).unwrap();
        assert_complete(&disk, 3, 1);
    });
}
