//! Large values as chunks that versions share. Each chunk counts who refers to it: a node the
//! values that have it, a chunk of bytes the nodes that have it. What nobody refers to is removed.
//!
//! The counts stand in a table of their own: to change one in the row of a chunk, SQLite would
//! write the whole chunk again.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::chunking::{ChunkDigest, Node, PreparedValue};
use crate::model::fault;

/// The kinds of a chunk.
pub(crate) const CHUNK_OF_BYTES: i64 = 0;
pub(crate) const NODE_OF_CHUNKS: i64 = 1;

/// A value as it stands in its row: whole, as the nodes it is made of, or removed.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredValue {
    pub(super) inline: Option<Vec<u8>>,
    /// The numbers of its nodes, see [`ids_from_bytes`].
    pub(super) root: Option<Vec<u8>>,
}

impl StoredValue {
    /// Reads the value and its chunks.
    pub(super) fn from_row(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            inline: row.get(column)?,
            root: row.get(column + 1)?,
        })
    }

    pub(super) fn is_removed(&self) -> bool {
        self.inline.is_none() && self.root.is_none()
    }

    /// The whole value.
    pub(super) fn read(self, connection: &Connection) -> rusqlite::Result<Vec<u8>> {
        let Some(root) = self.root else {
            return Ok(self.inline.unwrap_or_default());
        };
        let mut statement =
            connection.prepare_cached("SELECT bytes FROM chunks WHERE chunk = ?1")?;
        let mut value = Vec::new();
        for node in ids_from_bytes(&root)? {
            let chunks: Vec<u8> = statement.query_row([node], |row| row.get(0))?;
            for chunk in ids_from_bytes(&chunks)? {
                statement.query_row([chunk], |row| {
                    value.extend_from_slice(row.get_ref(0)?.as_blob()?);
                    Ok(())
                })?;
            }
        }
        Ok(value)
    }

    fn nodes(&self) -> rusqlite::Result<Vec<i64>> {
        self.root
            .as_deref()
            .map_or_else(|| Ok(Vec::new()), ids_from_bytes)
    }
}

/// The whole value of a row; none if it was removed.
pub(crate) fn value_from_row(
    connection: &Connection,
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let stored = StoredValue::from_row(row, column)?;
    if stored.is_removed() {
        return Ok(None);
    }
    stored.read(connection).map(Some)
}

/// Stores a value, and refers to the chunks that are there already.
pub(super) fn store(
    connection: &Connection,
    ns: i64,
    value: &PreparedValue,
) -> rusqlite::Result<StoredValue> {
    if value.nodes.is_empty() {
        return Ok(StoredValue {
            inline: Some(value.bytes.clone()),
            root: None,
        });
    }
    let mut nodes = Vec::with_capacity(value.nodes.len());
    for node in &value.nodes {
        nodes.push(match refer(connection, ns, &node.digest)? {
            Some(id) => id,
            None => store_node(connection, ns, node, &value.bytes)?,
        });
        fault::point("between-chunks");
    }
    Ok(StoredValue {
        inline: None,
        root: Some(ids_to_bytes(&nodes)),
    })
}

/// Refers once more to all that a stored value refers to.
pub(super) fn retain(connection: &Connection, value: &StoredValue) -> rusqlite::Result<()> {
    for node in value.nodes()? {
        change_count(connection, node, 1)?;
    }
    Ok(())
}

/// Refers to a stored value no more.
pub(super) fn release(connection: &Connection, value: &StoredValue) -> rusqlite::Result<()> {
    for node in value.nodes()? {
        if change_count(connection, node, -1)? > 0 {
            continue;
        }
        for chunk in ids_from_bytes(&remove(connection, node)?)? {
            if change_count(connection, chunk, -1)? == 0 {
                remove(connection, chunk)?;
            }
        }
    }
    Ok(())
}

fn store_node(
    connection: &Connection,
    ns: i64,
    node: &Node,
    bytes: &[u8],
) -> rusqlite::Result<i64> {
    let mut chunks = Vec::with_capacity(node.chunks.len());
    for chunk in &node.chunks {
        chunks.push(match refer(connection, ns, &chunk.digest)? {
            Some(id) => id,
            None => {
                let bytes = &bytes[chunk.range.clone()];
                insert(connection, ns, &chunk.digest, CHUNK_OF_BYTES, bytes)?
            }
        });
    }
    let chunks = ids_to_bytes(&chunks);
    insert(connection, ns, &node.digest, NODE_OF_CHUNKS, &chunks)
}

/// Refers to the chunk of that digest, if it is there.
fn refer(connection: &Connection, ns: i64, digest: &ChunkDigest) -> rusqlite::Result<Option<i64>> {
    let chunk: Option<i64> = connection
        .prepare_cached("SELECT chunk FROM chunks WHERE ns = ?1 AND digest = ?2")?
        .query_row(params![ns, digest], |row| row.get(0))
        .optional()?;
    if let Some(chunk) = chunk {
        change_count(connection, chunk, 1)?;
    }
    Ok(chunk)
}

fn insert(
    connection: &Connection,
    ns: i64,
    digest: &ChunkDigest,
    kind: i64,
    bytes: &[u8],
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO chunks(ns, digest, kind, bytes) VALUES(?1, ?2, ?3, ?4)")?
        .execute(params![ns, digest, kind, bytes])?;
    let chunk = connection.last_insert_rowid();
    connection
        .prepare_cached("INSERT INTO chunk_references(chunk, count) VALUES(?1, 1)")?
        .execute([chunk])?;
    Ok(chunk)
}

/// Removes a chunk; its bytes.
fn remove(connection: &Connection, chunk: i64) -> rusqlite::Result<Vec<u8>> {
    connection
        .prepare_cached("DELETE FROM chunk_references WHERE chunk = ?1")?
        .execute([chunk])?;
    connection
        .prepare_cached("DELETE FROM chunks WHERE chunk = ?1 RETURNING bytes")?
        .query_row([chunk], |row| row.get(0))
}

/// How many refer to a chunk after one more or one less.
fn change_count(connection: &Connection, chunk: i64, by: i64) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "UPDATE chunk_references SET count = count + ?2 WHERE chunk = ?1 RETURNING count",
        )?
        .query_row([chunk, by], |row| row.get(0))
}

fn ids_to_bytes(ids: &[i64]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

/// The numbers of chunks, eight bytes each, little-endian.
pub(crate) fn ids_from_bytes(bytes: &[u8]) -> rusqlite::Result<Vec<i64>> {
    let (ids, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        let found = "numbers of chunks".into();
        return Err(rusqlite::Error::InvalidColumnType(0, found, Type::Blob));
    }
    Ok(ids.iter().map(|id| i64::from_le_bytes(*id)).collect())
}
