//! Namespaces as a whole: their limits, and their end.

use rusqlite::{Connection, params};

use crate::error::Result;
use crate::model::names::Namespace;
use crate::model::quota::Quota;

use super::Session;

/// The tables with rows of a namespace, in an order in which no row refers to one that is gone.
const TABLES: [&str; 6] = [
    "edges",
    "edge_versions",
    "versions",
    "memories",
    "runs",
    "namespaces",
];

impl Session {
    /// Sets in which language texts are read, and creates the namespace if it is missing.
    pub(crate) fn set_language(&mut self, namespace: &Namespace, language: &str) -> Result<()> {
        self.begin()?;
        let set = self.space_or_create(namespace).and_then(|space| {
            let sql = "UPDATE namespaces SET language = ?2 WHERE ns = ?1";
            self.execute("set a language", sql, params![space.ns, language])
        });
        let ended = set.and_then(|_| self.commit());
        let undone = self.rollback();
        self.note_failure(ended.and(undone))
    }

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
            delete_state(connection, space.ns)?;
            for table in TABLES {
                let sql = format!("DELETE FROM {table} WHERE ns = ?1");
                connection.execute(&sql, [space.ns])?;
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// Rewrites the database without free pages, and empties the write-ahead log. Needs the space of
    /// the database once more while it works.
    pub(crate) fn compact(&mut self) -> Result<()> {
        // Otherwise the copy would be made in memory, whatever its size.
        let rewritten = self.execute_batch(
            "compact",
            "PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY;",
        );
        let emptied = rewritten.and_then(|()| self.truncate_log());
        self.note_failure(emptied)
    }
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
