//! Group commit: whoever waits first becomes the leader, writes everything that is queued, syncs
//! once, and wakes all the others.
//!
//! A writer thread behind a channel would cost a lone caller two context switches; here it writes
//! and syncs itself. With many callers the danger is the opposite one: the first to return from a
//! sync leads the next one at once, alone, and all the others must wait for that sync and then for
//! their own. So a leader waits until as many callers have come back as the last sync released,
//! but for no longer than a quarter of a sync.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::recovery::Tail;
use crate::{Error, LogOptions, Seq, backend, futex, line};

/// A record on its way to the disk.
///
/// Dropping it loses nothing: the record is written with the next sync or at the close.
#[derive(Debug)]
#[must_use = "the record is durable only once the ticket was waited for"]
pub struct Ticket {
    seq: Seq,
    committer: Arc<Committer>,
}

impl Ticket {
    /// The record's number.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Blocks until the record, and so every one before it, is on disk.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the write or the sync failed, [`Error::Poisoned`] when an earlier one did.
    pub fn wait(self) -> Result<Seq, Error> {
        self.committer.wait(self.seq)
    }
}

/// The queue of framed records and the state of the disk behind it.
#[derive(Debug)]
pub(crate) struct Committer {
    dir: PathBuf,
    queue_bytes: usize,
    queue: Mutex<Queue>,
    /// Taken by the leader only.
    tail: Mutex<Writer>,
    durable: AtomicU64,
    leading: AtomicBool,
    /// Changes when a round ends, whatever its result.
    round: AtomicU32,
    /// How often a caller began to wait, since the opening.
    arrivals: AtomicU64,
    /// The number of arrivals that a gathering leader waits for; 0 when none does.
    goal: AtomicU64,
    gathered: AtomicU32,
    failure: OnceLock<Error>,
}

#[derive(Debug)]
struct Queue {
    bytes: Vec<u8>,
    /// The number of the last record in `bytes`, or of the last one that was taken from it.
    last: Seq,
}

#[derive(Debug)]
struct Writer {
    tail: Tail,
    /// The buffer that the leader swaps with the queue's, so that neither is allocated anew.
    spare: Vec<u8>,
    pace: Pace,
}

/// What a leader knows from the rounds before.
#[derive(Debug, Default)]
struct Pace {
    sync: Duration,
    /// The arrivals when the last round took the queue.
    taken_at: u64,
    /// How many callers may come before the next round: those it released, and who came meanwhile.
    expected: u64,
}

impl Committer {
    pub(crate) fn new(dir: &Path, tail: Tail, last: Seq, options: &LogOptions) -> Self {
        Self {
            dir: dir.to_owned(),
            queue_bytes: options.queue_bytes,
            queue: Mutex::new(Queue {
                bytes: Vec::new(),
                last,
            }),
            tail: Mutex::new(Writer {
                tail,
                spare: Vec::new(),
                pace: Pace::default(),
            }),
            durable: AtomicU64::new(last.0),
            leading: AtomicBool::new(false),
            round: AtomicU32::new(0),
            arrivals: AtomicU64::new(0),
            goal: AtomicU64::new(0),
            gathered: AtomicU32::new(0),
            failure: OnceLock::new(),
        }
    }

