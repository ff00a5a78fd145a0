//! Writing: the statements of each operation, run by the writer inside a group's transaction.

mod edges;
mod files;
mod import;
mod memories;
mod namespaces;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result, SqliteContext};
use crate::model::fault;
use crate::model::memory::NewMemory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::quota::Quota;
use crate::model::state::StateWrite;

use super::page_sums;
use super::prepared::PreparedMemory;
use super::rows::quota_from_row;
use super::schema::BUSY_TIMEOUT;
use super::state;
use files::Files;

/// What the writer keeps in memory of a namespace, so as not to ask for it at each write.
#[derive(Debug, Clone)]
struct Space {
    ns: i64,
    next_id: MemoryId,
    dimension: Option<usize>,
    /// Who made its vectors, if an embedder did.
    embedder: Option<String>,
    /// Memories, without their versions.
    items: u64,
    /// Of memories and their versions, see [`PreparedMemory::bytes`](super::PreparedMemory).
    bytes: u64,
    /// Of the values of state. Counted by the database itself.
    state_bytes: u64,
    quota: Quota,
    /// Differs from its row; written once before the commit, however many memories were added.
    is_changed: bool,
}

/// The writer's connection and the open transaction's state.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    path: PathBuf,
    spaces: HashMap<Namespace, Space>,
    files: Files,
    /// What the disk failed with outside of a group.
    failure: Option<String>,
}

