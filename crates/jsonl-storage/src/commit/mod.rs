//! Group commit: whoever waits first becomes the leader, writes everything that is queued, syncs
//! once, and wakes all the others.
//!
//! A writer thread behind a channel would cost a lone caller two context switches; here it writes
//! and syncs itself. With many callers the danger is the opposite one: the first to return from a
//! sync leads the next one at once, alone, and all the others must wait for that sync and then for
//! their own. So a leader waits until as many callers have come back as the last sync released,
//! but for no longer than a quarter of a sync.

pub(crate) mod flusher;
pub(crate) mod hook;
pub(crate) mod pace;
pub(crate) mod queue;
pub(crate) mod rounds;
pub(crate) mod ticket;
pub(crate) mod wakers;
pub(crate) mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commit::flusher::Flusher;
use crate::commit::hook::Hook;
use crate::commit::pace::{Bounds, Pace};
use crate::commit::queue::{Place, Queue};
use crate::commit::rounds::Rounds;
use crate::commit::wakers::Wakers;
use crate::commit::writer::{Fault, Tail};
use crate::error::Error;
use crate::format::batch::{Batch, Facts};
use crate::format::chain::Link;
use crate::format::seq::Seq;
use crate::options::{Durability, LogOptions};
use crate::sync::{AtomicBool, AtomicU64, Mutex, OnceLock, Ordering, Stopwatch, Word};

/// The queue of framed records and the state of the disk behind it.
#[derive(Debug)]
pub(crate) struct Committer {
    dir: PathBuf,
    level: Durability,
    bounds: Bounds,
    queue: Mutex<Queue>,
    /// Taken by the leader, and by an explicit sync.
    writer: Mutex<Writer>,
    written: AtomicU64,
    durable: AtomicU64,
    leading: AtomicBool,
    pub(crate) rounds: Rounds,
    /// How often a caller began to wait, since the opening.
    arrivals: AtomicU64,
    /// The number of arrivals that a gathering leader waits for; 0 when none does.
    goal: AtomicU64,
    gathered: Word,
    failure: OnceLock<Error>,
    pub(crate) wakers: Wakers,
    pub(crate) flusher: Flusher,
    /// Called after each commit, before anybody is told of it.
    pub(crate) hook: Hook,
}

#[derive(Debug)]
struct Writer {
    tail: Tail,
    /// Whether something was begun with the tail and not ended, as by a panic.
    midway: bool,
    /// The batch that the leader swaps with the queue's, so that neither is allocated anew.
    spare: Batch,
    pace: Pace,
}

impl Committer {
    pub(crate) fn new(dir: &Path, tail: Tail, options: &LogOptions) -> Self {
        let last = tail.last;
        Self {
            dir: dir.to_owned(),
            level: options.durability,
            bounds: Bounds::of(options),
            queue: Mutex::new(Queue::new(last, tail.link, tail.catalog.is_in_groups())),
            writer: Mutex::new(Writer {
                tail,
                midway: false,
                spare: Batch::default(),
                pace: Pace::default(),
            }),
            written: AtomicU64::new(last.0),
            durable: AtomicU64::new(last.0),
            leading: AtomicBool::new(false),
            rounds: Rounds::default(),
            arrivals: AtomicU64::new(0),
            goal: AtomicU64::new(0),
            gathered: Word::default(),
            failure: OnceLock::new(),
            wakers: Wakers::default(),
            flusher: Flusher::default(),
            hook: Hook::default(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn durable(&self) -> Seq {
        Seq(self.durable.load(Ordering::Acquire))
    }

    /// The last record that the operating system has.
    pub(crate) fn written(&self) -> Seq {
        Seq(self.written.load(Ordering::Acquire))
    }

    /// Gives a record its place, once there is room in the queue.
    pub(crate) fn submit(&self, data: &[u8], facts: Facts) -> Result<Place, Error> {
        self.check()?;
        loop {
            let mut queue = self.queue.lock();
            if self.bounds.allow(&queue.batch) {
                return Ok(queue.push(self.durable(), data, facts));
            }
            let last = queue.last_place();
            drop(queue);
            match self.wait_for(&last, Self::written) {
                // The others' records were refused and are out of the way: ours may fit.
                Err(Error::Full { .. }) if self.level != Durability::Buffered => {}
                result => result?,
            }
        }
    }

    /// Appends a statement of the log about itself, and returns when it is on disk.
    pub(crate) fn state(&self, statement: &[u8]) -> Result<Seq, Error> {
        self.check()?;
        let place = self.queue.lock().push_own(self.durable(), statement);
        self.wait_for(&place, Self::written)?;
        self.sync()?;
        Ok(place.seq)
    }

    /// Waits until a record is as durable as the level says.
    pub(crate) fn wait(&self, place: &Place) -> Result<Seq, Error> {
        self.wait_for(place, Self::acknowledged).map(|()| place.seq)
    }

    /// Writes everything that was submitted, and syncs it if the level says so.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let last = self.queue.lock().last_place();
        self.wait_for(&last, Self::written)
    }

    /// Writes and syncs everything that was submitted, whatever the level.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.at_the_tail(|_| Ok(()))
    }

    /// As [`Committer::sync`], and begins another segment.
    pub(crate) fn rotate(&self) -> Result<(), Error> {
        self.at_the_tail(Tail::rotate)
    }

    /// As [`Committer::sync`], and notes that the log ends here.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        self.at_the_tail(Tail::finish)
    }

