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
    /// After how many bytes the machine goes down; none if never.
    bytes_left: Option<usize>,
    /// For how many more bytes there is room; none if for any number.
    room: Option<usize>,
    fails_to_sync: bool,
    syncs: usize,
}

impl Disk {
    /// A disk with these files.
    pub(crate) fn with(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self(Arc::new(Mutex::new(State {
            files,
            ..State::default()
        })))
    }

    /// What a machine that is cut off now would leave.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().files.clone()
    }

    /// After so many more bytes the machine goes down, in the middle of a write if need be.
    pub(crate) fn fail_after(&self, bytes: usize) {
        self.state().bytes_left = Some(bytes);
    }

    /// From now on nothing is written.
    pub(crate) fn fail(&self) {
        self.state().broken = true;
    }

    /// After so many more bytes there is no room, until it is repaired.
    pub(crate) fn fill_after(&self, bytes: usize) {
        self.state().room = Some(bytes);
    }

    /// From now on it takes what is written, and does not say that it is there to stay.
    pub(crate) fn fail_to_sync(&self) {
        self.state().fails_to_sync = true;
    }

    /// How often it was asked to make a file durable.
    pub(crate) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// From now on it works again.
    pub(crate) fn repair(&self) {
        let mut state = self.state();
        (state.broken, state.bytes_left) = (false, None);
        (state.room, state.fails_to_sync) = (None, false);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a write or a sync, which are points where another thread may go on.
    fn working(&self) -> io::Result<MutexGuard<'_, State>> {
        #[cfg(shuttle)]
        shuttle::thread::yield_now();
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
        let bytes = match &mut state.room {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                let taken = bytes.len().min(*room);
                *room -= taken;
                &bytes[..taken]
            }
            None => bytes,
        };
        let fits = state
            .bytes_left
            .map_or(bytes.len(), |left| left.min(bytes.len()));
        state.broken = fits < bytes.len();
        if let Some(left) = &mut state.bytes_left {
            *left -= fits;
        }
        let (all, bytes) = (bytes.len(), &bytes[..fits]);
        let content = state.files.entry(self.name.clone()).or_default();
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(bytes);
        if fits < all {
            return Err(io::Error::other("the machine is down"));
        }
        Ok(all)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.working()?;
        let content = state.files.entry(self.name.clone()).or_default();
        content.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.working()?;
        if state.fails_to_sync {
            return Err(io::Error::other("the disk cannot say what it has"));
        }
        state.syncs += 1;
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        Ok(state.files.get(&self.name).map_or(0, Vec::len) as u64)
    }
}
