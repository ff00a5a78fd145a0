//! How a store is opened.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::error::Result;
use crate::store::MemoryStore;

/// Settings of a store; made by [`MemoryStore::options`].
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) cache_bytes: u64,
    pub(crate) readers: NonZeroUsize,
    pub(crate) queue_length: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        const fn non_zero(value: usize) -> NonZeroUsize {
            NonZeroUsize::new(value).expect("a literal above zero")
        }
        Self {
            cache_bytes: 64 << 20,
            readers: non_zero(4),
            queue_length: non_zero(1_024),
        }
    }
}

impl Options {
    /// Sets the bound of the cache in bytes. Default: 64 MiB.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Sets how many connections read the database at a time. Default: 4.
    #[must_use]
    pub fn readers(mut self, connections: NonZeroUsize) -> Self {
        self.readers = connections;
        self
    }

    /// Sets how many writes may wait for the writer before callers have to wait to queue.
    /// Default: 1,024.
    #[must_use]
    pub fn queue_length(mut self, writes: NonZeroUsize) -> Self {
        self.queue_length = writes;
        self
    }

    /// Opens the store in a directory, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// See [`MemoryStore::open`].
    pub fn open(self, directory: impl AsRef<Path>) -> Result<MemoryStore> {
        MemoryStore::open_with(directory.as_ref(), &self)
    }
}
