use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::format::damage::BreakKind;
use crate::format::seq::Seq;

/// What can go wrong with a log.
///
/// Cloneable, because one failed sync is the answer to every caller that waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused. The source says why.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as in "cannot *open*".
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: Arc<io::Error>,
    },
    /// There is no room on the disk, or the quota or the file size limit is reached. The record is
    /// not in the log and nothing of it is left on disk; everything acknowledged before is. Make
    /// room and append it again: the log goes on as it is.
    #[error("no room to write {}", path.display())]
    Full {
        /// The file that could not grow.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process, or another [`Log`](crate::Log) in this one, has the log open for writing.
    /// Close it, or read without opening by [`verify_log`](crate::verify_log).
    #[error("{} is already open for writing by process {holder}", dir.display())]
    Locked {
        /// The log's directory.
        dir: PathBuf,
        /// The holder's process id as it wrote it, or "unknown".
        holder: String,
    },
    /// A record that had been synced to disk is no longer as it was written. Nothing was changed.
    /// Restore the file from a copy, or take what is whole to another log by
    /// [`salvage`](crate::salvage()).
    #[error("{} line {line} (byte {byte}): {kind}", file.display())]
    Corrupt {
        /// The segment.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Where the line begins, in bytes.
        byte: u64,
        /// What is wrong with it.
        kind: BreakKind,
    },
    /// A record whose JSON is not of the type that the log was opened with. Open it with the type
    /// that it was written with.
    #[error("{} record {seq} is not of the expected type", file.display())]
    Type {
        /// The segment.
        file: PathBuf,
        /// The record.
        seq: Seq,
        /// What the parser says.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The record has no JSON form of one line that can be read back: a raw value with a line break, a
    /// number that is no number (which JSON writes as `null`), values nested more than 127 deep, or a
    /// line above 256 MiB. Nothing was appended.
    #[error("record has no form of one line of JSON that can be read back")]
    Encode(#[source] Arc<io::Error>),
    /// A new log was to be made where there is one. Choose another directory.
    #[error("{} holds a log already", dir.display())]
    Exists {
        /// The directory.
        dir: PathBuf,
    },
    /// A chain was asked for, and the log was begun without one. Open it without, or begin another.
    #[error("log {} was begun without a chain", dir.display())]
    NotChained {
        /// The log's directory.
        dir: PathBuf,
    },
    /// A record was looked for by something that the log was opened without. Open it with an
    /// [`Index`](crate::Index) that has it.
    #[error("log {} has no index by {by}", dir.display())]
    NotIndexed {
        /// The log's directory.
        dir: PathBuf,
        /// What is missing, as in "by *key*".
        by: &'static str,
    },
    /// A log with a compressed file was to be opened for writing. Only archives have such files:
    /// decompress it in its place with the `zstd` tool, or read the directory by
    /// [`verify_log`](crate::verify_log) or [`salvage`](crate::salvage()).
    #[error("{} is compressed: its log cannot be opened for writing", file.display())]
    Compressed {
        /// The file.
        file: PathBuf,
    },
    /// A compressed file was to be read by a program that was built without the means. Build it with
    /// the feature, or decompress the file with the `zstd` tool.
    #[error("{} is compressed, and the cargo feature `zstd` of jsonl-storage is off", file.display())]
    ZstdMissing {
        /// The file.
        file: PathBuf,
    },
    /// The file that is appended to was removed, moved, replaced, cut off or written to by somebody
    /// else. What was acknowledged before is in the file that was there; the records of this commit
    /// are not acknowledged. Restore the directory from a copy, and open the log again.
    #[error("{} is no longer the file that this log writes: {}", path.display(), replaced(*expected, *found))]
    Replaced {
        /// The segment.
        path: PathBuf,
        /// How long it would have to be.
        expected: u64,
        /// How long the file of that name is; `None` when it is gone or another one.
        found: Option<u64>,
    },
    /// The log does not begin with record 1, and does not state that the records before were
    /// removed: somebody cut them off. Restore them from a copy or an archive. If they were retired
    /// by a version that did not state it, accept the beginning once by
    /// [`LogOptions::accept_start`](crate::LogOptions::accept_start).
    #[error("log {} begins with record {first}, and {}", dir.display(), unstated(*stated))]
    CutStart {
        /// The log's directory.
        dir: PathBuf,
        /// Its first record.
        first: Seq,
        /// The last record whose removal it states.
        stated: Option<Seq>,
    },
    /// An index file was damaged since the log was opened. Remove it and open the log again: it is
    /// made anew from the records.
    #[error("index {} is damaged", file.display())]
    Index {
        /// The file.
        file: PathBuf,
    },
    /// An earlier write or sync failed. The kernel may have dropped what it could not write, so a
    /// retry might report a success that never happened: the log refuses appends until it is
    /// opened again, which re-reads what is really there. Reads go on.
    #[error("log {} refuses appends since an earlier failure: {cause}", dir.display())]
    Poisoned {
        /// The log's directory.
        dir: PathBuf,
        /// The first failure, in words.
        cause: String,
    },
}

impl Error {
    pub(crate) fn full(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Full {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}

fn replaced(expected: u64, found: Option<u64>) -> String {
    match found {
        Some(found) => format!("{expected} bytes were written, and it has {found}"),
        None => "it was removed, moved or replaced".to_owned(),
    }
}

fn unstated(stated: Option<Seq>) -> String {
    match stated {
        Some(last) => format!("states the removal of records up to {last} only"),
        None => "does not state that the records before were removed".to_owned(),
    }
}
