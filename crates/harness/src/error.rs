use std::io;
use std::path::{Path, PathBuf};

use load_engine::{Failure, RunError};
use report::ScenarioResult;

/// Why a suite could not run, or a saved report could not be read. A target that fails under load
/// is no such error: that is the result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused. Check the path and its permissions, or name another one.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as in "cannot *create directory*".
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The disk is too full to write what the load would write. Free space, or name a directory on
    /// another disk by `--out`.
    #[error(
        "disk full: {} has {} MB free, the load needs about {} MB; free space or name another directory with --out",
        path.display(), free_bytes / 1_000_000, needed_bytes / 1_000_000
    )]
    DiskFull {
        /// Where the load would write.
        path: PathBuf,
        /// What is free there, in bytes.
        free_bytes: u64,
        /// What the load needs by estimate, in bytes.
        needed_bytes: u64,
    },
    /// The disk became full while the load ran. Free space, or name a directory on another disk.
    #[error(
        "disk full: scenario {scenario} ran out of space in {}; free space or name another directory with --out",
        path.display()
    )]
    DiskFilled {
        /// Which scenario it stopped.
        scenario: String,
        /// Where it wrote.
        path: PathBuf,
    },
    /// No scenario has this name.
    #[error("unknown scenario {name:?}, expected one of: {known}")]
    UnknownScenario {
        /// The name as given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A scenario file that makes no sense, with the place of the first mistake and what would be
    /// right there.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    ScenarioFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// What was set over a scenario file makes no sense, while the file does.
    #[error("{} with {setting}: {problem}", path.display())]
    ScenarioOverride {
        /// The file.
        path: PathBuf,
        /// The arguments that set it.
        setting: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A target could not be opened, before any load or after it.
    #[error("scenario {scenario} cannot {operation} its target: {failure}")]
    Target {
        /// Which scenario.
        scenario: String,
        /// `open`, `close` or `reopen`.
        operation: &'static str,
        /// What the target said.
        failure: Failure,
    },
    /// The engine could not run.
    #[error("scenario {scenario} cannot run")]
    Run {
        /// Which scenario.
        scenario: String,
        /// Why.
        #[source]
        source: RunError,
    },
    /// What was measured contradicts itself: a defect of this program. Report it with the command that
    /// repeats the run.
    #[error(
        "scenario {scenario}: {problem}: this is a defect of proofload, so the run says nothing"
    )]
    Inconsistent {
        /// Which scenario.
        scenario: String,
        /// Which sum does not hold.
        problem: String,
    },
    /// A report could not be saved or read.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// A directory in which no target of this program lies.
    #[error("{} holds no log, no memory store and no saved report", path.display())]
    NothingToVerify {
        /// The directory.
        path: PathBuf,
    },
    /// A file that should say which target wrote a directory, and does not. Name the `data-…`
    /// directory that a run left behind.
    #[error("{} was not written by a known target: {reason}", path.display())]
    NotAScenario {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A log could not be read.
    #[error(transparent)]
    Log(#[from] jsonl_storage::Error),
    /// A memory store could not be read.
    #[error(transparent)]
    Memory(#[from] memory_store::Error),
    /// A line of a journal of acknowledgements is damaged. What was acknowledged cannot be told from it:
    /// take a copy of the journal, if there is one.
    #[error("{} line {line} is no acknowledgement: {reason}", path.display())]
    JournalLine {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A journal has acknowledgements of other runs only. Name the one that the run was given.
    #[error(
        "{} has no acknowledgement of the run that wrote {}, only {others} of others: name the journal of that run",
        path.display(), directory.display()
    )]
    JournalOfOthers {
        /// The journal.
        path: PathBuf,
        /// The data directory.
        directory: PathBuf,
        /// How many lines of other runs it has.
        others: u64,
    },
    /// A load ran and its effects could not be verified. What it wrote is kept: see what prevented it,
    /// and verify the directory with `proofload verify`.
    #[error("scenario {scenario} was not verified, and what it wrote is kept in {}", data.display())]
    DataKept {
        /// Which scenario.
        scenario: String,
        /// Where its data is.
        data: PathBuf,
        /// What prevented it.
        #[source]
        source: Box<Error>,
    },
    /// A load ran, and what could be verified is in the result; but not all was kept that belongs to it.
    #[error("scenario {} is measured, but not everything was kept", result.name)]
    Incomplete {
        /// What was measured and found.
        result: Box<ScenarioResult>,
        /// What was not kept, and why.
        #[source]
        source: Box<Error>,
    },
    /// A report could not be saved. What the targets wrote is kept, so that it can be verified again.
    #[error("the report was not saved{}", told(kept))]
    NotSaved {
        /// Where the data of the scenarios is.
        kept: Vec<PathBuf>,
        /// What prevented it.
        #[source]
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }
}

fn told(kept: &[PathBuf]) -> String {
    let paths: Vec<_> = kept.iter().map(|path| path.display().to_string()).collect();
    match paths.is_empty() {
        true => String::new(),
        false => format!("; what the targets wrote is kept in {}", paths.join(", ")),
    }
}
