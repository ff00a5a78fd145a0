//! Memories whose whole content is the same.

use rusqlite::params;

use crate::error::{Result, SqliteContext};
use crate::model::names::{MemoryId, Namespace};

use super::readers::ReaderPool;

/// Each memory whose digest another one of a lower id has, with the lowest such id; in the order
/// of both.
pub(crate) fn find_same_content(
    readers: &ReaderPool,
    namespace: &Namespace,
) -> Result<Vec<(MemoryId, MemoryId)>> {
    let reader = readers.lend();
    let read = || {
        let mut statement = reader.prepare_cached(
            "SELECT first, id FROM (
                 SELECT id, min(id) OVER (PARTITION BY digest) AS first FROM memories
                 WHERE ns = (SELECT ns FROM namespaces WHERE name = ?1)
             ) WHERE first < id ORDER BY first, id",
        )?;
        let pairs = statement.query_map(params![namespace.as_str()], |row| {
            Ok((
                MemoryId::from_sql(row.get(0)?)?,
                MemoryId::from_sql(row.get(1)?)?,
            ))
        })?;
        pairs.collect()
    };
    let result: rusqlite::Result<_> = read();
    result.sqlite("look for duplicates", readers.path())
}
