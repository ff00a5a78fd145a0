//! A disk in memory for the tests of this crate: cut off at any byte, out of order on demand, and
//! fast enough for races by the hundred thousand.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonl_storage::{Backend, BackendFile, Lock, OpenMode};

/// Everything that was written is durable at once. A copy is another handle to the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    broken: bool,
}

impl Disk {
    /// A disk with these files.
    pub(crate) fn with(files: BTreeMap<String, Vec<u8>>) -> Self {
        let broken = false;
        Self(Arc::new(Mutex::new(State { files, broken })))
    }

    /// What a machine that is cut off now would leave.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().files.clone()
    }

    /// From now on nothing is written.
    pub(crate) fn fail(&self) {
        self.state().broken = true;
    }

    /// From now on it works again.
    pub(crate) fn repair(&self) {
        self.state().broken = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.broken {
            return Err(io::Error::other("the disk is broken"));
        }
        Ok(state)
    }
}

impl Backend for Disk {
    fn dir(&self) -> &Path {
        Path::new("/memory")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let mut state = self.state();
        match (mode, state.files.contains_key(name)) {
            (OpenMode::CreateNew, true) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateNew, false) => {
                state.files.insert(name.to_owned(), Vec::new());
            }
            (_, false) => return Err(io::ErrorKind::NotFound.into()),
            (_, true) => {}
        }
        let (disk, name) = (self.clone(), name.to_owned());
        Ok(Arc::new(File { disk, name }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.working()?;
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.working()?.files.remove(name);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.working().map(drop)
    }

    fn lock(&self) -> io::Result<Lock> {
        Ok(Lock::Held(Box::new(())))
    }
}

#[derive(Debug)]
struct File {
    disk: Disk,
    name: String,
}

impl BackendFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let content = state.files.get(&self.name).ok_or(io::ErrorKind::NotFound)?;
        let rest = content.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.working()?;
        let content = state.files.entry(self.name.clone()).or_default();
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.working()?;
        let content = state.files.entry(self.name.clone()).or_default();
        content.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.working().map(drop)
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        Ok(state.files.get(&self.name).map_or(0, Vec::len) as u64)
    }
}
