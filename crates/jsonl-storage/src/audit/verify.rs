use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::checkpoint::Checkpoint;
use crate::backend::Backend;
use crate::backend::fs::FsBackend;
use crate::error::Error;
use crate::format::chain::{Link, LinkText};
use crate::format::damage::BreakKind;
use crate::format::segment::{self, Listing, Part, Segment};
use crate::format::seq::Seq;
use crate::format::sidecar::Sidecar;
use crate::read::lines::{Check, Lines, Raw};

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
}

impl Verified {
    /// The breaks in what had been synced: these are losses of acknowledged records. The others
    /// are a torn tail, which the next opening sets aside.
    pub fn corruptions(&self) -> impl Iterator<Item = &Break> {
        let is_loss = |found: &&Break| {
            // Only what is complete, and so on disk, is ever compressed.
            found.after < self.synced || found.kind == BreakKind::Compression
        };
        self.breaks.iter().filter(is_loss)
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
        let promised = self.promised(&*backend, &listing);
        let first = listing.segments.first().map(|segment| segment.first);
        let mut found = Verified {
            segments: listing.segments.len(),
            records: 0,
            last: Seq(first.map_or(0, |first| first.0 - 1)),
            synced: promised.as_ref().map_or(Seq::ZERO, |(_, synced)| *synced),
            chained: false,
            breaks: lost_segments(&*backend, &listing),
        };
        let parts = listing.segments.into_iter().map(Part::whole).collect();
        self.read(&mut found, Lines::new(backend, parts, Check::Chain))?;
        found.breaks.sort_by_key(|found| found.after);
        if let Some((file, synced)) = promised {
            found.expect_up_to(synced, file);
        }
        if self.first_only {
            found.breaks.truncate(1);
        }
        Ok(found)
    }

    fn read(&self, found: &mut Verified, mut lines: Lines) -> Result<(), Error> {
        while let Some(raw) = lines.advance()? {
            let kind = match raw {
                Raw::Whole { seq, synced } => {
                    found.records += 1;
                    found.synced = found.synced.max(synced);
                    found.chained |= lines.link().is_some();
                    let unlike = self.unlike_checkpoint(seq, lines.link());
                    if unlike.is_none() {
                        found.last = seq;
                    }
                    unlike
                }
                Raw::Broken { kind } => Some(kind),
            };
            if let Some(kind) = kind {
                found.breaks.push(Break {
                    file: lines.path(),
                    line: lines.line,
                    byte: lines.byte,
                    after: found.last,
                    kind,
                });
                if self.first_only {
                    break;
                }
            }
        }
        Ok(())
    }

    fn unlike_checkpoint(&self, seq: Seq, link: Option<LinkText>) -> Option<BreakKind> {
        let mut here = self.checkpoints.iter().filter(|point| point.last == seq);
        let unlike = here.any(|point| link != Some(Link(point.hash).text()));
        unlike.then_some(BreakKind::Checkpoint { last: seq })
    }

    /// Up to where it is known from outside of the records that the log was on disk, and the file
    /// that is missing something if it is not: there is a segment only when all before it is on
    /// disk, a sidecar when all that it tells of is, and a checkpoint likewise.
    fn promised(&self, backend: &dyn Backend, listing: &Listing) -> Option<(PathBuf, Seq)> {
        let last = listing.segments.last();
        let before = last.map(|segment| (segment.path.clone(), Seq(segment.first.0 - 1)));
        let noted = listing.sidecars.iter().filter_map(|&first| {
            let segment = Segment::new(backend.dir(), first);
            let sidecar = Sidecar::open(backend, &segment)?;
            Some((segment.path, sidecar.summary.last))
        });
        let end = last.map_or_else(|| backend.dir().to_owned(), |last| last.path.clone());
        let points = self.checkpoints.iter();
        let signed = points.map(|point| (end.clone(), point.last));
        before
            .into_iter()
            .chain(noted)
            .chain(signed)
            .max_by_key(|(_, synced)| *synced)
    }
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
