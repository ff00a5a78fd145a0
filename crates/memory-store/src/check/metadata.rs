//! The database against itself.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::error::{Result, SqliteContext};
use crate::metadata::{
    AFTER_MEMORY, MEMORY_COLUMNS, StoredMemory, attribute_key, count, namespace_from_row,
    stored_memory_from_row,
};
use crate::model::names::MemoryId;
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
    check_texts(connection, &mut report).sqlite("check the full text", path)?;
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

/// Content against digest, and labels against their indexes.
fn check_memories(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut tags = LabelCheck::new(connection, "tags")?;
    let mut attributes = LabelCheck::new(connection, "attributes")?;
    let mut statement = connection.prepare(&format!(
        "SELECT {MEMORY_COLUMNS}, n.name, m.row, m.digest, m.ns
         FROM memories m JOIN namespaces n ON n.ns = m.ns"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let ns: i64 = row.get(AFTER_MEMORY + 3)?;
        let StoredMemory {
            row,
            memory,
            digest,
        } = stored_memory_from_row(row)?;
        report.items += 1;
        report.vectors += u64::from(memory.vector.is_some());
        if memory.digest().as_bytes().as_slice() != digest {
            let (namespace, id) = (memory.namespace.clone(), memory.id);
            report
                .disagreements
                .push(Disagreement::Altered { namespace, id });
        }
        for tag in &memory.tags {
            tags.expect(params![ns, tag, row])?;
        }
        for (name, value) in &memory.attributes {
            attributes.expect(params![ns, name, attribute_key(value), row])?;
        }
    }
    report
        .disagreements
        .extend(tags.finish().into_iter().chain(attributes.finish()));
    Ok(())
}

/// Counts the labels found in their index; what is left over in the index is surplus.
struct LabelCheck<'c> {
    index: &'static str,
    look_up: rusqlite::Statement<'c>,
    rows: u64,
    found: u64,
    missing: u64,
}

impl<'c> LabelCheck<'c> {
    fn new(connection: &'c Connection, index: &'static str) -> rusqlite::Result<Self> {
        let look_up = match index {
            "tags" => "SELECT 1 FROM tags WHERE ns = ?1 AND tag = ?2 AND row = ?3",
            _ => "SELECT 1 FROM attributes WHERE ns = ?1 AND name = ?2 AND value = ?3 AND row = ?4",
        };
        Ok(Self {
            index,
            look_up: connection.prepare(look_up)?,
            rows: count(connection, &format!("SELECT count(*) FROM {index}"))?,
            found: 0,
            missing: 0,
        })
    }

    fn expect(&mut self, label: impl rusqlite::Params) -> rusqlite::Result<()> {
        if self.look_up.exists(label)? {
            self.found += 1;
        } else {
            self.missing += 1;
        }
        Ok(())
    }

    fn finish(self) -> Option<Disagreement> {
        let surplus = self.rows - self.found;
        let index = self.index.to_owned();
        (surplus > 0 || self.missing > 0).then_some(Disagreement::Labels {
            index,
            missing: self.missing,
            surplus,
        })
    }
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

/// Every memory has its document in the full-text index, and every document its memory. What the
/// documents say is compared by [`check_text_content`], which needs a connection that may write.
fn check_texts(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT n.name, m.id FROM memories m JOIN namespaces n ON n.ns = m.ns
         WHERE NOT EXISTS(SELECT 1 FROM memories_text_docsize d WHERE d.id = m.row)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (namespace, id) = (
            namespace_from_row(row, 0)?,
            MemoryId::from_sql(row.get(1)?)?,
        );
        report
            .disagreements
            .push(Disagreement::MissingText { namespace, id });
    }
    let ghosts = count(
        connection,
        "SELECT count(*) FROM memories_text_docsize d
         WHERE NOT EXISTS(SELECT 1 FROM memories m WHERE m.row = d.id)",
    )?;
    if ghosts > 0 {
        report
            .disagreements
            .push(Disagreement::GhostTexts { documents: ghosts });
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
