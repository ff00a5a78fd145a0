use std::cell::RefCell;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_jsonlines::JsonLinesWriter;

use crate::backend::{Backend, Lock, LockGuard};
use crate::commit::{Committer, Ticket};
use crate::recovery::{self, Recovery};
use crate::scan::Scan;
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

    /// Appends a record and returns when it is on disk.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] when the record has no JSON form, in which case nothing was appended;
    /// [`Error::Io`] or [`Error::Poisoned`] when it could not be made durable, in which case it
    /// may or may not be there after the next opening.
    pub fn append(&self, record: &T) -> Result<Seq, Error> {
        self.submit(record)?.wait()
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
        // Encoding is the costly part, so it happens outside of the lock, in a buffer that each
        // thread keeps.
        thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        SCRATCH.with_borrow_mut(|scratch| {
            encode(scratch, record)?;
            self.committer.submit(scratch)
        })
    }

    /// The number of the last record that is known to be on disk.
    #[must_use]
    pub fn durable(&self) -> Seq {
        self.committer.durable()
    }

    /// Reads the records from the first one up to the last one that is durable now.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be read.
    pub fn scan(&self) -> Result<Scan<T>, Error> {
        let last = self.durable();
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
        self.committer.flush()
    }
}

impl<T> Drop for Log<T> {
    fn drop(&mut self) {
        // A caller that needs to know has waited for its tickets, or calls `close`.
        let _ = self.committer.flush();
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
