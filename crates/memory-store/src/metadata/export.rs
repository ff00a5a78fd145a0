//! Reading all of a namespace for an export.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, Row};

use crate::error::{Result, SqliteContext};
use crate::model::language::Language;
use crate::model::names::{MemoryId, Namespace};
use crate::transfer::{CheckpointRecord, EdgeRecord, MemoryRecord, Record, RunRecord, StateRecord};

use super::rows::{
    AFTER_EDGE, AFTER_MEMORY, EDGE_COLUMNS, MEMORY_COLUMNS, edge_from_row, memory_from_row, moment,
    namespace_from_row, optional_moment, quota_from_row,
};
use super::state::value_from_row;

/// Calls back with every record of all namespaces, or of one, in an order that is always the same;
/// to be called in a read transaction.
pub(crate) fn for_each_record(
    connection: &Connection,
    path: &std::path::Path,
    only: Option<&Namespace>,
    mut visit: impl FnMut(Record) -> Result<()>,
) -> Result<()> {
    let namespaces = namespaces(connection, only).sqlite("read the namespaces", path)?;
    for (ns, record) in namespaces {
        let Record::Namespace { name, .. } = &record else {
            unreachable!("only namespaces were read");
        };
        let name = name.clone();
        visit(record)?;
        for (sql, decode) in statements() {
            let mut statement = connection.prepare(&sql).sqlite("export", path)?;
            let mut rows = statement.query([ns]).sqlite("export", path)?;
            while let Some(row) = rows.next().sqlite("export", path)? {
                visit(decode(connection, row, &name).sqlite("export", path)?)?;
            }
        }
    }
    Ok(())
}

type Decode = fn(&Connection, &Row<'_>, &Namespace) -> rusqlite::Result<Record>;

/// A run comes after the one that it was forked from, whose number is lower.
fn statements() -> [(String, Decode); 7] {
    [
        (
            format!("SELECT {MEMORY_COLUMNS}, NULL FROM memories m WHERE m.ns = ?1 ORDER BY m.row"),
            memory,
        ),
        (
            format!(
                "SELECT {MEMORY_COLUMNS}, m.replaced_at FROM versions m WHERE m.ns = ?1
                 ORDER BY m.id, m.version"
            ),
            memory,
        ),
        (
            format!(
                "SELECT {EDGE_COLUMNS}, NULL FROM edges e JOIN namespaces n ON n.ns = e.ns
                 WHERE e.ns = ?1 ORDER BY e.source, e.relation, e.target, e.valid_from"
            ),
            edge,
        ),
        (
            format!(
                "SELECT {EDGE_COLUMNS}, e.replaced_at
                 FROM edge_versions e JOIN namespaces n ON n.ns = e.ns
                 WHERE e.ns = ?1 ORDER BY e.rowid"
            ),
            edge,
        ),
        (
            "SELECT r.agent, r.name, p.name, r.parent_seq, r.seq
             FROM runs r LEFT JOIN runs p ON p.run = r.parent WHERE r.ns = ?1 ORDER BY r.run"
                .into(),
            run,
        ),
        (
            "SELECT r.agent, r.name, s.key, s.seq, s.value, s.chunks
             FROM state s JOIN runs r ON r.run = s.run
             WHERE r.ns = ?1 ORDER BY s.run, s.seq"
                .into(),
            state,
        ),
        (
            "SELECT r.agent, r.name, c.checkpoint, c.seq, c.label, c.at
             FROM checkpoints c JOIN runs r ON r.run = c.run
             WHERE r.ns = ?1 ORDER BY c.checkpoint"
                .into(),
            checkpoint,
        ),
    ]
}

fn namespaces(
    connection: &Connection,
    only: Option<&Namespace>,
) -> rusqlite::Result<Vec<(i64, Record)>> {
    let mut statement = connection.prepare(
        "SELECT ns, name, next_id, dimension, max_items, max_bytes, language, embedder
         FROM namespaces
         WHERE coalesce(name = ?1, 1) ORDER BY name",
    )?;
    let namespaces = statement.query_map([only.map(Namespace::as_str)], |row| {
        let dimension: Option<u32> = row.get(3)?;
        let record = Record::Namespace {
            name: namespace_from_row(row, 1)?,
            next_id: MemoryId::from_sql(row.get(2)?)?,
            dimension: dimension.map(|dimension| dimension as usize),
            quota: quota_from_row(row, 4)?,
            language: Language::named(&row.get::<_, String>(6)?).unwrap_or_default(),
            embedder: row.get(7)?,
        };
        Ok((row.get(0)?, record))
    })?;
    namespaces.collect()
}

fn memory(_: &Connection, row: &Row<'_>, namespace: &Namespace) -> rusqlite::Result<Record> {
    let memory = memory_from_row(row, namespace)?;
    let replaced_at = optional_moment(row, AFTER_MEMORY)?;
    Ok(Record::Memory(MemoryRecord::new(memory, replaced_at)))
}

fn edge(_: &Connection, row: &Row<'_>, _: &Namespace) -> rusqlite::Result<Record> {
    let edge = edge_from_row(row)?;
    let replaced_at = optional_moment(row, AFTER_EDGE)?;
    Ok(Record::Edge(EdgeRecord::new(edge, replaced_at)))
}

fn run(_: &Connection, row: &Row<'_>, _: &Namespace) -> rusqlite::Result<Record> {
    Ok(Record::Run(RunRecord {
        agent: row.get(0)?,
        name: row.get(1)?,
        parent: row.get(2)?,
        parent_seq: row.get(3)?,
        seq: row.get(4)?,
    }))
}

fn state(connection: &Connection, row: &Row<'_>, _: &Namespace) -> rusqlite::Result<Record> {
    let value = value_from_row(connection, row, 4)?;
    Ok(Record::State(StateRecord {
        agent: row.get(0)?,
        run: row.get(1)?,
        key: row.get(2)?,
        seq: row.get(3)?,
        value: value.map(|value| STANDARD.encode(value)),
    }))
}

fn checkpoint(_: &Connection, row: &Row<'_>, _: &Namespace) -> rusqlite::Result<Record> {
    Ok(Record::Checkpoint(CheckpointRecord {
        agent: row.get(0)?,
        run: row.get(1)?,
        checkpoint: row.get(2)?,
        seq: row.get(3)?,
        label: row.get(4)?,
        at: moment(row, 5)?,
    }))
}
