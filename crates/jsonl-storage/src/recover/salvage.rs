use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::audit::verify::{self, Break};
use crate::backend::fs::FsBackend;
use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::error::Error;
use crate::format::damage::BreakKind;
use crate::format::segment::{self, Part};
use crate::format::seq::Seq;
use crate::format::statement::Removal;
use crate::log::Log;
use crate::options::{Durability, LogOptions};
use crate::read::lines::{Check, Lines, Raw};

/// Where [`salvage`] puts the lines that are no records.
const UNREADABLE: &str = "salvage-unreadable.bin";

/// What [`salvage`] kept and what it could not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Salvaged {
    /// How many records the new log has.
    pub kept: u64,
    /// Which number each of them has there, in order.
    pub runs: Vec<Run>,
    /// Every place where the old log is not as it was written, in order. Records that are whole
    /// but out of order, or whose hash does not follow, are listed here and kept as well.
    pub breaks: Vec<Break>,
    /// The numbers of the old log that no kept record has, in order: damaged records, and those that
    /// are missing at the beginning, in the middle or at the end.
    pub missing: Vec<RangeInclusive<u64>>,
    /// What was removed from the beginning of the old log, as it states itself: these records are not
    /// missing.
    pub removed: Option<Removal>,
    /// The file with the bytes of the lines that are no records, each ended by a line break, if
    /// there are any.
    pub unreadable: Option<PathBuf>,
}

impl Salvaged {
    /// Whether the new log has every record that the old one is known to have had.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.breaks.is_empty() && self.missing.is_empty()
    }
}

/// Records that stood next to one another, and still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The number of the first one in the old log.
    pub was: Seq,
    /// Its number in the new one.
    pub is: Seq,
    /// How many there are.
    pub records: u64,
}

/// Copies every record that is whole from a damaged log to a new one in another directory, and
/// lists every place that is damaged. The old log is only read.
///
/// The new log numbers its records from 1, without gaps; the old numbers are in the result. Lines
/// that are no records are kept byte by byte in a file beside it. Nobody should write to the old
/// log meanwhile.
///
/// # Errors
///
/// [`Error::Exists`] when there is a log in the new directory, [`Error::Io`] when the old one
/// cannot be read, and as [`Log::append`] of the new one. Damage is no error here.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, Error> {
    let target = FsBackend::create(to).map_err(Error::io("create directory", to))?;
    salvage_on(Arc::new(FsBackend::new(from)), Arc::new(target))
}

/// As [`salvage`], between any two [`Backend`]s.
///
/// # Errors
///
/// As [`salvage`].
pub fn salvage_on(from: Arc<dyn Backend>, to: Arc<dyn Backend>) -> Result<Salvaged, Error> {
    let listing = segment::listing(&*from)?;
    let promised = verify::promised(&*from, &listing).map_or(Seq::ZERO, |(_, last)| last);
    let removed = verify::archive_start(&*from)?;
    let segments = listing.segments;
    if !segment::list(&*to)?.is_empty() {
        let dir = to.dir().to_owned();
        return Err(Error::Exists { dir });
    }
    let parts: Vec<_> = segments.into_iter().map(Part::whole).collect();
    let chain = chain(&from, &parts)?;
    let mut lines = Lines::new(from, parts, Check::Chain);
    let mut rescue = Rescue::into(to, chain)?;
    rescue.found.removed = removed;
    while let Some(raw) = lines.advance()? {
        rescue.take(&lines, &raw)?;
    }
    rescue.finish(promised)
}

/// The options of a log that is chained as an old one is, as far as its first whole line tells.
fn chain(backend: &Arc<dyn Backend>, parts: &[Part]) -> Result<LogOptions, Error> {
    let plain = LogOptions::new();
    let mut lines = Lines::new(Arc::clone(backend), parts.to_vec(), Check::Lines);
    while let Some(raw) = lines.advance()? {
        let own = match raw {
            Raw::Broken { .. } => continue,
            Raw::Own { .. } => lines.statement(),
            Raw::Whole { .. } => None,
        };
        let in_groups = own.is_some_and(|own| own.in_groups);
        return Ok(match lines.link() {
            None => plain,
            Some(_) if in_groups => plain.chained().chained_in_groups(),
            Some(_) => plain.chained(),
        });
    }
    Ok(plain)
}

struct Rescue {
    target: Arc<dyn Backend>,
    log: Log<Box<RawValue>>,
    unreadable: Option<Unreadable>,
    last: Seq,
    /// The numbers of what the old log states about itself.
    own: Vec<Seq>,
    found: Salvaged,
}

struct Unreadable {
    path: PathBuf,
    file: Arc<dyn BackendFile>,
    end: u64,
}

