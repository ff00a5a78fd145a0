use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::checkpoint::Checkpoint;
use crate::backend::fs::FsBackend;
use crate::backend::{self, Backend, OpenMode};
use crate::error::Error;
use crate::format::chain::Link;
use crate::format::damage::BreakKind;
use crate::format::segment::{self, Listing, Part, Segment};
use crate::format::seq::Seq;
use crate::format::sidecar::Sidecar;
use crate::format::statement::{LogId, Removal, Statement};
use crate::read::lines::{Check, Lines, Raw};
use crate::recover::start::Beginning;

/// A file with the beginning of an archive is shorter.
const START_BYTES_MAX: usize = 64 << 10;

/// What [`verify_log`] found in a log.
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
    /// Whether its lines carry a hash chain, which was checked then.
    pub chained: bool,
    /// Every place where the log is not as it was written, in order.
    pub breaks: Vec<Break>,
    /// Which log it is; `None` when it does not state that: it has no chain, or was begun by a version
    /// that gave none.
    pub identity: Option<LogId>,
    /// The hash of its last whole record, in a chained log.
    pub head: Option<[u8; 32]>,
    /// What was removed from its beginning, as it states itself, and the number of that statement; 0 in
    /// an archive, which states it in a file of its own.
    pub removed: Option<(Seq, Removal)>,
    /// How many bytes stand behind the last whole record: a torn tail.
    pub torn_bytes: u64,
    /// Index files that are damaged. They are made anew from the records when they are needed.
    pub damaged_indexes: Vec<PathBuf>,
    /// The last record of the newest checkpoint that was compared.
    pub checked_up_to: Option<Seq>,
}

/// Why a log that holds may still not be the whole of what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// Bytes behind the last whole record cannot be read. What they were may have been acknowledged,
    /// in a commit of which no later record told: a journal that was kept elsewhere can tell.
    TornTail {
        /// The last whole record.
        last: Seq,
        /// How many bytes.
        bytes: u64,
    },
    /// The log states the removal of its beginning behind the newest checkpoint, where everybody who
    /// can write to its files can state anything. Take a checkpoint after each removal.
    RemovedAfterCheckpoint {
        /// The statement's number.
        at: Seq,
        /// The last record that was removed.
        last: Seq,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTail { last, bytes } => write!(
                f,
                "whole to record {last}; {bytes} bytes after it cannot be read, and only a journal \
                 tells whether they had been acknowledged"
            ),
            Self::RemovedAfterCheckpoint { at, last } => write!(
                f,
                "the removal of the records up to {last} is stated by record {at}, behind the \
                 checkpoint: whoever can write to the log could have stated it"
            ),
        }
    }
}

impl Verified {
    /// The breaks in what had been synced: these are losses of acknowledged records. The others
    /// are a torn tail, which the next opening sets aside.
    pub fn corruptions(&self) -> impl Iterator<Item = &Break> {
        let is_loss = |found: &&Break| {
            // Only what is complete, and so on disk, is ever compressed.
            found.after < self.synced
                || matches!(
                    found.kind,
                    BreakKind::Compression
                        | BreakKind::Checkpoint { .. }
                        | BreakKind::CheckpointAbsent { .. }
                        | BreakKind::OtherLog
                        | BreakKind::CutStart { .. }
                )
        };
        self.breaks.iter().filter(is_loss)
    }

    /// Why the log may not be the whole of what was acknowledged, although nothing shows that it is
    /// not.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let torn = (self.torn_bytes > 0).then_some(Doubt::TornTail {
            last: self.last,
            bytes: self.torn_bytes,
        });
        let removed = self.removed.as_ref().zip(self.checked_up_to);
        let removed = removed.and_then(|((at, removal), checked)| {
            let last = removal.last;
            (*at > checked).then_some(Doubt::RemovedAfterCheckpoint { at: *at, last })
        });
        torn.into_iter().chain(removed).collect()
    }

    /// Whether every record that is known to have been synced is there and as it was written. See also
    /// [`Verified::doubts`].
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
    /// The line, from 1; 0 when a record is missing behind the last line.
    pub line: u64,
    /// Where the line begins, in bytes; of its text, when the file is compressed.
    pub byte: u64,
    /// The last whole record before it.
    pub after: Seq,
    /// What is wrong.
    pub kind: BreakKind,
}

