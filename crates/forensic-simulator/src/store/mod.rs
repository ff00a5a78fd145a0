pub(crate) mod forensic;
pub(crate) mod id;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use action::ReportDigest;
use jsonl_storage::{Backend, Log, LogOptions, Recovery, Scan, Seq};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::assess::compare::Comparison;
use crate::assess::statistics::{Statistics, Summary};
use crate::error::Error;
use crate::run::report::SimulationReport;
use crate::run::report::digest_json;
use crate::store::id::ReportId;

/// A report that is on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its number.
    pub id: ReportId,
    /// The digest of its bytes, which are [`SimulationReport::to_json`].
    pub digest: ReportDigest,
    /// The report.
    pub report: Arc<SimulationReport>,
}

/// A record of the log. The summary stands before the report, and the report is parsed only by who
/// needs it: opening a store reads the summaries of all reports.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    digest: ReportDigest,
    summary: Summary,
    report: Box<RawValue>,
}

/// Keeps reports on a log, and statistics of all of them in memory.
///
/// In memory it holds the totals and the latest reports, in full, since what was just simulated is
/// what is asked for; an older report costs one read of the log, which finds a record by its number.
/// So memory is bounded however many reports there are.
#[derive(Debug)]
pub struct SimulationStore {
    log: Log<Record>,
    held_reports: usize,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    statistics: Statistics,
    latest: BTreeMap<ReportId, (ReportDigest, Arc<SimulationReport>)>, // at most `held_reports`
}

/// How a store is opened; ends in [`StoreOptions::open`].
#[derive(Debug, Clone)]
pub struct StoreOptions {
    held_reports: usize,
}

impl StoreOptions {
    /// Starts with every default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            held_reports: 4_096,
        }
    }

    /// Sets how many reports are held in memory (default: 4,096; of five steps each, that is
    /// about 30 MB).
    #[must_use]
    pub fn held_reports(mut self, reports: usize) -> Self {
        self.held_reports = reports;
        self
    }

    /// Opens the store in a directory, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] as the log refuses; [`Error::Altered`] or [`Error::Report`] when one of the
    /// latest reports is not what was saved.
    pub fn open(&self, dir: impl AsRef<Path>) -> Result<SimulationStore, Error> {
        self.with(log_options().open(dir)?)
    }

    /// Opens the store that a [`Backend`] keeps.
    ///
    /// # Errors
    ///
    /// As [`StoreOptions::open`].
    pub fn open_on(&self, backend: Arc<dyn Backend>) -> Result<SimulationStore, Error> {
        self.with(log_options().open_on(backend)?)
    }

    fn with(&self, log: Log<Record>) -> Result<SimulationStore, Error> {
        let mut state = State::default();
        let first_held = log
            .recovery()
            .last
            .0
            .saturating_sub(self.held_reports as u64);
        for record in log.scan()? {
            let record = record?;
            state.statistics.add(&record.data.summary);
            if record.seq.0 > first_held {
                let stored = unpack(record.seq, &record.data)?;
                state.hold(&stored, self.held_reports);
            }
        }
        Ok(SimulationStore {
            log,
            held_reports: self.held_reports,
            state: RwLock::new(state),
        })
    }
}

