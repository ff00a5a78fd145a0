//! Files that only their owner reads, whatever the umask lets through: they hold who asked for what.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use jsonl_storage::{Backend, BackendFile, FsBackend, Lock, OpenMode};

/// The file that [`FsBackend`] locks.
const LOCK: &str = "LOCK";

/// A directory of the real file system; what is created in it is created private.
#[derive(Debug)]
pub(crate) struct PrivateFiles(FsBackend);

impl PrivateFiles {
    /// Makes a directory for its owner alone, if it is missing, and its name durable.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
            let above = FsBackend::create(above.unwrap_or(Path::new(".")))?;
            DirBuilder::new().mode(0o700).create(dir)?;
            above.sync_dir()?;
        }
        Ok(Self(FsBackend::new(dir)))
    }

    fn touch(&self, name: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(self.0.dir().join(name)).map(drop)
    }
}

impl Backend for PrivateFiles {
    fn dir(&self) -> &Path {
        self.0.dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        if mode == OpenMode::CreateNew {
            self.touch(name)?;
            return self.0.open(name, OpenMode::Write);
        }
        self.0.open(name, mode)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }

    fn lock(&self) -> io::Result<Lock> {
        match self.touch(LOCK) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.0.lock(),
        }
    }
}