/// Reads a log without opening it for writing, and lists every break.
///
/// Changes nothing, and needs no lock: it works on a copy, on what a killed process left behind,
/// and on a log that is being written (whose unsynced end may then look torn).
///
/// # Errors
///
/// [`Error::Io`] when the directory or a segment cannot be read, [`Error::ZstdMissing`] when one is
/// compressed and this build cannot read it. Damage is no error here, it is the result.
pub fn verify_log(dir: &Path) -> Result<Verified, Error> {
    VerifyOptions::new().verify(dir)
}

/// As [`verify_log`], of a log that is kept in any [`Backend`].
///
/// # Errors
///
/// As [`verify_log`].
pub fn verify_log_on(backend: Arc<dyn Backend>) -> Result<Verified, Error> {
    VerifyOptions::new().verify_on(backend)
}

/// How a log is verified; [`verify_log`] does it with the defaults.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    first_only: bool,
    checkpoints: Vec<Checkpoint>,
}

impl VerifyOptions {
    /// Starts with every default: all breaks, no checkpoint.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops at the first break.
    #[must_use]
    pub fn first_break_only(mut self) -> Self {
        self.first_only = true;
        self
    }

    /// Expects the log to be what it was at a checkpoint, and perhaps more. May be given for any
    /// number of checkpoints of the same log.
    #[must_use]
    pub fn against(mut self, checkpoint: Checkpoint) -> Self {
        self.checkpoints.push(checkpoint);
        self
    }

    /// As [`verify_log`](crate::verify_log).
    ///
    /// # Errors
    ///
    /// As [`verify_log`](crate::verify_log).
    pub fn verify(&self, dir: &Path) -> Result<Verified, Error> {
        self.verify_on(Arc::new(FsBackend::new(dir)))
    }

    /// As [`verify_log_on`].
    ///
    /// # Errors
    ///
    /// As [`verify_log_on`].
    pub fn verify_on(&self, backend: Arc<dyn Backend>) -> Result<Verified, Error> {
        let listing = segment::listing(&*backend)?;
        let first = listing.segments.first().cloned();
        let promised = promised(&*backend, &listing);
        let mut found = Verified {
            segments: listing.segments.len(),
            records: 0,
            last: Seq(first.as_ref().map_or(0, |first| first.first.0 - 1)),
            synced: promised.as_ref().map_or(Seq::ZERO, |(_, synced)| *synced),
            chained: false,
            breaks: lost_segments(&*backend, &listing),
            identity: None,
            head: None,
            removed: archive_start(&*backend)?.map(|removal| (Seq::ZERO, removal)),
            torn_bytes: 0,
            damaged_indexes: damaged_indexes(&*backend, &listing),
            checked_up_to: self.checkpoints.iter().map(|point| point.last).max(),
        };
        let last = listing.segments.last().cloned();
        let parts = listing.segments.into_iter().map(Part::whole).collect();
        let mut reading = Reading {
            options: self,
            found: &mut found,
            lines: Lines::new(Arc::clone(&backend), parts, Check::Chain),
            linked: Linked::default(),
            beginning: Beginning::default(),
            seen: vec![false; self.checkpoints.len()],
        };
        reading.read()?;
        reading.drop_unlinked();
        reading.check_start(first.as_ref());
        let end = last.as_ref().map_or(backend.dir(), |last| &last.path);
        let signed = reading.check_checkpoints(end);
        found.breaks.sort_by_key(|found| found.after);
        found.synced = found.synced.max(signed);
        let promised = promised.into_iter().chain([(end.to_owned(), signed)]);
        if let Some((file, synced)) = promised.max_by_key(|(_, synced)| *synced) {
            found.expect_up_to(synced, file);
        }
        found.torn_bytes = torn_bytes(&*backend, last.as_ref(), &found)?;
        if self.first_only {
            found.breaks.truncate(1);
        }
        Ok(found)
    }
}

/// A verification under way.
struct Reading<'a> {
    options: &'a VerifyOptions,
    found: &'a mut Verified,
    lines: Lines,
    /// The last record that a link covers, and where the lines behind it begin that none covers.
    linked: Linked,
    /// The first lines, to be held against what the log states about the records before them.
    beginning: Beginning,
    /// Which of the checkpoints' records were met.
    seen: Vec<bool>,
}

