//! How a store is opened.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::model::embed::Embedder;
use crate::similarity::{IndexOptions, Metric};
use crate::store::MemoryStore;

/// Settings of a store; made by [`MemoryStore::options`].
#[derive(Clone)]
pub struct Options {
    pub(crate) cache_bytes: u64,
    pub(crate) readers: NonZeroUsize,
    pub(crate) queue_length: NonZeroUsize,
    pub(crate) index: IndexOptions,
    pub(crate) index_threads: NonZeroUsize,
    pub(crate) embedder: Option<Arc<dyn Embedder>>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("readers", &self.readers)
            .field("queue_length", &self.queue_length)
            .field("index", &self.index)
            .field("index_threads", &self.index_threads)
            .field(
                "embedder",
                &self.embedder.as_ref().map(|embedder| embedder.name()),
            )
            .finish()
    }
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
            embedder: None,
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

    /// Sets what embeds the texts of memories that come without a vector, and those of questions. Its
    /// name is stored with each namespace that it embeds, and a store whose vectors are of another
    /// embedder is not opened. A namespace to which callers bring vectors stays theirs. Default:
    /// nothing is embedded.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use memory_store::{HashedNgrams, MemoryStore, Namespace, NewMemory, Query, Timestamp};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let options = MemoryStore::options().embedder(Arc::new(HashedNgrams::default()));
    /// let store = options.open(directory.path())?;
    /// let team = Namespace::new("team-a")?;
    /// store.remember(NewMemory::new(team.clone(), "the linker failed", Timestamp::default()))?;
    /// let found = store.recall(&team, &Query::new().text("linkers that fail"))?;
    /// assert_eq!(found[0].reasons.len(), 2); // by its words, and by its vector
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.embedder = Some(embedder);
        self
    }

    /// Opens the store in a directory, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// See [`MemoryStore::open`], and [`Error::OtherEmbedder`](crate::Error::OtherEmbedder).
    pub fn open(self, directory: impl AsRef<Path>) -> Result<MemoryStore> {
        MemoryStore::open_with(directory.as_ref(), &self, None)
    }

    /// Opens the store for reading, as of this moment: what others write later is not seen. No file is
    /// changed and no lock taken, so a store that another process has open can be read, and one that
    /// nobody has open, from a file system that cannot be written too where SQLite's log is empty.
    /// While a process writes to it, its write-ahead log grows until this one is dropped. One thread
    /// reads at a time; writes, [`check`](MemoryStore::check) and [`repair`](MemoryStore::repair)
    /// are refused ([`verify_store`](crate::verify_store) checks).
    ///
    /// ```
    /// use memory_store::{MemoryStore, Namespace, NewMemory, Query, Timestamp};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let store = MemoryStore::open(directory.path())?;
    /// let team = Namespace::new("team-a")?;
    /// store.remember(NewMemory::new(team.clone(), "the linker failed", Timestamp::default()))?;
    /// let reading = MemoryStore::open_read_only(directory.path())?;
    /// assert_eq!(reading.recall(&team, &Query::new().text("linker"))?.len(), 1);
    /// assert!(reading.remember(NewMemory::new(team, "more", Timestamp::default())).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoStore`](crate::Error::NoStore) if there is none, and those of
    /// [`open`](Self::open) that concern what is there; one of an earlier version is brought up to
    /// date by `open` first.
    pub fn open_read_only(self, directory: impl AsRef<Path>) -> Result<MemoryStore> {
        MemoryStore::open_read_only_with(directory.as_ref(), &self)
    }

    /// Opens the store as [`open`](Self::open) does, and first lets the
    /// [embedder](Self::embedder) embed anew what another one has embedded: all of it, or nothing if
    /// this fails or the process ends meanwhile. Calls back with how many texts are done, and of how
    /// many. Digests of memories change with their vectors.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`Error::Embedding`](crate::Error::Embedding).
    pub fn open_embedding_anew(
        self,
        directory: impl AsRef<Path>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<MemoryStore> {
        MemoryStore::open_with(directory.as_ref(), &self, Some(&mut progress))
    }
}
