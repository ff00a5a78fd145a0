//! The simulated disk as the log's [`Backend`], with everything that can go wrong planned ahead.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonl_storage::{Backend, BackendFile, Lock, OpenMode};

use crate::disk::{Disk, Survival};
use crate::rng::Rng;

/// What shall go wrong. Changes are the calls that could matter after a crash: creating, renaming,
/// removing, writing, cutting and syncing. They are counted from 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Power or process ends at this change, a write after this many bytes of it.
    pub(crate) crash_at: Option<CrashPoint>,
    /// The sync of a file of this number fails.
    pub(crate) fail_sync: Option<u64>,
    /// The sync of the directory of this number fails.
    pub(crate) fail_dir_sync: Option<u64>,
    /// Reads and writes do less than asked for, and are interrupted.
    pub(crate) partial: bool,
    /// The room for all files, in bytes.
    pub(crate) capacity: Option<usize>,
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CrashPoint {
    pub(crate) change: usize,
    pub(crate) bytes: usize,
}

/// A machine with a disk, from its start to its crash.
#[derive(Debug, Clone)]
pub(crate) struct Machine(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    disk: Disk,
    plan: Plan,
    rng: Rng,
    changes: Vec<Change>,
    syncs: u64,
    dir_syncs: u64,
    sync_failed: bool,
    down: bool,
    locked: bool,
}

/// A call that could matter after a crash.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    what: &'static str,
    name: String,
    /// Of a write, how much it wrote.
    pub(crate) bytes: usize,
}

impl Change {
    pub(crate) fn is_of_records(&self) -> bool {
        self.name.ends_with(".jsonl")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.name)?;
        if self.bytes > 0 {
            write!(f, " {} bytes", self.bytes)
        } else {
            Ok(())
        }
    }
}

impl Machine {
    pub(crate) fn new(disk: Disk, plan: Plan) -> Self {
        let rng = Rng::new(plan.seed);
        Self(Arc::new(Mutex::new(State {
            disk,
            plan,
            rng,
            changes: Vec::new(),
            syncs: 0,
            dir_syncs: 0,
            sync_failed: false,
            down: false,
            locked: false,
        })))
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.clone())
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state().down
    }

    pub(crate) fn sync_has_failed(&self) -> bool {
        self.state().sync_failed
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.state().changes.clone()
    }

    /// Whether the disk may be full.
    pub(crate) fn is_limited(&self) -> bool {
        self.state().plan.capacity.is_some()
    }

    /// Whether want of room is all that can be wrong.
    pub(crate) fn is_only_full(&self) -> bool {
        self.is_limited() && !self.is_down() && !self.sync_has_failed()
    }

    pub(crate) fn set_capacity(&self, bytes: Option<usize>) {
        self.state().plan.capacity = bytes;
    }

    pub(crate) fn used(&self) -> usize {
        self.state().disk.used()
    }

    /// What a read of the whole file shows; nothing if there is none.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        let inode = state.disk.find(name);
        inode.map_or_else(Vec::new, |inode| state.disk.content(inode).to_vec())
    }

    /// Whatever is called from now on fails.
    pub(crate) fn stop(&self) {
        self.state().down = true;
    }

    /// The disk after the process was killed and the machine went on.
    pub(crate) fn disk_after_kill(&self) -> Disk {
        self.stop();
        self.state().disk.clone()
    }

    /// The disk after the power was cut.
    pub(crate) fn disk_after_power_cut(&self, survival: Survival, rng: &mut Rng) -> Disk {
        self.stop();
        self.state().disk.after_power_cut(survival, rng)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.down {
            Err(crashed())
        } else {
            Ok(state)
        }
    }

    /// As [`Self::running`], for a change that either happens or does not.
    fn changing(&self, what: &'static str, name: &str) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.running()?;
        if state.count(what, name, 0).is_some() {
            return Err(crashed());
        }
        Ok(state)
    }
}

impl State {
    /// Counts a change; if the machine goes down in it, how many bytes of it still happen.
    fn count(&mut self, what: &'static str, name: &str, bytes: usize) -> Option<usize> {
        let number = self.changes.len();
        self.changes.push(Change {
            what,
            name: name.to_owned(),
            bytes,
        });
        let point = self.plan.crash_at.filter(|point| point.change == number)?;
        self.down = true;
        Some(point.bytes.min(bytes))
    }

