//! Are the files of the database still those that were opened?
//!
//! Whoever removes or replaces them under an open store leaves it with files that nobody can find:
//! all would be acknowledged, and gone with the process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What tells a file from another one of the same name: its device and its number there.
type Identity = (u64, u64);

#[derive(Debug)]
pub(super) struct Files {
    database: Option<Identity>,
    /// Known once there was something written.
    log: Option<Identity>,
}

impl Files {
    pub(super) fn of(database: &Path) -> Self {
        Self {
            database: identity(database),
            log: identity(&log_of(database)),
        }
    }

    /// Refuses to go on with files that were removed or replaced.
    pub(super) fn check(&mut self, database: &Path) -> Result<()> {
        if self.database != identity(database) {
            return Err(replaced(database.to_owned()));
        }
        let log = log_of(database);
        let now = identity(&log);
        if self.log.is_some() && self.log != now {
            return Err(replaced(log));
        }
        self.log = now;
        Ok(())
    }
}

fn log_of(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn replaced(path: PathBuf) -> Error {
    Error::Replaced { path }
}
