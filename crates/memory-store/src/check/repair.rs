//! Rebuilding what the database derives from its own rows.

use rusqlite::{Connection, params};

use crate::check::recount_chunks;
use crate::metadata::{
    AFTER_MEMORY, MEMORY_COLUMNS, StoredMemory, attribute_key, stored_memory_from_row,
};
use crate::model::memory::Memory;

/// Rebuilds the indexes of labels and of text, removes dangling edges and history, lets edges end
/// where the next one begins, counts what namespaces hold, and moves sequences past the ids in use;
/// to be called in a transaction.
pub(crate) fn rebuild_indexes(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "DELETE FROM tags;
         DELETE FROM attributes;
         INSERT INTO memories_text(memories_text) VALUES('rebuild');
         DELETE FROM edges WHERE
             NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = edges.ns AND m.id = edges.source)
             OR NOT EXISTS(SELECT 1 FROM memories m WHERE m.ns = edges.ns AND m.id = edges.target);
         DELETE FROM edge_versions WHERE
             NOT EXISTS(SELECT 1 FROM memories m
                        WHERE m.ns = edge_versions.ns AND m.id = edge_versions.source)
             OR NOT EXISTS(SELECT 1 FROM memories m
                           WHERE m.ns = edge_versions.ns AND m.id = edge_versions.target);
         DELETE FROM versions WHERE NOT EXISTS(
             SELECT 1 FROM memories m
             WHERE m.ns = versions.ns AND m.id = versions.id AND m.version > versions.version);
         UPDATE edges SET valid_until = (
             SELECT min(later.valid_from) FROM edges later
             WHERE (later.ns, later.source, later.relation, later.target)
                     = (edges.ns, edges.source, edges.relation, edges.target)
                 AND later.valid_from > edges.valid_from)
         WHERE EXISTS(
             SELECT 1 FROM edges later
             WHERE (later.ns, later.source, later.relation, later.target)
                     = (edges.ns, edges.source, edges.relation, edges.target)
                 AND later.valid_from > edges.valid_from
                 AND (edges.valid_until IS NULL OR edges.valid_until > later.valid_from));
         UPDATE namespaces SET (items, bytes) = (
             SELECT coalesce(sum(items), 0), coalesce(sum(bytes), 0) FROM (
                 SELECT 1 AS items, octet_length(text) + octet_length(tags)
                     + octet_length(attributes) + coalesce(octet_length(vector), 0) AS bytes
                 FROM memories m WHERE m.ns = namespaces.ns
                 UNION ALL
                 SELECT 0, octet_length(text) + octet_length(tags)
                     + octet_length(attributes) + coalesce(octet_length(vector), 0)
                 FROM versions v WHERE v.ns = namespaces.ns));
         UPDATE namespaces SET next_id = max(next_id, coalesce(
             (SELECT min(max(id), 9223372036854775806) + 1 FROM memories m
              WHERE m.ns = namespaces.ns), 1));",
    )?;
    recount_chunks(connection)?;
    rebuild_labels(connection)
}

fn rebuild_labels(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert_tag = connection.prepare("INSERT INTO tags(ns, tag, row) VALUES(?1, ?2, ?3)")?;
    let mut insert_attribute = connection
        .prepare("INSERT INTO attributes(ns, name, value, row) VALUES(?1, ?2, ?3, ?4)")?;
    let mut statement = connection.prepare(&format!(
        "SELECT {MEMORY_COLUMNS}, n.name, m.row, m.digest, m.ns
         FROM memories m JOIN namespaces n ON n.ns = m.ns"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let ns: i64 = row.get(AFTER_MEMORY + 3)?;
        let StoredMemory { row, memory, .. } = stored_memory_from_row(row)?;
        let Memory {
            tags, attributes, ..
        } = memory;
        for tag in &tags {
            insert_tag.execute(params![ns, tag, row])?;
        }
        for (name, value) in &attributes {
            insert_attribute.execute(params![ns, name, attribute_key(value), row])?;
        }
    }
    Ok(())
}