impl Session {
    pub(crate) fn new(connection: Connection, path: PathBuf) -> Self {
        Self {
            connection,
            files: Files::of(&path),
            path,
            spaces: HashMap::new(),
            failure: None,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn begin(&mut self) -> Result<()> {
        self.files.check(&self.path)?;
        self.execute("begin a transaction", "BEGIN IMMEDIATE", [])
            .map(drop)
    }

    pub(crate) fn commit(&mut self) -> Result<()> {
        for space in self.spaces.values_mut().filter(|space| space.is_changed) {
            self.connection
                .prepare_cached(
                    "UPDATE namespaces SET next_id = ?2, dimension = ?3, items = ?4, bytes = ?5,
                         max_items = ?6, max_bytes = ?7, embedder = ?8 WHERE ns = ?1",
                )
                .and_then(|mut update| {
                    update.execute(params![
                        space.ns,
                        space.next_id.to_sql(),
                        space.dimension.map(|dimension| dimension as i64),
                        number(space.items),
                        number(space.bytes),
                        space.quota.items.map(number),
                        space.quota.bytes.map(number),
                        space.embedder,
                    ])
                })
                .sqlite("update a namespace", &self.path)?;
            space.is_changed = false;
        }
        fault::sync().sqlite("commit", &self.path)?;
        self.execute("commit", "COMMIT", [])?;
        // What was written to files that nobody can find again is not kept.
        self.files.check(&self.path)
    }

    /// Undoes the open transaction, and forgets what was learnt in it.
    pub(crate) fn rollback(&mut self) -> Result<()> {
        self.spaces.clear();
        // After some errors, a full disk among them, SQLite has already rolled back.
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("roll back", "ROLLBACK", []).map(drop)
    }

    /// Runs something in a transaction of its own, after which nothing is taken for known.
    pub(crate) fn in_transaction(
        &mut self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<()> {
        self.begin()?;
        let worked = work(&self.connection).sqlite(operation, &self.path);
        let ended = worked.and_then(|()| self.commit());
        // Undoes the work, or if it was committed only drops what was known.
        let undone = self.rollback();
        self.note_failure(ended.and(undone))
    }

    /// What the disk failed with since this was last asked, outside of a group.
    pub(crate) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn note_failure(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result
            && error.is_of_disk()
        {
            self.failure = Some(error.to_string());
        }
        result
    }

    /// Copies the log into the database and empties it, which waits for those who read.
    fn truncate_log(&self) -> Result<()> {
        /// Single reads take milliseconds; who takes longer may take for ever.
        const PATIENCE: Duration = Duration::from_millis(500);
        let empty = || {
            self.connection.busy_timeout(PATIENCE)?;
            let is_busy: bool =
                self.connection
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            self.connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(is_busy)
        };
        let is_busy: rusqlite::Result<bool> = empty();
        let is_busy = is_busy.sqlite("empty the log", &self.path)?;
        if is_busy {
            return Err(Error::LogInUse {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    /// Closes the connection, after the log was copied into the database.
    pub(crate) fn close(self) -> Result<()> {
        // The checksums are of what nobody writes to any more. Without them all is as safe, and less is
        // found by a verification; so neither a reader that holds on to the log nor a full disk is an error.
        if self.truncate_log().is_ok() {
            let _ = page_sums::write(&self.path);
        }
        self.connection
            .close()
            .map_err(|(_, error)| error)
            .sqlite("close", &self.path)
    }

    /// Writes state; the version or the checkpoint's number is returned.
    pub(crate) fn write_state(&mut self, write: &StateWrite) -> Result<u64> {
        if self.space(&write.run.namespace)?.is_none() {
            state::check_first(write)?;
        }
        let namespace = &write.run.namespace;
        let space = self.space_or_create(namespace)?;
        if space.quota.bytes.is_none() {
            let written = state::write(&self.connection, &self.path, space.ns, write)?;
            self.count_state(namespace, space)?;
            return Ok(written);
        }
        // What a value takes up is known when it was written: it shares parts with others, and
        // those that nothing can see any more were removed.
        self.whole_or_nothing(vec![namespace.clone()], |session| {
            let before = space.state_bytes;
            let written = state::write(&session.connection, &session.path, space.ns, write)?;
            let space = session.count_state(namespace, space)?;
            if space.state_bytes > before {
                space.check_quota(namespace, 0, 0)?;
            }
            Ok(written)
        })
    }

    /// Learns how much the values of state take up.
    fn count_state(&mut self, namespace: &Namespace, mut space: Space) -> Result<Space> {
        space.state_bytes = self
            .connection
            .prepare_cached("SELECT state_bytes FROM namespaces WHERE ns = ?1")
            .and_then(|mut select| select.query_row([space.ns], |row| row.get::<_, i64>(0)))
            .sqlite("look up a namespace", &self.path)?
            .unsigned_abs();
        self.spaces.insert(namespace.clone(), space.clone());
        Ok(space)
    }

    /// Undoes what a write of several steps has done when one of them is refused.
    fn whole_or_nothing<T>(
        &mut self,
        namespaces: Vec<Namespace>,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.execute("begin a write", "SAVEPOINT write", [])?;
        let known: Vec<(Namespace, Option<Space>)> = namespaces
            .into_iter()
            .map(|namespace| (namespace.clone(), self.spaces.get(&namespace).cloned()))
            .collect();
        match work(self) {
            Ok(worked) => {
                self.execute("end a write", "RELEASE write", [])?;
                Ok(worked)
            }
            Err(error) if error.is_refusal() => {
                self.execute("undo a write", "ROLLBACK TO write", [])?;
                self.execute("end a write", "RELEASE write", [])?;
                for (namespace, space) in known {
                    match space {
                        Some(space) => self.spaces.insert(namespace, space),
                        None => self.spaces.remove(&namespace),
                    };
                }
                Err(error)
            }
            // The whole transaction is undone.
            Err(error) => Err(error),
        }
    }

    fn exists(&self, ns: i64, id: MemoryId) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM memories WHERE ns = ?1 AND id = ?2")
            .and_then(|mut select| select.exists(params![ns, id.to_sql()]))
            .sqlite("look up a memory", &self.path)
    }

    fn space_or_create(&mut self, namespace: &Namespace) -> Result<Space> {
        if let Some(space) = self.space(namespace)? {
            return Ok(space);
        }
        self.execute(
            "create a namespace",
            "INSERT INTO namespaces(name, next_id, items, bytes) VALUES(?1, 1, 0, 0)",
            [namespace.as_str()],
        )?;
        let ns = self.connection.last_insert_rowid();
        Ok(Space {
            ns,
            next_id: MemoryId::MIN,
            dimension: None,
            embedder: None,
            items: 0,
            bytes: 0,
            state_bytes: 0,
            quota: Quota::default(),
            is_changed: false,
        })
    }

    fn space(&mut self, namespace: &Namespace) -> Result<Option<Space>> {
        if let Some(space) = self.spaces.get(namespace) {
            return Ok(Some(space.clone()));
        }
        let space = self
            .connection
            .prepare_cached(
                "SELECT ns, next_id, dimension, items, bytes, state_bytes, max_items, max_bytes,
                     embedder
                 FROM namespaces WHERE name = ?1",
            )
            .and_then(|mut select| {
                select
                    .query_row([namespace.as_str()], |row| {
                        Ok(Space {
                            ns: row.get(0)?,
                            next_id: MemoryId::from_sql(row.get(1)?)?,
                            dimension: dimension_from_sql(row.get(2)?)?,
                            items: row.get::<_, i64>(3)?.unsigned_abs(),
                            bytes: row.get::<_, i64>(4)?.unsigned_abs(),
                            state_bytes: row.get::<_, i64>(5)?.unsigned_abs(),
                            quota: quota_from_row(row, 6)?,
                            embedder: row.get(8)?,
                            is_changed: false,
                        })
                    })
                    .optional()
            })
            .sqlite("look up a namespace", &self.path)?;
        if let Some(space) = &space {
            self.spaces.insert(namespace.clone(), space.clone());
        }
        Ok(space)
    }

    fn execute_batch(&self, operation: &'static str, sql: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .sqlite(operation, &self.path)
    }

    fn execute(
        &self,
        operation: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<usize> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .sqlite(operation, &self.path)
    }
}

impl Space {
    /// Takes a memory into account that was just added.
    fn note(&mut self, id: MemoryId, prepared: &PreparedMemory) {
        // A namespace whose caller chose the largest id counts no further: the next one that the
        // store would choose is then refused as taken.
        self.next_id = self.next_id.max(id.next());
        self.items += 1;
        self.note_version(prepared);
    }

    /// Takes a version into account that was just added to a memory.
    fn note_version(&mut self, prepared: &PreparedMemory) {
        let dimension = prepared.memory.vector.as_ref().map(Vec::len);
        self.dimension = self.dimension.or(dimension);
        self.bytes += prepared.bytes();
        self.is_changed = true;
    }

    /// Refuses a vector that cannot be compared with the others; the first one decides who makes
    /// them.
    fn check_vector(&mut self, prepared: &PreparedMemory) -> Result<()> {
        self.check_dimension(&prepared.memory)?;
        match (&self.embedder, &prepared.embedder) {
            (None, Some(given)) if self.dimension.is_none() => {
                self.embedder = Some(given.clone());
                Ok(())
            }
            (stored, Some(given)) if stored.as_ref() != Some(given) => Err(Error::OtherEmbedder {
                namespace: prepared.memory.namespace.clone(),
                stored: stored.clone().unwrap_or_else(|| "its callers".into()),
                given: given.clone(),
            }),
            // What callers bring is theirs to answer for.
            _ => Ok(()),
        }
    }

    fn check_dimension(&self, memory: &NewMemory) -> Result<()> {
        match (self.dimension, &memory.vector) {
            (Some(expected), Some(vector)) if vector.len() != expected => Err(Error::Dimension {
                item: memory.label(),
                namespace: memory.namespace.clone(),
                found: vector.len(),
                expected,
            }),
            _ => Ok(()),
        }
    }

    /// Whether so much more may be stored.
    fn check_quota(&self, namespace: &Namespace, items: u64, bytes: u64) -> Result<()> {
        let exceeded = |what, limit| Error::QuotaExceeded {
            namespace: namespace.clone(),
            what,
            limit,
        };
        match self.quota {
            Quota {
                items: Some(limit), ..
            } if items > 0 && self.items + items > limit => Err(exceeded("items", limit)),
            Quota {
                bytes: Some(limit), ..
            } if self.bytes + self.state_bytes + bytes > limit => Err(exceeded("bytes", limit)),
            _ => Ok(()),
        }
    }
}

/// SQLite's integers are signed; nothing that is counted comes near the end of them.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn dimension_from_sql(dimension: Option<i64>) -> rusqlite::Result<Option<usize>> {
    let checked = |value| {
        usize::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, value))
    };
    dimension.map(checked).transpose()
}
