//! What an opening changes: a torn tail is moved aside, and what may not be on disk is put there.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::error::Error;
use crate::format::segment::{self, Tear};

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

/// Copies the torn bytes to a side file, makes that durable, and only then cuts them off.
pub(crate) fn set_aside(backend: &dyn Backend, tear: &Tear) -> Result<TornTail, Error> {
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

/// Writes the bytes of a range over themselves.
pub(crate) fn rewrite(file: &dyn BackendFile, mut from: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while from < end {
        let left = usize::try_from(end - from).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let read = backend::read_full_at(file, &mut buffer[..length], from)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        backend::write_all_at(file, &buffer[..read], from)?;
        from += read as u64;
    }
    Ok(())
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

/// `torn-<segment>-<byte>.<n>.bin`, never one that exists.
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
