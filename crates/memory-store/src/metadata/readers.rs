//! Reading: a few connections of its own, which SQLite's write-ahead log keeps free of the writer.

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crossbeam::channel::{Receiver, Sender, bounded};
use rusqlite::{Connection, Transaction};

use crate::error::{Result, SqliteContext};

use super::schema::open_reader;

/// Read-only connections, lent to one caller each.
#[derive(Debug)]
pub(crate) struct ReaderPool {
    path: PathBuf,
    idle: Receiver<Connection>,
    returned: Sender<Connection>,
}

impl ReaderPool {
    pub(crate) fn open(path: &Path, connections: NonZeroUsize) -> Result<Self> {
        let (returned, idle) = bounded(connections.get());
        for _ in 0..connections.get() {
            returned
                .send(open_reader(path)?)
                .expect("the receiver is in scope");
        }
        Ok(Self {
            path: path.to_owned(),
            idle,
            returned,
        })
    }

    /// A pool of one connection, which may have a picture open that all that is read is of.
    pub(crate) fn of(connection: Connection, path: &Path) -> Self {
        let (returned, idle) = bounded(1);
        returned.send(connection).expect("the receiver is in scope");
        Self {
            path: path.to_owned(),
            idle,
            returned,
        }
    }

    /// Lends a connection and waits for one if all are lent. Callers hold it for single
    /// statements, and never while they wait for the cache or the writer: so it always comes back.
    pub(crate) fn lend(&self) -> Reader<'_> {
        let connection = self.idle.recv().expect("the pool holds a sender");
        Reader {
            pool: self,
            connection: Some(connection),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A lent connection; dropping it returns it.
pub(crate) struct Reader<'a> {
    pool: &'a ReaderPool,
    connection: Option<Connection>,
}

impl Reader<'_> {
    /// One picture for several statements, until it is dropped: without it, each statement would
    /// see the commits that came after the one before. None if one is open anyway.
    pub(crate) fn snapshot(&self) -> Result<Option<Transaction<'_>>> {
        if !self.is_autocommit() {
            return Ok(None);
        }
        self.unchecked_transaction()
            .map(Some)
            .sqlite("begin reading", self.pool.path())
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("present until dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // As many places as connections: there is always room.
            let _ = self.pool.returned.try_send(connection);
        }
    }
}
