//! Opening a log.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::backend::fs::FsBackend;
use crate::error::Error;
use crate::log::Log;
use crate::options::{IndexedOptions, LogOptions};

impl LogOptions {
    /// Opens the log in a directory, which is made if it is missing, and recovers what is there.
    ///
    /// Every record that no summary speaks for is checked, and the last mebibyte in any case. To
    /// check all of them, use [`verify_log`](crate::verify_log).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be made, read or written; [`Error::Locked`] when
    /// someone has it open; [`Error::Corrupt`] when an acknowledged record was damaged, in which
    /// case nothing is changed; [`Error::NotChained`] when a chain is asked for and the log has
    /// none.
    pub fn open<T>(self, dir: impl AsRef<Path>) -> Result<Log<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        self.open_on(backend(dir.as_ref())?)
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
        Log::open(backend, &self, None)
    }
}

impl<T: Serialize + DeserializeOwned> IndexedOptions<T> {
    /// As [`LogOptions::open`].
    ///
    /// # Errors
    ///
    /// As [`LogOptions::open`].
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Log<T>, Error> {
        self.open_on(backend(dir.as_ref())?)
    }

    /// As [`LogOptions::open_on`].
    ///
    /// # Errors
    ///
    /// As [`LogOptions::open`].
    pub fn open_on(self, backend: Arc<dyn Backend>) -> Result<Log<T>, Error> {
        Log::open(backend, &self.options, Some(self.index))
    }
}

fn backend(dir: &Path) -> Result<Arc<dyn Backend>, Error> {
    let backend = FsBackend::create(dir).map_err(Error::io("create directory", dir))?;
    Ok(Arc::new(backend))
}
