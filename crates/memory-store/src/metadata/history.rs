//! What was known before.

use rusqlite::{Connection, Row, named_params};

use crate::error::{Result, SqliteContext};
use crate::model::edge::Edge;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::time::Version;

use super::readers::ReaderPool;
use super::rows::{
    AFTER_EDGE, AFTER_MEMORY, EDGE_COLUMNS, MEMORY_COLUMNS, edge_from_row, memory_from_row,
    optional_moment,
};

/// Every version of a memory, the oldest first.
pub(crate) fn find_versions(
    connection: &Connection,
    namespace: &Namespace,
    id: MemoryId,
) -> rusqlite::Result<Vec<Version<Memory>>> {
    let sql = format!(
        "SELECT {MEMORY_COLUMNS}, m.replaced_at FROM versions m
         WHERE m.ns = (SELECT ns FROM namespaces WHERE name = :name) AND m.id = :id
         UNION ALL
         SELECT {MEMORY_COLUMNS}, NULL FROM memories m
         WHERE m.ns = (SELECT ns FROM namespaces WHERE name = :name) AND m.id = :id
         ORDER BY 11"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let version = |row: &Row<'_>| {
        Ok(Version {
            fact: memory_from_row(row, namespace)?,
            replaced_at: optional_moment(row, AFTER_MEMORY)?,
        })
    };
    let names = named_params! { ":name": namespace.as_str(), ":id": id.to_sql() };
    statement.query_map(names, version)?.collect()
}

/// Every version of the edges of a source, relation and target, in the order of their recording.
pub(crate) fn find_edge_versions(
    readers: &ReaderPool,
    namespace: &Namespace,
    (source, relation, target): (MemoryId, &Relation, MemoryId),
) -> Result<Vec<Version<Edge>>> {
    let of = |table: &str, replaced_at: &str| {
        format!(
            "SELECT {EDGE_COLUMNS}, {replaced_at} FROM {table} e JOIN namespaces n ON n.ns = e.ns
             WHERE n.name = :name AND e.source = :source AND e.relation = :relation
                 AND e.target = :target"
        )
    };
    // What is known now comes after all that was replaced.
    let sql = format!(
        "{} UNION ALL {} ORDER BY 9 NULLS LAST, 6, 7",
        of("edge_versions", "e.replaced_at"),
        of("edges", "NULL")
    );
    let reader = readers.lend();
    let read = || {
        let mut statement = reader.prepare_cached(&sql)?;
        let version = |row: &Row<'_>| {
            Ok(Version {
                fact: edge_from_row(row)?,
                replaced_at: optional_moment(row, AFTER_EDGE)?,
            })
        };
        let names = named_params! {
            ":name": namespace.as_str(),
            ":source": source.to_sql(),
            ":relation": relation.as_str(),
            ":target": target.to_sql(),
        };
        statement.query_map(names, version)?.collect()
    };
    let versions: rusqlite::Result<_> = read();
    versions.sqlite("read the history of an edge", readers.path())
}
