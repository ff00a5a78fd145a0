//! Where a log keeps its bytes: the few operations that it asks of a file system.
//!
//! Everything in this crate goes through [`Backend`], so that the same log runs over the real file
//! system and over a simulated one that crashes, tears writes, fails syncs and fills up.

pub(crate) mod fs;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// One directory, with flat file names in it.
///
/// What an implementation owes to the log is what POSIX gives:
///
/// - what [`BackendFile::write_at`] wrote is seen by every later [`BackendFile::read_at`], but
///   survives a crash only after [`BackendFile::sync_data`]; until then any part of it may survive,
///   in any order, and also a part of a length set by [`BackendFile::set_len`];
/// - a file that was created, renamed or removed survives a crash under its new name only after
///   [`Backend::sync_dir`].
pub trait Backend: fmt::Debug + Send + Sync {
    /// The directory, as it shall stand in messages.
    fn dir(&self) -> &Path;

    /// The names of the files in it, in any order. Names that are not UTF-8 may be left out.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] and [`io::ErrorKind::AlreadyExists`] where [`OpenMode`] says so,
    /// and whatever else prevents it.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>>;

    /// Gives a file another name, replacing what had it, as one step.
    ///
    /// # Errors
    ///
    /// When there is no such file, or the directory cannot be changed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Handles that are open keep what they had.
    ///
    /// # Errors
    ///
    /// When there is no such file, or the directory cannot be changed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns when the names in the directory are as durable as the files.
    ///
    /// # Errors
    ///
    /// When that cannot be said.
    fn sync_dir(&self) -> io::Result<()>;

    /// Gives 16 bytes that no other log has, for the identity of a new one. By default, random bytes
    /// of the system. With `None` the log has no identity, as in version 1 of the format.
    ///
    /// # Errors
    ///
    /// When there are none.
    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        random_identity().map(Some)
    }

    /// Tries to become the only writer, until the guard is dropped or the process ends.
    ///
    /// # Errors
    ///
    /// When it cannot be told whether there is another one.
    fn lock(&self) -> io::Result<Lock>;
}

/// An open file. Reads and writes say where, so one handle serves any number of threads.
pub trait BackendFile: fmt::Debug + Send + Sync {
    /// Reads some bytes from `offset` on; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of the bytes at `offset`, and says how many; the caller goes on with the rest.
    ///
    /// # Errors
    ///
    /// When none could be written. [`io::ErrorKind::StorageFull`],
    /// [`io::ErrorKind::QuotaExceeded`] and [`io::ErrorKind::FileTooLarge`] mean that there is no
    /// room; the log then takes the write back and can go on later.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file off, or fills it up with zeros.
    ///
    /// # Errors
    ///
    /// When its length is as before.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns when the bytes, and what is needed to find them in the file, are durable.
    ///
    /// # Errors
    ///
    /// When that cannot be said. The log never asks a second time.
    fn sync_data(&self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be found out.
    fn size(&self) -> io::Result<u64>;

    /// The length of the file if its name still leads to it, and `None` if the file was removed,
    /// moved or replaced. Asked after each commit. By default, the length: for backends in which
    /// nobody else can do that.
    ///
    /// # Errors
    ///
    /// When it cannot be found out.
    fn named_size(&self) -> io::Result<Option<u64>> {
        self.size().map(Some)
    }
}

/// What [`Backend::open`] is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To read a file that exists.
    Read,
    /// To read and write a file that exists.
    Write,
    /// To read and write a file that must not exist yet.
    CreateNew,
}

/// The answer to [`Backend::lock`].
#[derive(Debug)]
pub enum Lock {
    /// There is no other writer for as long as this lives.
    Held(Box<dyn LockGuard>),
    /// There is another one.
    Taken {
        /// Its process id as it wrote it, or "unknown".
        holder: String,
    },
}

/// Whatever gives the lock free when it is dropped.
pub trait LockGuard: fmt::Debug + Send + Sync {}

impl<T: fmt::Debug + Send + Sync> LockGuard for T {}

fn random_identity() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

/// Whether an error means that there is no room now.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Writes all bytes at `offset`.
pub(crate) fn write_all_at(
    file: &dyn BackendFile,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends, and says how much that was.
pub(crate) fn read_full_at(
    file: &dyn BackendFile,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A file up to a length that it is known to have, as a stream.
pub(crate) struct Contents<'a> {
    pub(crate) file: &'a dyn BackendFile,
    pub(crate) at: u64,
    pub(crate) end: u64,
}

impl io::Read for Contents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// Writes to a new file from its beginning, as a stream.
pub(crate) struct Appender<'a> {
    file: &'a dyn BackendFile,
    at: u64,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(file: &'a dyn BackendFile) -> Self {
        Self { file, at: 0 }
    }
}

impl io::Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
