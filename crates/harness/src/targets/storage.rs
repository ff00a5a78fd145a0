use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jsonl_storage::{Log, LogOptions, Record, Seq};
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

/// A query of the pending records, and statistics of all, come with each of so many appends.
const QUERY_EVERY: u64 = 100;

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

    /// Appends a record, and returns its place when it is durable.
    ///
    /// # Errors
    ///
    /// When it is not.
    fn append(&self, operation: &Operation) -> Result<Seq, Failure>;

    /// Reads the record at a place; none if there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn get(&self, place: Seq) -> Result<Option<Operation>, Failure>;

    /// Reads every record.
    ///
    /// # Errors
    ///
    /// When reading cannot begin.
    fn read(&self) -> Result<impl Iterator<Item = Result<(Seq, Operation), Failure>>, Failure>;

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

    fn append(&self, operation: &Operation) -> Result<Seq, Failure> {
        Ok(self.append(operation)?)
    }

    fn get(&self, place: Seq) -> Result<Option<Operation>, Failure> {
        Ok(self.get(place)?.map(|record| record.data))
    }

    fn read(&self) -> Result<impl Iterator<Item = Result<(Seq, Operation), Failure>>, Failure> {
        let pair = |record: Record<Operation>| (record.seq, record.data);
        Ok(self.scan()?.map(move |record| Ok(pair(record?))))
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
}

/// Where the pending records are and how many there are of each status: folded from the log as it
/// grows, so that no query and no statistic reads it all again.
#[derive(Debug, Default, PartialEq, Eq)]
struct View {
    pending: BTreeMap<Seq, String>,
    counts: BTreeMap<Status, u64>,
}

impl View {
    fn add(&mut self, place: Seq, operation: &Operation) {
        *self.counts.entry(operation.status).or_default() += 1;
        if operation.status == Status::Pending {
            self.pending.insert(place, operation.id.clone());
        }
    }

    fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl<S: RecordStore> StorageTarget<S> {
    /// Opens a store, and folds its view from what is there.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened or read.
    pub fn open(dir: &Path, journal: Journal) -> Result<Self, Failure> {
        let store = S::open(dir)?;
        let mut view = View::default();
        for record in store.read()? {
            let (place, operation) = record?;
            view.add(place, &operation);
        }
        Ok(Self {
            store,
            journal,
            view: Mutex::new(view),
        })
    }

    fn view(&self) -> MutexGuard<'_, View> {
        // A panic under the lock is a counted failure, and leaves the counts whole.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends, and says how many records there are then.
    fn append(&self, operation: &Operation, it: &mut Iteration<'_>) -> Result<u64, Failure> {
        it.step(APPEND, |effects| {
            self.journal.attempted(effects, RECORD, &operation.id);
            let place = self.store.append(operation)?;
            self.journal
                .created(effects, RECORD, &operation.id, operation.digest());
            let mut view = self.view();
            view.add(place, operation);
            Ok(view.total())
        })
    }

    /// Reads the newest pending records from the log, by their places.
    fn query_pending(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(QUERY, |_| {
            let newest = |view: &View| -> Vec<(Seq, String)> {
                let page = view.pending.iter().rev().take(PAGE);
                page.map(|(place, id)| (*place, id.clone())).collect()
            };
            let page = newest(&self.view());
            for (place, id) in page {
                match self.store.get(place)? {
                    Some(found) if found.id == id && found.status == Status::Pending => {}
                    _ => return Err(Failure::new("a pending record is not at its place")),
                }
            }
            Ok(())
        })
    }

    fn statistics(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(STATISTICS, |_| {
            let view = self.view();
            let pending = view.counts.get(&Status::Pending).copied().unwrap_or(0);
            if pending != view.pending.len() as u64 {
                return Err(Failure::new(
                    "the statistics differ from the pending records",
                ));
            }
            Ok(())
        })
    }
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
        let found = self.store.read()?.map(|record| {
            let (_, operation) = record?;
            Ok(Found::new(RECORD, operation.id.clone(), operation.digest()))
        });
        Ok(Box::new(found))
    }
}

impl Builtin for StorageTarget {
    fn open(dir: &Path, journal: Journal) -> Result<Self, Failure> {
        Self::open(dir, journal)
    }
}
