//! How a store is opened.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::error::Result;
use crate::similarity::{IndexOptions, Metric};
use crate::store::MemoryStore;

/// Settings of a store; made by [`MemoryStore::options`].
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) cache_bytes: u64,
    pub(crate) readers: NonZeroUsize,
    pub(crate) queue_length: NonZeroUsize,
    pub(crate) index: IndexOptions,
    pub(crate) index_threads: NonZeroUsize,
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
            index: IndexOptions::new(),
            index_threads: non_zero(1),
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

    /// Sets how vectors are indexed; the [metric](crate::Metric) of a store is always the cosine.
    /// A graph that was saved with another number of links is built anew. Default:
    /// [`IndexOptions::new`].
    #[must_use]
    pub fn index(mut self, index: IndexOptions) -> Self {
        self.index = index.metric(Metric::Cosine);
        self
    }

    /// Sets how many threads build the graphs of vectors behind the writes. Default: 1, which
    /// adds some thousand vectors a second.
    #[must_use]
    pub fn index_threads(mut self, threads: NonZeroUsize) -> Self {
        self.index_threads = threads;
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