/// A new log has a hash chain; one that an earlier version began without goes on without.
fn log_options() -> LogOptions {
    LogOptions::new().chained_when_new().chained_in_groups()
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulationStore {
    /// Opens a store with the default options.
    ///
    /// # Errors
    ///
    /// As [`StoreOptions::open`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        StoreOptions::new().open(dir)
    }

    /// Saves a report. When this returns it is on disk and counted.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when it could not be made durable; then it may or may not be there after the
    /// next opening.
    pub fn save(&self, report: SimulationReport) -> Result<Stored, Error> {
        let json = report.to_json()?;
        let digest = digest_json(&json);
        let summary = Summary::of(&report);
        let to_raw = RawValue::from_string(json);
        let record = Record {
            digest,
            summary,
            report: to_raw.map_err(|source| Error::Report(Arc::new(source)))?,
        };
        let seq = self.log.append(&record)?;
        let stored = Stored {
            id: ReportId(seq.0),
            digest,
            report: Arc::new(report),
        };
        let mut state = self.state.write();
        state.statistics.add(&record.summary);
        state.hold(&stored, self.held_reports);
        Ok(stored)
    }

    /// A report by its number: from memory if it is among the latest, else by one read of the log.
    ///
    /// # Errors
    ///
    /// [`Error::NoReport`]; [`Error::Altered`] when its bytes are not those that were saved;
    /// [`Error::Log`].
    pub fn report(&self, id: ReportId) -> Result<Stored, Error> {
        if let Some((digest, report)) = self.state.read().latest.get(&id) {
            let (digest, report) = (*digest, Arc::clone(report));
            return Ok(Stored { id, digest, report });
        }
        let last = ReportId(self.log.durable().0);
        if id.0 == 0 || id > last {
            return Err(Error::NoReport { id, last });
        }
        match self.log.get(Seq(id.0))? {
            Some(record) => unpack(record.seq, &record.data),
            None => Err(Error::NoReport { id, last }),
        }
    }

    /// How the second report differs from the first.
    ///
    /// # Errors
    ///
    /// As [`SimulationStore::report`].
    pub fn compare(&self, first: ReportId, second: ReportId) -> Result<Comparison, Error> {
        let (first, second) = (self.report(first)?, self.report(second)?);
        Ok(Comparison::of(&first.report, &second.report))
    }

    /// The totals over all reports that were acknowledged, and over those that were found at the
    /// opening. Costs the same however many there are.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.state.read().statistics.clone()
    }

    /// The latest reports, the newest first: at most so many, and no more than are held.
    #[must_use]
    pub fn recent(&self, most: usize) -> Vec<Stored> {
        let state = self.state.read();
        let newest = state.latest.iter().rev().take(most);
        newest
            .map(|(&id, (digest, report))| Stored {
                id,
                digest: *digest,
                report: Arc::clone(report),
            })
            .collect()
    }

    /// Reads every stored report from disk, in order, and checks each one against its digest.
    /// Memory is bounded by the largest report.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when the directory cannot be read; an item is [`Error::Altered`] when its
    /// bytes are not those that were saved.
    pub fn stored(&self) -> Result<StoredReports, Error> {
        let scan = self.log.scan()?;
        Ok(StoredReports { scan })
    }

    /// What opening found, such as a torn tail.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.log.recovery()
    }

    /// Closes the store and gives the directory free.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    pub fn close(self) -> Result<(), Error> {
        Ok(self.log.close()?)
    }
}

/// The iterator of [`SimulationStore::stored`].
#[derive(Debug)]
pub struct StoredReports {
    scan: Scan<Record>,
}

impl Iterator for StoredReports {
    type Item = Result<Stored, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.scan.next()?;
        Some(match record {
            Ok(record) => unpack(record.seq, &record.data),
            Err(error) => Err(error.into()),
        })
    }
}

impl State {
    fn hold(&mut self, stored: &Stored, most: usize) {
        let entry = (stored.digest, Arc::clone(&stored.report));
        self.latest.insert(stored.id, entry);
        while self.latest.len() > most {
            self.latest.pop_first();
        }
    }
}

fn unpack(seq: Seq, record: &Record) -> Result<Stored, Error> {
    let (id, saved) = (ReportId(seq.0), record.digest);
    let found = digest_json(record.report.get());
    if found != saved {
        return Err(Error::Altered { id, saved, found });
    }
    let report = serde_json::from_str(record.report.get());
    Ok(Stored {
        id,
        digest: saved,
        report: Arc::new(report.map_err(|source| Error::Report(Arc::new(source)))?),
    })
}
