//! The statements of agent state.

mod chunks;
mod read;
mod retention;

use std::path::Path;

use action::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result, SqliteContext};
use crate::model::chunking::PreparedValue;

use crate::model::state::{AgentRun, CheckpointId, Expected, StateWrite, StateWriteKind};

use chunks::{StoredValue, retain, store};
use read::{checkpoint_position, find, find_version, position, visible};

pub(super) use chunks::value_from_row;
pub(crate) use chunks::{CHUNK_OF_BYTES, NODE_OF_CHUNKS, ids_from_bytes};
pub(crate) use read::{StateReader, list_checkpoints};

/// A run at a moment of its sequence. SQLite's integers are signed, so the sequence is as well.
#[derive(Debug, Clone, Copy)]
struct Position {
    run: i64,
    seq: i64,
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
                .and_then(|head| {
                    let value = match value {
                        Some(value) => store(connection, ns, value)?,
                        None => StoredValue::default(),
                    };
                    put(connection, head, key, &value)
                })
                .sqlite("write the state", path)
        }
        StateWriteKind::Checkpoint { label, at } => {
            checkpoint(connection, known()?, label, *at).sqlite("write a checkpoint", path)
        }
        StateWriteKind::Retain(retention) => {
            retention::apply(connection, known()?.run, retention).sqlite("remove checkpoints", path)
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

/// Writes a version, and removes those before that nothing can see any more.
fn put(
    connection: &Connection,
    head: Position,
    key: &str,
    value: &StoredValue,
) -> rusqlite::Result<u64> {
    let seq = head.seq + 1;
    let unseen = retention::unseen_if_replaced(connection, head.run, key)?;
    insert(connection, (head.run, key, seq), value)?;
    connection
        .prepare_cached("UPDATE runs SET seq = ?2 WHERE run = ?1")?
        .execute(params![head.run, seq])?;
    // After the new one took its references: what both have is not removed and written again.
    retention::remove_versions(connection, &unseen)?;
    Ok(seq.unsigned_abs())
}

fn insert(
    connection: &Connection,
    (run, key, seq): (i64, &str, i64),
    value: &StoredValue,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO state(run, key, seq, value, chunks) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![run, key, seq, value.inline, value.root])
        .map(drop)
}

fn checkpoint(
    connection: &Connection,
    head: Position,
    label: &str,
    at: Timestamp,
) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("INSERT INTO checkpoints(run, seq, label, at) VALUES(?1, ?2, ?3, ?4)")?
        .execute(params![head.run, head.seq, label, at.as_millis()])?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

/// Writes new versions of those keys that differ, so that what is restored over can be returned to
/// as well.
fn restore(connection: &Connection, mut head: Position, to: Position) -> rusqlite::Result<u64> {
    let now = visible(connection, head)?;
    let then = visible(connection, to)?;
    for key in now.keys().filter(|key| !then.contains_key(*key)) {
        put(connection, head, key, &StoredValue::default())?;
        head.seq += 1;
    }
    for (key, _) in then
        .iter()
        .filter(|(key, version)| now.get(*key) != Some(*version))
    {
        if let Some((_, value)) = find(connection, to, key)? {
            retain(connection, &value)?;
            put(connection, head, key, &value)?;
            head.seq += 1;
        }
    }
    Ok(head.seq.unsigned_abs())
}

/// Writes a version that was exported.
pub(super) fn store_value(
    connection: &Connection,
    ns: i64,
    (run, key, seq): (i64, &str, i64),
    value: Option<&PreparedValue>,
) -> rusqlite::Result<()> {
    let value = match value {
        Some(value) => store(connection, ns, value)?,
        None => StoredValue::default(),
    };
    insert(connection, (run, key, seq), &value)
}
