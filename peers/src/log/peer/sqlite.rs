//! SQLite in WAL mode with `synchronous=FULL`: a commit returns when its frames are synced.
//!
//! One connection under a lock: with a connection a thread the writers would poll for SQLite's own
//! lock, which is slower.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};

use anyhow::{Context as _, ensure};
use rusqlite::Connection;

use crate::log::peer::Peer;
use crate::log::record::Record;

const INSERT: &str = "INSERT INTO records (data) VALUES (?1)";

pub(crate) fn open(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    Ok(Box::new(OneByOne(Mutex::new(connect(dir)?))))
}

pub(crate) fn open_grouped(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    let connection = connect(dir)?;
    let (queue, requests) = sync_channel(QUEUE_RECORDS);
    let writer = std::thread::Builder::new()
        .name("peers:sqlite-writer".to_owned())
        .spawn(move || write_groups(&connection, &requests))?;
    Ok(Box::new(Grouped { queue, writer }))
}

pub(crate) fn count(dir: &Path) -> anyhow::Result<u64> {
    let connection = connect(dir)?;
    let count = "SELECT count(*) FROM records WHERE json_valid(data)";
    let records: i64 = connection.query_row(count, [], |row| row.get(0))?;
    Ok(u64::try_from(records)?)
}

fn connect(dir: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(dir.join("records.sqlite"))?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    ensure!(mode == "wal", "SQLite keeps journal mode {mode}");
    connection.execute_batch(
        "PRAGMA synchronous=FULL;
         CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, data TEXT NOT NULL)",
    )?;
    Ok(connection)
}

struct OneByOne(Mutex<Connection>);

impl Peer for OneByOne {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let json = record.json()?;
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached(INSERT)?.execute([json])?;
        Ok(())
    }

    fn append_batch(&self, record: &mut Record, records: u64) -> anyhow::Result<()> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for index in 0..records {
                insert.execute([record.number(index).json()?])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        let connection = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, error)| error.into())
    }
}

/// As [`open_grouped`], the queue a vector under a lock, with one condition variable for all callers.
pub(crate) fn open_grouped_by_condvar(dir: &Path) -> anyhow::Result<Box<dyn Peer>> {
    let connection = connect(dir)?;
    let shared = Arc::new(Shared::default());
    let of_writer = Arc::clone(&shared);
    let writer = std::thread::Builder::new()
        .name("peers:sqlite-writer".to_owned())
        .spawn(move || of_writer.write_groups(&connection))?;
    Ok(Box::new(GroupedByCondvar { shared, writer }))
}

const QUEUE_RECORDS: usize = 4_096;

/// What a careful application builds around SQLite: a thread that writes all that has queued up in
/// one transaction, and callers that sleep until theirs is through.
struct Grouped {
    queue: SyncSender<Request>,
    writer: JoinHandle<anyhow::Result<()>>,
}

struct Request {
    json: String,
    done: Arc<AtomicBool>,
    caller: Thread,
}

impl Peer for Grouped {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let done = Arc::new(AtomicBool::new(false));
        let request = Request {
            json: record.json()?,
            done: Arc::clone(&done),
            caller: std::thread::current(),
        };
        self.queue.send(request).ok().context("the writer ended")?;
        while !done.load(Ordering::Acquire) {
            std::thread::park();
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        drop(self.queue);
        self.writer.join().expect("the writer does not panic")
    }
}

fn write_groups(connection: &Connection, requests: &Receiver<Request>) -> anyhow::Result<()> {
    let mut group = Vec::new();
    while let Ok(first) = requests.recv() {
        group.push(first);
        group.extend(requests.try_iter().take(QUEUE_RECORDS));
        commit(connection, group.iter().map(|request| &*request.json))?;
        for request in group.drain(..) {
            request.done.store(true, Ordering::Release);
            request.caller.unpark();
        }
    }
    Ok(())
}

struct GroupedByCondvar {
    shared: Arc<Shared>,
    writer: JoinHandle<anyhow::Result<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    committed: Condvar,
}

#[derive(Default)]
struct State {
    queue: Vec<String>,
    submitted: u64,
    durable: u64,
    closed: bool,
}

impl Peer for GroupedByCondvar {
    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let json = record.json()?;
        let mut state = self.shared.lock();
        state.queue.push(json);
        state.submitted += 1;
        let own = state.submitted;
        self.shared.filled.notify_one();
        while state.durable < own {
            ensure!(!state.closed, "the writer ended");
            state = self
                .shared
                .committed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> anyhow::Result<()> {
        self.shared.lock().closed = true;
        self.shared.filled.notify_one();
        self.writer.join().expect("the writer does not panic")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_groups(&self, connection: &Connection) -> anyhow::Result<()> {
        let mut state = self.lock();
        loop {
            while state.queue.is_empty() {
                if state.closed {
                    return Ok(());
                }
                state = self
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let group = std::mem::take(&mut state.queue);
            let last = state.submitted;
            drop(state);
            let result = commit(connection, group.iter().map(String::as_str));
            state = self.lock();
            match result {
                Ok(()) => state.durable = last,
                Err(_) => state.closed = true,
            }
            self.committed.notify_all();
            result?;
        }
    }
}

fn commit<'a>(connection: &Connection, group: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    connection.execute_batch("BEGIN")?;
    for json in group {
        connection.prepare_cached(INSERT)?.execute([json])?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}
