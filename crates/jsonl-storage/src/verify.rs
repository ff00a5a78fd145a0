use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::Backend;
use crate::scan::{Lines, Raw};
use crate::{Error, FsBackend, Seq, segment};

/// What [`verify`] found in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many files the log has.
    pub segments: usize,
    /// How many whole records stand in them, in order.
    pub records: u64,
    /// The number of the last whole record.
    pub last: Seq,
    /// Up to where the records themselves say that the log had been synced.
    pub synced: Seq,
    /// Every place where the log is not as it was written, in order.
    pub breaks: Vec<Break>,
}

impl Verified {
    /// The breaks in what had been synced: these are losses of acknowledged records. The others
    /// are a torn tail, which the next opening sets aside.
    pub fn corruptions(&self) -> impl Iterator<Item = &Break> {
        self.breaks.iter().filter(|found| found.after < self.synced)
    }

    /// Whether every record that had been synced is there and as it was written.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.corruptions().next().is_none()
    }
}

/// One place where a log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The segment.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// Where the line begins, in bytes.
    pub byte: u64,
    /// The last whole record before it.
    pub after: Seq,
    /// What is wrong.
    pub kind: BreakKind,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakKind {
    /// It has no frame of a record, or half of one.
    NotARecord,
    /// Its bytes are not those that were written.
    Checksum {
        /// What the line says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// It is a whole record, at the wrong place: one before it was removed, added or moved.
    OutOfOrder {
        /// The number that belongs here.
        expected: Seq,
        /// The number that stands here.
        found: Seq,
    },
    /// The file ends within the line.
    Unterminated,
    /// The log ends before a record that it said was synced.
    Missing {
        /// The number that belongs here.
        expected: Seq,
    },
}

impl fmt::Display for BreakKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => f.write_str("not a record of this log"),
            Self::Checksum { stored, computed } => {
                write!(
                    f,
                    "altered: checksum {stored:08x} stored, {computed:08x} computed"
                )
            }
            Self::OutOfOrder { expected, found } => {
                write!(f, "out of order: record {expected} expected, {found} found")
            }
            Self::Unterminated => f.write_str("the file ends within the line"),
            Self::Missing { expected } => write!(f, "record {expected} is missing"),
        }
    }
}

/// Reads a log without opening it for writing, and lists every break.
///
/// Changes nothing, and needs no lock: it works on a copy, on what a killed process left behind,
/// and on a log that is being written (whose unsynced end may then look torn).
///
/// # Errors
///
/// [`Error::Io`] when the directory or a segment cannot be read. Damage is no error here, it is
/// the result.
pub fn verify(dir: &Path) -> Result<Verified, Error> {
    verify_on(Arc::new(FsBackend::new(dir)))
}

/// As [`verify`], of a log that is kept in any [`Backend`].
///
/// # Errors
///
/// As [`verify`].
pub fn verify_on(backend: Arc<dyn Backend>) -> Result<Verified, Error> {
    let segments = segment::list(&*backend)?;
    let mut found = Verified {
        segments: segments.len(),
        records: 0,
        last: Seq::ZERO,
        synced: Seq::ZERO,
        breaks: Vec::new(),
    };
    let mut lines = Lines::new(backend, segments);
    while let Some(raw) = lines.advance()? {
        match raw {
            Raw::Whole { seq, synced } => {
                found.records += 1;
                found.last = seq;
                found.synced = found.synced.max(synced);
            }
            Raw::Broken { kind } => found.breaks.push(Break {
                file: lines.path(),
                line: lines.line,
                byte: lines.byte,
                after: found.last,
                kind,
            }),
        }
    }
    Ok(found)
}
