//! Verifying a directory that nobody has open, for instance one that a killed process left.

use std::path::Path;

use crate::check::check_metadata;
use crate::error::{Error, Result, SqliteContext};
use crate::metadata::{
    DATABASE_FILE, PageCheck, begin_reading, check_page_sums, open_for_verification,
};
use crate::model::entries::Entries;
use crate::model::report::{CheckReport, Disagreement};
use crate::similarity::damaged_graphs;
use crate::store::lock::DirectoryLock;

/// Checks the store in a directory without changing its database: the checksum of every page, if the store
/// was closed, SQLite's integrity check, every content digest, the label indexes, that no edge dangles, and
/// the saved graphs of vectors. Texts have no file: their index is made from the memories at an opening.
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
    let pages = check_page_sums(&path)?;
    begin_reading(&connection, &path)?;
    let mut report = check_metadata(&connection, &path)?;
    report.disagreements.extend(match pages {
        PageCheck::None | PageCheck::Right => None,
        PageCheck::Altered(pages) => Some(Disagreement::AlteredPages { pages }),
        PageCheck::Unusable(detail) => Some(Disagreement::Pages { detail }),
    });
    report.damaged_indexes = damaged_graphs(directory.as_ref())?;
    Ok(report)
}

/// Copies a store that somebody has open, as of this moment, into another directory; false if nobody has it
/// open, in which case its files can be copied as they are. Derived files are not copied.
///
/// # Errors
///
/// Those of [`verify_store`]; and if the copy cannot be written.
pub fn copy_if_in_use(directory: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<bool> {
    let directory = directory.as_ref();
    let Ok(path) = existing_database(directory) else {
        return Ok(false);
    };
    if !DirectoryLock::is_held(directory)? {
        return Ok(false);
    }
    let connection = open_for_verification(&path)?;
    let copy = to.as_ref().join(DATABASE_FILE);
    connection
        .execute("VACUUM INTO ?1", [copy.to_string_lossy()])
        .sqlite("copy the database", &path)?;
    Ok(true)
}

/// Whether a file is one of the database's, which cannot be copied one by one while the store is in use.
#[must_use]
pub fn is_database_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(DATABASE_FILE))
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

pub(crate) fn existing_database(directory: &Path) -> Result<std::path::PathBuf> {
    let path = directory.join(DATABASE_FILE);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::NoStore {
            path: directory.to_owned(),
        })
    }
}
