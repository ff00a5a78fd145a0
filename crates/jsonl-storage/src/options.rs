use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Log, segment};

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
        if !dir.is_dir() {
            fs::create_dir_all(dir).map_err(Error::io("create directory", dir))?;
            if let Some(parent) = dir.parent().filter(|parent| parent.is_dir()) {
                segment::sync_dir(parent)?;
            }
        }
        Log::open(dir, &self)
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self::new()
    }
}
