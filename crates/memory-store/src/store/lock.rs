//! One store a directory: an advisory lock that the kernel releases when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, IoContext, Result};

const LOCK_FILE: &str = "LOCK";

/// Held while a store is open; dropping it releases the directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    /// Takes the lock and writes the own process id into it, for whoever is refused.
    pub(crate) fn acquire(directory: &Path) -> Result<Self> {
        let path = directory.join(LOCK_FILE);
        // Not truncated here: until the lock is ours, the content names its holder.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .io("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(file, path)),
            Err(TryLockError::Error(source)) => return Err(source).io("lock", &path),
        }
        write_pid(&mut file).io("write", &path)?;
        Ok(Self { file })
    }
}

impl DirectoryLock {
    /// Whether somebody has the store open.
    pub(crate) fn is_held(directory: &Path) -> Result<bool> {
        let path = directory.join(LOCK_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).io("open", &path),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(source).io("lock", &path),
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing alone would not do: a child process that is just being started has a copy of the
        // descriptor until its exec, and would hold the lock with it. If unlocking fails, closing
        // is all that is left.
        let _ = self.file.unlock();
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    write!(file, "{}", std::process::id())
}

fn locked(mut file: File, path: PathBuf) -> Error {
    let mut content = String::new();
    // The holder may be between truncating and writing: then the pid is simply not known.
    let pid = file
        .read_to_string(&mut content)
        .ok()
        .and_then(|_| content.trim().parse().ok());
    Error::Locked { path, pid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_pid_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let held = DirectoryLock::acquire(directory.path()).unwrap();
        let error = DirectoryLock::acquire(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Locked { pid: Some(pid), .. } if pid == std::process::id()));
        drop(held);
        DirectoryLock::acquire(directory.path()).unwrap();
    }
}
