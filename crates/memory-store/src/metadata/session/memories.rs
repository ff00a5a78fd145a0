//! Memories: what is known now, and what was known before.

use std::collections::HashSet;

use action::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::error::{Error, Result, SqliteContext};
use crate::metadata::PreparedMemory;
use crate::metadata::rows::{MEMORY_COLUMNS, memory_from_row};
use crate::model::change::{Ended, Forgotten, Superseded};
use crate::model::edge::Edge;
use crate::model::fault;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace, Relation};

use super::{Session, Space};

/// The relation of a memory to the one whose place it took.
const SUPERSEDES: &str = "supersedes";

/// The bytes that a row counts against its namespace's quota, see [`PreparedMemory::bytes`].
pub(super) const ROW_BYTES: &str = "octet_length(text) + octet_length(tags)
    + octet_length(attributes) + coalesce(octet_length(vector), 0)";

impl Session {
    pub(crate) fn remember(&mut self, prepared: &PreparedMemory) -> Result<MemoryId> {
        let memory = &prepared.memory;
        let mut space = self.space_or_create(&memory.namespace)?;
        space.check_vector(prepared)?;
        space.check_quota(&memory.namespace, 1, prepared.bytes())?;
        let id = memory.id.unwrap_or(space.next_id);
        if !self.insert_memory(space.ns, id, prepared, 1)? {
            return Err(Error::AlreadyExists {
                namespace: memory.namespace.clone(),
                id,
            });
        }
        space.note(id, prepared);
        self.spaces.insert(memory.namespace.clone(), space);
        Ok(id)
    }

    /// Remembers all or none.
    pub(crate) fn remember_all(&mut self, prepared: &[PreparedMemory]) -> Result<Vec<MemoryId>> {
        let namespaces = prepared.iter().map(|prepared| &prepared.memory.namespace);
        self.whole_or_nothing(namespaces.cloned().collect(), |session| {
            prepared
                .iter()
                .map(|prepared| session.remember(prepared))
                .collect()
        })
    }

