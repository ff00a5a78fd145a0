//! What can be wrong with the lines of a log.

use std::fmt;

use crate::format::seq::Seq;

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
    /// It is a whole record, but its hash does not follow from the line before it: one of the two
    /// was altered by someone who made the checksum fit.
    Chain,
    /// The log up to this record is not what it was at a checkpoint, though it is whole in itself:
    /// it was written anew.
    Checkpoint {
        /// The last record of the checkpoint.
        last: Seq,
    },
    /// A checkpoint is of a log with another identity.
    OtherLog,
    /// The log begins with this record, and does not state that those before it were removed; or
    /// states that another record was the last one before it.
    CutStart {
        /// The first record.
        first: Seq,
    },
    /// The record of a checkpoint is not in the log, so that nothing shows that it was.
    CheckpointAbsent {
        /// The checkpoint's record.
        last: Seq,
    },
    /// It is a whole record, and the group that it was written with is not: no hash covers it.
    Unlinked,
    /// It is longer than any line of a log: 256 MiB.
    TooLong,
    /// The file ends within the line.
    Unterminated,
    /// The compressed file is damaged or cut off, at this line of its text or up to 256 KiB of text
    /// behind it. Nothing more of the file can be read.
    Compression,
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
            Self::Chain => f.write_str("altered: its hash does not follow from the line before"),
            Self::Checkpoint { last } => {
                write!(f, "not what it was at the checkpoint of record {last}")
            }
            Self::OtherLog => f.write_str("the checkpoint is of a log with another identity"),
            Self::CutStart { first } => write!(
                f,
                "records before {first} are missing, and the log does not state their removal"
            ),
            Self::CheckpointAbsent { last } => {
                write!(f, "record {last} of the checkpoint is not in the log")
            }
            Self::Unlinked => f.write_str("the group that it was written with is not whole"),
            Self::TooLong => f.write_str("longer than any line of a log"),
            Self::Unterminated => f.write_str("the file ends within the line"),
            Self::Compression => f.write_str("the compressed file is damaged from here on"),
            Self::Missing { expected } => write!(f, "record {expected} is missing"),
        }
    }
}
