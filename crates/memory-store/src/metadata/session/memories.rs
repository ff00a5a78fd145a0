//! Memories: what is known now, and what was known before.

use rusqlite::{OptionalExtension, Row, params};

use crate::error::{Error, Result, SqliteContext};
use crate::metadata::PreparedMemory;
use crate::metadata::rows::{MEMORY_COLUMNS, memory_from_row};
use crate::model::edge::Edge;
use crate::model::fault;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace, Relation, Timestamp};

use super::{Session, Space};

/// The bytes that a row counts against its namespace's quota, see [`PreparedMemory::bytes`].
pub(super) const ROW_BYTES: &str = "octet_length(text) + octet_length(tags)
    + octet_length(attributes) + coalesce(octet_length(vector), 0)";

impl Session {
    pub(crate) fn remember(&mut self, prepared: &PreparedMemory) -> Result<MemoryId> {
        let memory = &prepared.memory;
        let mut space = self.space_or_create(&memory.namespace)?;
        space.check_dimension(memory)?;
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

    /// Inserts a memory and adds it to the indexes; whether its id was free.
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
                memory.at.unix_millis(),
                memory.text,
                prepared.tags,
                prepared.attributes,
                prepared.vector,
                prepared.digest.as_bytes(),
                prepared.valid_from().unix_millis(),
                memory.valid_until.map(Timestamp::unix_millis),
                memory.expires_at.map(Timestamp::unix_millis),
                prepared.recorded_at().unix_millis(),
                version,
            ],
        )?;
        if inserted == 0 {
            return Ok(false);
        }
        fault::point("between-row-and-indexes");
        self.index(ns, self.connection.last_insert_rowid(), memory)?;
        Ok(true)
    }

    /// Replaces what is known of a memory; its new version is returned.
    pub(crate) fn update(&mut self, id: MemoryId, prepared: &PreparedMemory) -> Result<u32> {
        let memory = &prepared.memory;
        let (mut space, old) = self.known(&memory.namespace, id)?;
        space.check_dimension(memory)?;
        space.check_quota(&memory.namespace, 0, prepared.bytes())?;
        let indexed = self
            .indexed(space.ns, id)?
            .ok_or_else(|| unknown(&memory.namespace, id))?;
        // Two agents' clocks may differ; the history must not run backwards for it.
        let recorded_at = prepared.recorded_at().max(old.recorded_at);
        self.keep_version(space.ns, id, recorded_at)?;
        fault::point("between-version-and-row");
        self.remove_from_indexes(space.ns, &indexed)?;
        self.execute(
            "update",
            "UPDATE memories SET at = ?3, text = ?4, tags = ?5, attributes = ?6, vector = ?7,
                 digest = ?8, valid_from = ?9, valid_until = ?10, expires = ?11,
                 recorded_at = ?12, version = version + 1
             WHERE ns = ?1 AND id = ?2",
            params![
                space.ns,
                id.to_sql(),
                memory.at.unix_millis(),
                memory.text,
                prepared.tags,
                prepared.attributes,
                prepared.vector,
                prepared.digest.as_bytes(),
                prepared.valid_from().unix_millis(),
                memory.valid_until.map(Timestamp::unix_millis),
                memory.expires_at.map(Timestamp::unix_millis),
                recorded_at.unix_millis(),
            ],
        )?;
        self.index(space.ns, indexed.row, memory)?;
        space.note_version(prepared);
        self.spaces.insert(memory.namespace.clone(), space);
        Ok(old.version + 1)
    }

    /// Ends a memory where another one begins, which is remembered and linked to it; the new one's
    /// id and the edges that were written.
    pub(crate) fn supersede(
        &mut self,
        id: MemoryId,
        prepared: &PreparedMemory,
    ) -> Result<(MemoryId, Vec<Edge>)> {
        let namespace = &prepared.memory.namespace;
        self.known(namespace, id)?;
        let (from, recorded_at) = (prepared.valid_from(), prepared.recorded_at());
        let new = self.remember(prepared)?;
        fault::point("between-memories");
        self.end(namespace, id, from, recorded_at)?;
        let supersedes = Relation::new("supersedes").expect("a valid name");
        let edge = Edge::new(namespace.clone(), new, supersedes, id, recorded_at).valid_from(from);
        let edges = self.link(&edge)?;
        Ok((new, edges))
    }

    /// Ends a memory's validity, unless it ends as early already; whether it was ended.
    pub(crate) fn end(
        &mut self,
        namespace: &Namespace,
        id: MemoryId,
        until: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<bool> {
        let (mut space, old) = self.known(namespace, id)?;
        // It may never have been true.
        let until = until.max(old.valid_from);
        if old.valid_until.is_some_and(|end| end <= until) {
            return Ok(false);
        }
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
                until.unix_millis(),
                ended.digest().as_bytes(),
                recorded_at.unix_millis(),
            ],
        )?;
        space.bytes += bytes;
        space.is_changed = true;
        self.spaces.insert(namespace.clone(), space);
        Ok(true)
    }

    /// Removes a memory, its history and every edge at it; whether there was one.
    pub(crate) fn forget(&mut self, namespace: &Namespace, id: MemoryId) -> Result<bool> {
        let Some(mut space) = self.space(namespace)? else {
            return Ok(false);
        };
        let Some(indexed) = self.indexed(space.ns, id)? else {
            return Ok(false);
        };
        let bytes = self.bytes_of(space.ns, id)?;
        self.remove_from_indexes(space.ns, &indexed)?;
        fault::point("between-indexes-and-row");
        for sql in [
            "DELETE FROM edges WHERE ns = ?1 AND source = ?2",
            "DELETE FROM edges WHERE ns = ?1 AND target = ?2",
            "DELETE FROM edge_versions WHERE ns = ?1 AND source = ?2",
            "DELETE FROM edge_versions WHERE ns = ?1 AND target = ?2",
            "DELETE FROM versions WHERE ns = ?1 AND id = ?2",
            "DELETE FROM memories WHERE ns = ?1 AND id = ?2",
        ] {
            self.execute("forget", sql, params![space.ns, id.to_sql()])?;
        }
        space.items -= 1;
        space.bytes = space.bytes.saturating_sub(bytes);
        space.is_changed = true;
        self.spaces.insert(namespace.clone(), space);
        Ok(true)
    }

    /// Removes up to `limit` memories that have expired by a moment.
    pub(crate) fn sweep(
        &mut self,
        moment: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Namespace, MemoryId)>> {
        let expired = self.expired(moment, limit)?;
        for (namespace, id) in &expired {
            self.forget(namespace, *id)?;
        }
        Ok(expired)
    }

    fn expired(&self, moment: Timestamp, limit: u32) -> Result<Vec<(Namespace, MemoryId)>> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT n.name, m.id FROM memories m JOIN namespaces n ON n.ns = m.ns
                 WHERE m.expires <= ?1 ORDER BY m.expires LIMIT ?2",
            )?;
            let expired = statement.query_map(params![moment.unix_millis(), limit], |row| {
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
            params![ns, id.to_sql(), replaced_at.unix_millis()],
        )?;
        let sql = format!("SELECT {ROW_BYTES} FROM memories WHERE ns = ?1 AND id = ?2");
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut select| select.query_row(params![ns, id.to_sql()], row_bytes))
            .sqlite("keep a version", &self.path)
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

fn row_bytes(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(i64::unsigned_abs)
}

pub(super) fn unknown(namespace: &Namespace, id: MemoryId) -> Error {
    Error::UnknownMemory {
        namespace: namespace.clone(),
        id,
    }
}
