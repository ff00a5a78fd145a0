use std::io;
use std::path::{Path, PathBuf};

/// Why a report could not be saved or read.
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
    /// A file that is no report of this program.
    #[error("{} is not a proofload report: {reason}", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A report that a later program wrote. Read it with a program of that version.
    #[error("{} has version {found}; this program reads 1 and 2", path.display())]
    ReportVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A report whose sums do not hold: the file was damaged or changed, or a build had a defect. Run the
    /// load again, or restore the file.
    #[error(
        "{}: scenario {scenario}: {problem}; the file is damaged or was changed, so no verdict on it holds",
        path.display()
    )]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// Of which scenario.
        scenario: String,
        /// Which sum.
        problem: String,
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
