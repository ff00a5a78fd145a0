mod operation;
mod traffic;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jsonl_storage::{Log, LogOptions, Record, Seq};
use load_engine::{Failure, Found, Iteration, StepSpec, Workload};

pub use self::operation::{Operation, Status};
use self::traffic::{StorageOperation, StorageOptions, StorageUse};
use super::data_feed::DataFeed;
use super::phased::{PhaseMix, Phased};
use super::registry::{DiskUse, LoadFacts, OpenContext, RegisteredTarget};
use crate::prove::EffectsFound;
use crate::scenario::SpecError;
use crate::{Journal, Target};

const APPEND: StepSpec = StepSpec::effectful("append");
const QUERY: StepSpec = StepSpec::new("query pending");
const STATISTICS: StepSpec = StepSpec::new("full statistics");
const SCAN: StepSpec = StepSpec::new("scan all");
const PREPARE: StepSpec = StepSpec::effectful("prepare records");

/// The kind of the effects in the ledger.
const RECORD: &str = "record";

/// A query of the pending records, and statistics of all, come with each of so many appends.
const QUERY_EVERY: u64 = 100;

/// The number in whose name the records are written that are there before the load: no user's.
const PREPARER: u32 = 9_999_999;

/// The longest answer of a query: a page.
const PAGE: usize = 100;

/// Where operations are stored: a seam, so that a test can put a store that lies in its place.
pub trait RecordStore: Send + Sync + Sized + 'static {
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

    /// Appends records in order, and returns their places when all are durable.
    ///
    /// # Errors
    ///
    /// When one is not.
    fn append_all(&self, operations: &[Operation]) -> Result<Vec<Seq>, Failure> {
        operations
            .iter()
            .map(|operation| self.append(operation))
            .collect()
    }

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
        Ok(LogOptions::new()
            .chained_when_new()
            .chained_in_groups()
            .open(dir)?)
    }

    fn append(&self, operation: &Operation) -> Result<Seq, Failure> {
        Ok(self.append(operation)?)
    }

    fn append_all(&self, operations: &[Operation]) -> Result<Vec<Seq>, Failure> {
        let submitted = operations.iter().map(|operation| self.submit(operation));
        let tickets = submitted.collect::<Result<Vec<_>, _>>()?;
        let waited = tickets.into_iter().map(|ticket| Ok(ticket.wait()?));
        waited.collect()
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
pub struct StorageTarget<S = Log<Operation>> {
    store: S,
    journal: Journal,
    view: Mutex<View>,
    usage: StorageUse,
    feed: Option<DataFeed>,
    /// Whether the records are there that are written before anything else.
    prepared: Mutex<bool>,
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
            usage: StorageUse::default(),
            feed: None,
            prepared: Mutex::new(false),
        })
    }

    fn view(&self) -> MutexGuard<'_, View> {
        // A panic under the lock is a counted failure, and leaves the counts whole.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends, and says how many records there are then.
    fn append(&self, operation: &Operation, it: &mut Iteration<'_>) -> Result<u64, Failure> {
        it.step(&APPEND, |effects| {
            self.journal.attempted(effects, RECORD, &operation.id);
            let place = self.store.append(operation)?;
            self.journal
                .created(effects, RECORD, &operation.id, operation.digest());
            let mut view = self.view();
            view.add(place, operation);
            Ok(view.total())
        })
    }

    /// Writes the records that are to be there before anything else, once; who comes meanwhile waits.
    fn prepare(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if *prepared || self.usage.records == 0 {
            return Ok(());
        }
        *prepared = true;
        let numbers = 0..self.usage.records;
        let operations: Vec<_> = numbers
            .map(|number| Operation::random(PREPARER, number, it.rng()))
            .collect();
        it.step(&PREPARE, |effects| {
            for operation in &operations {
                self.journal.attempted(effects, RECORD, &operation.id);
            }
            let places = self.store.append_all(&operations)?;
            let mut view = self.view();
            for (operation, place) in operations.iter().zip(places) {
                self.journal
                    .created(effects, RECORD, &operation.id, operation.digest());
                view.add(place, operation);
            }
            Ok(())
        })
    }

    /// Reads every record, and holds the pending ones against those that were acknowledged by then.
    fn scan(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let acknowledged = self.view().pending.len();
        it.step(&SCAN, |_| {
            let mut pending = 0;
            for record in self.store.read()? {
                let (_, operation) = record?;
                pending += usize::from(operation.status == Status::Pending);
            }
            if pending < acknowledged {
                return Err(Failure::new("the scan lacks a pending record"));
            }
            Ok(())
        })
    }

    /// What is appended next: with the next record of the data as its note while there is one.
    fn operation(&self, it: &mut Iteration<'_>) -> Result<Operation, Failure> {
        let (user, index) = (it.user(), it.index());
        let mut operation = Operation::random(user, index, it.rng());
        if let Some(feed) = &self.feed {
            let record = feed.next()?;
            it.check("the data had another record", record.is_some());
            if let Some(record) = record {
                operation.note = record;
            }
        }
        Ok(operation)
    }

    /// Reads the newest pending records from the log, by their places.
    fn query_pending(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&QUERY, |_| {
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
        it.step(&STATISTICS, |_| {
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
        self.usage.steps()
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        self.prepare(it)?;
        if let Some(mix) = &self.usage.mix {
            return match mix.at(it.phase_now()).draw(it.rng()) {
                StorageOperation::Append => {
                    let operation = self.operation(it)?;
                    self.append(&operation, it).map(drop)
                }
                StorageOperation::Query => self.query_pending(it),
                StorageOperation::Scan => self.scan(it),
                StorageOperation::Statistics => self.statistics(it),
            };
        }
        let operation = self.operation(it)?;
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

impl RegisteredTarget for StorageTarget {
    const NAME: &'static str = "storage";
    const TAKES_DATA: bool = true;
    type Options = StorageOptions;
    type PhaseOptions = PhaseMix;
    type Prepared = StorageUse;

    fn prepare(
        options: StorageOptions,
        phases: Vec<PhaseMix>,
        load: &LoadFacts,
    ) -> Result<StorageUse, SpecError> {
        Ok(StorageUse {
            records: options.initial_records.unwrap_or(0),
            mix: Phased::mixes(&options.mix, &phases, load, &StorageOperation::ALL)?,
        })
    }

    fn steps(prepared: &StorageUse) -> Vec<StepSpec> {
        prepared.steps()
    }

    fn disk_use(prepared: &StorageUse) -> DiskUse {
        DiskUse {
            records_before: prepared.records,
            ..DiskUse::default()
        }
    }

    fn open(dir: &Path, prepared: &StorageUse, context: OpenContext) -> Result<Self, Failure> {
        Ok(Self {
            usage: prepared.clone(),
            feed: context.data,
            ..Self::open(dir, context.journal)?
        })
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        Self::open(dir, Journal::none())
    }
}