impl Rescue {
    fn into(target: Arc<dyn Backend>, options: LogOptions) -> Result<Self, Error> {
        // All of it is synced at the end; until then the old log is the one that counts.
        let options = options.durability(Durability::Flushed);
        Ok(Self {
            log: options.open_on(Arc::clone(&target))?,
            target,
            unreadable: None,
            last: Seq::ZERO,
            own: Vec::new(),
            found: Salvaged::default(),
        })
    }

    fn take(&mut self, lines: &Lines, raw: &Raw) -> Result<(), Error> {
        let (record, kind) = match raw {
            Raw::Whole { seq, .. } => (Some(*seq), None),
            Raw::Own { seq, .. } => {
                let statement = lines.statement();
                let removed = statement.and_then(|statement| statement.removed);
                self.found.removed = removed.or(self.found.removed.take());
                self.own.push(*seq);
                return Ok(());
            }
            Raw::Broken { kind } => (lines.seq_of_broken(), Some(*kind)),
        };
        let data: Option<Box<RawValue>> =
            record.and_then(|_| serde_json::from_slice(lines.data()).ok());
        let kind = match &data {
            // The checksum of a line can fit though what was appended is no JSON.
            None => Some(kind.unwrap_or(BreakKind::NotARecord)),
            Some(_) => kind,
        };
        if let Some(kind) = kind {
            self.found.breaks.push(Break {
                file: lines.path(),
                line: lines.line,
                byte: lines.byte,
                after: self.last,
                kind,
            });
        }
        match (record, data) {
            (Some(seq), Some(data)) => match self.keep(seq, data) {
                // Written by a version that took what cannot be read back.
                Err(Error::Encode(_)) => self.set_aside(lines.text()),
                kept => kept,
            },
            // There is half a line before the damage, or nothing.
            _ if kind == Some(BreakKind::Compression) && lines.text().is_empty() => Ok(()),
            _ => self.set_aside(lines.text()),
        }
    }

    fn keep(&mut self, was: Seq, data: Box<RawValue>) -> Result<(), Error> {
        let is = self.log.append(&data)?;
        match self.found.runs.last_mut() {
            Some(run) if was.0 == run.was.0 + run.records => run.records += 1,
            _ => self.found.runs.push(Run {
                was,
                is,
                records: 1,
            }),
        }
        self.found.kept += 1;
        self.last = was;
        Ok(())
    }

    fn set_aside(&mut self, text: &[u8]) -> Result<(), Error> {
        if self.unreadable.is_none() {
            let path = self.target.dir().join(UNREADABLE);
            let file = self
                .target
                .open(UNREADABLE, OpenMode::CreateNew)
                .map_err(Error::io("create", &path))?;
            self.unreadable = Some(Unreadable { path, file, end: 0 });
        }
        if let Some(unreadable) = &mut self.unreadable {
            let path = unreadable.path.clone();
            unreadable.push(text).map_err(Error::io("write", &path))?;
        }
        Ok(())
    }

    /// The numbers up to the last one that is promised which no kept record has.
    fn missing(&self, promised: Seq) -> Vec<RangeInclusive<u64>> {
        let runs = self.found.runs.iter();
        let kept = runs.map(|run| run.was.0..=run.was.0 + (run.records - 1));
        let own = self.own.iter().map(|seq| seq.0..=seq.0);
        let removed = self.found.removed.iter().map(|removed| 1..=removed.last.0);
        let mut known: Vec<_> = kept.chain(own).chain(removed).collect();
        known.sort_by_key(|range| *range.start());
        let mut missing = Vec::new();
        let mut next = 1;
        for range in known {
            if *range.start() > next {
                missing.push(next..=range.start() - 1);
            }
            next = next.max(range.end().saturating_add(1));
        }
        if next <= promised.0 {
            missing.push(next..=promised.0);
        }
        missing
    }

    fn finish(mut self, promised: Seq) -> Result<Salvaged, Error> {
        self.found.missing = self.missing(promised);
        self.log.close()?;
        if let Some(unreadable) = self.unreadable {
            unreadable
                .file
                .sync_data()
                .map_err(Error::io("sync", &unreadable.path))?;
            segment::sync_dir(&*self.target)?;
            self.found.unreadable = Some(unreadable.path);
        }
        Ok(self.found)
    }
}

impl Unreadable {
    fn push(&mut self, text: &[u8]) -> io::Result<()> {
        backend::write_all_at(&*self.file, text, self.end)?;
        self.end += text.len() as u64;
        backend::write_all_at(&*self.file, b"\n", self.end)?;
        self.end += 1;
        Ok(())
    }
}
