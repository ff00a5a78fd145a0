//! The store: four tiers behind one interface.

pub(crate) mod lock;
pub(crate) mod tiers;

mod duplicates;
mod edges;
mod embedding;
mod finding;
mod history;
mod namespaces;
mod recall;
mod state;
mod transfer;

pub use duplicates::{Duplicate, DuplicateKind};

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::recent_values::RecentValues;
use crate::check::repair::rebuild_indexes;
use crate::check::verify::existing_database;
use crate::check::{check_derived, check_metadata};
use crate::error::{IoContext, Result};
use crate::metadata::{
    DATABASE_FILE, ReaderPool, Session, begin_reading, find_memory, open_for_verification,
    open_writer,
};
use crate::model::embed::Embedder;
use crate::model::entries::Entries;
use crate::model::memory::{Memory, NewMemory};
use crate::model::names::{MemoryId, Namespace};
use crate::model::report::CheckReport;
use crate::model::stats::Stats;
use crate::options::Options;
use crate::similarity::{IndexCoverage, IndexHealth, Indexer};
use crate::store::lock::DirectoryLock;
use crate::store::tiers::Tiers;
use crate::writer::{Write, Writer, Written};

/// What agents share: memories, their vectors, and the edges between them, in namespaces.
///
/// All methods take `&self` and may be called from any number of threads. A write returns once it
/// is on disk and visible in every tier; reads do not wait for writes.
pub struct MemoryStore {
    // Dropped in this order: the directory is released last.
    writer: Writer,
    indexer: Indexer,
    readers: ReaderPool,
    tiers: Arc<Tiers>,
    values: RecentValues,
    embedder: Option<Arc<dyn Embedder>>,
    database: PathBuf,
    /// None of one that is only read.
    _lock: Option<DirectoryLock>,
}

