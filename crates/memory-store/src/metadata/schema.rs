//! The database's shape, and how it is opened without harming what is already there.

use std::fs::File;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, IoContext, Result, SqliteContext};

pub(crate) const DATABASE_FILE: &str = "memory.sqlite";

/// "PLMS" in ASCII: tells our databases from those of other applications.
const APPLICATION_ID: i32 = 0x504c_4d53;
const SCHEMA_VERSION: i32 = 1;

/// `row` is the key of whatever is derived from a memory; `id` is only unique in its namespace.
/// Tags and attributes stand in the memory's own row, so that one look-up reads a memory whole,
/// and again in their own tables, which are the indexes that filters use.
const SCHEMA: &str = "
CREATE TABLE namespaces(
    ns        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL UNIQUE,
    next_id   INTEGER NOT NULL,
    dimension INTEGER
) STRICT;
CREATE TABLE memories(
    row        INTEGER PRIMARY KEY AUTOINCREMENT,
    ns         INTEGER NOT NULL REFERENCES namespaces(ns),
    id         INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    text       TEXT NOT NULL,
    tags       TEXT NOT NULL,
    attributes TEXT NOT NULL,
    vector     BLOB,
    digest     BLOB NOT NULL,
    UNIQUE(ns, id)
) STRICT;
CREATE INDEX memories_by_time ON memories(ns, at, id);
CREATE TABLE tags(
    ns  INTEGER NOT NULL,
    tag TEXT NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY(ns, tag, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE attributes(
    ns    INTEGER NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY(ns, name, value, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE edges(
    ns       INTEGER NOT NULL REFERENCES namespaces(ns),
    source   INTEGER NOT NULL,
    relation TEXT NOT NULL,
    target   INTEGER NOT NULL,
    weight   REAL NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY(ns, source, relation, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_target ON edges(ns, target);
";

/// How long a connection waits for another one's lock before it fails. Only recovery after a crash
/// and the removal of the log at closing take such locks.
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Opens the database for the writer and creates it if it is missing or empty.
///
/// A file that is not ours is left as it is: nothing is set before its header was read.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).sqlite("open the database", path)?;
    let is_new = is_empty(&connection, path)?;
    if !is_new {
        check_identity(&connection, path)?;
    }
    configure_writer(&connection).sqlite("configure the database", path)?;
    if is_new {
        create(&connection).sqlite("create the schema", path)?;
        sync_directory(path)?;
    }
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).sqlite("open the database", path)?;
    connection
        .execute_batch(&format!(
            "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA temp_store = MEMORY;"
        ))
        .sqlite("configure a reader", path)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a database that nobody may be using, without changing it: the write-ahead log is read,
/// but neither copied into the database nor removed at closing.
pub(crate) fn open_for_verification(path: &Path) -> Result<Connection> {
    let connection = open_reader(path)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .sqlite("configure a reader", path)?;
    check_identity(&connection, path)?;
    Ok(connection)
}

fn is_empty(connection: &Connection, path: &Path) -> Result<bool> {
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .sqlite("read the schema", path)?;
    Ok(objects == 0 && pragma(connection, path, "application_id")? == 0)
}

fn check_identity(connection: &Connection, path: &Path) -> Result<()> {
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
    if found != SCHEMA_VERSION {
        let path = path.to_owned();
        return Err(Error::SchemaVersion {
            path,
            found,
            expected: SCHEMA_VERSION,
        });
    }
    Ok(())
}

fn pragma(connection: &Connection, path: &Path, name: &str) -> Result<i32> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .sqlite("read the header", path)
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    // The log may grow to 16 MB before a commit pays for copying it into the database: rarer
    // pauses, at the price of a longer recovery (well below a second).
    connection.execute_batch(&format!(
        "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;"
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

/// SQLite syncs its files; their names live in the directory, which is synced here.
fn sync_directory(database: &Path) -> Result<()> {
    let directory = database
        .parent()
        .expect("the database lies in the store's directory");
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .io("sync", directory)
}
