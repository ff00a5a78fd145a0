//! The statements of agent state.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::{Error, Result, SqliteContext};
use crate::names::Timestamp;
use crate::state::{
    AgentRun, Checkpoint, CheckpointId, Expected, StateWrite, StateWriteKind, Versioned,
};

/// A run at a moment of its sequence. SQLite's integers are signed, so the sequence is as well.
#[derive(Debug, Clone, Copy)]
struct Position {
    run: i64,
    seq: i64,
}

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
        find(self.connection, head, key)
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
            at: Timestamp::from_unix_millis(row.get(2)?),
        })
    })?;
    rows.collect()
}

/// Runs one write in the open transaction.
pub(super) fn write(
    connection: &Connection,
    path: &Path,
    ns: i64,
    StateWrite { run, kind }: &StateWrite,
) -> Result<u64> {
    let head = find_run(connection, ns, run).sqlite("look up a run", path)?;
    let known = || {
        head.ok_or_else(|| Error::UnknownRun {
            run: Box::new(run.clone()),
        })
    };
    let mark = |checkpoint: CheckpointId| {
        let position = checkpoint_position(connection, known()?.run, checkpoint)
            .sqlite("look up a checkpoint", path)?;
        position.ok_or_else(|| Error::UnknownCheckpoint {
            run: Box::new(run.clone()),
            checkpoint,
        })
    };
    match kind {
        StateWriteKind::Put {
            key,
            value,
            expected,
        } => {
            let current = head
                .map(|head| find_version(connection, head, key))
                .transpose();
            let current = current.sqlite("read the state", path)?.flatten();
            if !expected.is_met_by(current) {
                return Err(conflict(run, key, *expected, current));
            }
            head.map_or_else(|| create_run(connection, ns, run), Ok)
                .and_then(|head| put(connection, head, key, value.as_deref()))
                .sqlite("write the state", path)
        }
        StateWriteKind::Checkpoint { label, at } => {
            checkpoint(connection, known()?, label, *at).sqlite("write a checkpoint", path)
        }
        StateWriteKind::Restore(checkpoint) => {
            let position = mark(*checkpoint)?;
            restore(connection, known()?, position).sqlite("restore a checkpoint", path)
        }
        StateWriteKind::Fork { from, name } => {
            let position = mark(*from)?;
            let fork = AgentRun {
                run: name.clone(),
                ..run.clone()
            };
            if find_run(connection, ns, &fork)
                .sqlite("look up a run", path)?
                .is_some()
            {
                return Err(Error::RunExists {
                    run: Box::new(fork),
                });
            }
            insert_run(connection, ns, &fork, Some(position)).sqlite("fork a run", path)?;
            Ok(position.seq.unsigned_abs())
        }
    }
}

/// Whether a namespace that has no state yet may be created for a write, or what refuses it.
pub(super) fn check_first(StateWrite { run, kind }: &StateWrite) -> Result<()> {
    match kind {
        StateWriteKind::Put { expected, .. } if expected.is_met_by(None) => Ok(()),
        StateWriteKind::Put { key, expected, .. } => Err(conflict(run, key, *expected, None)),
        _ => Err(Error::UnknownRun {
            run: Box::new(run.clone()),
        }),
    }
}

fn conflict(run: &AgentRun, key: &str, expected: Expected, found: Option<u64>) -> Error {
    Error::VersionConflict {
        run: Box::new(run.clone()),
        key: key.to_owned(),
        expected,
        found,
    }
}

fn find_run(
    connection: &Connection,
    ns: i64,
    run: &AgentRun,
) -> rusqlite::Result<Option<Position>> {
    connection
        .prepare_cached("SELECT run, seq FROM runs WHERE ns = ?1 AND agent = ?2 AND name = ?3")?
        .query_row(params![ns, run.agent, run.run], position)
        .optional()
}

fn create_run(connection: &Connection, ns: i64, run: &AgentRun) -> rusqlite::Result<Position> {
    insert_run(connection, ns, run, None)?;
    Ok(Position {
        run: connection.last_insert_rowid(),
        seq: 0,
    })
}