    /// Does something with the end of the log, once everything that was submitted is written, and
    /// with all of it on disk afterwards.
    pub(crate) fn at_the_tail(
        &self,
        act: impl FnOnce(&mut Tail) -> Result<(), Fault>,
    ) -> Result<(), Error> {
        self.flush()?;
        let mut writer = self.writer.lock();
        let acted = self.with_tail(&mut writer, |tail| {
            act(tail)?;
            tail.sync().map_err(Fault::Fatal)?;
            Ok(tail.last)
        });
        match acted {
            Ok(last) => {
                // Of what a leader has just written and not told of yet, it tells itself.
                let told = last.min(self.written());
                self.durable.fetch_max(told.0, Ordering::AcqRel);
                Ok(())
            }
            Err(Fault::Full(error)) => Err(error),
            Err(Fault::Fatal(error)) => {
                drop(writer);
                self.tell_all();
                Err(error)
            }
        }
    }

    /// Does something with the end of the log, unless that is in an unknown state, and notes it
    /// when it is afterwards: all while the lock is held, so that nobody else finds it like this.
    fn with_tail<R>(
        &self,
        writer: &mut Writer,
        act: impl FnOnce(&mut Tail) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        if writer.midway {
            self.fail_by_panic();
        }
        self.check().map_err(Fault::Fatal)?;
        writer.midway = true;
        let result = act(&mut writer.tail);
        writer.midway = false;
        if let Err(Fault::Fatal(error)) = &result {
            // The first failure is the one that counts.
            let _ = self.failure.set(error.clone());
        }
        result
    }

    fn fail_by_panic(&self) {
        let cause = "a thread panicked while it was writing".to_owned();
        let dir = self.dir.clone();
        let _ = self.failure.set(Error::Poisoned { dir, cause });
    }

    /// What became of a record, when that is known without waiting.
    pub(crate) fn outcome(&self, place: &Place) -> Option<Result<(), Error>> {
        self.settled(place, Self::acknowledged)
            .or_else(|| self.check().err().map(Err))
    }

    pub(crate) fn ask_for_a_leader(self: &Arc<Self>) -> Result<(), Error> {
        self.flusher.ask(self)
    }

    /// Counts a caller that begins to wait.
    pub(crate) fn arrive(&self) {
        let arrived = self.arrivals.fetch_add(1, Ordering::SeqCst) + 1;
        let goal = self.goal.load(Ordering::SeqCst);
        if goal != 0 && arrived >= goal {
            self.gathered.bump_one();
        }
    }

    fn acknowledged(&self) -> Seq {
        match self.level {
            Durability::Synced => self.durable(),
            Durability::Flushed => self.written(),
            Durability::Buffered if self.failure.get().is_none() => Seq(u64::MAX),
            Durability::Buffered => self.written(),
        }
    }

    fn settled(&self, place: &Place, reached: fn(&Self) -> Seq) -> Option<Result<(), Error>> {
        // In this order: the number counts only while it is still this record's.
        let reached = reached(self);
        match place.epoch.outcome(place.seq) {
            None => (reached >= place.seq).then_some(Ok(())),
            outcome => outcome,
        }
    }

