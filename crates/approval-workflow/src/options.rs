use std::fmt;
use std::path::Path;
use std::sync::Arc;

use action::Timestamp;
use arc_swap::ArcSwap;
use jsonl_storage::{Backend, Durability};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::error::Error;
use crate::journal::Journal;
use crate::journal::opening::{LogChoice, Restore};
use crate::journal::private_files::PrivateFiles;
use crate::journal::snapshot::Snapshots;
use crate::journal::snapshot_format::Key;
use crate::model::names::PersonId;
use crate::model::token::FencingToken;
use crate::policy::Policy;
use crate::policy::engine::PolicyEngine;
use crate::policy::rulebook::Rulebook;
use crate::review::second_factor::Directory;
use crate::state::basis::Basis;
use crate::state::view::View;
use crate::workflow::ApprovalWorkflow;

/// How a workflow is opened; ends in [`Options::open`].
#[derive(Clone)]
pub struct Options {
    directory: Option<Directory>,
    secret_key: Option<Zeroizing<[u8; 32]>>,
    clock: Clock,
    durability: Durability,
    is_chained: bool,
    snapshot_every: Option<u64>,
    held_requests: usize,
    restored: Option<Restore>,
}

/// Below this many events, reading the log takes about a second.
const SNAPSHOT_EVERY: u64 = 1 << 18;
/// About 20 MB of requests of the usual size.
const HELD_REQUESTS: usize = 1 << 13;

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: None,
            secret_key: None,
            clock: Clock::default(),
            durability: Durability::default(),
            is_chained: true,
            snapshot_every: Some(SNAPSHOT_EVERY),
            held_requests: HELD_REQUESTS,
            restored: None,
        }
    }
}

impl Options {
    /// Lists who may review, and the secrets of their second factors (default: anyone but the
    /// requester may review, and there are no second factors).
    #[must_use]
    pub fn directory(mut self, directory: Directory) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Gives the key that snapshots are authenticated with, and that the digests of secret values are
    /// salted with (default: none; then there are no snapshots, and a request with a secret is
    /// refused). Draw 32 bytes at random once, and keep them outside of the log's directory, where the
    /// secrets of the [`Directory`] are. With another key nothing is lost: the next opening reads the
    /// whole log, and the digests of old requests cannot be computed again.
    #[must_use]
    pub fn secret_key(mut self, key: [u8; 32]) -> Self {
        self.secret_key = Some(Zeroizing::new(key));
        self
    }

    /// Sets the clock that one-time codes are checked by (default: the system's). Everything else is
    /// dated by the caller; a code is checked, and its review dated, by this clock when it is recorded,
    /// so that a code of the past is never taken.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Sets when a call that changes something returns (default: [`Durability::Synced`], when the
    /// change is on disk). With a lesser level a power cut can take back an approval that was
    /// acted on, or a claim that was used: it is for tests, and for what does not outlive its machine.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Begins a new log without a hash chain (default: with one). A log that is there goes on as it
    /// was begun. Without a chain there are no snapshots, since nothing would bind one to its log.
    #[must_use]
    pub fn unchained(mut self) -> Self {
        self.is_chained = false;
        self
    }

    /// Writes a snapshot after so many events (default: 262,144), and after an eighth more of what it
    /// covers, so that the largest log is not copied again and again; and at every
    /// [close](ApprovalWorkflow::close).
    ///
    /// A snapshot spares an opening what it covers of the log. It is authenticated with the
    /// [secret key](Self::secret_key), so that write access to the directory is not enough to forge
    /// one: without a key none is written, and none is believed. One is used if it is authentic, and
    /// was made at the same hash of the same log's chain.
    #[must_use]
    pub fn snapshot_every(mut self, events: u64) -> Self {
        self.snapshot_every = Some(events.max(1));
        self
    }

    /// Writes no snapshots, and reads none: each opening reads and checks the whole log.
    #[must_use]
    pub fn without_snapshots(mut self) -> Self {
        self.snapshot_every = None;
        self
    }

    /// Holds so many requests in memory that nobody has to look at (default: 8,192), the last that
    /// changed; the others are read from the log when they are asked for. Those that wait for a
    /// decision or owe a review are held besides, all of them.
    #[must_use]
    pub fn held_requests(mut self, requests: usize) -> Self {
        self.held_requests = requests;
        self
    }

