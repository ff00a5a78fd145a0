//! Who made the vectors of a namespace, and making them anew.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::error::{Result, SqliteContext};
use crate::model::embed::{Embedder, VectorSource, embed_all};
use crate::model::memory::{Memory, NewMemory};
use crate::model::names::Namespace;

use super::prepared::PreparedMemory;
use super::readers::ReaderPool;
use super::rows::{AFTER_MEMORY, MEMORY_COLUMNS, count, memory_from_row, namespace_from_row};

/// A namespace whose vectors an embedder made.
#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    ns: i64,
    pub(crate) namespace: Namespace,
    pub(crate) embedder: String,
    pub(crate) dimension: usize,
}

/// Every namespace whose vectors an embedder made.
pub(crate) fn embedded(connection: &Connection) -> rusqlite::Result<Vec<Embedded>> {
    let mut statement = connection.prepare(
        "SELECT name, ns, embedder, coalesce(dimension, 0) FROM namespaces
         WHERE embedder IS NOT NULL ORDER BY name",
    )?;
    let embedded = statement.query_map([], |row| {
        Ok(Embedded {
            namespace: namespace_from_row(row, 0)?,
            ns: row.get(1)?,
            embedder: row.get(2)?,
            dimension: row.get::<_, i64>(3)?.unsigned_abs() as usize,
        })
    })?;
    embedded.collect()
}

pub(crate) fn find_vector_source(
    readers: &ReaderPool,
    namespace: &Namespace,
) -> Result<VectorSource> {
    let reader = readers.lend();
    let source = reader
        .prepare_cached("SELECT embedder, dimension FROM namespaces WHERE name = ?1")
        .and_then(|mut select| {
            let source = |row: &Row<'_>| {
                let (embedder, dimension): (Option<String>, Option<i64>) =
                    (row.get(0)?, row.get(1)?);
                Ok(match (embedder, dimension) {
                    (Some(embedder), _) => VectorSource::Embedder(embedder),
                    (None, Some(_)) => VectorSource::Callers,
                    (None, None) => VectorSource::Nobody,
                })
            };
            select.query_row([namespace.as_str()], source).optional()
        });
    let source = source.sqlite("look up a namespace", readers.path())?;
    Ok(source.unwrap_or(VectorSource::Nobody))
}

/// Embeds the texts of some namespaces anew, their histories too, all or nothing. Calls back with how
/// many texts are done, and of how many.
pub(crate) fn embed_anew(
    connection: &Connection,
    path: &Path,
    namespaces: &[Embedded],
    embedder: &dyn Embedder,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    // Rolled back where it is dropped before it was committed.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
        .sqlite("embed anew", path)?;
    let work = Work {
        connection,
        path,
        embedder,
    };
    work.all(namespaces, progress)?;
    transaction.commit().sqlite("embed anew", path)
}

struct Work<'a> {
    connection: &'a Connection,
    path: &'a Path,
    embedder: &'a dyn Embedder,
}

/// What is known now, and what was known before.
const TABLES: [&str; 2] = ["memories", "versions"];

impl Work<'_> {
    fn all(&self, namespaces: &[Embedded], progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let mut total = 0;
        for (of, table) in namespaces
            .iter()
            .flat_map(|of| TABLES.map(|table| (of, table)))
        {
            let texts = format!("SELECT count(*) FROM {table} WHERE ns = {}", of.ns);
            total += count(self.connection, &texts).sqlite("count the memories", self.path)?;
        }
        let mut done = 0;
        progress(done, total);
        for of in namespaces {
            self.adopt(of).sqlite("update a namespace", self.path)?;
            for table in TABLES {
                let mut last = i64::MIN;
                loop {
                    let batch = self.read(of, table, last);
                    let batch = batch.sqlite("read the memories", self.path)?;
                    let Some((row, _)) = batch.last() else { break };
                    last = *row;
                    done += batch.len() as u64;
                    self.replace(of, table, batch)?;
                    progress(done, total);
                }
            }
        }
        Ok(())
    }

    fn adopt(&self, of: &Embedded) -> rusqlite::Result<()> {
        let sql = "UPDATE namespaces SET embedder = ?2, dimension = ?3 WHERE ns = ?1";
        let dimension = self.embedder.dimension() as i64;
        let adopted = params![of.ns, self.embedder.name(), dimension];
        self.connection.execute(sql, adopted).map(drop)
    }

    /// The next rows of a table.
    fn read(&self, of: &Embedded, table: &str, last: i64) -> rusqlite::Result<Vec<(i64, Memory)>> {
        /// Texts that are embedded together.
        const BATCH: usize = 64;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {MEMORY_COLUMNS}, m.rowid FROM {table} m
             WHERE m.ns = ?1 AND m.rowid > ?2 ORDER BY m.rowid LIMIT {BATCH}"
        ))?;
        let rows = statement.query_map(params![of.ns, last], |row| {
            Ok((row.get(AFTER_MEMORY)?, memory_from_row(row, &of.namespace)?))
        })?;
        rows.collect()
    }

    fn replace(&self, of: &Embedded, table: &str, batch: Vec<(i64, Memory)>) -> Result<()> {
        let texts: Vec<&str> = batch.iter().map(|(_, memory)| &*memory.text).collect();
        let vectors = embed_all(self.embedder, &texts)?;
        for ((row, memory), vector) in batch.into_iter().zip(vectors) {
            let memory = NewMemory::from(memory);
            let prepared = PreparedMemory::embedded(memory, self.embedder, vector)?;
            self.write(of, table, row, &prepared)
                .sqlite("embed anew", self.path)?;
        }
        Ok(())
    }

    fn write(
        &self,
        of: &Embedded,
        table: &str,
        row: i64,
        prepared: &PreparedMemory,
    ) -> rusqlite::Result<()> {
        let mut before = self.connection.prepare_cached(&format!(
            "SELECT coalesce(octet_length(vector), 0) FROM {table} WHERE rowid = ?1"
        ))?;
        let before: i64 = before.query_row([row], |row| row.get(0))?;
        let now = prepared.vector.as_ref().map_or(0, Vec::len) as i64;
        let mut update = self.connection.prepare_cached(&format!(
            "UPDATE {table} SET vector = ?2, digest = ?3 WHERE rowid = ?1"
        ))?;
        update.execute(params![row, prepared.vector, prepared.digest.as_bytes()])?;
        let mut note = self
            .connection
            .prepare_cached("UPDATE namespaces SET bytes = bytes + ?2 WHERE ns = ?1")?;
        note.execute(params![of.ns, now - before]).map(drop)
    }
}
