//! Verifying a directory that nobody has open, for instance one that a killed process left.

use std::path::Path;

use crate::check::check_metadata;
use crate::error::{Error, Result};
use crate::metadata::{DATABASE_FILE, begin_reading, open_for_verification};
use crate::model::entries::Entries;
use crate::model::report::CheckReport;

/// Checks the store in a directory without changing its database: SQLite's integrity check, every
/// content digest, the label indexes, and that no edge dangles.
///
/// A write-ahead log that a killed process left is read as part of the database, up to its last
/// whole commit. It is neither copied into the database nor removed; that happens when the store
/// is next opened. SQLite may rebuild `memory.sqlite-shm`, which holds an index of the log and no
/// data. The lock is not taken, so a store that is in use is verified as of this moment.
///
/// # Errors
///
/// [`Error::NoStore`] if there is no database, [`Error::Corrupt`] if it cannot be read,
/// [`Error::SchemaVersion`] or [`Error::NotAMemoryStore`] if it is not one of this version. Damage
/// that can be read around is in the report.
pub fn verify_store(directory: impl AsRef<Path>) -> Result<CheckReport> {
    let path = existing_database(directory.as_ref())?;
    let connection = open_for_verification(&path)?;
    begin_reading(&connection, &path)?;
    check_metadata(&connection, &path)
}

/// Streams every memory and every edge of a store that is not open, each with its digest, without
/// changing its database. See [`verify_store`] for what is done with a log that was left behind.
///
/// # Errors
///
/// Those of [`verify_store`].
pub fn read_all(directory: impl AsRef<Path>) -> Result<Entries> {
    Entries::open(&existing_database(directory.as_ref())?)
}

fn existing_database(directory: &Path) -> Result<std::path::PathBuf> {
    let path = directory.join(DATABASE_FILE);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::NoStore {
            path: directory.to_owned(),
        })
    }
}
