//! Namespaces as a whole: their limits, and their end.

use rusqlite::{Connection, params};

use crate::error::Result;
use crate::model::names::Namespace;
use crate::model::quota::Quota;

use super::Session;

/// The tables with rows of a namespace, in an order in which no row refers to one that is gone.
const TABLES: [&str; 8] = [
    "tags",
    "attributes",
    "edges",
    "edge_versions",
    "versions",
    "memories",
    "runs",
    "namespaces",
];

impl Session {
    pub(crate) fn set_quota(&mut self, namespace: &Namespace, quota: Quota) -> Result<()> {
        let mut space = self.space_or_create(namespace)?;
        space.quota = quota;
        space.is_changed = true;
        self.spaces.insert(namespace.clone(), space);
        Ok(())
    }

    /// Removes a namespace with all that is in it, in a transaction of its own; whether there was
    /// one. Its bytes may still stand in free pages: [`compact`](Session::compact) removes them.
    pub(crate) fn delete_namespace(&mut self, namespace: &Namespace) -> Result<bool> {
        let Some(space) = self.space(namespace)? else {
            return Ok(false);
        };
        self.in_transaction("delete a namespace", |connection| {
            delete_texts(connection, space.ns)?;
            delete_state(connection, space.ns)?;
            for table in TABLES {
                let sql = format!("DELETE FROM {table} WHERE ns = ?1");
                connection.execute(&sql, [space.ns])?;
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// Merges the full-text index, rewrites the database without free pages, and empties the
    /// write-ahead log. Needs the space of the database once more while it works.
    pub(crate) fn compact(&mut self) -> Result<()> {
        self.in_transaction("compact", |connection| {
            connection.execute_batch("INSERT INTO memories_text(memories_text) VALUES('optimize')")
        })?;
        // Otherwise the copy would be made in memory, whatever its size.
        let rewritten = self.execute_batch(
            "compact",
            "PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY;",
        );
        let emptied = rewritten.and_then(|()| self.truncate_log());
        self.note_failure(emptied)
    }
}

/// Removes the terms from the index itself. By default FTS5 only adds that they are gone, and keeps
/// them until segments are merged.
fn delete_texts(connection: &Connection, ns: i64) -> rusqlite::Result<()> {
    let erase = |erase: i64| {
        let sql = "INSERT INTO memories_text(memories_text, rank) VALUES('secure-delete', ?1)";
        connection.execute(sql, [erase]).map(drop)
    };
    erase(1)?;
    connection.execute(
        "INSERT INTO memories_text(memories_text, rowid, terms)
         SELECT 'delete', row, terms FROM text_source WHERE row IN
             (SELECT row FROM memories WHERE ns = ?1)",
        params![ns],
    )?;
    erase(0)
}

fn delete_state(connection: &Connection, ns: i64) -> rusqlite::Result<()> {
    for table in ["state", "checkpoints"] {
        let sql = format!("DELETE FROM {table} WHERE run IN (SELECT run FROM runs WHERE ns = ?1)");
        connection.execute(&sql, [ns])?;
    }
    connection.execute(
        "DELETE FROM chunk_references WHERE chunk IN (SELECT chunk FROM chunks WHERE ns = ?1)",
        [ns],
    )?;
    connection.execute("DELETE FROM chunks WHERE ns = ?1", [ns])?;
    // A fork refers to its parent, whichever of the two is removed first.
    connection.execute("UPDATE runs SET parent = NULL WHERE ns = ?1", [ns])?;
    Ok(())
}
