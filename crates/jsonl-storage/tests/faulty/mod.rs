//! A disk that fails on demand, in front of the real one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use jsonl_storage::{Backend, BackendFile, FsBackend, Lock, OpenMode};

/// What the disk does wrong; shared by its files, changed by the test.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) fail_sync: AtomicBool,
    pub(crate) fail_write: AtomicBool,
    pub(crate) panic_on_write: AtomicBool,
    /// Writes at most this much a call.
    pub(crate) short_write_bytes: AtomicU64,
    /// What still fits on the disk; a cut gives it back.
    pub(crate) room_bytes: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) syncs: AtomicU64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            fail_sync: AtomicBool::default(),
            fail_write: AtomicBool::default(),
            panic_on_write: AtomicBool::default(),
            short_write_bytes: AtomicU64::new(u64::MAX),
            room_bytes: AtomicU64::new(u64::MAX / 2),
            writes: AtomicU64::default(),
            syncs: AtomicU64::default(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct FaultyDisk {
    real: FsBackend,
    pub(crate) faults: Arc<Faults>,
}

impl FaultyDisk {
    pub(crate) fn new(dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            real: FsBackend::new(dir),
            faults: Arc::default(),
        })
    }
}

impl Backend for FaultyDisk {
    /// The same for each log, so that a seed repeats a run byte by byte.
    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        Ok(Some([7; 16]))
    }

    fn dir(&self) -> &Path {
        self.real.dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.real.list()
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let real = self.real.open(name, mode)?;
        let faults = Arc::clone(&self.faults);
        Ok(Arc::new(FaultyFile { real, faults }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.real.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.real.sync_dir()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.real.lock()
    }
}

#[derive(Debug)]
struct FaultyFile {
    real: Arc<dyn BackendFile>,
    faults: Arc<Faults>,
}

impl BackendFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let faults = &self.faults;
        faults.writes.fetch_add(1, SeqCst);
        assert!(!faults.panic_on_write.load(SeqCst), "the disk panics");
        if faults.fail_write.load(SeqCst) {
            return Err(io::Error::other("the disk refuses the write"));
        }
        let room = faults.room_bytes.load(SeqCst);
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let most = room.min(faults.short_write_bytes.load(SeqCst));
        let fits = bytes.len().min(usize::try_from(most).unwrap());
        let written = self.real.write_at(&bytes[..fits], offset)?;
        faults.room_bytes.fetch_sub(written as u64, SeqCst);
        Ok(written)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let before = self.real.size()?;
        self.real.set_len(len)?;
        let room = &self.faults.room_bytes;
        room.fetch_add(before.saturating_sub(len), SeqCst);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, SeqCst);
        if self.faults.fail_sync.load(SeqCst) {
            return Err(io::Error::other("the disk refuses the sync"));
        }
        self.real.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        self.real.size()
    }
}