/// A fork's sequence goes on from its parent's, so that versions grow along both.
fn insert_run(
    connection: &Connection,
    ns: i64,
    run: &AgentRun,
    parent: Option<Position>,
) -> rusqlite::Result<usize> {
    let seq = parent.map_or(0, |parent| parent.seq);
    connection
        .prepare_cached(
            "INSERT INTO runs(ns, agent, name, parent, parent_seq, seq)
             VALUES(?1, ?2, ?3, ?4, ?5, ?5)",
        )?
        .execute(params![
            ns,
            run.agent,
            run.run,
            parent.map(|parent| parent.run),
            seq
        ])
}

/// Writes a version, and removes the one before unless a checkpoint can see it.
fn put(
    connection: &Connection,
    head: Position,
    key: &str,
    value: Option<&[u8]>,
) -> rusqlite::Result<u64> {
    let seq = head.seq + 1;
    connection
        .prepare_cached(
            "DELETE FROM state WHERE run = ?1 AND key = ?2 AND NOT EXISTS(
                 SELECT 1 FROM checkpoints c WHERE c.run = ?1 AND c.seq >= state.seq)",
        )?
        .execute(params![head.run, key])?;
    connection
        .prepare_cached("INSERT INTO state(run, key, seq, value) VALUES(?1, ?2, ?3, ?4)")?
        .execute(params![head.run, key, seq, value])?;
    connection
        .prepare_cached("UPDATE runs SET seq = ?2 WHERE run = ?1")?
        .execute(params![head.run, seq])?;
    Ok(seq.unsigned_abs())
}

fn checkpoint(
    connection: &Connection,
    head: Position,
    label: &str,
    at: Timestamp,
) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("INSERT INTO checkpoints(run, seq, label, at) VALUES(?1, ?2, ?3, ?4)")?
        .execute(params![head.run, head.seq, label, at.unix_millis()])?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

/// Writes new versions of those keys that differ, so that what is restored over can be returned to
/// as well.
fn restore(connection: &Connection, head: Position, to: Position) -> rusqlite::Result<u64> {
    let now = visible(connection, head)?;
    let then = visible(connection, to)?;
    let mut head = head;
    for key in now.keys().filter(|key| !then.contains_key(*key)) {
        head.seq += 1;
        put(
            connection,
            Position {
                seq: head.seq - 1,
                ..head
            },
            key,
            None,
        )?;
    }
    for (key, _) in then
        .iter()
        .filter(|(key, version)| now.get(*key) != Some(*version))
    {
        let value = find(connection, to, key)?.map(|versioned| versioned.value);
        head.seq += 1;
        put(
            connection,
            Position {
                seq: head.seq - 1,
                ..head
            },
            key,
            value.as_deref(),
        )?;
    }
    Ok(head.seq.unsigned_abs())
}

fn checkpoint_position(
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
fn find(connection: &Connection, from: Position, key: &str) -> rusqlite::Result<Option<Versioned>> {
    let versioned = |row: &Row<'_>| {
        let (seq, value): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        Ok(value.map(|value| Versioned {
            version: seq.unsigned_abs(),
            value,
        }))
    };
    let sql = "SELECT seq, value FROM state WHERE run = ?1 AND key = ?2 AND seq <= ?3
               ORDER BY seq DESC LIMIT 1";
    find_up(connection, from, key, sql, versioned)
}

/// As [`find`], without reading the value.
fn find_version(
    connection: &Connection,
    from: Position,
    key: &str,
) -> rusqlite::Result<Option<u64>> {
    let version = |row: &Row<'_>| {
        let (seq, is_removed): (i64, bool) = (row.get(0)?, row.get(1)?);
        Ok((!is_removed).then_some(seq.unsigned_abs()))
    };
    let sql = "SELECT seq, value IS NULL FROM state WHERE run = ?1 AND key = ?2 AND seq <= ?3
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
fn visible(connection: &Connection, from: Position) -> rusqlite::Result<BTreeMap<String, Visible>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, max(seq), value IS NULL FROM state WHERE run = ?1 AND seq <= ?2 GROUP BY key",
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

fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position {
        run: row.get(0)?,
        seq: row.get(1)?,
    })
}
