//! What can go wrong, in one enum.

use std::io;
use std::path::PathBuf;

use action::Timestamp;

use crate::model::names::{MemoryId, Namespace};
use crate::model::state::{AgentRun, CheckpointId, Expected};

/// The result of an operation on the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation failed. The source says how; check the path and its permissions.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was attempted, as a verb.
        operation: &'static str,
        /// The file or directory it was attempted on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// The disk is full, so the write was rolled back and nothing of it is stored.
    /// Free space and write again; the store stays usable.
    #[error("disk full, the write was rolled back: {path}", path = path.display())]
    DiskFull {
        /// The database that could not grow.
        path: PathBuf,
    },

    /// The database does not read as one. Nothing was overwritten: copy the directory away before
    /// trying to mend it.
    #[error("database {} is corrupt: {detail}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },

    /// The file is a SQLite database, but of another application. Choose another directory.
    #[error("{} is not a memory store: application id {found:#x}, expected {expected:#x}", path.display())]
    NotAMemoryStore {
        /// The database file.
        path: PathBuf,
        /// The application id in its header.
        found: i32,
        /// The application id of a memory store.
        expected: i32,
    },

    /// The database was written by a later version, or is to be verified and was written by an
    /// earlier one. Nothing was changed: open it with that later version; an earlier one's database
    /// is brought up to date by opening it as a store.
    #[error("{} has schema version {found}, this build reads version {expected}", path.display())]
    SchemaVersion {
        /// The database file.
        path: PathBuf,
        /// The version in its header.
        found: i32,
        /// The version this build writes.
        expected: i32,
    },

    /// Another store holds the directory. Close it, or open another directory.
    #[error("{} is locked by {}", path.display(), holder(*pid))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, if it could be read.
        pid: Option<u32>,
    },

    /// A file of the open store was removed or replaced, so nothing more is written: it could not
    /// be found again. What was acknowledged before is in the file that is gone. Put it back, or
    /// restore a copy, and reopen the store.
    #[error("{} was removed or replaced while the store is open", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },

    /// Another process holds a lock on the database, so the write was rolled back and nothing of
    /// it is stored. End that process, or wait until it is done, and write again.
    #[error("database {} is locked by another process, the write was rolled back", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },

    /// There is no store in the directory.
    #[error("no memory store in {}", path.display())]
    NoStore {
        /// The directory that was looked in.
        path: PathBuf,
    },

    /// SQLite failed in another way than those that have a variant of their own.
    #[error("cannot {operation}: {source}")]
    Sqlite {
        /// What was attempted, as a verb.
        operation: &'static str,
        /// SQLite's answer.
        source: rusqlite::Error,
    },

    /// The writer is gone, so no write can be accepted any more; reads still work. Reopen the
    /// store: every acknowledged write is in it.
    #[error("the store accepts no more writes: {reason}")]
    Poisoned {
        /// What ended the writer.
        reason: String,
    },

    /// A name cannot be used. The detail says which rule it broke.
    #[error("invalid {kind} {name:?}: {detail}")]
    InvalidName {
        /// What the name is of.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The rule it broke.
        detail: &'static str,
    },

    /// An id is outside of 1..=2^63-1, the range that SQLite can store.
    #[error("invalid memory id {id}: must be between 1 and {max}", max = MemoryId::MAX)]
    InvalidId {
        /// The id as given.
        id: u64,
    },

    /// A value is larger than the store accepts. Split it, or keep it elsewhere and store a link.
    #[error("{what} of {item} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// The part that is too large.
        what: &'static str,
        /// The item it belongs to.
        item: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },

    /// A query asks for more than one search may take. Ask for less, or in several queries.
    #[error("the query has {size} {what}, the limit is {limit}")]
    QueryTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        size: usize,
        /// The limit.
        limit: usize,
    },

    /// Another memory has taken the place of this one already. Supersede that one, or update it.
    #[error("memory {id} in namespace {namespace} was superseded by memory {by} already")]
    AlreadySuperseded {
        /// The namespace.
        namespace: Namespace,
        /// The memory that was to be superseded.
        id: MemoryId,
        /// The one that took its place.
        by: MemoryId,
    },

    /// The memory was changed since it was read. Read it again, and decide anew.
    #[error("memory {id} in namespace {namespace} has version {found}, expected {expected}")]
    MemoryVersion {
        /// The namespace.
        namespace: Namespace,
        /// The memory.
        id: MemoryId,
        /// The version that the caller expected to replace.
        expected: u32,
        /// The version that is there.
        found: u32,
    },

    /// The id is taken. Forget the old memory first, or let the store choose an id.
    #[error("memory {id} already exists in namespace {namespace}")]
    AlreadyExists {
        /// Where it exists.
        namespace: Namespace,
        /// The id that is taken.
        id: MemoryId,
    },

    /// No such memory. It was never remembered, or it was forgotten.
    #[error("no memory {id} in namespace {namespace}")]
    UnknownMemory {
        /// Where it was looked for.
        namespace: Namespace,
        /// The id that was not found.
        id: MemoryId,
    },

    /// The key was written by another since it was read. Read it again, and decide anew.
    #[error("state {key:?} of {run} has {found}, expected {expected}", found = version(*found))]
    VersionConflict {
        /// The run.
        run: Box<AgentRun>,
        /// The key.
        key: String,
        /// What the caller expected to replace.
        expected: Expected,
        /// The version that is there, if any.
        found: Option<u64>,
    },

    /// No such run: nothing was ever written to it.
    #[error("no run {run}")]
    UnknownRun {
        /// The run that was not found.
        run: Box<AgentRun>,
    },

    /// A fork needs a name that no run has.
    #[error("run {run} already exists")]
    RunExists {
        /// The run that is there.
        run: Box<AgentRun>,
    },

    /// The run has no such checkpoint.
    #[error("no checkpoint {checkpoint} of {run}")]
    UnknownCheckpoint {
        /// The run.
        run: Box<AgentRun>,
        /// The checkpoint that was not found.
        checkpoint: CheckpointId,
    },

    /// A vector has another length than the others of its namespace, whose first vector set it.
    #[error("vector of {item} has {found} dimensions, namespace {namespace} has {expected}")]
    Dimension {
        /// The item the vector belongs to.
        item: String,
        /// The namespace.
        namespace: Namespace,
        /// The length of this vector.
        found: usize,
        /// The length of the namespace's vectors.
        expected: usize,
    },

    /// A vector has another length than those of the index.
    #[error("vector of {item} has {found} dimensions, the index has {expected}")]
    IndexDimension {
        /// The item the vector belongs to.
        item: String,
        /// The length of this vector.
        found: usize,
        /// The length of the index's vectors.
        expected: usize,
    },

    /// A vector cannot be compared by cosine. Repair the embedding that made it.
    #[error("vector of {item} {detail}")]
    InvalidVector {
        /// The item the vector belongs to.
        item: String,
        /// What is wrong with it, and where.
        detail: String,
    },

    /// The embedder failed; nothing was stored or searched. The source says why.
    #[error("cannot embed the text: {source}")]
    Embedding {
        /// What the embedder said.
        source: crate::model::embed::EmbedError,
    },

    /// The vectors of a namespace are not of the store's embedder, and vectors of two models cannot
    /// be compared. Open the store with the one that made them, or embed its texts anew
    /// ([`Options::open_embedding_anew`](crate::Options::open_embedding_anew)).
    #[error("the vectors of namespace {namespace} are of {stored}, not of {given}")]
    OtherEmbedder {
        /// The namespace.
        namespace: Namespace,
        /// Who made them.
        stored: String,
        /// The store's embedder.
        given: String,
    },

    /// A namespace holds as much as it may. Forget or sweep something, or raise its quota.
    #[error("namespace {namespace} holds as many {what} as it may: {limit}")]
    QuotaExceeded {
        /// The namespace.
        namespace: Namespace,
        /// `items` or `bytes`.
        what: &'static str,
        /// Its limit.
        limit: u64,
    },

    /// What was removed is gone from the database, but its log still holds it, as somebody is
    /// reading an older state. Let go of every [`Entries`](crate::Entries), then compact.
    #[error("the write-ahead log of {} is in use and could not be emptied", path.display())]
    LogInUse {
        /// The database file.
        path: PathBuf,
    },

    /// What was to be exported could not be written. What was written until then is no export.
    #[error("cannot write the export: {source}")]
    Export {
        /// The system's answer.
        source: io::Error,
    },

    /// A line of what was to be imported is not what an export writes. Nothing was imported.
    #[error("line {line} of the import: {detail}")]
    Import {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },

    /// Something of an import cannot be stored. Nothing was imported.
    #[error("{item} of the import: {detail}")]
    ImportState {
        /// The run or the value.
        item: String,
        /// What is wrong with it.
        detail: String,
    },

    /// A namespace of an import is there already. Nothing was imported: delete the namespace first,
    /// or import into another store.
    #[error("namespace {namespace} exists already")]
    NamespaceExists {
        /// The namespace.
        namespace: Namespace,
    },

    /// Something would end before it begins. Give it a later end.
    #[error("{item} would be valid from {} until {}", from.as_millis(), until.as_millis())]
    InvalidInterval {
        /// The memory or the edge.
        item: String,
        /// Since when it would be valid.
        from: Timestamp,
        /// Until when it would be valid.
        until: Timestamp,
    },

    /// An edge's weight is not a finite number.
    #[error("weight of edge {edge} is {weight}, must be finite")]
    InvalidWeight {
        /// The edge as `source -relation-> target`.
        edge: String,
        /// The weight as given.
        weight: f64,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

fn version(version: Option<u64>) -> String {
    version.map_or_else(
        || "no version".into(),
        |version| format!("version {version}"),
    )
}

/// Adds the operation and the path to an I/O error.
pub(crate) trait IoContext<T> {
    fn io(self, operation: &'static str, path: &std::path::Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn io(self, operation: &'static str, path: &std::path::Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            operation,
            path: path.to_owned(),
            source,
        })
    }
}

