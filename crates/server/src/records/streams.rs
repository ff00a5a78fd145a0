//! The logs of a data directory, each opened when it is first used.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use action::Timestamp;
use jsonl_storage::{
    Error as LogError, Index, Log, LogOptions, Record, Seq, Verified, is_log, verify_log,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::problem::{Code, Problem, not_found};

/// A record as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    /// The key under which it was appended: an index finds it by that, so a repeated call appends nothing.
    pub(crate) once: String,
    pub(crate) data: Value,
}

pub(crate) struct Streams {
    dir: PathBuf,
    open: Mutex<BTreeMap<String, Arc<Log<Kept>>>>,
    /// Keys of appends under way. The index finds only what is on disk.
    in_flight: Mutex<BTreeSet<String>>,
}

/// Each holds a few descriptors for as long as the server runs.
const MOST_STREAMS: usize = 256;

impl Streams {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            open: Mutex::default(),
            in_flight: Mutex::default(),
        }
    }

    /// All names, in order.
    pub(crate) fn names(&self) -> Result<Vec<String>, Problem> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| unreadable(&error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&error))?;
            if is_log(&entry.path()) {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Appends a record unless one of its key is there; the number of the one that is.
    pub(crate) fn append(&self, stream: &str, record: &Kept) -> Result<u64, Problem> {
        let log = self.opened(stream, true)?;
        let _turn = Turn::take(&self.in_flight, &record.once)?;
        if let Some(there) = log.find(&record.once).map_err(failed)? {
            if there.data.data == record.data {
                return Ok(there.seq.0);
            }
            let detail = format!("the key was used for another record, number {}", there.seq);
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        Ok(log.append(record).map_err(failed)?.0)
    }

    /// The record of a key; none also where there is no such stream.
    pub(crate) fn find(&self, stream: &str, once: &str) -> Result<Option<Record<Kept>>, Problem> {
        match self.opened(stream, false) {
            Ok(log) => log.find(once).map_err(failed),
            Err(problem) if problem.code == Code::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    pub(crate) fn from(
        &self,
        stream: &str,
        from: u64,
        most: usize,
    ) -> Result<Vec<Record<Kept>>, Problem> {
        let log = self.opened(stream, false)?;
        let records = log.range(Seq(from)..).map_err(failed)?;
        records.take(most).collect::<Result<_, _>>().map_err(failed)
    }

    pub(crate) fn newest(
        &self,
        stream: &str,
        before: u64,
        most: usize,
    ) -> Result<Vec<Record<Kept>>, Problem> {
        let log = self.opened(stream, false)?;
        log.range_back(..Seq(before))
            .take(most)
            .collect::<Result<_, _>>()
            .map_err(failed)
    }

    pub(crate) fn verify(&self, stream: &str) -> Result<Verified, Problem> {
        let log = self.opened(stream, false)?;
        verify_log(log.dir()).map_err(failed)
    }

    /// The log of a name, which is made if it is missing and somebody writes to it.
    fn opened(&self, stream: &str, make: bool) -> Result<Arc<Log<Kept>>, Problem> {
        let mut open = self.open.lock();
        if let Some(log) = open.get(stream) {
            return Ok(Arc::clone(log));
        }
        let dir = self.dir.join(stream);
        if !is_log(&dir) {
            if !make {
                return Err(not_found());
            }
            if self.names()?.len() >= MOST_STREAMS {
                let detail = format!("there are {MOST_STREAMS} streams, and no more are made");
                return Err(Problem::new(Code::QuotaExceeded, detail));
            }
            let made = DirBuilder::new().mode(0o700).recursive(true).create(&dir);
            made.map_err(|error| unreadable(&error))?;
        }
        let index = Index::new("once").by_key(|record: &Kept| Some(Cow::Borrowed(&*record.once)));
        let log = LogOptions::new()
            .chained_when_new()
            .indexed(index)
            .open(&dir)
            .map_err(failed)?;
        let log = Arc::new(log);
        open.insert(stream.to_owned(), Arc::clone(&log));
        Ok(log)
    }

    /// Closes all logs that nobody uses any more.
    pub(crate) fn close(self) -> Result<(), LogError> {
        let mut logs = self
            .open
            .into_inner()
            .into_values()
            .filter_map(Arc::into_inner);
        logs.try_for_each(Log::close)
    }
}

/// The right to append under a key: whoever else has it now is asked to come again.
struct Turn<'a> {
    in_flight: &'a Mutex<BTreeSet<String>>,
    key: &'a str,
}

impl<'a> Turn<'a> {
    fn take(in_flight: &'a Mutex<BTreeSet<String>>, key: &'a str) -> Result<Self, Problem> {
        if in_flight.lock().insert(key.to_owned()) {
            return Ok(Self { in_flight, key });
        }
        let detail = "a request of the same Idempotency-Key is under way";
        Err(Problem::new(Code::RequestInFlight, detail))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.in_flight.lock().remove(self.key);
    }
}

fn failed(error: LogError) -> Problem {
    let code = match &error {
        LogError::Encode(_) => Code::InvalidField,
        LogError::Full { .. } => Code::StorageFull,
        // It takes no more writes until the server is started again.
        LogError::Io { .. } | LogError::Poisoned { .. } => Code::StoreFailed,
        // Damage on disk, which no restart mends.
        _ => Code::Internal,
    };
    Problem::new(code, error.to_string())
}

fn unreadable(error: &io::Error) -> Problem {
    Problem::new(
        Code::Internal,
        format!("the streams cannot be read: {error}"),
    )
}
