//! Tickets in async code, without any runtime.

mod faulty;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use jsonl_storage::{Error, Log, LogOptions, Seq, Ticket};

use faulty::FaultyDisk;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

async fn all(tickets: Vec<Ticket>) -> Result<Vec<Seq>, Error> {
    let mut seqs = Vec::new();
    for ticket in tickets {
        seqs.push(ticket.await?);
    }
    Ok(seqs)
}

#[test]
fn a_ticket_can_be_awaited_when_no_thread_waits() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    for value in 1..=20 {
        let seq = block_on(log.submit(&value).unwrap()).unwrap();
        assert_eq!(seq, Seq(value));
        assert!(log.durable() >= seq);
    }
    log.close().unwrap();
}

#[test]
fn many_tasks_and_threads_share_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for value in 0..20 {
                    if thread % 2 == 0 {
                        log.append(&value).unwrap();
                    } else {
                        let tickets = (0..5).map(|_| log.submit(&value).unwrap()).collect();
                        assert_eq!(block_on(all(tickets)).unwrap().len(), 5);
                    }
                }
            });
        }
    });
    assert_eq!(log.durable(), Seq(4 * 20 + 4 * 100));
}

#[test]
fn a_pending_ticket_is_answered_by_the_close() {
    let dir = tempfile::tempdir().unwrap();
    let log: Log<u64> = LogOptions::new().open(dir.path()).unwrap();
    let mut ticket = pin!(log.submit(&1).unwrap());
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let _ = ticket.as_mut().poll(&mut Context::from_waker(&waker));
    log.close().unwrap();
    assert_eq!(block_on(ticket).unwrap(), Seq(1));
}

#[test]
fn a_failed_sync_reaches_everyone_who_awaits() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(dir.path());
    let faults = Arc::clone(&disk.faults);
    let log: Log<u64> = LogOptions::new().open_on(disk).unwrap();
    faults.fail_sync.store(true, SeqCst);
    let tickets: Vec<_> = (0..10).map(|value| log.submit(&value).unwrap()).collect();
    for ticket in tickets {
        assert!(block_on(ticket).is_err());
    }
}

#[test]
fn a_full_disk_reaches_everyone_who_awaits_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(dir.path());
    let faults = Arc::clone(&disk.faults);
    let log: Log<u64> = LogOptions::new().open_on(disk).unwrap();
    faults.room_bytes.store(10, SeqCst);
    let tickets: Vec<_> = (0..10).map(|value| log.submit(&value).unwrap()).collect();
    for ticket in tickets {
        assert!(matches!(block_on(ticket), Err(Error::Full { .. })));
    }
    faults.room_bytes.store(1 << 20, SeqCst);
    assert_eq!(block_on(log.submit(&1).unwrap()).unwrap(), Seq(1));
}
