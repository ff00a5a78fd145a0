use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

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
    pub(crate) file: File,
    pub(crate) end: u64,
}

/// Checks every record, sets a torn tail aside, and opens the last segment for appending.
pub(crate) fn recover(dir: &Path) -> Result<(Recovery, Tail), Error> {
    let mut segments = segment::list(dir)?;
    let mut recovery = Recovery::default();
    let tear = read_all(segments.clone(), &mut recovery)?;
    if let Some(tear) = tear {
        recovery.torn = Some(set_aside(dir, &tear)?);
    }
    let (segment, created) = match segments.pop() {
        Some(last) => (last, false),
        None => (Segment::new(dir, Seq(1)), true),
    };
    let path = &segment.path;
    let file = OpenOptions::new()
        .append(true)
        .create(created)
        .open(path)
        .map_err(Error::io("open", path))?;
    // Records that a killed process wrote but did not sync are about to be taken for part of the
    // log: they must be on disk before anything is built on them.
    file.sync_all().map_err(Error::io("sync", path))?;
    segment::sync_dir(dir)?;
    let end = file.metadata().map_err(Error::io("examine", path))?.len();
    Ok((recovery, Tail { segment, file, end }))
}

/// Where a tail is torn.
struct Tear {
    path: PathBuf,
    line: u64,
    byte: u64,
}

fn read_all(segments: Vec<Segment>, recovery: &mut Recovery) -> Result<Option<Tear>, Error> {
    let mut lines = Lines::new(segments);
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
                let (path, line, byte) = (lines.path(), lines.line, lines.byte);
                first_break.get_or_insert((Tear { path, line, byte }, kind));
            }
        }
    }
    match first_break {
        // Something was damaged after it had been synced: that is no torn tail.
        Some((tear, kind)) if recovery.last < synced => Err(Error::Corrupt {
            file: tear.path,
            line: tear.line,
            byte: tear.byte,
            kind,
        }),
        first_break => Ok(first_break.map(|(tear, _)| tear)),
    }
}

/// Copies the torn bytes to a side file, makes that durable, and only then cuts them off.
fn set_aside(dir: &Path, tear: &Tear) -> Result<TornTail, Error> {
    let path = &tear.path;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    let (kept_in, mut side) = create_side_file(dir, tear)?;
    file.seek(SeekFrom::Start(tear.byte))
        .map_err(Error::io("read", path))?;
    let bytes = io::copy(&mut file.by_ref().take(u64::MAX), &mut side)
        .map_err(Error::io("write", &kept_in))?;
    side.sync_all().map_err(Error::io("sync", &kept_in))?;
    segment::sync_dir(dir)?;
    file.set_len(tear.byte)
        .map_err(Error::io("cut the torn end of", path))?;
    file.sync_all().map_err(Error::io("sync", path))?;
    Ok(TornTail {
        segment: path.clone(),
        line: tear.line,
        byte: tear.byte,
        bytes,
        kept_in,
    })
}

/// `torn-<segment>-<byte>[.n].bin`, never one that exists.
fn create_side_file(dir: &Path, tear: &Tear) -> Result<(PathBuf, File), Error> {
    let stem = tear
        .path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for attempt in 0u32.. {
        let path = dir.join(format!("torn-{stem}-{}.{attempt}.bin", tear.byte));
        match fs::File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
    unreachable!("a directory holds fewer than 2^32 files")
}
