mod encode;
mod open;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::checkpoint::Checkpoint;
use crate::backend::{Backend, Lock, LockGuard};
use crate::catalog::Catalog;
use crate::catalog::index::Index;
use crate::catalog::retire::{self, Retention, SegmentInfo};
use crate::commit::Committer;
use crate::commit::queue::Place;
use crate::commit::ticket::Ticket;
use crate::commit::writer::{Fault, Tail};
use crate::error::Error;
use crate::format::batch::Facts;
use crate::format::chain::ChainLink;
use crate::format::compression::Form;
use crate::format::seq::Seq;
use crate::format::statement::{LogId, Removal, Statement};
use crate::options::LogOptions;
use crate::read::follow::Follow;
use crate::read::point::{self, Matches};
use crate::read::scan::{Between, Record, Scan, ScanBack};
use crate::recover::{self, Recovery};
use crate::sync::{Mutex, thread_local};

/// An open log. Share it by reference or in an [`Arc`].
///
/// Dropping it writes and syncs what was submitted, without a way to report a failure;
/// [`Log::close`] has one.
#[derive(Debug)]
pub struct Log<T> {
    pub(crate) catalog: Arc<Catalog>,
    committer: Arc<Committer>,
    index: Option<Index<T>>,
    recovery: Recovery,
    retiring: Mutex<()>,
    _lock: Box<dyn LockGuard>,
    _records: PhantomData<fn(T) -> T>,
}

