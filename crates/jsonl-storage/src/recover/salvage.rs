use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::audit::verify::Break;
use crate::backend::fs::FsBackend;
use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::error::Error;
use crate::format::damage::BreakKind;
use crate::format::segment::{self, Part};
use crate::format::seq::Seq;
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
    /// The file with the bytes of the lines that are no records, each ended by a line break, if
    /// there are any.
    pub unreadable: Option<PathBuf>,
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
    let segments = segment::list(&*from)?;
    if !segment::list(&*to)?.is_empty() {
        let dir = to.dir().to_owned();
        return Err(Error::Exists { dir });
    }
    let parts = segments.into_iter().map(Part::whole).collect();
    let mut lines = Lines::new(from, parts, Check::Chain);
    let mut rescue = Rescue::into(to)?;
    while let Some(raw) = lines.advance()? {
        rescue.take(&lines, &raw)?;
    }
    rescue.finish()
}

struct Rescue {
    target: Arc<dyn Backend>,
    log: Log<Box<RawValue>>,
    unreadable: Option<Unreadable>,
    last: Seq,
    found: Salvaged,
}

struct Unreadable {
    path: PathBuf,
    file: Arc<dyn BackendFile>,
    end: u64,
}

impl Rescue {
    fn into(target: Arc<dyn Backend>) -> Result<Self, Error> {
        // All of it is synced at the end; until then the old log is the one that counts.
        let options = LogOptions::new().durability(Durability::Flushed);
        Ok(Self {
            log: options.open_on(Arc::clone(&target))?,
            target,
            unreadable: None,
            last: Seq::ZERO,
            found: Salvaged::default(),
        })
    }

    fn take(&mut self, lines: &Lines, raw: &Raw) -> Result<(), Error> {
        let (record, kind) = match raw {
            Raw::Whole { seq, .. } => (Some(*seq), None),
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
            (Some(seq), Some(data)) => self.keep(seq, data),
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

    fn finish(mut self) -> Result<Salvaged, Error> {
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
