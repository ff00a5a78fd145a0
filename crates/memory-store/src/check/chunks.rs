//! The chunks of large values: are they what their digests say, and counted right?

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use crate::metadata::{CHUNK_OF_BYTES, NODE_OF_CHUNKS, ids_from_bytes, namespace_from_row};
use crate::model::chunking::{ChunkDigest, chunk_digest, node_digest};
use crate::model::names::Namespace;
use crate::model::report::{CheckReport, Disagreement};

/// How often each chunk is referred to.
type Counts = BTreeMap<i64, u64>;

pub(super) fn check_chunks(
    connection: &Connection,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    let digests = check_digests(connection, report)?;
    check_nodes(connection, &digests, report)?;
    check_values(connection, &digests, report)?;
    check_counts(connection, report)
}

fn check_digests(
    connection: &Connection,
    report: &mut CheckReport,
) -> rusqlite::Result<HashMap<i64, ChunkDigest>> {
    let mut digests = HashMap::new();
    let mut statement = connection.prepare(
        "SELECT n.name, c.chunk, c.digest, c.kind, c.bytes
         FROM chunks c JOIN namespaces n ON n.ns = c.ns",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (chunk, digest): (i64, ChunkDigest) = (row.get(1)?, row.get(2)?);
        digests.insert(chunk, digest);
        let is_bytes = row.get::<_, i64>(3)? == CHUNK_OF_BYTES;
        if is_bytes && chunk_digest(row.get_ref(4)?.as_blob()?) != digest {
            report.disagreements.push(Disagreement::AlteredChunk {
                namespace: namespace_from_row(row, 0)?,
                chunk,
            });
        }
    }
    Ok(digests)
}

fn check_nodes(
    connection: &Connection,
    digests: &HashMap<i64, ChunkDigest>,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    for (namespace, node, chunks) in nodes(connection)? {
        let parts: Option<Vec<ChunkDigest>> = chunks
            .iter()
            .map(|chunk| digests.get(chunk).copied())
            .collect();
        let found = parts.map(|parts| node_digest(parts.into_iter()));
        if found.is_none() || found.as_ref() != digests.get(&node) {
            report.disagreements.push(Disagreement::AlteredChunk {
                namespace,
                chunk: node,
            });
        }
    }
    Ok(())
}

/// Does every value have its nodes?
fn check_values(
    connection: &Connection,
    digests: &HashMap<i64, ChunkDigest>,
    report: &mut CheckReport,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT n.name, r.agent, r.name, s.key, s.seq, s.chunks FROM state s
         JOIN runs r ON r.run = s.run JOIN namespaces n ON n.ns = r.ns WHERE s.chunks NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let nodes = ids_from_bytes(row.get_ref(5)?.as_blob()?)?;
        if nodes.iter().all(|node| digests.contains_key(node)) {
            continue;
        }
        let [agent, run, key]: [String; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
        let seq: i64 = row.get(4)?;
        report.disagreements.push(Disagreement::MissingChunks {
            namespace: namespace_from_row(row, 0)?,
            value: format!("version {seq} of {key:?} of {agent}/{run}"),
        });
    }
    Ok(())
}

fn check_counts(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let expected = count_references(connection, |_| true)?;
    let mut statement = connection.prepare(
        "SELECT n.name, c.chunk, r.count FROM chunks c JOIN namespaces n ON n.ns = c.ns
         LEFT JOIN chunk_references r ON r.chunk = c.chunk ORDER BY c.chunk",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (chunk, counted): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        let counted = counted.unwrap_or_default().unsigned_abs();
        let stored = expected.get(&chunk).copied().unwrap_or_default();
        if counted != stored || stored == 0 {
            report.disagreements.push(Disagreement::ChunkReferences {
                namespace: namespace_from_row(row, 0)?,
                chunk,
                counted,
                stored,
            });
        }
    }
    Ok(())
}

/// Counts anew, and removes what nobody refers to; to be called in a transaction.
pub(crate) fn recount_chunks(connection: &Connection) -> rusqlite::Result<()> {
    let from_values = count_references(connection, |_| false)?;
    let counts = count_references(connection, |node| from_values.contains_key(&node))?;
    connection.execute("DELETE FROM chunk_references", [])?;
    let mut insert =
        connection.prepare("INSERT INTO chunk_references(chunk, count) VALUES(?1, ?2)")?;
    for (chunk, count) in counts {
        insert.execute([chunk, count.cast_signed()])?;
    }
    let unreferenced = "DELETE FROM chunks WHERE chunk NOT IN (SELECT chunk FROM chunk_references)";
    connection.execute(unreferenced, []).map(drop)
}

/// The references of values to nodes, and of those nodes that count to their chunks.
fn count_references(
    connection: &Connection,
    counts_node: impl Fn(i64) -> bool,
) -> rusqlite::Result<Counts> {
    let mut counts = Counts::new();
    let mut statement = connection.prepare("SELECT chunks FROM state WHERE chunks NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for node in ids_from_bytes(row.get_ref(0)?.as_blob()?)? {
            *counts.entry(node).or_default() += 1;
        }
    }
    for (_, node, chunks) in nodes(connection)? {
        if counts_node(node) {
            for chunk in chunks {
                *counts.entry(chunk).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

/// Every node with its chunks.
fn nodes(connection: &Connection) -> rusqlite::Result<Vec<(Namespace, i64, Vec<i64>)>> {
    let mut statement = connection.prepare(
        "SELECT n.name, c.chunk, c.bytes FROM chunks c JOIN namespaces n ON n.ns = c.ns
         WHERE c.kind = ?1 ORDER BY c.chunk",
    )?;
    let nodes = statement.query_map([NODE_OF_CHUNKS], |row| {
        let chunks = ids_from_bytes(row.get_ref(2)?.as_blob()?)?;
        Ok((namespace_from_row(row, 0)?, row.get(1)?, chunks))
    })?;
    nodes.collect()
}
