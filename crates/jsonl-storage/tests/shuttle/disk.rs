//! A disk in memory that knows what was synced, fails a sync on demand and fills up.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use jsonl_storage::{Backend, BackendFile, Lock, OpenMode, Seq};
use serde::Deserialize;
use shuttle::sync::atomic::{AtomicUsize, Ordering};

/// Its locks are the standard library's: none is held where another thread may go on.
#[derive(Debug)]
pub(crate) struct Disk {
    state: Mutex<State>,
    /// An operation of shuttle's, so that it is a point where another thread may go on.
    pause: AtomicUsize,
}

#[derive(Debug)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    syncs_left: Option<usize>,
    failed: bool,
    touched_after_failure: usize,
    room_bytes: u64,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    seq: Seq,
    data: (usize, usize),
}

impl Disk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                files: BTreeMap::new(),
                syncs_left: None,
                failed: false,
                touched_after_failure: 0,
                room_bytes: u64::MAX,
            }),
            pause: AtomicUsize::new(0),
        })
    }

    pub(crate) fn fail_after_syncs(&self, syncs: usize) {
        self.state().syncs_left = Some(syncs);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Writes and syncs after the sync that failed.
    pub(crate) fn touched_after_failure(&self) -> usize {
        self.state().touched_after_failure
    }

    /// How long a file may be.
    pub(crate) fn limit_room(&self, bytes: u64) {
        self.state().room_bytes = bytes;
    }

    /// The records that would survive a crash.
    pub(crate) fn synced(&self) -> Vec<(Seq, (usize, usize))> {
        let state = self.state();
        let segments = state
            .files
            .iter()
            .filter(|(name, _)| name.ends_with(".jsonl"));
        let bytes: Vec<u8> = segments
            .flat_map(|(_, content)| content.lock().unwrap().synced.clone())
            .collect();
        serde_json::Deserializer::from_slice(&bytes)
            .into_iter::<Line>()
            .map(|line| line.map(|line| (line.seq, line.data)).unwrap())
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn pause(&self) {
        self.pause.fetch_add(1, Ordering::SeqCst);
    }
}

/// The disk as the log has it; the test keeps the other reference.
#[derive(Debug)]
pub(crate) struct Mounted(pub(crate) Arc<Disk>);

#[derive(Debug)]
struct File {
    disk: Arc<Disk>,
    content: Arc<Mutex<Content>>,
}

impl Backend for Mounted {
    /// The same for each log, so that a seed repeats a run byte by byte.
    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        Ok(Some([7; 16]))
    }

    fn dir(&self) -> &Path {
        Path::new("/memory")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.state().files.keys().cloned().collect())
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let mut state = self.0.state();
        let content = match (mode, state.files.get(name)) {
            (OpenMode::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateNew, None) => {
                let content = Arc::default();
                state.files.insert(name.to_owned(), Arc::clone(&content));
                content
            }
            (_, Some(content)) => Arc::clone(content),
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let disk = Arc::clone(&self.0);
        Ok(Arc::new(File { disk, content }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.state();
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.0.state().files.remove(name);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Lock> {
        Ok(Lock::Held(Box::new(())))
    }
}

impl File {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    /// Notes what a log that was told of a failure still does.
    fn touch(&self) -> MutexGuard<'_, State> {
        self.disk.pause();
        let mut state = self.disk.state();
        if state.failed {
            state.touched_after_failure += 1;
        }
        state
    }
}

impl BackendFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content();
        let rest = content.bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let room = self.touch().room_bytes;
        let fits = usize::try_from(room.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = bytes.len().min(fits);
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.content();
        content.bytes.truncate(offset as usize);
        content.bytes.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.content().bytes.resize(length as usize, 0);
        Ok(())
    }

    /// What was there when it began is durable when it ends.
    fn sync_data(&self) -> io::Result<()> {
        let begun = self.content().bytes.clone();
        let mut state = self.touch();
        if let Some(left) = &mut state.syncs_left {
            if *left == 0 {
                (state.failed, state.syncs_left) = (true, None);
                return Err(io::Error::other("the sync failed"));
            }
            *left -= 1;
        }
        drop(state);
        self.content().synced = begun;
        self.disk.pause();
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len() as u64)
    }
}