impl<T: Serialize + DeserializeOwned> Log<T> {
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        options: &LogOptions,
        index: Option<Index<T>>,
    ) -> Result<Self, Error> {
        let lock = lock(&*backend)?;
        let facts = |data: &[u8]| match &index {
            Some(index) => index.facts_of(data),
            None => Facts::default(),
        };
        let name = index.as_ref().map(|index| index.name.as_str());
        let (recovery, found) = recover::recover(Arc::clone(&backend), options, name, &facts)?;
        let tail = Tail::new(backend, name, found, options);
        let catalog = Arc::clone(&tail.catalog);
        let committer = Committer::new(catalog.backend.dir(), tail, options);
        let log = Self {
            committer: Arc::new(committer),
            catalog,
            index,
            recovery,
            retiring: Mutex::new(()),
            _lock: lock,
            _records: PhantomData,
        };
        if options.accepts_start {
            log.accept_start()?;
        }
        Ok(log)
    }

    /// States that the records before the first one are missing and that this was accepted, unless
    /// their removal is stated.
    fn accept_start(&self) -> Result<(), Error> {
        let last = Seq(self.catalog.first().0 - 1);
        let stated = self
            .catalog
            .removed()
            .map_or(Seq::ZERO, |stated| stated.last);
        if stated < last {
            let why = "accepted at an opening".to_owned();
            self.state_removal(Removal::new(stated.next(), last, None, why))?;
        }
        Ok(())
    }

    /// Has a statement of what is removed on disk, before it is removed.
    fn state_removal(&self, removal: Removal) -> Result<(), Error> {
        let statement = Statement::removal(
            self.catalog.identity(),
            self.catalog.is_in_groups(),
            removal,
        );
        self.committer.state(&statement.json())?;
        self.catalog.note_removal(statement);
        Ok(())
    }

    /// Appends a record and returns when it is as durable as the log's
    /// [`Durability`](crate::Durability) says: by default, when it is on disk.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] when the record has no JSON form, and [`Error::Full`] when there is no
    /// room for it: nothing was appended, and the log goes on. [`Error::Io`] or
    /// [`Error::Poisoned`] when it could not be made durable, in which case it may or may not be
    /// there after the next opening.
    pub fn append(&self, record: &T) -> Result<Seq, Error> {
        let place = self.enqueue(record)?;
        self.committer.wait(&place)
    }

    /// Gives a record its place in the log and returns without waiting for the disk.
    ///
    /// The order of the log is the order of these calls. The record is written with the next sync
    /// that anybody waits for, or at the close; wait for the [`Ticket`] before telling anyone.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    pub fn submit(&self, record: &T) -> Result<Ticket, Error> {
        let place = self.enqueue(record)?;
        Ok(Ticket::new(place, Arc::clone(&self.committer)))
    }

    /// Appends many records, in order and next to one another unless others append meanwhile, and
    /// waits once. Gives the number of the last one, or `None` for no records.
    ///
    /// # Errors
    ///
    /// As [`Log::append`]. Those before the one that failed may be in the log.
    pub fn append_all<'a>(
        &self,
        records: impl IntoIterator<Item = &'a T>,
    ) -> Result<Option<Seq>, Error>
    where
        T: 'a,
    {
        let mut last: Option<Place> = None;
        for record in records {
            let next = self.enqueue(record)?;
            if let Some(before) = last.take() {
                // A full disk may have refused the ones before while the queue made room.
                if let Some(refused) = before.epoch.outcome(before.seq) {
                    refused?;
                }
            }
            last = Some(next);
        }
        last.map(|last| self.committer.wait(&last)).transpose()
    }

    /// Hands everything that was submitted to the operating system, and to the disk if the log's
    /// level is [`Durability::Synced`](crate::Durability::Synced).
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    pub fn flush(&self) -> Result<(), Error> {
        self.committer.flush()
    }

    /// Has everything that was submitted on disk when it returns, whatever the log's level.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    pub fn sync(&self) -> Result<(), Error> {
        self.committer.sync()
    }

    fn enqueue(&self, record: &T) -> Result<Place, Error> {
        // Encoding is the costly part, so it happens outside of the lock, in a buffer that each
        // thread keeps.
        thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        SCRATCH.with(|scratch| {
            let scratch = &mut *scratch.borrow_mut();
            encode::encode(scratch, record)?;
            let facts = self.index.as_ref().map(|index| index.facts(record));
            self.committer.submit(scratch, facts.unwrap_or_default())
        })
    }

    /// The number of the last record that is known to be on disk.
    #[must_use]
    pub fn durable(&self) -> Seq {
        self.committer.durable()
    }

    /// Reads the records from the first one up to the last one that is durable now (with a level
    /// below [`Durability::Synced`](crate::Durability::Synced): that was written by now).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a file cannot be opened.
    pub fn scan(&self) -> Result<Scan<T>, Error> {
        self.range(..)
    }

    /// Reads the records with numbers in a range, as far as [`Log::scan`] goes. A number is a
    /// position: it stays the same for as long as the record is there.
    ///
    /// # Errors
    ///
    /// As [`Log::scan`].
    pub fn range(&self, range: impl RangeBounds<Seq>) -> Result<Scan<T>, Error> {
        let (first, last) = self.bounds(range);
        Scan::between(&self.catalog, first, last)
    }

    /// Reads the records with numbers in a range from the last to the first.
    pub fn range_back(&self, range: impl RangeBounds<Seq>) -> ScanBack<T> {
        let (first, last) = self.bounds(range);
        ScanBack::new(Arc::clone(&self.catalog), first, last)
    }

    /// Reads the records with a time in a range, as far as [`Log::scan`] goes.
    ///
    /// # Errors
    ///
    /// [`Error::NotIndexed`] when the log was opened without [`Index::by_time`], and as
    /// [`Log::scan`].
    pub fn between(&self, times: Range<u64>) -> Result<Between<T>, Error> {
        let time = self.index.as_ref().and_then(|index| index.time.clone());
        let time = time.ok_or_else(|| self.not_indexed("time"))?;
        Between::new(&self.catalog, time, times)
    }

    /// Reads one record; `None` when the log does not have it, or not yet on disk.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::Corrupt`] when it is damaged, and
    /// [`Error::Type`] when it is not a `T`.
    pub fn get(&self, seq: Seq) -> Result<Option<Record<T>>, Error> {
        point::get(&self.catalog, seq)
    }

    /// Reads the last record with a key; `None` when there is none.
    ///
    /// # Errors
    ///
    /// As the items of [`Log::find_all`].
    pub fn find(&self, key: &str) -> Result<Option<Record<T>>, Error> {
        self.find_all(key)?.next().transpose()
    }

    /// Reads the records with a key, the last one first.
    ///
    /// # Errors
    ///
    /// [`Error::NotIndexed`] when the log was opened without [`Index::by_key`]. The items are
    /// errors as those of [`Log::get`], and [`Error::Index`] when an index file is damaged.
    pub fn find_all(&self, key: &str) -> Result<Matches<'_, T>, Error> {
        let key_of = self.index.as_ref().and_then(|index| index.key.clone());
        let key_of = key_of.ok_or_else(|| self.not_indexed("key"))?;
        let index = self.index.clone().ok_or_else(|| self.not_indexed("key"))?;
        Ok(Matches::new(&self.catalog, index, key_of, key))
    }

    /// Reads from a record on, and goes on with what is appended.
    pub fn follow(&self, from: Seq) -> Follow<'_, T> {
        Follow::new(&self.catalog, &self.committer.rounds, from)
    }

    /// Has a function called after each commit, with the number of the last record that is then as
    /// durable as the log's level says, and before anybody who waits for it goes on: for what all of
    /// them would do otherwise, one after the other. Only the first function that is given is kept.
    ///
    /// One thread at a time calls it, and everybody else waits for its end: it must be short, and must
    /// not wait for what a caller of this log may hold meanwhile. A number is not told twice, unless a
    /// full disk gave it to another record.
    pub fn on_commit(&self, call: impl Fn(Seq) + Send + Sync + 'static) {
        self.committer.hook.set(call);
    }

    /// Ends the current file and begins another, unless it is empty. For owners of a clock: a log
    /// has none, and rotates by itself only by size and by the times of its records.
    ///
    /// # Errors
    ///
    /// As [`Log::append`], for everything that was submitted and not waited for.
    pub fn rotate(&self) -> Result<(), Error> {
        self.committer.rotate()
    }

    /// What a chained log is now, with everything that was submitted, to be signed and kept
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::NotChained`] when it has no chain; and as [`Log::append`].
    pub fn checkpoint(&self, origin: impl Into<String>) -> Result<Checkpoint, Error> {
        self.sync()?;
        let (last, link) = self.catalog.head();
        let link = link.ok_or_else(|| Error::NotChained {
            dir: self.dir().to_owned(),
        })?;
        Ok(Checkpoint {
            origin: origin.into(),
            last,
            hash: link.0,
            log: self.catalog.identity(),
        })
    }

    /// The files that are complete, oldest first; the one that is appended to is not among them.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let full = self.catalog.full();
        full.iter().map(|full| SegmentInfo::of(full)).collect()
    }

    /// Removes the oldest files that a [`Retention`] does not keep, after it has archived them if it
    /// says so, and gives them. The others keep their numbers. Whoever reads the removed ones now
    /// goes on reading.
    ///
    /// Before that, the log states in a record of its own, which has a number and which no reader
    /// gives, what is removed and why: a beginning that is missing without such a statement was cut
    /// off.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when one cannot be archived, in which case none is removed, or cannot be
    /// removed, in which case the log refuses appends as after a failed sync; and as
    /// [`Log::append`].
    pub fn retire(&self, retention: &Retention) -> Result<Vec<SegmentInfo>, Error> {
        let why = retention.why();
        self.retire_oldest(retention.archive_dir(), why, |files| {
            retention.expendable(files)
        })
    }

    /// As [`Log::retire`], of the oldest files for as long as `expendable` says so, archived first
    /// in a directory if one is given.
    ///
    /// # Errors
    ///
    /// As [`Log::retire`].
    pub fn retire_while(
        &self,
        archive: Option<&Path>,
        expendable: impl FnMut(&SegmentInfo) -> bool,
    ) -> Result<Vec<SegmentInfo>, Error> {
        let archive = archive.map(|dir| (dir, Form::default()));
        let why = retire::why("no longer wanted", archive.map(|(dir, _)| dir));
        self.retire_oldest(archive, why, |files| {
            let goes = files.iter().map(expendable);
            goes.take_while(|goes| *goes).count()
        })
    }

    fn retire_oldest(
        &self,
        archive: Option<(&Path, Form)>,
        why: String,
        how_many: impl FnOnce(&[SegmentInfo]) -> usize,
    ) -> Result<Vec<SegmentInfo>, Error> {
        let _one_at_a_time = self.retiring.lock();
        let full = self.catalog.expendable();
        let mut files: Vec<_> = full.iter().map(|full| SegmentInfo::of(full)).collect();
        files.truncate(how_many(&files));
        if files.is_empty() {
            return Ok(files);
        }
        if let Some(archive) = archive {
            let before = self.catalog.removed();
            retire::archive(&*self.catalog.backend, &files, before, archive)?;
        }
        let last = &full[files.len() - 1].sidecar.summary;
        let removal = Removal::new(files[0].first, last.last, last.chain.clone(), why);
        self.state_removal(removal)?;
        let removed = |tail: &mut Tail| {
            // What follows must be on disk before what it follows is gone.
            tail.sync().map_err(Fault::Fatal)?;
            retire::remove(&self.catalog, &files).map_err(Fault::Fatal)
        };
        self.committer.at_the_tail(removed)?;
        Ok(files)
    }

    /// Both ends included, and within what can be read.
    fn bounds(&self, range: impl RangeBounds<Seq>) -> (Seq, Seq) {
        let first = match range.start_bound() {
            Bound::Included(&first) => first,
            Bound::Excluded(before) => before.next(),
            Bound::Unbounded => Seq::ZERO,
        };
        let last = match range.end_bound() {
            Bound::Included(&last) => last,
            Bound::Excluded(behind) => Seq(behind.0.saturating_sub(1)),
            Bound::Unbounded => Seq(u64::MAX),
        };
        (
            first.max(self.catalog.first()),
            last.min(self.catalog.last()),
        )
    }

    fn not_indexed(&self, by: &'static str) -> Error {
        let dir = self.dir().to_owned();
        Error::NotIndexed { dir, by }
    }

    /// Which log this is; `None` when it does not state that, because it has no chain or was begun by
    /// a version that gave none.
    #[must_use]
    pub fn identity(&self) -> Option<LogId> {
        self.catalog.identity()
    }

    /// What was removed from the beginning of the log, as it states it itself.
    #[must_use]
    pub fn removed(&self) -> Option<Removal> {
        self.catalog.removed()
    }

    /// What opening found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.catalog.backend.dir()
    }

    /// Writes and syncs what was submitted, and gives the directory free.
    ///
    /// # Errors
    ///
    /// As [`Log::append`], for everything that was submitted and not waited for.
    pub fn close(self) -> Result<(), Error> {
        self.committer.finish()
    }
}

impl<T> Log<T> {
    /// Reads where a record stands in the chain; `None` when the log does not have it, or has no
    /// chain, or chains records in groups and it is not the last one of its group.
    ///
    /// # Errors
    ///
    /// As [`Log::get`], but for [`Error::Type`].
    pub fn link(&self, seq: Seq) -> Result<Option<ChainLink>, Error> {
        point::link(&self.catalog, seq)
    }

    /// Whether the log has a chain.
    #[must_use]
    pub fn is_chained(&self) -> bool {
        self.catalog.head().1.is_some()
    }
}

impl<T> Drop for Log<T> {
    fn drop(&mut self) {
        // A caller that needs to know has waited for its tickets, or calls `close`.
        let _ = self.committer.finish();
        self.committer.flusher.stop();
    }
}

fn lock(backend: &dyn Backend) -> Result<Box<dyn LockGuard>, Error> {
    let dir = backend.dir();
    match backend.lock().map_err(Error::io("lock", dir))? {
        Lock::Held(guard) => Ok(guard),
        Lock::Taken { holder } => Err(Error::Locked {
            dir: dir.to_owned(),
            holder,
        }),
    }
}
