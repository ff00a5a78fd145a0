//! Faults of our own between the log and an honest machine, to see that the suite finds them.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jsonl_storage::{Backend, BackendFile, Lock, OpenMode};

use crate::backend::Machine;

/// What a careless implementation gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Every third sync of a file is not done.
    SyncSkipped,
    /// A sync says that it is done, and is done before the next call.
    AcknowledgedEarly,
    /// The directory is never synced.
    NoDirectorySync,
    /// A sync that failed is asked for again, and its answer believed.
    SyncRetried,
    /// What a short write left over is not written.
    RestOfWriteLost,
    /// A file is not cut where it should be.
    NotCut,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::SyncSkipped,
        Self::AcknowledgedEarly,
        Self::NoDirectorySync,
        Self::SyncRetried,
        Self::RestOfWriteLost,
        Self::NotCut,
    ];

    pub(crate) fn put_before(self, machine: &Machine) -> Arc<dyn Backend> {
        let shared = Arc::new(Shared {
            fault: self,
            syncs: AtomicU64::new(0),
            late: Mutex::default(),
        });
        Arc::new(Faulty {
            inner: machine.backend(),
            shared,
        })
    }
}

#[derive(Debug)]
struct Shared {
    fault: Fault,
    syncs: AtomicU64,
    /// The file whose sync was acknowledged and not yet done.
    late: Mutex<Option<Arc<dyn BackendFile>>>,
}

impl Shared {
    /// Does what was acknowledged early.
    fn catch_up(&self) -> io::Result<()> {
        let late = self
            .late
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        late.map_or(Ok(()), |file| file.sync_data())
    }
}

#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn Backend>,
    shared: Arc<Shared>,
}

impl Backend for Faulty {
    /// The same for each log, so that a seed repeats a run byte by byte.
    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        Ok(Some([7; 16]))
    }

    fn dir(&self) -> &Path {
        self.inner.dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        self.shared.catch_up()?;
        let inner = self.inner.open(name, mode)?;
        Ok(Arc::new(FaultyFile {
            inner,
            shared: Arc::clone(&self.shared),
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shared.catch_up()?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.shared.catch_up()?;
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.shared.catch_up()?;
        match self.shared.fault {
            Fault::NoDirectorySync => Ok(()),
            Fault::SyncRetried => self.inner.sync_dir().or_else(|_| self.inner.sync_dir()),
            _ => self.inner.sync_dir(),
        }
    }

    fn lock(&self) -> io::Result<Lock> {
        self.inner.lock()
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Arc<dyn BackendFile>,
    shared: Arc<Shared>,
}

impl BackendFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.shared.catch_up()?;
        let written = self.inner.write_at(bytes, offset)?;
        Ok(if self.shared.fault == Fault::RestOfWriteLost {
            bytes.len()
        } else {
            written
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.shared.catch_up()?;
        if self.shared.fault == Fault::NotCut {
            Ok(())
        } else {
            self.inner.set_len(len)
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.shared.catch_up()?;
        match self.shared.fault {
            Fault::SyncSkipped if self.shared.syncs.fetch_add(1, Ordering::Relaxed) % 3 == 2 => {
                Ok(())
            }
            Fault::AcknowledgedEarly => {
                let file = Arc::clone(&self.inner);
                *self
                    .shared
                    .late
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(file);
                Ok(())
            }
            Fault::SyncRetried => self.inner.sync_data().or_else(|_| self.inner.sync_data()),
            _ => self.inner.sync_data(),
        }
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
}