    /// Inserts a memory; whether its id was free.
    pub(super) fn insert_memory(
        &self,
        ns: i64,
        id: MemoryId,
        prepared: &PreparedMemory,
        version: u32,
    ) -> Result<bool> {
        let memory = &prepared.memory;
        let inserted = self.execute(
            "remember",
            "INSERT INTO memories(ns, id, at, text, tags, attributes, vector, digest,
                 valid_from, valid_until, expires, recorded_at, version)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT(ns, id) DO NOTHING",
            params![
                ns,
                id.to_sql(),
                memory.at.as_millis(),
                memory.text,
                prepared.tags,
                prepared.attributes,
                prepared.vector,
                prepared.digest.as_bytes(),
                prepared.valid_from().as_millis(),
                memory.valid_until.map(Timestamp::as_millis),
                memory.expires_at.map(Timestamp::as_millis),
                prepared.recorded_at().as_millis(),
                version,
            ],
        )?;
        fault::point("after-row");
        Ok(inserted > 0)
    }

    /// Replaces what is known of a memory; its new version and the text that it had.
    pub(crate) fn update(
        &mut self,
        id: MemoryId,
        expected: Option<u32>,
        prepared: &PreparedMemory,
    ) -> Result<(u32, String)> {
        let memory = &prepared.memory;
        let (mut space, old) = self.known(&memory.namespace, id)?;
        check_version(&old, expected)?;
        space.check_vector(prepared)?;
        space.check_quota(&memory.namespace, 0, prepared.bytes())?;
        // Two agents' clocks may differ; the history must not run backwards for it.
        let recorded_at = prepared.recorded_at().max(old.recorded_at);
        self.keep_version(space.ns, id, recorded_at)?;
        fault::point("between-version-and-row");
        self.execute(
            "update",
            "UPDATE memories SET at = ?3, text = ?4, tags = ?5, attributes = ?6, vector = ?7,
                 digest = ?8, valid_from = ?9, valid_until = ?10, expires = ?11,
                 recorded_at = ?12, version = version + 1
             WHERE ns = ?1 AND id = ?2",
            params![
                space.ns,
                id.to_sql(),
                memory.at.as_millis(),
                memory.text,
                prepared.tags,
                prepared.attributes,
                prepared.vector,
                prepared.digest.as_bytes(),
                prepared.valid_from().as_millis(),
                memory.valid_until.map(Timestamp::as_millis),
                memory.expires_at.map(Timestamp::as_millis),
                recorded_at.as_millis(),
            ],
        )?;
        space.note_version(prepared);
        self.spaces.insert(memory.namespace.clone(), space);
        Ok((old.version + 1, old.text))
    }

    /// Ends a memory where another one begins, which is remembered and linked to it.
    pub(crate) fn supersede(
        &mut self,
        id: MemoryId,
        expected: Option<u32>,
        prepared: &PreparedMemory,
    ) -> Result<Superseded> {
        let namespace = &prepared.memory.namespace;
        self.whole_or_nothing(vec![namespace.clone()], |session| {
            let (space, old) = session.known(namespace, id)?;
            check_version(&old, expected)?;
            if let Some(by) = session.supersedes(space.ns, "target", id)?.first() {
                return Err(Error::AlreadySuperseded {
                    namespace: namespace.clone(),
                    id,
                    by: *by,
                });
            }
            let (from, recorded_at) = (prepared.valid_from(), prepared.recorded_at());
            let new = session.remember(prepared)?;
            fault::point("between-memories");
            let ended = session.end_line(namespace, id, from, recorded_at)?;
            let relation = Relation::new(SUPERSEDES).expect("a valid name");
            let edge = Edge::new(namespace.clone(), new, relation, id, recorded_at);
            let edges = session.link(&edge.valid_from(from))?;
            Ok(Superseded { new, ended, edges })
        })
    }

    /// Ends a memory and those that it superseded, as far as they hold after that moment.
    fn end_line(
        &mut self,
        namespace: &Namespace,
        id: MemoryId,
        until: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<Vec<Ended>> {
        let ns = self.known(namespace, id)?.0.ns;
        let mut ended = Vec::new();
        let mut line = vec![id];
        let mut seen = HashSet::from([id]);
        while let Some(id) = line.pop() {
            ended.extend(self.end(namespace, id, until, recorded_at)?);
            let before = self.supersedes(ns, "source", id)?;
            line.extend(before.into_iter().filter(|id| seen.insert(*id)));
        }
        Ok(ended)
    }

    /// The other ends of the edges that say which memory took the place of which.
    fn supersedes(&self, ns: i64, end: &str, id: MemoryId) -> Result<Vec<MemoryId>> {
        let other = if end == "source" { "target" } else { "source" };
        let sql = format!(
            "SELECT {other} FROM edges WHERE ns = ?1 AND {end} = ?2 AND relation = ?3
             ORDER BY {other}"
        );
        let read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let ids = statement.query_map(params![ns, id.to_sql(), SUPERSEDES], |row| {
                MemoryId::from_sql(row.get(0)?)
            })?;
            ids.collect()
        };
        let ids: rusqlite::Result<_> = read();
        ids.sqlite("look up an edge", &self.path)
    }

    /// Ends a memory's validity, unless it ends as early already; what was ended.
    pub(crate) fn end(
        &mut self,
        namespace: &Namespace,
        id: MemoryId,
        until: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<Option<Ended>> {
        let (mut space, old) = self.known(namespace, id)?;
        // It may never have been true.
        let until = until.max(old.valid_from);
        if old.valid_until.is_some_and(|end| end <= until) {
            return Ok(None);
        }
        space.check_quota(namespace, 0, self.row_bytes(space.ns, id)?)?;
        let recorded_at = recorded_at.max(old.recorded_at);
        let bytes = self.keep_version(space.ns, id, recorded_at)?;
        let ended = Memory {
            valid_until: Some(until),
            ..old
        };
        self.execute(
            "end",
            "UPDATE memories SET valid_until = ?3, digest = ?4, recorded_at = ?5,
                 version = version + 1 WHERE ns = ?1 AND id = ?2",
            params![
                space.ns,
                id.to_sql(),
                until.as_millis(),
                ended.digest().as_bytes(),
                recorded_at.as_millis(),
            ],
        )?;
        space.bytes += bytes;
        space.is_changed = true;
        self.spaces.insert(namespace.clone(), space);
        Ok(Some(Ended {
            namespace: namespace.clone(),
            id,
            until,
        }))
    }

    /// Removes a memory, its history and every edge at it; what it was, if there was one.
    pub(crate) fn forget(
        &mut self,
        namespace: &Namespace,
        id: MemoryId,
    ) -> Result<Option<Forgotten>> {
        let Some(mut space) = self.space(namespace)? else {
            return Ok(None);
        };
        let Some(text) = self.text(space.ns, id)? else {
            return Ok(None);
        };
        let bytes = self.bytes_of(space.ns, id)?;
        for sql in [
            "DELETE FROM edges WHERE ns = ?1 AND source = ?2",
            "DELETE FROM edges WHERE ns = ?1 AND target = ?2",
            "DELETE FROM edge_versions WHERE ns = ?1 AND source = ?2",
            "DELETE FROM edge_versions WHERE ns = ?1 AND target = ?2",
            "DELETE FROM versions WHERE ns = ?1 AND id = ?2",
            "DELETE FROM memories WHERE ns = ?1 AND id = ?2",
        ] {
            self.execute("forget", sql, params![space.ns, id.to_sql()])?;
            fault::point("between-rows");
        }
        space.items -= 1;
        space.bytes = space.bytes.saturating_sub(bytes);
        space.is_changed = true;
        self.spaces.insert(namespace.clone(), space);
        Ok(Some(Forgotten {
            namespace: namespace.clone(),
            id,
            text,
        }))
    }

    /// Removes up to `limit` memories that have expired by a moment.
    pub(crate) fn sweep(&mut self, moment: Timestamp, limit: u32) -> Result<Vec<Forgotten>> {
        let mut swept = Vec::new();
        for (namespace, id) in self.expired(moment, limit)? {
            swept.extend(self.forget(&namespace, id)?);
        }
        Ok(swept)
    }

    fn expired(&self, moment: Timestamp, limit: u32) -> Result<Vec<(Namespace, MemoryId)>> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT n.name, m.id FROM memories m JOIN namespaces n ON n.ns = m.ns
                 WHERE m.expires <= ?1 ORDER BY m.expires LIMIT ?2",
            )?;
            let expired = statement.query_map(params![moment.as_millis(), limit], |row| {
                Ok((
                    crate::metadata::namespace_from_row(row, 0)?,
                    MemoryId::from_sql(row.get(1)?)?,
                ))
            })?;
            expired.collect()
        };
        let expired: rusqlite::Result<_> = read();
        expired.sqlite("find what has expired", &self.path)
    }

    /// A memory that a write needs to be there, and its namespace.
    fn known(&mut self, namespace: &Namespace, id: MemoryId) -> Result<(Space, Memory)> {
        let space = self
            .space(namespace)?
            .ok_or_else(|| unknown(namespace, id))?;
        let sql = format!("SELECT {MEMORY_COLUMNS} FROM memories m WHERE m.ns = ?1 AND m.id = ?2");
        let memory = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut select| {
                select
                    .query_row(params![space.ns, id.to_sql()], |row| {
                        memory_from_row(row, namespace)
                    })
                    .optional()
            })
            .sqlite("look up a memory", &self.path)?;
        Ok((space, memory.ok_or_else(|| unknown(namespace, id))?))
    }

    /// Copies what is known now to the history; how many bytes that are.
    fn keep_version(&self, ns: i64, id: MemoryId, replaced_at: Timestamp) -> Result<u64> {
        self.execute(
            "keep a version",
            "INSERT INTO versions(ns, id, version, at, text, tags, attributes, vector, digest,
                 valid_from, valid_until, expires, recorded_at, replaced_at)
             SELECT ns, id, version, at, text, tags, attributes, vector, digest,
                 valid_from, valid_until, expires, recorded_at, ?3
             FROM memories WHERE ns = ?1 AND id = ?2",
            params![ns, id.to_sql(), replaced_at.as_millis()],
        )?;
        self.row_bytes(ns, id)
    }

    /// The bytes of a memory without its history.
    fn row_bytes(&self, ns: i64, id: MemoryId) -> Result<u64> {
        let sql = format!("SELECT {ROW_BYTES} FROM memories WHERE ns = ?1 AND id = ?2");
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut select| select.query_row(params![ns, id.to_sql()], row_bytes))
            .sqlite("measure a memory", &self.path)
    }

    /// The text of a memory, if it is there.
    fn text(&self, ns: i64, id: MemoryId) -> Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT text FROM memories WHERE ns = ?1 AND id = ?2")
            .and_then(|mut select| {
                let text = select.query_row(params![ns, id.to_sql()], |row| row.get(0));
                text.optional()
            })
            .sqlite("look up a memory", &self.path)
    }

    /// The bytes of a memory and its history.
    fn bytes_of(&self, ns: i64, id: MemoryId) -> Result<u64> {
        let sql = format!(
            "SELECT (SELECT {ROW_BYTES} FROM memories WHERE ns = ?1 AND id = ?2)
                 + (SELECT coalesce(sum({ROW_BYTES}), 0) FROM versions WHERE ns = ?1 AND id = ?2)"
        );
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut select| select.query_row(params![ns, id.to_sql()], row_bytes))
            .sqlite("measure a memory", &self.path)
    }
}

/// Whether a memory is as the caller read it.
fn check_version(memory: &Memory, expected: Option<u32>) -> Result<()> {
    match expected {
        Some(expected) if expected != memory.version => Err(Error::MemoryVersion {
            namespace: memory.namespace.clone(),
            id: memory.id,
            expected,
            found: memory.version,
        }),
        _ => Ok(()),
    }
}

fn row_bytes(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(i64::unsigned_abs)
}

pub(super) fn unknown(namespace: &Namespace, id: MemoryId) -> Error {
    Error::UnknownMemory {
        namespace: namespace.clone(),
        id,
    }
}
