//! The database's shape, and how it is opened without harming what is already there.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result, SqliteContext};
use crate::model::fault;

use super::directory::sync_directory;
use super::migration::{OLDEST_VERSION, migrate};
use super::page_sums;
use super::tables::{SCHEMA, SCHEMA_VERSION};

pub(crate) const DATABASE_FILE: &str = "memory.sqlite";

/// "PLMS" in ASCII: tells our databases from those of other applications.
const APPLICATION_ID: i32 = 0x504c_4d53;

/// How long a connection waits for another one's lock before it fails. Only recovery after a crash
/// and the removal of the log at closing take such locks.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept by a connection: more than the store has.
const STATEMENTS: usize = 128;

/// Opens the database for the writer, creates it if it is missing or empty, and brings one of an
/// earlier version up to date.
///
/// A file that is not ours, or of a later version, is left as it is: nothing is set before its
/// header was read.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).sqlite("open the database", path)?;
    let is_new = is_empty(&connection, path)?;
    let version = if is_new {
        SCHEMA_VERSION
    } else {
        identify(&connection, path, OLDEST_VERSION)?
    };
    page_sums::remove(path)?;
    configure_writer(&connection).sqlite("configure the database", path)?;
    if is_new {
        fault::point("before-schema");
        create(&connection).sqlite("create the schema", path)?;
        fault::point("after-schema");
        sync_directory(path)?;
    }
    if version < SCHEMA_VERSION {
        migrate(&connection, version).sqlite("bring the schema up to date", path)?;
    }
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).sqlite("open the database", path)?;
    connection
        .execute_batch(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA temp_store = MEMORY;",
            BUSY_TIMEOUT.as_millis()
        ))
        .sqlite("configure a reader", path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Opens a database that nobody may be using, without changing it: the write-ahead log is read,
/// but neither copied into the database nor removed at closing.
pub(crate) fn open_for_verification(path: &Path) -> Result<Connection> {
    let connection = open_reader(path)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .sqlite("configure a reader", path)?;
    identify(&connection, path, SCHEMA_VERSION)?;
    Ok(connection)
}

/// Begins a transaction and takes its picture at once: a bare BEGIN waits for the first read.
pub(crate) fn begin_reading(connection: &Connection, path: &Path) -> Result<()> {
    connection
        .execute_batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1;")
        .sqlite("begin reading", path)
}

fn is_empty(connection: &Connection, path: &Path) -> Result<bool> {
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .sqlite("read the schema", path)?;
    Ok(objects == 0 && pragma(connection, path, "application_id")? == 0)
}

/// The version of a memory store's database, if it lies between `oldest` and ours.
fn identify(connection: &Connection, path: &Path, oldest: i32) -> Result<i32> {
    let found = pragma(connection, path, "application_id")?;
    if found != APPLICATION_ID {
        let path = path.to_owned();
        return Err(Error::NotAMemoryStore {
            path,
            found,
            expected: APPLICATION_ID,
        });
    }
    let found = pragma(connection, path, "user_version")?;
    if !(oldest..=SCHEMA_VERSION).contains(&found) {
        let path = path.to_owned();
        return Err(Error::SchemaVersion {
            path,
            found,
            expected: SCHEMA_VERSION,
        });
    }
    Ok(found)
}

fn pragma(connection: &Connection, path: &Path, name: &str) -> Result<i32> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .sqlite("read the header", path)
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The log may grow to 16 MB before a commit pays for copying it into the database: rarer
    // pauses, at the price of a longer recovery (well below a second).
    connection.execute_batch(&format!(
        "PRAGMA busy_timeout = {};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;",
        BUSY_TIMEOUT.as_millis()
    ))
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    // Header and tables in one transaction: a crash leaves an empty database, never half a schema.
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {SCHEMA}
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION};
         COMMIT;"
    ))
}