    /// Says that the directory was restored from an older copy, by whom and when (default: it was not).
    /// Say it once, at the first opening after the restore.
    ///
    /// What happened after the copy was made is not in it. So the opening records the restore, and from
    /// then on no approval from before it is used ([`DenyReason::Restored`]): ask again. Later claims
    /// have tokens above all that can have been given out, also above `highest_seen`, the highest token
    /// that the systems which are acted on have seen, if somebody knows it.
    ///
    /// [`DenyReason::Restored`]: crate::DenyReason::Restored
    #[must_use]
    pub fn restored(
        mut self,
        by: PersonId,
        at: Timestamp,
        highest_seen: Option<FencingToken>,
    ) -> Self {
        let seen = highest_seen;
        self.restored = Some(Restore { by, at, seen });
        self
    }

    /// Opens the workflow whose log is in `dir`, which is made if it is missing: for its owner alone, as
    /// are the files in it.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`], [`Error::Secret`] or [`Error::SecretKeyMissing`] for what could not work;
    /// [`Error::Log`] when the log cannot be opened; [`Error::Replay`] when it holds an event that
    /// cannot have happened.
    pub fn open(self, dir: impl AsRef<Path>, policy: Policy) -> Result<ApprovalWorkflow, Error> {
        self.open_on(files_in(dir.as_ref())?, policy)
    }

    /// As [`open`](Self::open), over files that are kept by something else than the operating
    /// system: a simulated disk that fails, or memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        self,
        backend: Arc<dyn Backend>,
        policy: Policy,
    ) -> Result<ApprovalWorkflow, Error> {
        let engine = Arc::new(Rulebook::new(policy)?);
        self.open_with(backend, engine)
    }

    /// As [`open`](Self::open), with another engine to judge by its policy than the one that ships.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_judged_by(
        self,
        dir: impl AsRef<Path>,
        engine: Arc<dyn PolicyEngine>,
    ) -> Result<ApprovalWorkflow, Error> {
        self.open_with(files_in(dir.as_ref())?, engine)
    }

    fn open_with(
        self,
        backend: Arc<dyn Backend>,
        engine: Arc<dyn PolicyEngine>,
    ) -> Result<ApprovalWorkflow, Error> {
        let basis = Basis::new(engine, self.directory.as_ref(), self.secret_key.is_some())?;
        let basis = Arc::new(ArcSwap::from_pointee(basis));
        let log = LogChoice {
            durability: self.durability,
            is_chained: self.is_chained,
        };
        let key = self.secret_key.as_deref().map(Key::of);
        let snapshots = Snapshots::new(
            Arc::clone(&backend),
            self.snapshot_every,
            Arc::clone(&basis),
            key,
        );
        let view = || View::new(Arc::clone(&basis), self.held_requests);
        let journal = Journal::open(backend, log, snapshots, view)?;
        if let Some(restore) = self.restored {
            journal.mark_restored(restore)?;
        }
        Ok(ApprovalWorkflow {
            journal,
            basis,
            secret_key: self.secret_key,
            clock: self.clock,
        })
    }
}

impl ApprovalWorkflow {
    /// Opens a workflow without a directory of reviewers; see [`Options::open`].
    ///
    /// # Errors
    ///
    /// As [`Options::open`].
    pub fn open(dir: impl AsRef<Path>, policy: Policy) -> Result<Self, Error> {
        Self::options().open(dir, policy)
    }

    /// Starts with every default.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("directory", &self.directory)
            .field("secret_key", &self.secret_key.as_ref().map(|_| "…"))
            .field("durability", &self.durability)
            .field("is_chained", &self.is_chained)
            .field("snapshot_every", &self.snapshot_every)
            .field("held_requests", &self.held_requests)
            .field("restored", &self.restored)
            .finish()
    }
}

fn files_in(dir: &Path) -> Result<Arc<dyn Backend>, Error> {
    let backend = PrivateFiles::create(dir).map_err(|source| jsonl_storage::Error::Io {
        operation: "create directory",
        path: dir.to_owned(),
        source: Arc::new(source),
    })?;
    Ok(Arc::new(backend))
}
