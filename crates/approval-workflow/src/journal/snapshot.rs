//! The state at some event of the log, in a file of its own, so that opening need not read what was
//! before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jsonl_storage::{Backend, BackendFile, Log, OpenMode, Seq};

use crate::error::Error;
use crate::journal::publisher::Publisher;
use crate::journal::snapshot_format::{self, Content, Head, Key, SnapshotFault, VERSION};
use crate::journal::staging::Staging;
use crate::model::event::Event;
use crate::state::basis::Basis;
use crate::state::view::View;

/// The name of a snapshot's file, in the directory of its log.
pub const SNAPSHOT_FILE: &str = "approvals.snapshot";
const UNFINISHED: &str = "approvals.snapshot.tmp";

/// What opening a workflow read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// What became of the snapshot.
    pub snapshot: SnapshotUse,
    /// How many events of the log were read and checked one by one.
    pub replayed: u64,
}

/// What became of the snapshot at an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotUse {
    /// There was none, or none was wanted: the whole log was read.
    None,
    /// It stood for the events up to this one.
    Used {
        /// The last event that is in it.
        covers: Seq,
    },
    /// It was not believed, and the whole log was read.
    Ignored(SnapshotFault),
}

/// Where snapshots go, and when.
#[derive(Debug)]
pub(crate) struct Snapshots {
    backend: Arc<dyn Backend>,
    every: Option<u64>,
    /// Whether one that is there is to be read.
    wanted: bool,
    basis: Arc<ArcSwap<Basis>>,
    key: Option<Key>,
    covered: AtomicU64,
    is_busy: AtomicBool,
}

/// A snapshot that is not yet a file.
#[derive(Debug)]
pub(crate) struct Taken {
    head: Head,
    body: Vec<u8>,
}