    pub(crate) fn durable(&self) -> Seq {
        Seq(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn submit(self: &Arc<Self>, data: &[u8]) -> Result<Ticket, Error> {
        self.check()?;
        let mut queue = self.queue.lock();
        let seq = queue.last.next();
        queue.last = seq;
        line::encode(&mut queue.bytes, seq, self.durable(), data);
        let full = queue.bytes.len() > self.queue_bytes;
        drop(queue);
        if full {
            self.wait(seq)?;
        }
        Ok(Ticket {
            seq,
            committer: Arc::clone(self),
        })
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        let last = self.queue.lock().last;
        self.wait(last).map(|_| ())
    }

    pub(crate) fn wait(&self, seq: Seq) -> Result<Seq, Error> {
        self.arrive();
        loop {
            if self.durable() >= seq {
                return Ok(seq);
            }
            self.check()?;
            let round = self.round.load(Ordering::SeqCst);
            if let Some(lead) = Lead::try_take(self) {
                lead.commit()?;
            } else if self.durable() < seq {
                futex::wait(&self.round, round);
            }
        }
    }

    fn arrive(&self) {
        let arrived = self.arrivals.fetch_add(1, Ordering::SeqCst) + 1;
        let goal = self.goal.load(Ordering::SeqCst);
        if goal != 0 && arrived >= goal {
            futex::bump(&self.gathered, 1);
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self.failure.get() {
            None => Ok(()),
            Some(first) => Err(Error::Poisoned {
                dir: self.dir.clone(),
                cause: describe(first),
            }),
        }
    }

    fn gather(&self, pace: &Pace) {
        let goal = pace.taken_at + pace.expected;
        let limit = pace.sync / 4;
        if pace.expected <= 1 || limit.is_zero() {
            return;
        }
        let began = Instant::now();
        self.goal.store(goal, Ordering::SeqCst);
        loop {
            let seen = self.gathered.load(Ordering::SeqCst);
            let left = limit.saturating_sub(began.elapsed());
            if self.arrivals.load(Ordering::SeqCst) >= goal || left.is_zero() {
                break;
            }
            futex::wait_at_most(&self.gathered, seen, left);
        }
        self.goal.store(0, Ordering::SeqCst);
    }

    /// Writes and syncs what is queued.
    fn commit(&self) -> Result<(), Error> {
        let mut writer = self.tail.lock();
        self.gather(&writer.pace);
        let mut batch = std::mem::take(&mut writer.spare);
        let arrivals = self.arrivals.load(Ordering::SeqCst);
        let mut queue = self.queue.lock();
        std::mem::swap(&mut batch, &mut queue.bytes);
        let last = queue.last;
        drop(queue);

        let began = Instant::now();
        writer.tail.append(&batch)?;
        let sync = began.elapsed();
        self.durable.store(last.0, Ordering::Release);

        let released = arrivals - writer.pace.taken_at;
        let since = self.arrivals.load(Ordering::SeqCst) - arrivals;
        // The mean of the last few rounds: one slow sync should not make the next leader patient.
        let sync = if writer.pace.sync.is_zero() {
            sync
        } else {
            (writer.pace.sync * 3 + sync) / 4
        };
        writer.pace = Pace {
            sync,
            taken_at: arrivals,
            expected: released + since,
        };
        batch.clear();
        batch.shrink_to(self.queue_bytes);
        writer.spare = batch;
        Ok(())
    }
}

/// The right to commit; given back on every way out, with everyone who waits woken.
struct Lead<'a>(&'a Committer);

impl<'a> Lead<'a> {
    fn try_take(committer: &'a Committer) -> Option<Self> {
        let free = !committer.leading.swap(true, Ordering::SeqCst);
        // Lazily: a `Lead` that is made and dropped would end the round of the true leader.
        free.then(|| Self(committer))
    }

    fn commit(self) -> Result<(), Error> {
        self.0.check()?;
        let result = self.0.commit();
        if let Err(error) = &result {
            // Set before the others wake, so that each of them finds it.
            let _ = self.0.failure.set(error.clone());
        }
        result
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let cause = "a thread panicked while it was writing".to_owned();
            let dir = self.0.dir.clone();
            let _ = self.0.failure.set(Error::Poisoned { dir, cause });
        }
        self.0.leading.store(false, Ordering::SeqCst);
        futex::bump(&self.0.round, futex::ALL);
    }
}

fn describe(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Tail {
    fn append(&mut self, batch: &[u8]) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let path = &self.segment.path;
        backend::write_all_at(&*self.file, batch, self.end).map_err(Error::io("write", path))?;
        self.file.sync_data().map_err(Error::io("sync", path))?;
        self.end += batch.len() as u64;
        Ok(())
    }
}
