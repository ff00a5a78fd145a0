use std::cell::RefCell;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_jsonlines::JsonLinesWriter;

use crate::backend::{Backend, Lock, LockGuard};
use crate::commit::Committer;
use crate::queue::{Epoch, Facts};
use crate::recovery::{self, Recovery};
use crate::scan::Scan;
use crate::ticket::Ticket;
use crate::{Error, LogOptions, Seq, segment};

/// An open log. Share it by reference or in an [`Arc`].
///
/// Dropping it writes and syncs what was submitted, without a way to report a failure;
/// [`Log::close`] has one.
#[derive(Debug)]
pub struct Log<T> {
    backend: Arc<dyn Backend>,
    committer: Arc<Committer>,
    recovery: Recovery,
    _lock: Box<dyn LockGuard>,
    _records: PhantomData<fn(T) -> T>,
}

impl<T: Serialize + DeserializeOwned> Log<T> {
    pub(crate) fn open(backend: Arc<dyn Backend>, options: &LogOptions) -> Result<Self, Error> {
        let lock = lock(&*backend)?;
        let (recovery, tail) = recovery::recover(&backend)?;
        let committer = Committer::new(backend.dir(), tail, recovery.last, options);
        Ok(Self {
            backend,
            committer: Arc::new(committer),
            recovery,
            _lock: lock,
            _records: PhantomData,
        })
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
        let (seq, epoch) = self.enqueue(record)?;
        self.committer.wait(seq, &epoch)
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
        let (seq, epoch) = self.enqueue(record)?;
        Ok(Ticket::new(seq, Arc::clone(&self.committer), epoch))
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
        let mut last: Option<(Seq, Arc<Epoch>)> = None;
        for record in records {
            let next = self.enqueue(record)?;
            if let Some((seq, epoch)) = last.take() {
                // A full disk may have refused the ones before while the queue made room.
                if let Some(refused) = epoch.outcome(seq) {
                    refused?;
                }
            }
            last = Some(next);
        }
        last.map(|(seq, epoch)| self.committer.wait(seq, &epoch))
            .transpose()
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

    fn enqueue(&self, record: &T) -> Result<(Seq, Arc<Epoch>), Error> {
        // Encoding is the costly part, so it happens outside of the lock, in a buffer that each
        // thread keeps.
        thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        SCRATCH.with_borrow_mut(|scratch| {
            encode(scratch, record)?;
            self.committer.submit(scratch, Facts::default())
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
    /// [`Error::Io`] when the directory cannot be read.
    pub fn scan(&self) -> Result<Scan<T>, Error> {
        let last = self.committer.written();
        let segments = segment::list(&*self.backend)?;
        Ok(Scan::new(Arc::clone(&self.backend), segments, last))
    }

    /// What opening found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.backend.dir()
    }

    /// Writes and syncs what was submitted, and gives the directory free.
    ///
    /// # Errors
    ///
    /// As [`Log::append`], for everything that was submitted and not waited for.
    pub fn close(self) -> Result<(), Error> {
        self.committer.sync()
    }
}

impl<T> Drop for Log<T> {
    fn drop(&mut self) {
        // A caller that needs to know has waited for its tickets, or calls `close`.
        let _ = self.committer.sync();
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

fn encode<T: Serialize>(scratch: &mut Vec<u8>, record: &T) -> Result<(), Error> {
    /// A buffer that once held a huge record is not kept for small ones.
    const KEEP_BYTES: usize = 1 << 20;
    scratch.clear();
    scratch.shrink_to(KEEP_BYTES);
    JsonLinesWriter::new(&mut *scratch)
        .write(record)
        .map_err(|source| Error::Encode(Arc::new(source)))?;
    scratch.pop(); // the line break; the frame has its own
    if memchr::memchr(b'\n', scratch).is_some() {
        let source = std::io::Error::other("a raw JSON value contains a line break");
        return Err(Error::Encode(Arc::new(source)));
    }
    Ok(())
}
