//! A ledger on disk, for more effects than memory should hold.
//!
//! Entries are spread over files by the hash of their kind and key, so that all entries of a key are
//! in one file, in the order in which their user made them. Each file is then a small ledger of its
//! own: verification reads one after the other, several at once, and never needs more memory than
//! they do. (This is how databases join what does not fit into memory: Kitsuregawa's hash join.)

pub(crate) mod format;
pub(crate) mod verify;

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::RunError;
use crate::ledger::{Ledger, LedgerEntry};

pub use verify::SpillProgress;

/// Files of a ledger. With 10⁷ entries, each is a ledger of 160,000.
const PARTS: usize = 64;

/// Where a run's ledger goes, and how much of it stays in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillPolicy {
    /// The folder, which is made if it is not there.
    pub folder: PathBuf,
    /// How many entries all users together keep in memory, each at least one.
    pub entries_in_memory: usize,
}

impl SpillPolicy {
    /// A folder, and 1,000,000 entries in memory: about 80 MB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            entries_in_memory: 1_000_000,
        }
    }

    /// Sets how many entries stay in memory (1,000,000 unless set).
    #[must_use]
    pub fn entries_in_memory(mut self, entries: usize) -> Self {
        self.entries_in_memory = entries;
        self
    }
}

/// Writes a ledger to disk while it grows.
pub(crate) struct Spill {
    folder: PathBuf,
    /// Entries that one user keeps.
    pub(crate) each: usize, // at least 1
    state: Mutex<State>,
}

struct State {
    parts: Vec<Part>,
    kinds: Vec<Cow<'static, str>>,
    /// The first failure, after which nothing is written any more.
    failed: Option<io::Error>,
}

/// One file.
struct Part {
    writer: BufWriter<File>,
    entries: u64,
}

impl Spill {
    pub(crate) fn create(policy: &SpillPolicy, users: u32) -> Result<Self, RunError> {
        let failed = |source| RunError::LedgerIo {
            operation: "create",
            source,
        };
        fs::create_dir_all(&policy.folder).map_err(failed)?;
        let spill = Self {
            folder: policy.folder.clone(),
            each: (policy.entries_in_memory / users as usize).max(1),
            state: Mutex::new(State {
                parts: Vec::new(),
                kinds: Vec::new(),
                failed: None,
            }),
        };
        for part in 0..PARTS {
            let path = ledger_file(&policy.folder, part);
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let writer = BufWriter::new(file.map_err(failed)?);
            spill.lock().parts.push(Part { writer, entries: 0 });
        }
        Ok(spill)
    }

    /// Takes all entries of a user's ledger. A failure is kept, and told at the end.
    pub(crate) fn take(&self, ledger: &mut Ledger) {
        let mut state = self.lock();
        if state.failed.is_none()
            && let Err(error) = ledger.iter().try_for_each(|entry| state.append(&entry))
        {
            state.failed = Some(error);
        }
        ledger.clear();
    }