#[derive(Default)]
struct Linked {
    last: Seq,
    records: u64,
    /// The first line behind it.
    behind: Option<Break>,
}

impl Reading<'_> {
    fn read(&mut self) -> Result<(), Error> {
        while let Some(raw) = self.lines.advance()? {
            let kind = match raw {
                Raw::Whole { seq, synced } => self.take(seq, synced),
                Raw::Own { seq, synced } => {
                    self.take_statement(seq);
                    // An identity is no record.
                    if seq > Seq::ZERO {
                        self.take(seq, synced)
                    } else {
                        None
                    }
                }
                Raw::Broken { kind } => Some(kind),
            };
            if let Some(kind) = kind {
                let line = Break {
                    file: self.lines.path(),
                    line: self.lines.line,
                    byte: self.lines.byte,
                    after: self.found.last,
                    kind,
                };
                self.found.breaks.push(line);
                if self.options.first_only {
                    break;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, seq: Seq, synced: Seq) -> Option<BreakKind> {
        let link = self.lines.link();
        self.beginning.take(&self.lines);
        let is_behind = self.lines.unlinked() > 0;
        if is_behind && self.linked.behind.is_none() {
            self.linked.behind = Some(Break {
                file: self.lines.path(),
                line: self.lines.line,
                byte: self.lines.byte,
                after: self.found.last,
                kind: BreakKind::Unlinked,
            });
            (self.linked.last, self.linked.records) = (self.found.last, self.found.records);
        } else if !is_behind {
            self.linked.behind = None;
        }
        self.found.records += 1;
        self.found.synced = self.found.synced.max(synced);
        self.found.chained |= link.is_some();
        let mut unlike = None;
        for (point, seen) in self.options.checkpoints.iter().zip(&mut self.seen) {
            if point.last == seq {
                *seen = true;
                if link != Some(Link(point.hash).text()) {
                    unlike = Some(BreakKind::Checkpoint { last: seq });
                }
            }
        }
        if unlike.is_none() {
            self.found.last = seq;
            let link = link.and_then(|link| Link::from_text(&link));
            self.found.head = link.map(|link| link.0).or(self.found.head);
        }
        unlike
    }

    fn take_statement(&mut self, seq: Seq) {
        let Some(statement) = self.lines.statement() else {
            return;
        };
        self.found.identity = self.found.identity.or(statement.identity);
        if let Some(removal) = statement.removed {
            self.found.removed = Some((seq, removal));
        }
    }

    /// Takes back the lines at the end that no link covers: the write of their group was torn.
    fn drop_unlinked(&mut self) {
        let is_behind = self.lines.unlinked() > 0;
        if let Some(behind) = self.linked.behind.take().filter(|_| is_behind) {
            (self.found.last, self.found.records) = (self.linked.last, self.linked.records);
            self.found.breaks.push(behind);
        }
    }

    /// Holds the first record against what the log states of those before it.
    fn check_start(&mut self, first: Option<&Segment>) {
        let Some(first) = first.filter(|segment| segment.first > Seq(1)) else {
            return;
        };
        let is_stated = self.found.removed.as_ref().is_some_and(|(_, removal)| {
            let begins_there = removal.last.next() == first.first;
            // What an interrupted removal leaves is more than it states.
            begins_there && self.beginning.follows(removal) || removal.last >= first.first
        });
        if !is_stated {
            let kind = BreakKind::CutStart { first: first.first };
            let after = Seq(first.first.0 - 1);
            self.push(first.path.clone(), after, kind);
        }
    }

    /// Names each checkpoint that the log has nothing to show for; gives the last record of those that
    /// say more than the log holds.
    fn check_checkpoints(&mut self, file: &Path) -> Seq {
        let mut signed = Seq::ZERO;
        let options = self.options;
        for (point, seen) in options.checkpoints.iter().zip(self.seen.clone()) {
            let is_other = matches!(
                (point.log, self.found.identity),
                (Some(theirs), Some(ours)) if theirs != ours
            );
            let removed = self.found.removed.as_ref();
            let is_stated = removed.is_some_and(|(_, removal)| {
                removal.last == point.last && removal.hash() == Some(point.hash)
            });
            if is_other {
                self.push(file.to_owned(), self.found.last, BreakKind::OtherLog);
            } else if point.last > self.found.last {
                signed = signed.max(point.last);
            } else if !seen && !is_stated {
                let kind = BreakKind::CheckpointAbsent { last: point.last };
                self.push(file.to_owned(), point.last, kind);
            }
        }
        signed
    }

    fn push(&mut self, file: PathBuf, after: Seq, kind: BreakKind) {
        self.found.breaks.push(Break {
            file,
            line: 0,
            byte: 0,
            after,
            kind,
        });
    }
}

/// Up to where it is known from outside of the records that the log was on disk, and the file that is
/// missing something if it is not: there is a segment only when all before it is on disk, and a sidecar
/// when all that it tells of is.
pub(crate) fn promised(backend: &dyn Backend, listing: &Listing) -> Option<(PathBuf, Seq)> {
    let last = listing.segments.last();
    let before = last.map(|segment| (segment.path.clone(), Seq(segment.first.0 - 1)));
    let noted = listing.sidecars.iter().filter_map(|&first| {
        let segment = Segment::new(backend.dir(), first);
        let sidecar = Sidecar::open(backend, &segment)?;
        Some((segment.path, sidecar.summary.last))
    });
    let promises = before.into_iter().chain(noted);
    promises.max_by_key(|(_, synced)| *synced)
}

/// Index files that are not as they were written, byte by byte.
fn damaged_indexes(backend: &dyn Backend, listing: &Listing) -> Vec<PathBuf> {
    let segments = listing.sidecars.iter();
    let segments = segments.map(|&first| Segment::new(backend.dir(), first));
    let is_damaged = |segment: &Segment| {
        let sidecar = Sidecar::open(backend, segment);
        sidecar.is_none_or(|sidecar| !sidecar.is_whole())
    };
    let path = |segment: Segment| backend.dir().join(segment.sidecar_name());
    segments.filter(is_damaged).map(path).collect()
}

/// What an archive states of the records before its first one.
pub(crate) fn archive_start(backend: &dyn Backend) -> Result<Option<Removal>, Error> {
    let path = backend.dir().join(segment::START);
    let file = match backend.open(segment::START, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::io("open", &path))?,
    };
    let mut bytes = vec![0; START_BYTES_MAX];
    let read = backend::read_full_at(&*file, &mut bytes, 0).map_err(Error::io("read", &path))?;
    // One that is damaged states nothing.
    Ok(Statement::parse(&bytes[..read]).and_then(|statement| statement.removed))
}

/// How many bytes stand behind the last whole record, if nothing else is wrong with the end.
fn torn_bytes(
    backend: &dyn Backend,
    last: Option<&Segment>,
    found: &Verified,
) -> Result<u64, Error> {
    let in_last = |torn: &&Break| {
        last.is_some_and(|last| torn.file == last.path)
            && torn.line > 0
            && torn.after >= found.synced
    };
    let Some((torn, last)) = found.breaks.iter().find(in_last).zip(last) else {
        return Ok(0);
    };
    let file = backend.open(&last.name, OpenMode::Read);
    let size = file.and_then(|file| file.size());
    let size = size.map_err(Error::io("examine", &last.path))?;
    Ok(size.saturating_sub(torn.byte))
}

/// The segments of which only the sidecar is left.
fn lost_segments(backend: &dyn Backend, listing: &Listing) -> Vec<Break> {
    let lost = listing.sidecars.iter().filter_map(|&first| {
        let segment = Segment::new(backend.dir(), first);
        (!listing.has_segment(first) && Sidecar::open(backend, &segment).is_some()).then(|| Break {
            file: segment.path,
            line: 0,
            byte: 0,
            after: Seq(first.0 - 1),
            kind: BreakKind::Missing { expected: first },
        })
    });
    lost.collect()
}

impl Verified {
    /// Adds a break when the log ends early, unless there is one at its end already.
    fn expect_up_to(&mut self, synced: Seq, file: PathBuf) {
        let broken_end = self
            .breaks
            .last()
            .is_some_and(|found| found.after >= self.last);
        if self.last < synced && !broken_end {
            self.breaks.push(Break {
                file,
                line: 0,
                byte: 0,
                after: self.last,
                kind: BreakKind::Missing {
                    expected: self.last.next(),
                },
            });
        }
    }
}
