use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::{Error, FsBackend, Log};

/// How a log is opened; ends in [`LogOptions::open`].
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub(crate) queue_bytes: usize,
}

impl LogOptions {
    /// Starts with every default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            queue_bytes: 32 << 20,
        }
    }

    /// Bounds what waits to be written, in bytes (default: 32 MiB). A [`Log::submit`] beyond it
    /// writes and syncs before it returns, so memory stays bounded however fast the callers are.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
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
