use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jsonl_storage::{Log, LogOptions};
use load_engine::{Digest, Failure, Found, Iteration, Rng, StepSpec, Workload};
use serde::{Deserialize, Serialize};

use crate::proof::EffectsFound;
use crate::scenario::Builtin;
use crate::{Journal, Target};

const APPEND: StepSpec = StepSpec::effectful("append");
const QUERY: StepSpec = StepSpec::new("query pending");
const STATISTICS: StepSpec = StepSpec::new("full statistics");

/// The kind of the effects in the ledger.
const RECORD: &str = "record";

/// A query of the pending records comes with each of so many appends.
const QUERY_EVERY: u64 = 100;

/// How often the whole log is read during a load, whatever its size: were it a fixed number of
/// appends, the cost would grow with the square of the records.
const STATISTICS_IN_ALL: u64 = 10;

/// The longest answer of a query: a page.
const PAGE: usize = 100;

/// One record of the storage scenario: what an agent did, or waits to do. About 300 bytes of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Unique.
    pub id: String,
    /// Who did it.
    pub agent: u32,
    /// Where.
    pub path: String,
    /// How far it is.
    pub status: Status,
    /// What it said.
    pub note: String,
}

/// How far an [`Operation`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits.
    Pending,
    /// Done.
    Done,
    /// Failed.
    Failed,
}

impl Operation {
    fn random(user: u32, index: u64, rng: &mut Rng) -> Self {
        let status = match rng.next_u64() % 10 {
            0..3 => Status::Pending,
            3..9 => Status::Done,
            _ => Status::Failed,
        };
        let note: String = (0..12)
            .map(|_| format!("{:016x}", rng.next_u64()))
            .collect();
        Self {
            id: format!("op-{user:04}-{index:08}"),
            agent: user,
            path: format!("tools/{}/run", rng.next_u64() % 40),
            status,
            note,
        }
    }

    fn digest(&self) -> Digest {
        Digest::of_json(self).expect("an operation has only text and numbers")
    }
}

/// Where operations are stored: a seam, so that a test can put a store that lies in its place.
pub trait RecordStore: Sync + Sized {
    /// Opens the store in a directory.
    ///
    /// # Errors
    ///
    /// When it cannot.
    fn open(dir: &Path) -> Result<Self, Failure>;

    /// Appends a record and returns when it is durable.
    ///
    /// # Errors
    ///
    /// When it is not.
    fn append(&self, operation: &Operation) -> Result<(), Failure>;

    /// Reads every record.
    ///
    /// # Errors
    ///
    /// When reading cannot begin.
    fn read(&self) -> Result<impl Iterator<Item = Result<Operation, Failure>>, Failure>;

    /// Closes the store.
    ///
    /// # Errors
    ///
    /// When something accepted could not be written.
    fn close(self) -> Result<(), Failure>;
}

impl RecordStore for Log<Operation> {
    fn open(dir: &Path) -> Result<Self, Failure> {
        Ok(LogOptions::new().open(dir)?)
    }

    fn append(&self, operation: &Operation) -> Result<(), Failure> {
        self.append(operation)?;
        Ok(())
    }

    fn read(&self) -> Result<impl Iterator<Item = Result<Operation, Failure>>, Failure> {
        Ok(self.scan()?.map(|record| Ok(record?.data)))
    }

    fn close(self) -> Result<(), Failure> {
        Ok(self.close()?)
    }
}

/// Appends operations to a log, queries its pending ones, and takes statistics of all.
#[derive(Debug)]
pub struct StorageTarget<S = Log<Operation>> {
    store: S,
    journal: Journal,
    view: Mutex<View>,
    appended: AtomicU64,
    statistics_every: u64,
}

/// What queries are answered from: folded from the log, never a second truth.
#[derive(Debug, Default, PartialEq, Eq)]
struct View {
    pending: BTreeMap<String, String>,
    counts: BTreeMap<Status, u64>,
}

impl View {
    fn add(&mut self, operation: &Operation) {
        *self.counts.entry(operation.status).or_default() += 1;
        if operation.status == Status::Pending {
            self.pending
                .insert(operation.id.clone(), operation.path.clone());
        }
    }

    fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl<S: RecordStore> StorageTarget<S> {
    /// Opens a store for a load of `total` appends.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened or read.
    pub fn open(dir: &Path, total: u64, journal: Journal) -> Result<Self, Failure> {
        let store = S::open(dir)?;
        let mut view = View::default();
        for operation in store.read()? {
            view.add(&operation?);
        }
        let appended = AtomicU64::new(view.total());
        let statistics_every = (total / STATISTICS_IN_ALL).max(1);
        Ok(Self {
            store,
            journal,
            view: Mutex::new(view),
            appended,
            statistics_every,
        })
    }

    fn view(&self) -> std::sync::MutexGuard<'_, View> {
        self.view
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn append(&self, operation: &Operation, it: &mut Iteration<'_>) -> Result<u64, Failure> {
        it.step(APPEND, |effects| {
            self.journal.attempted(effects, RECORD, &operation.id);
            self.store.append(operation)?;
            self.journal
                .created(effects, RECORD, &operation.id, operation.digest());
            self.view().add(operation);
            Ok(self.appended.fetch_add(1, Ordering::Relaxed) + 1)
        })
    }

    fn query_pending(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(QUERY, |_| {
            let view = self.view();
            let page: Vec<_> = view.pending.iter().take(PAGE).collect();
            let pending = view.counts.get(&Status::Pending).copied().unwrap_or(0);
            let expected = usize::try_from(pending).unwrap_or(usize::MAX).min(PAGE);
            check(
                page.len() as u64,
                expected as u64,
                "pending records on the first page",
            )
        })
    }

    /// Reads the whole log, and holds it against what was acknowledged before the reading began.
    fn statistics(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(STATISTICS, |_| {
            let acknowledged = self.view().total();
            let mut found = View::default();
            for operation in self.store.read()? {
                found.add(&operation?);
            }
            if found.total() < acknowledged {
                return check(found.total(), acknowledged, "records in the log");
            }
            Ok(())
        })
    }
}

fn check(found: u64, expected: u64, what: &str) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(Failure::new(format!("{found} {what}, {expected} expected")))
}

impl<S: RecordStore> Workload for StorageTarget<S> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![APPEND, QUERY, STATISTICS]
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let (user, index) = (it.user(), it.index());
        let operation = Operation::random(user, index, it.rng());
        let appended = self.append(&operation, it)?;
        if appended.is_multiple_of(QUERY_EVERY) {
            self.query_pending(it)?;
        }
        if appended.is_multiple_of(self.statistics_every) {
            self.statistics(it)?;
        }
        Ok(())
    }
}

impl<S: RecordStore> Target for StorageTarget<S> {
    fn close(self) -> Result<(), Failure> {
        self.store.close()
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        let found = self.store.read()?.map(|operation| {
            let operation = operation?;
            Ok(Found::new(RECORD, operation.id.clone(), operation.digest()))
        });
        Ok(Box::new(found))
    }
}

impl Builtin for StorageTarget {
    fn open(dir: &Path, total: u64, journal: Journal) -> Result<Self, Failure> {
        Self::open(dir, total, journal)
    }
}