    fn wait_for(&self, place: &Place, reached: fn(&Self) -> Seq) -> Result<(), Error> {
        self.arrive();
        loop {
            if let Some(outcome) = self.settled(place, reached) {
                return outcome;
            }
            self.check()?;
            let bed = self.rounds.bed(place.round);
            if let Some(lead) = Lead::try_take(self) {
                // Somebody else's round may have been ours, just before.
                if self.settled(place, reached).is_none() {
                    lead.commit()?;
                }
            } else if self.settled(place, reached).is_none() {
                bed.sleep();
            }
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
        let watch = Stopwatch::start();
        self.goal.store(goal, Ordering::SeqCst);
        loop {
            let seen = self.gathered.load();
            let left = watch.left_of(limit);
            if self.arrivals.load(Ordering::SeqCst) >= goal || left.is_zero() {
                break;
            }
            self.gathered.wait_at_most(seen, left);
        }
        self.goal.store(0, Ordering::SeqCst);
    }

    /// Writes and syncs what is queued; tells `begun` which round that is.
    fn commit(&self, begun: &mut Option<u32>) -> Result<(), Fault> {
        let mut writer = self.writer.lock();
        if self.level == Durability::Synced {
            self.gather(&writer.pace);
        }
        let mut batch = std::mem::take(&mut writer.spare);
        let arrivals = self.arrivals.load(Ordering::SeqCst);
        let mut queue = self.queue.lock();
        queue.seal();
        std::mem::swap(&mut batch, &mut queue.batch);
        let (last, link) = (queue.last, queue.chain);
        *begun = Some(self.rounds.begin(&mut queue.round));
        drop(queue);

        let watch = Stopwatch::start();
        match self.with_tail(&mut writer, |tail| tail.append(&batch, last, link)) {
            Ok(()) => {}
            Err(Fault::Full(error)) => {
                let good = (writer.tail.last, writer.tail.link);
                return Err(self.take_back(batch, good, error));
            }
            Err(fatal) => return Err(fatal),
        }
        let since = self.arrivals.load(Ordering::SeqCst) - arrivals;
        writer.pace = writer.pace.after(watch.elapsed(), arrivals, since);
        batch.clear(self.bounds.bytes);
        writer.spare = batch;
        drop(writer);
        // In this order: who does not sleep yet looks at the number, and goes on as soon as it is there.
        self.hook.call(last);
        self.publish(last);
        Ok(())
    }

    /// Has everyone who waits look again.
    fn tell_all(&self) {
        self.rounds.end_all();
        self.wakers.wake_all();
    }

    fn publish(&self, last: Seq) {
        self.written.store(last.0, Ordering::Release);
        if self.level == Durability::Synced {
            self.durable.store(last.0, Ordering::Release);
        }
    }

    /// After a write for which there was no room: refuses what waits, or keeps what was already
    /// acknowledged.
    fn take_back(&self, batch: Batch, good: (Seq, Option<Link>), error: Error) -> Fault {
        let mut queue = self.queue.lock();
        if self.level == Durability::Buffered {
            queue.restore(batch);
        } else {
            queue.fail(good, error.clone(), self.bounds.bytes);
        }
        Fault::Full(error)
    }
}

/// The right to commit; given back on every way out, with those who wait for it woken.
struct Lead<'a> {
    committer: &'a Committer,
    /// The round that this leader began.
    round: Option<u32>,
    /// Whether everyone has to look again, and not only those whose round it was.
    is_for_all: bool,
}

impl<'a> Lead<'a> {
    fn try_take(committer: &'a Committer) -> Option<Self> {
        let free = !committer.leading.swap(true, Ordering::SeqCst);
        // Lazily: a `Lead` that is made and dropped would end the round of the true leader.
        free.then(|| Self {
            committer,
            round: None,
            is_for_all: false,
        })
    }

    fn commit(mut self) -> Result<(), Error> {
        let result = self.committer.commit(&mut self.round);
        // A round that failed may leave its records to the next one.
        self.is_for_all = self.committer.rounds.note(result.is_err());
        result.map_err(|fault| match fault {
            Fault::Full(error) | Fault::Fatal(error) => error,
        })
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let committer = self.committer;
        if std::thread::panicking() {
            committer.fail_by_panic();
            self.is_for_all = true;
        }
        committer.leading.store(false, Ordering::SeqCst);
        match self.round {
            _ if self.is_for_all => committer.rounds.end_all(),
            Some(round) => committer.rounds.end(round),
            None => {}
        }
        committer.rounds.call_next();
        committer.wakers.wake_all();
    }
}

fn describe(error: &Error) -> String {
    match (error, std::error::Error::source(error)) {
        (Error::Poisoned { cause, .. }, _) => cause.clone(),
        (_, Some(source)) => format!("{error}: {source}"),
        (_, None) => error.to_string(),
    }
}
