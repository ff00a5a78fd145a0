//! Rows of the database as values.

use action::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;

use crate::model::digest::vector_from_bytes;
use crate::model::edge::Edge;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::quota::Quota;

/// What [`memory_from_row`] reads, in its order; of the table of memories or of their versions.
pub(crate) const MEMORY_COLUMNS: &str = "m.id, m.at, m.text, m.tags, m.attributes, m.vector,
    m.valid_from, m.valid_until, m.expires, m.recorded_at, m.version";

/// The first column after [`MEMORY_COLUMNS`].
pub(crate) const AFTER_MEMORY: usize = 11;

/// What [`edge_from_row`] reads, in its order; of the table of edges or of their versions.
pub(crate) const EDGE_COLUMNS: &str =
    "n.name, e.source, e.relation, e.target, e.weight, e.at, e.valid_from, e.valid_until";

/// The first column after [`EDGE_COLUMNS`].
pub(crate) const AFTER_EDGE: usize = 8;

/// A memory with what the database keeps beside it.
pub(crate) struct StoredMemory {
    pub(crate) row: i64,
    pub(crate) memory: Memory,
    pub(crate) digest: Vec<u8>,
}

pub(crate) fn memory_from_row(row: &Row<'_>, namespace: &Namespace) -> rusqlite::Result<Memory> {
    Ok(Memory {
        namespace: namespace.clone(),
        id: MemoryId::from_sql(row.get(0)?)?,
        at: moment(row, 1)?,
        text: row.get(2)?,
        tags: json(row, 3)?,
        attributes: json(row, 4)?,
        vector: vector(row, 5)?,
        valid_from: moment(row, 6)?,
        valid_until: optional_moment(row, 7)?,
        expires_at: optional_moment(row, 8)?,
        recorded_at: moment(row, 9)?,
        version: row.get(10)?,
    })
}

/// Reads [`MEMORY_COLUMNS`], then the namespace's name, the row and the digest.
pub(crate) fn stored_memory_from_row(row: &Row<'_>) -> rusqlite::Result<StoredMemory> {
    let namespace = namespace_from_row(row, AFTER_MEMORY)?;
    Ok(StoredMemory {
        row: row.get(AFTER_MEMORY + 1)?,
        memory: memory_from_row(row, &namespace)?,
        digest: row.get(AFTER_MEMORY + 2)?,
    })
}

/// Reads [`EDGE_COLUMNS`].
pub(crate) fn edge_from_row(row: &Row<'_>) -> rusqlite::Result<Edge> {
    let relation: String = row.get(2)?;
    Ok(Edge {
        namespace: namespace_from_row(row, 0)?,
        source: MemoryId::from_sql(row.get(1)?)?,
        relation: Relation::new(relation).map_err(|error| undecodable(2, error))?,
        target: MemoryId::from_sql(row.get(3)?)?,
        weight: row.get(4)?,
        at: moment(row, 5)?,
        valid_from: moment(row, 6)?,
        valid_until: optional_moment(row, 7)?,
    })
}

/// Reads two limits, of items and of bytes.
pub(super) fn quota_from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Quota> {
    let limit = |column| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(i64::unsigned_abs))
    };
    Ok(Quota {
        items: limit(first)?,
        bytes: limit(first + 1)?,
    })
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(super) fn optional_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(crate) fn for_each_edge(
    connection: &Connection,
    mut visit: impl FnMut(Edge),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT {EDGE_COLUMNS} FROM edges e JOIN namespaces n ON n.ns = e.ns"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(edge_from_row(row)?);
    }
    Ok(())
}

/// Every memory, in the order of their writing.
pub(crate) fn for_each_memory(
    connection: &Connection,
    only: Option<&Namespace>,
    mut visit: impl FnMut(Memory),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT {MEMORY_COLUMNS}, n.name FROM memories m JOIN namespaces n ON n.ns = m.ns
         WHERE coalesce(n.name = ?1, 1) ORDER BY m.row"
    ))?;
    let mut rows = statement.query([only.map(Namespace::as_str)])?;
    while let Some(row) = rows.next()? {
        let namespace = namespace_from_row(row, AFTER_MEMORY)?;
        visit(memory_from_row(row, &namespace)?);
    }
    Ok(())
}

/// Every namespace with the language of its texts.
pub(crate) fn languages(connection: &Connection) -> rusqlite::Result<Vec<(Namespace, String)>> {
    let mut statement = connection.prepare("SELECT name, language FROM namespaces")?;
    let languages =
        statement.query_map([], |row| Ok((namespace_from_row(row, 0)?, row.get(1)?)))?;
    languages.collect()
}

pub(crate) fn for_each_vector(
    connection: &Connection,
    mut visit: impl FnMut(Namespace, MemoryId, Vec<f32>),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT n.name, m.id, m.vector FROM memories m JOIN namespaces n ON n.ns = m.ns
         WHERE m.vector IS NOT NULL ORDER BY m.row",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let vector = vector(row, 2)?.unwrap_or_default();
        visit(
            namespace_from_row(row, 0)?,
            MemoryId::from_sql(row.get(1)?)?,
            vector,
        );
    }
    Ok(())
}

pub(crate) fn namespace_from_row(row: &Row<'_>, column: usize) -> rusqlite::Result<Namespace> {
    let name: String = row.get(column)?;
    Namespace::new(name).map_err(|error| undecodable(column, error))
}

pub(crate) fn count(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection
        .query_row(sql, [], |row| row.get(0))
        .map(i64::unsigned_abs)
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| undecodable(column, error))
}

fn vector(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Vec<f32>>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else {
        return Ok(None);
    };
    let odd = || rusqlite::Error::InvalidColumnType(column, "vector".into(), Type::Blob);
    vector_from_bytes(bytes).map(Some).ok_or_else(odd)
}

fn undecodable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
