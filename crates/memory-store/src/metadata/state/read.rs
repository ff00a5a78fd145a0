//! Reading state: what can be seen from a run's head or from a mark in it.

use std::collections::BTreeMap;

use action::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::state::{AgentRun, Checkpoint, CheckpointId, Versioned};

use super::Position;
use super::chunks::StoredValue;

/// A version that can be seen from a position: where it is kept, and whether it has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visible {
    run: i64,
    seq: i64,
}

/// Reads the state of one run.
pub(crate) struct StateReader<'c> {
    connection: &'c Connection,
    head: Option<Position>,
}

impl<'c> StateReader<'c> {
    pub(crate) fn new(connection: &'c Connection, run: &AgentRun) -> rusqlite::Result<Self> {
        let head = connection
            .prepare_cached(
                "SELECT r.run, r.seq FROM runs r JOIN namespaces n ON n.ns = r.ns
                 WHERE n.name = ?1 AND r.agent = ?2 AND r.name = ?3",
            )?
            .query_row(
                params![run.namespace.as_str(), run.agent, run.run],
                position,
            )
            .optional()?;
        Ok(Self { connection, head })
    }

    pub(crate) fn get(&self, key: &str) -> rusqlite::Result<Option<Versioned>> {
        let Some(head) = self.head else {
            return Ok(None);
        };
        let Some((version, value)) = find(self.connection, head, key)? else {
            return Ok(None);
        };
        let value = value.read(self.connection)?;
        Ok(Some(Versioned { version, value }))
    }

    /// A key's value as of a checkpoint; none if the run has no such checkpoint.
    pub(crate) fn get_at(
        &self,
        checkpoint: CheckpointId,
        key: &str,
    ) -> rusqlite::Result<Option<Option<Versioned>>> {
        let Some(head) = self.head else {
            return Ok(None);
        };
        let Some(position) = checkpoint_position(self.connection, head.run, checkpoint)? else {
            return Ok(None);
        };
        let found = find(self.connection, position, key)?;
        let read = |(version, value): (u64, StoredValue)| {
            let value = value.read(self.connection)?;
            Ok(Versioned { version, value })
        };
        found.map(read).transpose().map(Some)
    }

    /// Every key with a value, at the head.
    pub(crate) fn keys(&self) -> rusqlite::Result<Vec<String>> {
        let Some(head) = self.head else {
            return Ok(Vec::new());
        };
        Ok(visible(self.connection, head)?.into_keys().collect())
    }

    /// Every key with a value as of a checkpoint; none if the run has no such checkpoint.
    pub(crate) fn at_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> rusqlite::Result<Option<BTreeMap<String, Visible>>> {
        let Some(head) = self.head else {
            return Ok(None);
        };
        checkpoint_position(self.connection, head.run, checkpoint)?
            .map(|position| visible(self.connection, position))
            .transpose()
    }
}

pub(crate) fn list_checkpoints(
    connection: &Connection,
    run: &AgentRun,
) -> rusqlite::Result<Vec<Checkpoint>> {
    let mut statement = connection.prepare_cached(
        "SELECT c.checkpoint, c.label, c.at FROM checkpoints c
         JOIN runs r ON r.run = c.run JOIN namespaces n ON n.ns = r.ns
         WHERE n.name = ?1 AND r.agent = ?2 AND r.name = ?3 ORDER BY c.checkpoint",
    )?;
    let rows = statement.query_map(params![run.namespace.as_str(), run.agent, run.run], |row| {
        Ok(Checkpoint {
            id: CheckpointId(row.get::<_, i64>(0)?.unsigned_abs()),
            label: row.get(1)?,
            at: Timestamp::from_millis(row.get(2)?),
        })
    })?;
    rows.collect()
}

pub(super) fn checkpoint_position(
    connection: &Connection,
    run: i64,
    checkpoint: CheckpointId,
) -> rusqlite::Result<Option<Position>> {
    let Ok(number) = i64::try_from(checkpoint.0) else {
        return Ok(None);
    };
    connection
        .prepare_cached("SELECT run, seq FROM checkpoints WHERE checkpoint = ?1 AND run = ?2")?
        .query_row(params![number, run], position)
        .optional()
}

/// The version of a key that can be seen from a position, in the run or in those it was forked from.
pub(super) fn find(
    connection: &Connection,
    from: Position,
    key: &str,
) -> rusqlite::Result<Option<(u64, StoredValue)>> {
    let stored = |row: &Row<'_>| {
        let seq: i64 = row.get(0)?;
        let value = StoredValue::from_row(row, 1)?;
        Ok((!value.is_removed()).then_some((seq.unsigned_abs(), value)))
    };
    let sql = "SELECT seq, value, chunks FROM state WHERE run = ?1 AND key = ?2 AND seq <= ?3
               ORDER BY seq DESC LIMIT 1";
    find_up(connection, from, key, sql, stored)
}

/// As [`find`], without reading the value.
pub(super) fn find_version(
    connection: &Connection,
    from: Position,
    key: &str,
) -> rusqlite::Result<Option<u64>> {
    let version = |row: &Row<'_>| {
        let (seq, is_removed): (i64, bool) = (row.get(0)?, row.get(1)?);
        Ok((!is_removed).then_some(seq.unsigned_abs()))
    };
    let sql = "SELECT seq, value IS NULL AND chunks IS NULL FROM state WHERE run = ?1 AND key = ?2 AND seq <= ?3
               ORDER BY seq DESC LIMIT 1";
    find_up(connection, from, key, sql, version)
}

fn find_up<T>(
    connection: &Connection,
    from: Position,
    key: &str,
    sql: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut next = Some(from);
    while let Some(position) = next {
        let found = statement.query_row(params![position.run, key, position.seq], &read);
        if let Some(found) = found.optional()? {
            return Ok(found);
        }
        next = parent(connection, position.run)?;
    }
    Ok(None)
}

/// All keys with a value that can be seen from a position.
pub(super) fn visible(
    connection: &Connection,
    from: Position,
) -> rusqlite::Result<BTreeMap<String, Visible>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, max(seq), value IS NULL AND chunks IS NULL FROM state WHERE run = ?1 AND seq <= ?2 GROUP BY key",
    )?;
    // The nearest run decides: what it removed is not taken from those it was forked from.
    let mut nearest: BTreeMap<String, Option<Visible>> = BTreeMap::new();
    let mut next = Some(from);
    while let Some(Position { run, seq }) = next {
        let mut rows = statement.query(params![run, seq])?;
        while let Some(row) = rows.next()? {
            let is_removed: bool = row.get(2)?;
            let version = Visible {
                run,
                seq: row.get(1)?,
            };
            nearest
                .entry(row.get(0)?)
                .or_insert((!is_removed).then_some(version));
        }
        next = parent(connection, run)?;
    }
    Ok(nearest
        .into_iter()
        .filter_map(|(key, version)| Some((key, version?)))
        .collect())
}

fn parent(connection: &Connection, run: i64) -> rusqlite::Result<Option<Position>> {
    connection
        .prepare_cached("SELECT parent, parent_seq FROM runs WHERE run = ?1 AND parent NOT NULL")?
        .query_row([run], position)
        .optional()
}

pub(super) fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position {
        run: row.get(0)?,
        seq: row.get(1)?,
    })
}
