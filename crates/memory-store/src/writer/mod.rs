//! The one writer: callers queue their writes, the writer commits all that are waiting in one
//! transaction, brings the derived tiers up to date, and only then acknowledges.
//!
//! A lone caller's write is committed at once; while a commit is being synced, the next group
//! gathers in the queue (see `pace`).

pub(crate) mod pace;

mod operations;

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, bounded};
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::metadata::Session;
use crate::model::fault;
use crate::store::tiers::Tiers;
use crate::writer::pace::{Pace, Stopwatch};

pub(crate) use operations::{Write, Written};
use operations::{apply, for_each_change};

/// Writes in one transaction at most. Beyond this the sync is a small part of the time, and the
/// first of the group would only wait longer.
const MAX_GROUP: usize = 512;

/// Runs between two groups, when the database and the derived tiers agree and stand still.
type Inspection = Box<dyn FnOnce(&mut Session) + Send>;

enum Job {
    Write(Write, Sender<Result<Written>>),
    Inspect(Inspection),
    Close,
}

/// What ends a group before the queue is empty.
enum Interlude {
    Inspect(Inspection),
    Close,
}

/// The callers' end of the writer.
pub(crate) struct Writer {
    /// The standard library's channel, as it discards what is queued when its receiver goes:
    /// crossbeam's keeps it, and with it the replies that callers wait for, for ever.
    queue: SyncSender<Job>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
    poison: Arc<Poison>,
}

impl Writer {
    pub(crate) fn start(
        session: Session,
        tiers: Arc<Tiers>,
        queue_length: NonZeroUsize,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(queue_length.get());
        let poison = Arc::new(Poison::default());
        let worker = Worker {
            session,
            tiers,
            poison: Arc::clone(&poison),
            pace: Pace::default(),
        };
        let thread = std::thread::Builder::new()
            .name("memory-store:writer".into())
            .spawn(move || worker.run(&jobs))?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
            poison,
        })
    }

    /// A writer that takes nothing, for a reason.
    pub(crate) fn none(reason: &str) -> Self {
        let (queue, _) = sync_channel(0);
        let poison = Arc::new(Poison::default());
        poison.set(reason.to_owned());
        Self {
            queue,
            thread: Mutex::new(None),
            poison,
        }
    }

    /// Queues a write and waits until it is durable. A full queue makes the caller wait.
    pub(crate) fn write(&self, write: Write) -> Result<Written> {
        let (reply, acknowledged) = bounded(1);
        self.send(Job::Write(write, reply))?;
        acknowledged
            .recv()
            .unwrap_or_else(|_| Err(self.poison.error()))
    }

    /// Runs something between two groups and waits for its result.
    pub(crate) fn inspect<T: Send + 'static>(
        &self,
        inspection: impl FnOnce(&mut Session) -> T + Send + 'static,
    ) -> Result<T> {
        let (reply, result) = bounded(1);
        self.send(Job::Inspect(Box::new(move |session| {
            // A caller that is gone needs no result.
            let _ = reply.send(inspection(session));
        })))?;
        result.recv().map_err(|_| self.poison.error())
    }

    /// Lets the writer finish what is queued and waits for it. A second call has nothing to do.
    pub(crate) fn close(&self) -> Result<()> {
        let Some(thread) = self.thread.lock().take() else {
            return Ok(());
        };
        // A writer that is gone already has told why to whoever was writing.
        let _ = self.queue.send(Job::Close);
        thread.join().unwrap_or_else(|_| Err(self.poison.error()))
    }

    fn send(&self, job: Job) -> Result<()> {
        self.poison.check()?;
        self.queue.send(job).map_err(|_| self.poison.error())
    }
}

/// Why the writer ended, once it did.
#[derive(Debug, Default)]
struct Poison(OnceLock<String>);

impl Poison {
    fn set(&self, reason: String) {
        // The first reason is the cause; what follows from it is not told.
        let _ = self.0.set(reason);
    }

    fn check(&self) -> Result<()> {
        if self.0.get().is_some() {
            Err(self.error())
        } else {
            Ok(())
        }
    }

    fn error(&self) -> Error {
        let reason = self
            .0
            .get()
            .cloned()
            .unwrap_or_else(|| "the writer has ended".into());
        Error::Poisoned { reason }
    }
}

/// Poisons the store if the writer panics.
struct PoisonOnPanic(Arc<Poison>);

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set("the writer panicked".into());
        }
    }
}

struct Worker {
    session: Session,
    tiers: Arc<Tiers>,
    poison: Arc<Poison>,
    pace: Pace,
}