impl Snapshots {
    /// Snapshots after at least so many events, under a key; none of them if either is missing.
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        every: Option<u64>,
        basis: Arc<ArcSwap<Basis>>,
        key: Option<Key>,
    ) -> Self {
        Self {
            backend,
            every: every.filter(|_| key.is_some()),
            wanted: every.is_some(),
            basis,
            key,
            covered: AtomicU64::new(0),
            is_busy: AtomicBool::new(false),
        }
    }

    pub(crate) fn basis(&self) -> [u8; 32] {
        self.basis.load().digest
    }

    pub(crate) fn is_on(&self) -> bool {
        self.every.is_some()
    }

    pub(crate) fn opened_at(&self, covered: Seq) {
        self.covered.store(covered.0, Ordering::Relaxed);
    }

    /// The snapshot; none if there is none, or none is wanted.
    pub(crate) fn load(&self) -> Result<Option<Content>, SnapshotFault> {
        if !self.wanted {
            return Ok(None);
        }
        match (self.read()?, &self.key) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(SnapshotFault::NoKey),
            (Some(bytes), Some(key)) => snapshot_format::decode(&bytes, key).map(Some),
        }
    }

    /// The file's bytes; none if there is no file.
    pub(crate) fn read(&self) -> Result<Option<Vec<u8>>, SnapshotFault> {
        match self.backend.open(SNAPSHOT_FILE, OpenMode::Read) {
            Ok(file) => read_all(&*file)
                .map(Some)
                .map_err(|_| SnapshotFault::Unreadable),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(SnapshotFault::Unreadable),
        }
    }

    /// Whether it is time. Each is longer than the one before, so they come the less often.
    pub(crate) fn is_due(&self, published: Seq) -> bool {
        let covered = self.covered.load(Ordering::Relaxed);
        self.every.is_some_and(|every| {
            published.0.saturating_sub(covered) >= every.saturating_add(covered / 8)
        })
    }

    /// The state, if it is time for a snapshot of it.
    pub(crate) fn due(&self, log: &Log<Event>, staging: &Staging, view: &View) -> Option<Taken> {
        let is_due = self.is_due(staging.published) && log.is_chained();
        if !is_due || self.is_busy.swap(true, Ordering::Acquire) {
            return None;
        }
        let taken = self.take(staging, view);
        if taken.is_none() {
            self.is_busy.store(false, Ordering::Release);
        }
        taken
    }

    /// The state after the published events; none while unpublished events are about one-time
    /// codes.
    fn take(&self, staging: &Staging, view: &View) -> Option<Taken> {
        if staging.changes_factors() {
            return None;
        }
        let keys: Vec<_> = staging.published_keys().collect();
        let indexes = view.indexes.read();
        let head = Head {
            approval_snapshot: VERSION,
            covers: staging.published,
            hash: [0; 32], // known once that event is on disk
            basis: self.basis(),
            requests: indexes.ids.len() as u64,
            first: indexes.events.first(),
            events: indexes.events.back().len() as u64,
            far: indexes.events.far().clone(),
            owing: indexes.owing.keys().copied().collect(),
            keys: keys.len() as u64,
            claims: staging.published_token(),
            restored: staging.restored,
            latest: staging.latest,
            statistics: indexes.statistics.clone(),
            factors: staging.factors.clone(),
        };
        let body = snapshot_format::body(&indexes, &view.gates, &keys);
        Some(Taken { head, body })
    }

    /// Writes a snapshot for a caller who came for something else, and got it.
    pub(crate) fn write_in_passing(&self, log: &Log<Event>, taken: Taken) {
        // Not having one costs time at the next opening, and the close will say why it failed.
        let _ = self.write_taken(log, taken);
        self.is_busy.store(false, Ordering::Release);
    }

    /// Writes a snapshot now, unless there is one of this state, or there are to be none.
    pub(crate) fn write_now(&self, log: &Log<Event>, publisher: &Publisher) -> Result<(), Error> {
        let staging = publisher.staging.lock();
        let is_new = staging.published.0 > self.covered.load(Ordering::Relaxed);
        if !is_new || !self.is_on() || !log.is_chained() {
            return Ok(());
        }
        let taken = self.take(&staging, &publisher.view);
        drop(staging);
        taken.map_or(Ok(()), |taken| self.write_taken(log, taken))
    }

    fn write_taken(&self, log: &Log<Event>, mut taken: Taken) -> Result<(), Error> {
        // What it covers must be on disk before it is, whatever the log's level.
        log.sync()?;
        let Some(link) = log.link(taken.head.covers)? else {
            return Ok(());
        };
        taken.head.hash = link.hash;
        let path = self.backend.dir().join(SNAPSHOT_FILE);
        let written = self.write(&taken);
        written.map_err(|source| Error::Snapshot { path, source })
    }

    /// The file appears whole under its name or not at all.
    fn write(&self, taken: &Taken) -> io::Result<()> {
        match self.backend.remove(UNFINISHED) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // What an earlier life left, or nothing.
            _ => {}
        }
        let Some(key) = &self.key else {
            return Ok(());
        };
        let (line, digest) = snapshot_format::frame(&taken.head, &taken.body, key);
        let file = self.backend.open(UNFINISHED, OpenMode::CreateNew)?;
        let mut end = 0;
        for part in [&line[..], &taken.body, digest.as_bytes()] {
            end = write_all(&*file, part, end)?;
        }
        file.sync_data()?;
        drop(file);
        self.backend.rename(UNFINISHED, SNAPSHOT_FILE)?;
        self.backend.sync_dir()?;
        self.covered.store(taken.head.covers.0, Ordering::Relaxed);
        Ok(())
    }
}

fn read_all(file: &dyn BackendFile) -> io::Result<Vec<u8>> {
    let size = usize::try_from(file.size()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    let mut done = 0;
    while done < size {
        match file.read_at(&mut bytes[done..], done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(bytes)
}

/// Writes at a place in a file, and says where it ends.
fn write_all(file: &dyn BackendFile, bytes: &[u8], at: u64) -> io::Result<u64> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], at + done as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => done += written,
        }
    }
    Ok(at + done as u64)
}
