//! The database against itself.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Result, SqliteContext};
use crate::metadata::{
    MEMORY_COLUMNS, StoredMemory, count, namespace_from_row, stored_memory_from_row,
};
use crate::model::report::{CheckReport, Disagreement};

use super::chunks::check_chunks;
use super::history::check_history;

/// Checks the database against itself.
pub(crate) fn check_metadata(connection: &Connection, path: &Path) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    check_integrity(connection, &mut report).sqlite("check the integrity", path)?;
    check_memories(connection, &mut report).sqlite("check the memories", path)?;
    check_edges(connection, &mut report).sqlite("check the edges", path)?;
    check_history(connection, &mut report).sqlite("check the history", path)?;
    check_chunks(connection, &mut report).sqlite("check the chunks", path)?;
    check_sequences(connection, &mut report).sqlite("check the namespaces", path)?;
    Ok(report)
}

fn check_integrity(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let detail = line?;
        if detail != "ok" {
            report
                .disagreements
                .push(Disagreement::Integrity { detail });
        }
    }
    Ok(())
}

/// Content against digest.
fn check_memories(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT {MEMORY_COLUMNS}, n.name, m.row, m.digest
         FROM memories m JOIN namespaces n ON n.ns = m.ns"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let StoredMemory { memory, digest, .. } = stored_memory_from_row(row)?;
        report.items += 1;
        report.vectors += u64::from(memory.vector.is_some());
        if memory.digest().as_bytes().as_slice() != digest {
            let (namespace, id) = (memory.namespace.clone(), memory.id);
            report
                .disagreements
                .push(Disagreement::Altered { namespace, id });
        }
    }
    Ok(())
}

fn check_edges(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    report.edges = count(connection, "SELECT count(*) FROM edges")?;
    report.namespaces = count(connection, "SELECT count(*) FROM namespaces")?;
    let mut statement = connection.prepare(
        "SELECT n.name, e.source, e.relation, e.target
         FROM edges e LEFT JOIN namespaces n ON n.ns = e.ns
         WHERE NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = e.ns AND m.id = e.source)
            OR NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = e.ns AND m.id = e.target)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (source, relation, target): (i64, String, i64) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        let edge = format!("{source} -{relation}-> {target}");
        let namespace = namespace_from_row(row, 0)?;
        report
            .disagreements
            .push(Disagreement::DanglingEdge { namespace, edge });
    }
    Ok(())
}

fn check_sequences(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT n.name FROM namespaces n WHERE n.next_id < 9223372036854775807
         AND EXISTS(SELECT 1 FROM memories m WHERE m.ns = n.ns AND m.id >= n.next_id)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let namespace = namespace_from_row(row, 0)?;
        report
            .disagreements
            .push(Disagreement::Sequence { namespace });
    }
    Ok(())
}
