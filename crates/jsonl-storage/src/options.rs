use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::{Error, FsBackend, Log};

/// How a log is opened; ends in [`LogOptions::open`].
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub(crate) durability: Durability,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_records: usize,
}

/// When an append counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the record, and what is needed to find it, is on disk. Survives a loss of power.
    #[default]
    Synced,
    /// When the operating system has the record. Survives the end of the process in whatever way,
    /// and a loss of power only after [`Log::sync`], [`Log::close`] or a rotation.
    Flushed,
    /// When the record is in this process's buffer of at most 256 KiB, which is written when it is
    /// full, and by [`Log::flush`], [`Log::sync`] and [`Log::close`]. What is in it is lost with
    /// the process. [`Log::scan`] sees what was written.
    Buffered,
}

impl LogOptions {
    /// Starts with every default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            durability: Durability::default(),
            queue_bytes: 32 << 20,
            queue_records: 1 << 20,
        }
    }

    /// Sets when an append counts as done (default: [`Durability::Synced`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Bounds what waits to be written, in bytes (default: 32 MiB; the last record may exceed
    /// it). A [`Log::submit`] beyond it first has what waits written, so memory stays bounded
    /// however fast the callers are.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Bounds what waits to be written, in records (default: 1,048,576), as
    /// [`LogOptions::queue_bytes`] does in bytes.
    #[must_use]
    pub fn queue_records(mut self, records: usize) -> Self {
        self.queue_records = records.max(1);
        self
    }

    /// Opens the log in a directory, which is made if it is missing, and recovers what is there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be made, read or written; [`Error::Locked`] when
    /// someone has it open; [`Error::Corrupt`] when an acknowledged record was damaged, in which
    /// case nothing is changed.
    pub fn open<T>(self, dir: impl AsRef<Path>) -> Result<Log<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let dir = dir.as_ref();
        let backend = FsBackend::create(dir).map_err(Error::io("create directory", dir))?;
        self.open_on(Arc::new(backend))
    }

    /// Opens the log that a [`Backend`] keeps.
    ///
    /// # Errors
    ///
    /// As [`LogOptions::open`].
    pub fn open_on<T>(self, backend: Arc<dyn Backend>) -> Result<Log<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        Log::open(backend, &self)
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self::new()
    }
}
