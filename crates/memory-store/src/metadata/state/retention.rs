//! Which versions are kept: those that the head, a checkpoint or a fork can see.

use rusqlite::{Connection, Row, params};

use crate::model::state::Retention;

use super::chunks::{StoredValue, release};

/// A version that nothing can see, and what it refers to.
pub(super) struct Unseen {
    row: i64,
    value: StoredValue,
}

/// The versions of a key that nothing could see if another one were written now.
pub(super) fn unseen_if_replaced(
    connection: &Connection,
    run: i64,
    key: &str,
) -> rusqlite::Result<Vec<Unseen>> {
    let mut statement = connection.prepare_cached(
        "SELECT rowid, NULL, chunks FROM state WHERE run = ?1 AND key = ?2
         AND NOT EXISTS(SELECT 1 FROM checkpoints c WHERE c.run = ?1 AND c.seq >= state.seq)
         AND NOT EXISTS(SELECT 1 FROM runs f WHERE f.parent = ?1 AND f.parent_seq >= state.seq)",
    )?;
    statement.query_map(params![run, key], unseen)?.collect()
}

pub(super) fn remove_versions(
    connection: &Connection,
    versions: &[Unseen],
) -> rusqlite::Result<()> {
    for version in versions {
        connection
            .prepare_cached("DELETE FROM state WHERE rowid = ?1")?
            .execute([version.row])?;
        release(connection, &version.value)?;
    }
    Ok(())
}

/// Removes the checkpoints that are not retained, and what only they could see; how many.
pub(super) fn apply(
    connection: &Connection,
    run: i64,
    retention: &Retention,
) -> rusqlite::Result<u64> {
    let last = i64::try_from(retention.last).unwrap_or(i64::MAX);
    let since = retention.since.map(action::Timestamp::as_millis);
    let removed = connection
        .prepare_cached(
            "DELETE FROM checkpoints WHERE run = ?1 AND coalesce(at < ?3, 1) AND checkpoint NOT IN (
                 SELECT checkpoint FROM checkpoints WHERE run = ?1
                 ORDER BY checkpoint DESC LIMIT ?2)",
        )?
        .execute(params![run, last, since])?;
    let mut statement = connection.prepare_cached(
        "SELECT rowid, NULL, chunks FROM state s WHERE s.run = ?1 AND EXISTS(
             SELECT 1 FROM state later
             WHERE later.run = s.run AND later.key = s.key AND later.seq > s.seq
             AND NOT EXISTS(SELECT 1 FROM checkpoints c
                 WHERE c.run = s.run AND c.seq >= s.seq AND c.seq < later.seq)
             AND NOT EXISTS(SELECT 1 FROM runs f
                 WHERE f.parent = s.run AND f.parent_seq >= s.seq AND f.parent_seq < later.seq))",
    )?;
    let versions: Vec<Unseen> = statement
        .query_map([run], unseen)?
        .collect::<rusqlite::Result<_>>()?;
    remove_versions(connection, &versions)?;
    Ok(removed as u64)
}

fn unseen(row: &Row<'_>) -> rusqlite::Result<Unseen> {
    Ok(Unseen {
        row: row.get(0)?,
        value: StoredValue::from_row(row, 1)?,
    })
}