    /// Closes the files.
    pub(crate) fn finish(&self) -> Result<SpilledLedger, RunError> {
        let mut state = self.lock();
        let failed = |source| RunError::LedgerIo {
            operation: "write",
            source,
        };
        if let Some(error) = state.failed.take() {
            return Err(failed(error));
        }
        for part in &mut state.parts {
            part.writer.flush().map_err(failed)?;
        }
        Ok(SpilledLedger {
            folder: self.folder.clone(),
            kinds: std::mem::take(&mut state.kinds),
            // From here on the files are the ledger's.
            entries: state.parts.drain(..).map(|part| part.entries).collect(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic could leave half-way is a file's tail, and `failed` is not set then: but
        // nothing under the lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Spill {
    /// Removes the files of a run that gave no ledger.
    fn drop(&mut self) {
        let parts = self.lock().parts.len();
        remove_files(&self.folder, parts);
    }
}

impl State {
    fn append(&mut self, entry: &LedgerEntry<'_>) -> io::Result<()> {
        let known = self.kinds.iter().position(|kind| *kind == entry.kind);
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(Cow::Owned(entry.kind.to_string()));
            self.kinds.len() - 1
        });
        let part = &mut self.parts[part_of(&entry.kind, &entry.key)];
        part.entries += 1;
        format::write_entry(&mut part.writer, kind as u16, entry)
    }
}

/// All effects of a run, on disk. Its files are removed when it is dropped.
///
/// ```
/// use load_engine::{Digest, Effect, Found, Ledger, LedgerEntry, SpillPolicy, SpilledLedger};
///
/// let folder = tempfile::tempdir()?;
/// let ledger: Ledger = (0..1_000)
///     .map(|n| LedgerEntry {
///         kind: "record".into(),
///         key: n.to_string().into(),
///         effect: Effect::Created(Digest::of(b"content")),
///         user: 0,
///         started_ns: n,
///         settled_ns: n,
///     })
///     .collect();
/// let spilled = SpilledLedger::from_ledger(ledger, &SpillPolicy::new(folder.path()))?;
/// let found = (1..1_000).map(|n| {
///     Ok::<_, std::io::Error>(Found::new("record", n.to_string(), Digest::of(b"content")))
/// });
/// let verification = spilled.verify(found, 2.try_into()?, |_| {}, |_| {})?;
/// assert_eq!((verification.verified, verification.lost), (999, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SpilledLedger {
    folder: PathBuf,
    kinds: Vec<Cow<'static, str>>,
    /// Of each file.
    entries: Vec<u64>,
}

impl SpilledLedger {
    /// Writes a ledger to disk.
    ///
    /// # Errors
    ///
    /// When its files cannot be made or written, such as in a folder that has some of another ledger.
    pub fn from_ledger(mut ledger: Ledger, policy: &SpillPolicy) -> Result<Self, RunError> {
        let spill = Spill::create(policy, 1)?;
        spill.take(&mut ledger);
        spill.finish()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.iter().sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries: those of one user and key in their order.
    pub fn iter(&self) -> impl Iterator<Item = Result<LedgerEntry<'static>, RunError>> {
        (0..self.entries.len()).flat_map(|part| {
            let (entries, failed) = match self.read(part) {
                Ok(entries) => (Some(entries), None),
                Err(error) => (None, Some(Err(error))),
            };
            entries.into_iter().flatten().chain(failed)
        })
    }

    fn read(
        &self,
        part: usize,
    ) -> Result<impl Iterator<Item = Result<LedgerEntry<'static>, RunError>>, RunError> {
        let file = File::open(ledger_file(&self.folder, part)).map_err(unreadable)?;
        let mut reader = BufReader::new(file);
        let count = self.entries[part];
        Ok((0..count)
            .map(move |_| format::read_entry(&mut reader, &self.kinds).map_err(unreadable)))
    }

    /// The ledger of one file.
    fn part(&self, part: usize) -> Result<Ledger, RunError> {
        let mut ledger = Ledger::new();
        for entry in self.read(part)? {
            ledger.push(&entry?);
        }
        Ok(ledger)
    }
}

impl Drop for SpilledLedger {
    fn drop(&mut self) {
        remove_files(&self.folder, self.entries.len());
    }
}

fn remove_files(folder: &Path, parts: usize) {
    for part in 0..parts {
        // A file that is left is in the way of nobody but the next ledger, which will say so.
        drop(fs::remove_file(ledger_file(folder, part)));
    }
}

fn unreadable(source: io::Error) -> RunError {
    RunError::LedgerIo {
        operation: "read",
        source,
    }
}

fn ledger_file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("ledger-{part:02}.bin"))
}

/// The file of a key, the same for as long as the program runs.
fn part_of(kind: &str, key: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    (kind, key).hash(&mut hasher);
    (hasher.finish() % PARTS as u64) as usize
}
