//! The real file system as a [`Backend`].

use std::ffi::CString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::backend::{Backend, BackendFile, Lock, OpenMode, random_identity};

/// The file that the lock is on.
const LOCK: &str = "LOCK";

/// A directory of the real file system.
#[derive(Debug, Clone)]
pub struct FsBackend {
    dir: PathBuf,
    identity: Identity,
}

/// What logs that are begun have for an identity.
#[derive(Debug, Clone, Copy)]
enum Identity {
    Random,
    Fixed([u8; 16]),
    None,
}

impl FsBackend {
    /// Names a directory that exists.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            identity: Identity::Random,
        }
    }

    /// Gives a log that is begun in it this identity (default: a random one), for whoever compares
    /// files byte by byte. Two logs with one identity cannot be told apart.
    #[must_use]
    pub fn with_identity(mut self, identity: [u8; 16]) -> Self {
        self.identity = Identity::Fixed(identity);
        self
    }

    /// Gives a log that is begun in it no identity, so that it has version 1 of the format, which
    /// earlier versions read.
    #[must_use]
    pub fn without_identity(mut self) -> Self {
        self.identity = Identity::None;
        self
    }

    /// Makes a directory, if it is missing, with the ones above it, and its name durable.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(dir: impl Into<PathBuf>) -> io::Result<Self> {
        let dir = dir.into();
        if !dir.is_dir() {
            // Each new name has to be synced in the directory above it.
            let missing: Vec<_> = dir.ancestors().take_while(|path| !path.is_dir()).collect();
            fs::create_dir_all(&dir)?;
            for made in missing {
                sync_dir(parent(made))?;
            }
        }
        Ok(Self::new(dir))
    }
}

impl Backend for FsBackend {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew);
        let (file, metadata) = open_regular(&options, &path)?;
        // Absolute, so that it stays right when the process changes its directory.
        let path = std::path::absolute(path)?;
        Ok(Arc::new(FsFile {
            file,
            path: CString::new(path.into_os_string().into_vec())?,
            id: (metadata.dev(), metadata.ino()),
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_dir(&self.dir)
    }

    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        match self.identity {
            Identity::Random => random_identity().map(Some),
            Identity::Fixed(identity) => Ok(Some(identity)),
            Identity::None => Ok(None),
        }
    }

    /// An advisory lock, which the kernel gives free when the process ends in whatever way.
    fn lock(&self) -> io::Result<Lock> {
        Ok(match HeldLock::take(&self.dir)? {
            Ok(held) => Lock::Held(Box::new(held)),
            Err(holder) => Lock::Taken { holder },
        })
    }
}

/// The file that is locked.
#[derive(Debug)]
struct HeldLock(File);

impl HeldLock {
    /// Locks a directory, or says who has it.
    fn take(dir: &Path) -> io::Result<Result<Self, String>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let (mut file, _) = open_regular(&options, &dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Err(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The number only helps whoever finds the lock taken, so a full disk does not matter.
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        Ok(Ok(Self(file)))
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Closing alone would not do: a child process that is just being started has a copy of the descriptor
        // until its exec, and would hold the lock with it. If unlocking fails, closing is all that is left.
        let _ = self.0.unlock();
    }
}

/// Opens a file of the directory itself: a pipe would never end, a device may be endless, and a
/// symbolic link can lead out of the directory.
fn open_regular(options: &OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    // Without `NONBLOCK`, opening a pipe waits for somebody at its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).expect("flags of the system fit its own type");
    let unfit = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let file = match options.clone().custom_flags(flags).open(path) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
            return Err(unfit(
                "a symbolic link, and a log's file has to be in its directory",
            ));
        }
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(unfit("not a regular file, as a log's has to be"))
    }
}

#[derive(Debug)]
struct FsFile {
    file: File,
    /// In the form that the system takes: asked for at each commit.
    path: CString,
    /// Device and inode.
    id: (u64, u64),
}

impl BackendFile for FsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    fn named_size(&self) -> io::Result<Option<u64>> {
        // Not `fs::symlink_metadata`, which makes the path anew and asks for more than is compared here.
        match rustix::fs::lstat(self.path.as_c_str()) {
            Ok(named) if (named.st_dev, named.st_ino) == self.id => u64::try_from(named.st_size)
                .map(Some)
                .map_err(io::Error::other),
            Ok(_) => Ok(None),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_in_a_child_that_is_being_started_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let held = HeldLock::take(dir.path()).unwrap().unwrap();
        let copy = held.0.try_clone().unwrap();
        let holder = HeldLock::take(dir.path()).unwrap().unwrap_err();
        assert_eq!(holder, std::process::id().to_string());
        drop(held);
        let again = HeldLock::take(dir.path()).unwrap();
        assert!(again.is_ok(), "{again:?}");
        drop(copy);
    }
}