    /// Whether the sync that is asked for now is the one to fail.
    fn sync_fails(&mut self) -> bool {
        let fails = self.plan.fail_sync == Some(self.syncs);
        self.syncs += 1;
        self.sync_failed |= fails;
        fails
    }

    /// As [`Self::sync_fails`], of the directory.
    fn dir_sync_fails(&mut self) -> bool {
        let fails = self.plan.fail_dir_sync == Some(self.dir_syncs);
        self.dir_syncs += 1;
        self.sync_failed |= fails;
        fails
    }

    /// How much of a read or write happens at once.
    fn part(&mut self, bytes: usize) -> io::Result<usize> {
        if !self.plan.partial || bytes == 0 {
            return Ok(bytes);
        }
        match self.rng.below(10) {
            0 => Err(io::ErrorKind::Interrupted.into()),
            1..4 => Ok(1 + self.rng.below(bytes)),
            _ => Ok(bytes),
        }
    }

    fn room(&self, inode: usize, offset: usize, bytes: usize) -> io::Result<usize> {
        let Some(capacity) = self.plan.capacity else {
            return Ok(bytes);
        };
        let free = capacity.saturating_sub(self.disk.used());
        let length = self.disk.content(inode).len();
        let room = bytes.min(length.saturating_sub(offset) + free);
        if room == 0 && bytes > 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(room)
    }
}

fn crashed() -> io::Error {
    io::Error::other("the machine is down")
}

impl Backend for Machine {
    /// The same for each log, so that a seed repeats a run byte by byte.
    fn identity(&self) -> io::Result<Option<[u8; 16]>> {
        Ok(Some([7; 16]))
    }

    fn dir(&self) -> &Path {
        Path::new("simulated")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.running()?.disk.list())
    }

    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn BackendFile>> {
        let found = self.running()?.disk.find(name);
        let inode = match (mode, found) {
            (OpenMode::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateNew, None) => self.changing("create", name)?.disk.create(name),
            (_, Some(inode)) => inode,
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let machine = self.clone();
        Ok(Arc::new(SimulatedFile {
            machine,
            name: name.to_owned(),
            inode,
            writable: mode != OpenMode::Read,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.changing("rename", from)?;
        let inode = state.disk.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.disk.rename(from, to, inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.changing("remove", name)?;
        state.disk.find(name).ok_or(io::ErrorKind::NotFound)?;
        state.disk.remove(name);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.changing("sync", "the directory")?;
        if state.dir_sync_fails() {
            let mut rng = state.rng.fork();
            state.disk.fail_to_sync_names(&mut rng);
            return Err(input_output());
        }
        state.disk.sync_names();
        Ok(())
    }

    fn lock(&self) -> io::Result<Lock> {
        let mut state = self.running()?;
        if state.locked {
            return Ok(Lock::Taken {
                holder: "simulated".to_owned(),
            });
        }
        state.locked = true;
        Ok(Lock::Held(Box::new(Unlock(self.clone()))))
    }
}

#[derive(Debug)]
struct Unlock(Machine);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

#[derive(Debug)]
struct SimulatedFile {
    machine: Machine,
    /// The one that it was opened by.
    name: String,
    inode: usize,
    writable: bool,
}

impl SimulatedFile {
    fn check_writable(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl BackendFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.machine.running()?;
        let wanted = state.part(buffer.len())?;
        let content = state
            .disk
            .content(self.inode)
            .get(index(offset)..)
            .unwrap_or_default();
        let read = wanted.min(content.len());
        buffer[..read].copy_from_slice(&content[..read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        let mut state = self.machine.running()?;
        let offset = index(offset);
        let written = state.room(self.inode, offset, bytes.len())?;
        let written = state.part(written)?;
        if let Some(before_crash) = state.count("write", &self.name, written) {
            state.disk.write(self.inode, offset, &bytes[..before_crash]);
            return Err(crashed());
        }
        state.disk.write(self.inode, offset, &bytes[..written]);
        Ok(written)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.machine
            .changing("cut", &self.name)?
            .disk
            .set_len(self.inode, index(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.machine.changing("sync", &self.name)?;
        if state.sync_fails() {
            let mut rng = state.rng.fork();
            state.disk.fail_to_sync(self.inode, &mut rng);
            return Err(input_output());
        }
        state.disk.sync(self.inode);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.machine.running()?.disk.content(self.inode).len() as u64)
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated file fits into memory")
}

/// What Linux answers when a write-back failed.
fn input_output() -> io::Error {
    io::Error::from_raw_os_error(5)
}