impl MemoryStore {
    /// Opens the store in a directory with default settings. A missing store is created.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`](crate::Error::Locked) if another store has the directory open,
    /// [`Error::SchemaVersion`](crate::Error::SchemaVersion),
    /// [`Error::NotAMemoryStore`](crate::Error::NotAMemoryStore) or
    /// [`Error::Corrupt`](crate::Error::Corrupt) if what is there cannot be used, in which case
    /// nothing is overwritten; and I/O errors.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(directory)
    }

    /// Settings to open a store with.
    pub fn options() -> Options {
        Options::default()
    }

    /// Embeds anew what another embedder has embedded, if there is a `progress` to tell of it.
    pub(crate) fn open_with(
        directory: &Path,
        options: &Options,
        progress: Option<&mut dyn FnMut(u64, u64)>,
    ) -> Result<Self> {
        std::fs::create_dir_all(directory).io("create", directory)?;
        let lock = DirectoryLock::acquire(directory)?;
        let database = directory.join(DATABASE_FILE);
        let connection = open_writer(&database)?;
        if let Some(embedder) = &options.embedder {
            embedding::prepare(&connection, &database, &**embedder, progress)?;
        }
        let tiers = Arc::new(Tiers::load(
            &connection,
            &database,
            options.index,
            options.cache_bytes,
        )?);
        let readers = ReaderPool::open(&database, options.readers)?;
        let session = Session::new(connection, database.clone());
        let writer = Writer::start(session, Arc::clone(&tiers), options.queue_length)
            .io("start the writer of", directory)?;
        let indexer = Indexer::start(Arc::clone(&tiers), options.index_threads)
            .io("start the indexer of", directory)?;
        Ok(Self {
            writer,
            indexer,
            readers,
            tiers,
            values: RecentValues::new(),
            embedder: options.embedder.clone(),
            database,
            _lock: Some(lock),
        })
    }

    /// Opens the store in a directory for reading, with default settings; see
    /// [`Options::open_read_only`].
    ///
    /// # Errors
    ///
    /// See [`Options::open_read_only`].
    pub fn open_read_only(directory: impl AsRef<Path>) -> Result<Self> {
        Self::options().open_read_only(directory)
    }

    pub(crate) fn open_read_only_with(directory: &Path, options: &Options) -> Result<Self> {
        let database = existing_database(directory)?;
        let connection = open_for_verification(&database)?;
        begin_reading(&connection, &database)?;
        if let Some(embedder) = &options.embedder {
            embedding::prepare(&connection, &database, &**embedder, None)?;
        }
        let tiers = Arc::new(Tiers::load_read_only(
            &connection,
            &database,
            options.index,
            options.cache_bytes,
        )?);
        let indexer = Indexer::start(Arc::clone(&tiers), options.index_threads)
            .io("start the indexer of", directory)?;
        Ok(Self {
            writer: Writer::none("it was opened for reading only"),
            indexer,
            readers: ReaderPool::of(connection, &database),
            tiers,
            values: RecentValues::new(),
            embedder: options.embedder.clone(),
            database,
            _lock: None,
        })
    }

    /// Stores a memory; its id is returned once it is on disk.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`](crate::Error::AlreadyExists) if the chosen id is taken,
    /// [`Error::InvalidVector`](crate::Error::InvalidVector) or
    /// [`Error::Dimension`](crate::Error::Dimension) if the vector cannot be compared,
    /// [`Error::InvalidInterval`](crate::Error::InvalidInterval) if it ended before it began,
    /// [`Error::QuotaExceeded`](crate::Error::QuotaExceeded),
    /// [`Error::Embedding`](crate::Error::Embedding),
    /// [`Error::DiskFull`](crate::Error::DiskFull), and
    /// [`Error::Poisoned`](crate::Error::Poisoned) if the writer is gone. Nothing is stored then.
    pub fn remember(&self, memory: NewMemory) -> Result<MemoryId> {
        let prepared = self.prepare(memory)?;
        match self.writer.write(Write::Remember(Box::new(prepared)))? {
            Written::Remembered(id) => Ok(id),
            other => unreachable!("remember was answered with {other:?}"),
        }
    }

    /// Stores several memories, all of them or none; their ids in the same order.
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember), for the first memory that is refused.
    pub fn remember_all(
        &self,
        memories: impl IntoIterator<Item = NewMemory>,
    ) -> Result<Vec<MemoryId>> {
        let prepared = self.prepare_all(memories.into_iter().collect())?;
        match self.writer.write(Write::RememberAll(prepared))? {
            Written::RememberedAll(ids) => Ok(ids),
            other => unreachable!("remember was answered with {other:?}"),
        }
    }

    /// The memory of that id as it is known now, from the cache if it is there; whenever it is
    /// true, and also if it has expired and was not yet swept.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn get(&self, namespace: &Namespace, id: MemoryId) -> Result<Option<Arc<Memory>>> {
        self.tiers
            .cache
            .get_or_load(namespace, id, || find_memory(&self.readers, namespace, id))
    }

    /// Removes a memory, its history and every edge at it from all tiers; whether there was one.
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember) that concern the disk.
    pub fn forget(&self, namespace: &Namespace, id: MemoryId) -> Result<bool> {
        match self.writer.write(Write::Forget {
            namespace: namespace.clone(),
            id,
        })? {
            Written::Forgotten(forgotten) => Ok(forgotten.is_some()),
            other => unreachable!("forget was answered with {other:?}"),
        }
    }

    /// The figures of this moment.
    pub fn stats(&self) -> Stats {
        let counters = self.tiers.counters();
        Stats {
            items: counters.items.get(),
            edges: self.tiers.relations.len() as u64,
            vectors: self.tiers.similarity.len() as u64,
            cache_hits: self.tiers.cache.hits(),
            cache_misses: self.tiers.cache.misses(),
            cached: self.tiers.cache.len() as u64,
            writes: counters.writes.get(),
            commits: counters.commits.get(),
            recall: counters.recall.summary(),
            commit: counters.commit.summary(),
        }
    }

    /// How the index of vectors of every namespace is: how far its graph has come, and whether
    /// what was saved of it could be used. Ordered by namespace.
    pub fn index_health(&self) -> Vec<IndexHealth> {
        self.tiers.similarity.health()
    }

    /// Helps to build the graphs of vectors until none is behind, as it may be after many writes or
    /// if a saved one could not be used. Calls back with the sum over the namespaces from time to
    /// time, some hundred vectors or so. Nobody needs to wait for it: what a graph does not have
    /// is found too, only slower.
    pub fn build_index(&self, progress: impl FnMut(IndexCoverage)) {
        self.tiers.similarity.build(progress);
    }

    /// Streams every memory and every edge of all namespaces as of now, each with its digest. The
    /// picture is consistent; while it is open, the write-ahead log cannot be reused and grows.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn iter_all(&self) -> Result<Entries> {
        Entries::open(&self.database)
    }

    /// Compares all tiers and names every disagreement. Writes wait meanwhile, so that the tiers
    /// stand still.
    ///
    /// # Errors
    ///
    /// If the database cannot be read, or the writer is gone.
    pub fn check(&self) -> Result<CheckReport> {
        let tiers = Arc::clone(&self.tiers);
        self.writer
            .inspect(move |session| check_all(session, &tiers))?
    }

    /// Rebuilds from the memories and edges whatever is derived from them, in the database and in
    /// memory, and removes edges that end at no memory. Returns what [`check`](Self::check) finds
    /// afterwards: damage to the memories themselves is all that can be left.
    ///
    /// # Errors
    ///
    /// If the database cannot be read or written, or the writer is gone.
    pub fn repair(&self) -> Result<CheckReport> {
        let tiers = Arc::clone(&self.tiers);
        self.writer.inspect(move |session| {
            session.in_transaction("repair", rebuild_indexes)?;
            tiers.rebuild(session.connection(), session.path())?;
            check_all(session, &tiers)
        })?
    }

    /// Finishes the writes that are queued and closes the database. Dropping the store does the
    /// same but cannot tell of an error.
    ///
    /// # Errors
    ///
    /// If the database could not be closed. Acknowledged writes are safe in any case.
    pub fn close(&self) -> Result<()> {
        let closed = self.writer.close();
        self.indexer.close();
        closed
    }

    fn remove(&self, write: Write) -> Result<bool> {
        match self.writer.write(write)? {
            Written::Removed(existed) => Ok(existed),
            other => unreachable!("a removal was answered with {other:?}"),
        }
    }
}

fn check_all(session: &Session, tiers: &Tiers) -> Result<CheckReport> {
    let mut report = check_metadata(session.connection(), session.path())?;
    check_derived(session.connection(), session.path(), tiers, &mut report)?;
    Ok(report)
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.close();
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
