//! Every memory and every edge, streamed from the database.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use crate::error::{Result, SqliteContext};
use crate::metadata::{
    AFTER_EDGE, EDGE_COLUMNS, MEMORY_COLUMNS, StoredMemory, begin_reading, edge_from_row,
    find_versions, open_for_verification, stored_memory_from_row,
};
use crate::model::digest::MemoryDigest;
use crate::model::edge::Edge;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::time::Version;

/// Rows read at a time: enough to make a statement's start-up cost small, little enough to hold.
const PAGE: u16 = 256;

/// Something stored, with the digest of what was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// A memory.
    Memory(Memory, MemoryDigest),
    /// An edge.
    Edge(Edge, MemoryDigest),
}

/// Every memory, in the order of their writing, then every edge, whenever they hold and without
/// what was known before; all from one snapshot of the
/// database, read in pages. Ends after an error.
#[derive(Debug)]
pub struct Entries {
    connection: Connection, // with one open read transaction
    path: PathBuf,
    page: std::vec::IntoIter<Entry>,
    position: Position,
}

#[derive(Debug, Clone)]
enum Position {
    /// After this row of the memories.
    Memories(i64),
    Edges(EdgeKey),
    End,
}

/// After this edge: namespace number, source, relation, target, beginning.
type EdgeKey = (i64, i64, String, i64, i64);

impl Entries {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let connection = open_for_verification(path)?;
        begin_reading(&connection, path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            page: Vec::new().into_iter(),
            position: Position::Memories(0),
        })
    }

    /// Every version of a memory, as [`MemoryStore::history`](crate::MemoryStore::history), from the same
    /// snapshot.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn history(&self, namespace: &Namespace, id: MemoryId) -> Result<Vec<Version<Memory>>> {
        find_versions(&self.connection, namespace, id)
            .sqlite("read the history of a memory", &self.path)
    }

    /// Reads the next page that is not empty; none at the end.
    fn turn_page(&mut self) -> rusqlite::Result<Vec<Entry>> {
        loop {
            let (page, next) = match &self.position {
                Position::Memories(after) => read_memories(&self.connection, *after)?,
                Position::Edges(after) => read_edges(&self.connection, after)?,
                Position::End => return Ok(Vec::new()),
            };
            self.position = next;
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.page.next() {
            return Some(Ok(entry));
        }
        match self.turn_page().sqlite("read all entries", &self.path) {
            Ok(page) => {
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => {
                self.position = Position::End;
                Some(Err(error))
            }
        }
    }
}

fn read_memories(connection: &Connection, after: i64) -> rusqlite::Result<(Vec<Entry>, Position)> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MEMORY_COLUMNS}, n.name, m.row, m.digest
         FROM memories m JOIN namespaces n ON n.ns = m.ns
         WHERE m.row > ?1 ORDER BY m.row LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![after, PAGE], stored_memory_from_row)?;
    let mut page = Vec::with_capacity(PAGE.into());
    let mut last = None;
    for stored in rows {
        let StoredMemory { row, memory, .. } = stored?;
        let digest = memory.digest();
        page.push(Entry::Memory(memory, digest));
        last = Some(row);
    }
    let next = match last {
        Some(row) => Position::Memories(row),
        None => Position::Edges((0, 0, String::new(), 0, 0)),
    };
    Ok((page, next))
}

fn read_edges(
    connection: &Connection,
    (ns, source, relation, target, from): &EdgeKey,
) -> rusqlite::Result<(Vec<Entry>, Position)> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EDGE_COLUMNS}, e.ns FROM edges e JOIN namespaces n ON n.ns = e.ns
         WHERE (e.ns, e.source, e.relation, e.target, e.valid_from) > (?1, ?2, ?3, ?4, ?5)
         ORDER BY e.ns, e.source, e.relation, e.target, e.valid_from LIMIT ?6"
    ))?;
    let mut rows = statement.query(params![ns, source, relation, target, from, PAGE])?;
    let mut page = Vec::with_capacity(PAGE.into());
    let mut next = Position::End;
    while let Some(row) = rows.next()? {
        let edge = edge_from_row(row)?;
        next = Position::Edges((
            row.get(AFTER_EDGE)?,
            edge.source.to_sql(),
            edge.relation.as_str().to_owned(),
            edge.target.to_sql(),
            edge.valid_from.as_millis(),
        ));
        let digest = edge.digest();
        page.push(Entry::Edge(edge, digest));
    }
    Ok((page, next))
}