/// Sorts SQLite's errors into those that a caller treats differently.
pub(crate) trait SqliteContext<T> {
    fn sqlite(self, operation: &'static str, database: &std::path::Path) -> Result<T>;
}

impl<T> SqliteContext<T> for rusqlite::Result<T> {
    fn sqlite(self, operation: &'static str, database: &std::path::Path) -> Result<T> {
        self.map_err(|error| classify(error, operation, database))
    }
}

fn classify(error: rusqlite::Error, operation: &'static str, database: &std::path::Path) -> Error {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DiskFull {
            path: database.to_owned(),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy {
            path: database.to_owned(),
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt {
            path: database.to_owned(),
            detail: error.to_string(),
        },
        _ if is_undecodable(&error) => Error::Corrupt {
            path: database.to_owned(),
            detail: error.to_string(),
        },
        _ => Error::Sqlite {
            operation,
            source: error,
        },
    }
}

/// Whether a row was read but does not hold what the schema says.
fn is_undecodable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
    };
    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | Utf8Error(..)
    )
}

impl Error {
    /// Whether the disk may hold something else than it said. After a failed sync the kernel may
    /// have dropped the pages and report success to a retry.
    pub(crate) fn is_of_disk(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
            }
            _ => false,
        }
    }

    /// Whether the request was at fault: then it alone fails, and the rest of its group commits.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::AlreadyExists { .. }
                | Self::UnknownMemory { .. }
                | Self::Dimension { .. }
                | Self::VersionConflict { .. }
                | Self::UnknownRun { .. }
                | Self::RunExists { .. }
                | Self::UnknownCheckpoint { .. }
                | Self::QuotaExceeded { .. }
                | Self::AlreadySuperseded { .. }
                | Self::MemoryVersion { .. }
                | Self::OtherEmbedder { .. }
        )
    }
}
