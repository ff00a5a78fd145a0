//! An append-only log of JSON lines that acknowledges a record only after it is synced to disk.
//!
//! - [`Log`] is opened on a directory of its own, shared by any number of threads, and appended to
//!   by [`Log::append`] (waits for the disk) or [`Log::submit`] (returns a [`Ticket`] to wait on, in
//!   a thread or in async code). [`Durability`] says what is waited for.
//! - Threads that append at the same time share one sync (*group commit*); a lone thread writes and
//!   syncs by itself and waits for nobody.
//! - A line carries its sequence number, how far the log was synced when it was written, and a
//!   checksum, so that a torn tail is told apart from damage to a record that was acknowledged; in a
//!   log that is [`chained`](LogOptions::chained) also a hash over all before it, for which a
//!   [`Checkpoint`] can be signed and kept elsewhere.
//! - Records are read in order, backwards, from a number, by a time or a key ([`Index`]), and as they
//!   come ([`Log::follow`]). A log is opened by its summaries, not by reading every record.
//! - [`verify_log`] reads a log without opening it, also one that a killed process left behind, and
//!   [`salvage`] takes what is whole out of a damaged one.
//! - The oldest files can be retired and archived ([`Retention`]), with the cargo feature `zstd` also
//!   compressed; [`verify_log`] and [`salvage`] read such an archive like a log.
//! - When the disk is full, what did not fit is refused and the log goes on once there is room; after
//!   any other failed write or sync it refuses appends until it is opened again, and reads go on.
//!
//! ```
//! use jsonl_storage::{Log, LogOptions};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Event { name: String }
//!
//! let dir = tempfile::tempdir()?;
//! let log: Log<Event> = LogOptions::new().open(dir.path())?;
//! let seq = log.append(&Event { name: "created".into() })?; // on disk when this returns
//! log.close()?;
//!
//! let log: Log<Event> = LogOptions::new().open(dir.path())?;
//! let record = log.scan()?.next().expect("one record")?;
//! assert_eq!((record.seq, record.data.name.as_str()), (seq, "created"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The format
//!
//! A directory holds segments `segment-<first sequence number, 20 digits>.jsonl`. A line is
//!
//! ```json
//! {"seq":7,"synced":5,"data":{"name":"created"},"crc":"79d17ff5"}
//! ```
//!
//! where `crc` is the CRC-32C (Castagnoli, RFC 3720 appendix B.4) of the line's bytes before
//! `,"crc":`, in hexadecimal. Every line is JSON: `jq 'select(.log | not).data'` reads it, and so does the
//! `serde_jsonlines` crate (as [`Record`]). Lines with `log` in the place of `data` are what the log
//! states about itself: its identity, and what was removed from its beginning. `FORMAT.md` beside the
//! crate's manifest has the rest.
//!
//! # Unusual inputs
//!
//! | what | in a record that is appended | as bytes in a segment |
//! | --- | --- | --- |
//! | not UTF-8 | cannot be: JSON is text | not a record: torn at the end, corrupt before it |
//! | line break | escaped in a text; [`Error::Encode`] in a raw value | ends a line: the halves are not records |
//! | carriage return, CRLF | escaped in a text; kept in a raw value | corrupt: the checksum is not at the line's end |
//! | NUL bytes | escaped | not a record; zeros at the end are a torn tail |
//! | byte order mark | kept in a text | corrupt before the first record, torn behind the last |
//! | 100 MB in one record | kept; one record may exceed the bounds on the queue | read whole, with memory of that size |
//! | a million empty lines | | not records: set aside at the end, corrupt before it |
//! | a JSON array, or any other JSON | kept as `data` | where a line should be: not a record |
//! | a key that is no text | [`Error::Encode`] | |
//! | a copy of an earlier line | | out of order: set aside at the end, corrupt before it |
//! | NaN, an infinite number | [`Error::Encode`]: JSON has none | |
//! | values nested more than 127 deep | [`Error::Encode`]: no parser would read them | [`Error::Type`] |
//! | a line above 256 MiB | [`Error::Encode`] | not a record; read without keeping it |
//! | a number over 2^64 − 1 | kept in a raw value | in the frame: not a record |

mod log;
mod options;

// The bytes on disk, and the files they lie in.
mod backend;
mod catalog;
mod format;

// Writing and reading.
mod commit;
mod read;

// What happens after a crash, and how a log is proved whole.
mod audit;
mod recover;

mod error;
mod sync;

pub use crate::audit::checkpoint::{Checkpoint, CheckpointError};
pub use crate::audit::keys::{CheckpointKey, CheckpointSigner};
pub use crate::audit::verify::{Break, Doubt, Verified, VerifyOptions, verify_log, verify_log_on};
pub use crate::backend::fs::FsBackend;
pub use crate::backend::{Backend, BackendFile, Lock, LockGuard, OpenMode};
pub use crate::catalog::index::Index;
pub use crate::catalog::retire::{Retention, SegmentInfo};
pub use crate::commit::ticket::Ticket;
pub use crate::error::Error;
pub use crate::format::chain::ChainLink;
pub use crate::format::damage::BreakKind;
pub use crate::format::segment::is_log;
pub use crate::format::seq::Seq;
pub use crate::format::statement::{LogId, LogIdError, Removal};
pub use crate::log::Log;
pub use crate::options::{Durability, IndexedOptions, LogOptions};
pub use crate::read::follow::Follow;
pub use crate::read::point::Matches;
pub use crate::read::scan::{Between, Record, Scan, ScanBack};
pub use crate::recover::Recovery;
pub use crate::recover::repair::TornTail;
pub use crate::recover::salvage::{Run, Salvaged, salvage, salvage_on};

/// The program in the README is compiled and run as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
