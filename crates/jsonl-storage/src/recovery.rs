use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::scan::{Lines, Raw};
use crate::segment::{self, Segment};
use crate::{BreakKind, Error, Seq};

/// What opening a log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// How many records it holds.
    pub records: u64,
    /// The number of the last one.
    pub last: Seq,
    /// What was set aside, if the last writer ended in the middle of a write.
    pub torn: Option<TornTail>,
}

/// The end of a log that never was acknowledged, moved out of the way of what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment that it stood at the end of.
    pub segment: PathBuf,
    /// The line at which it began, from 1.
    pub line: u64,
    /// The byte at which it began.
    pub byte: u64,
    /// How many bytes it had.
    pub bytes: u64,
    /// Where these bytes are now.
    pub kept_in: PathBuf,
}

/// Where the log goes on.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) segment: Segment,
    pub(crate) file: Arc<dyn BackendFile>,
    pub(crate) end: u64,
    /// Up to where it is known to be durable; at most `end`.
    pub(crate) synced: u64,
}

/// Checks every record, sets a torn tail aside, and opens the last segment for appending.
pub(crate) fn recover(backend: &Arc<dyn Backend>) -> Result<(Recovery, Tail), Error> {
    let mut segments = segment::list(&**backend)?;
    let mut recovery = Recovery::default();
    let lines = Lines::new(Arc::clone(backend), segments.clone());
    let tear = read_all(lines, &mut recovery)?;
    if let Some(tear) = tear {
        recovery.torn = Some(set_aside(&**backend, &tear)?);
    }
    let (segment, mode) = match segments.pop() {
        Some(last) => (last, OpenMode::Write),
        None => (Segment::new(backend.dir(), Seq(1)), OpenMode::CreateNew),
    };
    let path = &segment.path;
    let file = backend
        .open(&segment.name, mode)
        .map_err(Error::io("open", path))?;
    // Records that a killed process wrote but did not sync are about to be taken for part of the
    // log: they must be on disk before anything is built on them.
    file.sync_data().map_err(Error::io("sync", path))?;
    segment::sync_dir(&**backend)?;
    let end = file.size().map_err(Error::io("examine", path))?;
    let synced = end;
    let tail = Tail {
        segment,
        file,
        end,
        synced,
    };
    Ok((recovery, tail))
}

/// Where a tail is torn.
#[derive(Debug)]
pub(crate) struct Tear {
    pub(crate) segment: Segment,
    pub(crate) line: u64,
    pub(crate) byte: u64,
}

fn read_all(mut lines: Lines, recovery: &mut Recovery) -> Result<Option<Tear>, Error> {
    let mut first_break: Option<(Tear, BreakKind)> = None;
    let mut synced = Seq::ZERO;
    while let Some(raw) = lines.advance()? {
        match raw {
            // Whole records count even behind a break: their marks tell how far the disk had got.
            Raw::Whole { seq, synced: mark } => {
                synced = synced.max(mark);
                if first_break.is_none() {
                    recovery.records += 1;
                    recovery.last = seq;
                }
            }
            Raw::Broken { kind } => {
                first_break.get_or_insert_with(|| (lines.tear(), kind));
            }
        }
    }
    match first_break {
        // Something was damaged after it had been synced: that is no torn tail.
        Some((tear, kind)) if recovery.last < synced => Err(Error::Corrupt {
            file: tear.segment.path,
            line: tear.line,
            byte: tear.byte,
            kind,
        }),
        first_break => Ok(first_break.map(|(tear, _)| tear)),
    }
}

/// Copies the torn bytes to a side file, makes that durable, and only then cuts them off.
fn set_aside(backend: &dyn Backend, tear: &Tear) -> Result<TornTail, Error> {
    let path = &tear.segment.path;
    let file = backend
        .open(&tear.segment.name, OpenMode::Write)
        .map_err(Error::io("open", path))?;
    let end = file.size().map_err(Error::io("examine", path))?;
    let (kept_in, side) = create_side_file(backend, tear)?;
    copy(&*file, tear.byte, &*side).map_err(Error::io("write", &kept_in))?;
    side.sync_data().map_err(Error::io("sync", &kept_in))?;
    segment::sync_dir(backend)?;
    file.set_len(tear.byte)
        .map_err(Error::io("cut the torn end of", path))?;
    file.sync_data().map_err(Error::io("sync", path))?;
    Ok(TornTail {
        segment: path.clone(),
        line: tear.line,
        byte: tear.byte,
        bytes: end - tear.byte,
        kept_in,
    })
}

/// Copies from `start` to the end.
fn copy(from: &dyn BackendFile, start: u64, to: &dyn BackendFile) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        let read = backend::read_full_at(from, &mut buffer, start + copied)?;
        if read == 0 {
            return Ok(());
        }
        backend::write_all_at(to, &buffer[..read], copied)?;
        copied += read as u64;
    }
}

/// `torn-<segment>-<byte>[.n].bin`, never one that exists.
fn create_side_file(
    backend: &dyn Backend,
    tear: &Tear,
) -> Result<(PathBuf, Arc<dyn BackendFile>), Error> {
    let stem = tear.segment.name.trim_end_matches(".jsonl");
    for attempt in 0u32.. {
        let name = format!("torn-{stem}-{}.{attempt}.bin", tear.byte);
        let path = backend.dir().join(&name);
        match backend.open(&name, OpenMode::CreateNew) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
    unreachable!("a directory holds fewer than 2^32 files")
}