type Pending = (Write, Sender<Result<Written>>);

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) -> Result<()> {
        let _poison = PoisonOnPanic(Arc::clone(&self.poison));
        while let Ok(job) = jobs.recv() {
            let (group, interlude) = gather(job, jobs, &self.pace);
            self.write_group(group);
            fault::point("between-groups");
            match interlude {
                Some(Interlude::Inspect(inspection)) => {
                    inspection(&mut self.session);
                    if let Some(reason) = self.session.take_failure() {
                        self.poison.set(reason);
                    }
                }
                Some(Interlude::Close) => self.poison.set("it was closed".into()),
                None => {}
            }
            // Whoever queued behind this finds the queue gone, and the reason in the poison.
            if self.poison.check().is_err() {
                break;
            }
        }
        fault::point("before-close");
        self.session.close()
    }

    fn write_group(&mut self, group: Vec<Pending>) {
        if group.is_empty() {
            return;
        }
        let writes: Vec<&Write> = group.iter().map(|(write, _)| write).collect();
        let began = Stopwatch::now();
        let committed = self.commit(&writes);
        self.pace.learn(group.len(), began);
        self.tiers.counters().commit.record(began.elapsed());
        match committed {
            Ok(results) => self.acknowledge(group, results),
            // Somebody else holds the database: each write would wait as long again.
            Err(Error::Busy { path }) => {
                for (_, reply) in group {
                    let path = path.clone();
                    let _ = reply.send(Err(Error::Busy { path }));
                }
            }
            // One write of the group may be what failed: the others get their own transaction.
            Err(_) if group.len() > 1 && self.poison.check().is_ok() => {
                group
                    .into_iter()
                    .for_each(|pending| self.write_group(vec![pending]));
            }
            Err(error) => {
                let mut error = Some(error);
                for (_, reply) in group {
                    let error = error.take().unwrap_or_else(|| self.poison.error());
                    let _ = reply.send(Err(error));
                }
            }
        }
    }

    /// Runs a group in one transaction; the inner results are those of single writes, which leave
    /// no trace if they were refused.
    fn commit(&mut self, writes: &[&Write]) -> Result<Vec<Result<Written>>> {
        let committed = self.run_transaction(writes);
        if let Err(error) = &committed {
            self.poison_if_unsafe(error);
            if let Err(error) = self.session.rollback() {
                self.poison.set(format!("cannot roll back: {error}"));
            }
        }
        committed
    }

    fn run_transaction(&mut self, writes: &[&Write]) -> Result<Vec<Result<Written>>> {
        self.session.begin()?;
        let mut results = Vec::with_capacity(writes.len());
        for write in writes {
            match apply(&mut self.session, write) {
                Err(error) if !error.is_refusal() => return Err(error),
                result => results.push(result),
            }
        }
        fault::point("before-commit");
        self.session.commit()?;
        fault::point("after-commit");
        Ok(results)
    }

    /// After a failed sync the kernel may have dropped the pages and report success to a retry; so
    /// after an I/O error nothing more is promised. A full disk is rolled back whole, and is not.
    fn poison_if_unsafe(&self, error: &Error) {
        let is_safe = match error {
            Error::DiskFull { .. } | Error::Busy { .. } => true,
            Error::Sqlite { .. } => !error.is_of_disk(),
            _ => false,
        };
        if !is_safe {
            self.poison.set(error.to_string());
        }
    }

    fn acknowledge(&self, group: Vec<Pending>, results: Vec<Result<Written>>) {
        let counters = self.tiers.counters();
        counters.commits.add(1);
        counters
            .writes
            .add(results.iter().filter(|result| result.is_ok()).count() as u64);
        let mut replies = Vec::with_capacity(group.len());
        for ((write, reply), result) in group.into_iter().zip(results) {
            if let Ok(written) = &result {
                for_each_change(write, written, |change| {
                    self.tiers.apply(&change);
                    fault::point("between-changes");
                });
            }
            replies.push((reply, result));
        }
        fault::point("before-acknowledgement");
        // After all changes of the group: a woken caller must not compete with them for the core.
        for (reply, result) in replies {
            let _ = reply.send(result);
        }
    }
}

/// Collects what is queued behind a job, up to what ends the group.
fn gather(first: Job, jobs: &Receiver<Job>, pace: &Pace) -> (Vec<Pending>, Option<Interlude>) {
    let began = Stopwatch::now();
    let mut group = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Write(write, reply) => group.push((write, reply)),
            Job::Inspect(inspection) => return (group, Some(Interlude::Inspect(inspection))),
            Job::Close => return (group, Some(Interlude::Close)),
        }
        let has_room = group.len() < MAX_GROUP;
        next = if has_room {
            pace.next(group.len(), jobs, began)
        } else {
            None
        };
    }
    (group, None)
}
