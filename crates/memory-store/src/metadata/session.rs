//! Writing: the statements of each operation, run by the writer inside a group's transaction.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use crate::digest::{MemoryDigest, vector_to_bytes};
use crate::error::{Error, Result, SqliteContext};
use crate::memory::{AttributeValue, Edge, NewMemory};
use crate::names::{MemoryId, Namespace, Relation};
use crate::similarity::unit_vector;

use super::readers::attribute_key;

/// A memory that was checked and encoded by its caller, so that the one writer need not.
#[derive(Debug)]
pub(crate) struct PreparedMemory {
    pub(crate) memory: NewMemory,
    digest: MemoryDigest,
    tags: String,
    attributes: String,
    vector: Option<Vec<u8>>,
    /// The vector at length one, for the similarity tier.
    pub(crate) unit: Option<Vec<f32>>,
}

impl PreparedMemory {
    pub(crate) fn new(memory: NewMemory) -> Result<Self> {
        memory.check()?;
        let unit = memory
            .vector
            .as_deref()
            .map(|vector| unit_vector(vector, || memory.label()))
            .transpose()?;
        Ok(Self {
            digest: memory.digest(),
            tags: serde_json::to_string(&memory.tags).expect("texts are valid JSON"),
            attributes: serde_json::to_string(&memory.attributes).expect("scalars are valid JSON"),
            vector: memory.vector.as_deref().map(vector_to_bytes),
            unit,
            memory,
        })
    }
}

/// What the writer keeps in memory of a namespace, so as not to ask for it at each write.
#[derive(Debug, Clone)]
struct Space {
    ns: i64,
    next_id: MemoryId,
    dimension: Option<usize>,
    /// Differs from its row; written once before the commit, however many memories were added.
    is_changed: bool,
}

/// The writer's connection and the open transaction's state.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    path: PathBuf,
    spaces: HashMap<Namespace, Space>,
}

impl Session {
    pub(crate) fn new(connection: Connection, path: PathBuf) -> Self {
        Self {
            connection,
            path,
            spaces: HashMap::new(),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn begin(&self) -> Result<()> {
        self.execute("begin a transaction", "BEGIN IMMEDIATE", [])
            .map(drop)
    }

    pub(crate) fn commit(&mut self) -> Result<()> {
        for space in self.spaces.values_mut().filter(|space| space.is_changed) {
            let dimension = space.dimension.map(|dimension| dimension as i64);
            self.connection
                .prepare_cached("UPDATE namespaces SET next_id = ?2, dimension = ?3 WHERE ns = ?1")
                .and_then(|mut update| {
                    update.execute(params![space.ns, space.next_id.to_sql(), dimension])
                })
                .sqlite("update a namespace", &self.path)?;
            space.is_changed = false;
        }
        self.execute("commit", "COMMIT", []).map(drop)
    }

    /// Undoes the open transaction, and forgets what was learnt in it.
    pub(crate) fn rollback(&mut self) -> Result<()> {
        self.spaces.clear();
        // After some errors, a full disk among them, SQLite has already rolled back.
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("roll back", "ROLLBACK", []).map(drop)
    }

    /// Closes the connection, which copies the log into the database.
    pub(crate) fn close(self) -> Result<()> {
        self.connection
            .close()
            .map_err(|(_, error)| error)
            .sqlite("close", &self.path)
    }

    pub(crate) fn remember(&mut self, prepared: &PreparedMemory) -> Result<MemoryId> {
        let memory = &prepared.memory;
        let mut space = self.space_or_create(&memory.namespace)?;
        check_dimension(&space, memory)?;
        let id = match memory.id {
            Some(id) => id,
            None => space.next_id,
        };
        let inserted = self.execute(
            "remember",
            "INSERT INTO memories(ns, id, at, text, tags, attributes, vector, digest)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(ns, id) DO NOTHING",
            params![
                space.ns,
                id.to_sql(),
                memory.at.unix_millis(),
                memory.text,
                prepared.tags,
                prepared.attributes,
                prepared.vector,
                prepared.digest.as_bytes(),
            ],
        )?;
        if inserted == 0 {
            return Err(Error::AlreadyExists {
                namespace: memory.namespace.clone(),
                id,
            });
        }
        self.index_labels(space.ns, memory)?;
        space.note(id, memory.vector.as_ref().map(Vec::len));
        self.spaces.insert(memory.namespace.clone(), space);
        Ok(id)
    }

    /// Removes a memory and every edge at it; whether there was one.
    pub(crate) fn forget(&mut self, namespace: &Namespace, id: MemoryId) -> Result<bool> {
        let Some(space) = self.space(namespace)? else {
            return Ok(false);
        };
        let Some((row, tags, attributes)) = self.labels(space.ns, id)? else {
            return Ok(false);
        };
        for tag in &tags {
            self.execute(
                "forget",
                "DELETE FROM tags WHERE ns = ?1 AND tag = ?2 AND row = ?3",
                params![space.ns, tag, row],
            )?;
        }
        for (name, value) in &attributes {
            self.execute(
                "forget",
                "DELETE FROM attributes WHERE ns = ?1 AND name = ?2 AND value = ?3 AND row = ?4",
                params![space.ns, name, attribute_key(value), row],
            )?;
        }
        for sql in [
            "DELETE FROM edges WHERE ns = ?1 AND source = ?2",
            "DELETE FROM edges WHERE ns = ?1 AND target = ?2",
            "DELETE FROM memories WHERE ns = ?1 AND id = ?2",
        ] {
            self.execute("forget", sql, params![space.ns, id.to_sql()])?;
        }
        Ok(true)
    }

    /// Adds an edge, or replaces the weight and time of the one that is there.
    pub(crate) fn link(&mut self, edge: &Edge) -> Result<()> {
        let unknown = |id| Error::UnknownMemory {
            namespace: edge.namespace.clone(),
            id,
        };
        let space = self
            .space(&edge.namespace)?
            .ok_or_else(|| unknown(edge.source))?;
        for id in [edge.source, edge.target] {
            if !self.exists(space.ns, id)? {
                return Err(unknown(id));
            }
        }
        self.execute(
            "link",
            "INSERT INTO edges(ns, source, relation, target, weight, at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET weight = excluded.weight, at = excluded.at",
            params![
                space.ns,
                edge.source.to_sql(),
                edge.relation.as_str(),
                edge.target.to_sql(),
                edge.weight,
                edge.at.unix_millis(),
            ],
        )
        .map(drop)
    }

    /// Removes an edge; whether there was one.
    pub(crate) fn unlink(
        &mut self,
        namespace: &Namespace,
        source: MemoryId,
        relation: &Relation,
        target: MemoryId,
    ) -> Result<bool> {
        let Some(space) = self.space(namespace)? else {
            return Ok(false);
        };
        let removed = self.execute(
            "unlink",
            "DELETE FROM edges WHERE ns = ?1 AND source = ?2 AND relation = ?3 AND target = ?4",
            params![
                space.ns,
                source.to_sql(),
                relation.as_str(),
                target.to_sql()
            ],
        )?;
        Ok(removed > 0)
    }

    fn index_labels(&self, ns: i64, memory: &NewMemory) -> Result<()> {
        let row = self.connection.last_insert_rowid();
        for tag in &memory.tags {
            self.execute(
                "remember",
                "INSERT INTO tags(ns, tag, row) VALUES(?1, ?2, ?3)",
                params![ns, tag, row],
            )?;
        }
        for (name, value) in &memory.attributes {
            self.execute(
                "remember",
                "INSERT INTO attributes(ns, name, value, row) VALUES(?1, ?2, ?3, ?4)",
                params![ns, name, attribute_key(value), row],
            )?;
        }
        Ok(())
    }

    #[expect(
        clippy::type_complexity,
        reason = "the row, taken apart at the one place of its use"
    )]
    fn labels(
        &self,
        ns: i64,
        id: MemoryId,
    ) -> Result<Option<(i64, Vec<String>, HashMap<String, AttributeValue>)>> {
        let read: Option<(i64, String, String)> = self
            .connection
            .prepare_cached("SELECT row, tags, attributes FROM memories WHERE ns = ?1 AND id = ?2")
            .and_then(|mut select| {
                select
                    .query_row(params![ns, id.to_sql()], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })
                    .optional()
            })
            .sqlite("forget", &self.path)?;
        let Some((row, tags, attributes)) = read else {
            return Ok(None);
        };
        let corrupt = |error: serde_json::Error| Error::Corrupt {
            path: self.path.clone(),
            detail: format!("memory {id}: {error}"),
        };
        let tags = serde_json::from_str(&tags).map_err(corrupt)?;
        let attributes = serde_json::from_str(&attributes).map_err(corrupt)?;
        Ok(Some((row, tags, attributes)))
    }

    fn exists(&self, ns: i64, id: MemoryId) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM memories WHERE ns = ?1 AND id = ?2")
            .and_then(|mut select| select.exists(params![ns, id.to_sql()]))
            .sqlite("look up a memory", &self.path)
    }

    fn space_or_create(&mut self, namespace: &Namespace) -> Result<Space> {
        if let Some(space) = self.space(namespace)? {
            return Ok(space);
        }
        self.execute(
            "create a namespace",
            "INSERT INTO namespaces(name, next_id) VALUES(?1, 1)",
            [namespace.as_str()],
        )?;
        let ns = self.connection.last_insert_rowid();
        Ok(Space {
            ns,
            next_id: MemoryId::MIN,
            dimension: None,
            is_changed: false,
        })
    }

    fn space(&mut self, namespace: &Namespace) -> Result<Option<Space>> {
        if let Some(space) = self.spaces.get(namespace) {
            return Ok(Some(space.clone()));
        }
        let space = self
            .connection
            .prepare_cached("SELECT ns, next_id, dimension FROM namespaces WHERE name = ?1")
            .and_then(|mut select| {
                select
                    .query_row([namespace.as_str()], |row| {
                        Ok(Space {
                            ns: row.get(0)?,
                            next_id: MemoryId::from_sql(row.get(1)?)?,
                            dimension: dimension_from_sql(row.get(2)?)?,
                            is_changed: false,
                        })
                    })
                    .optional()
            })
            .sqlite("look up a namespace", &self.path)?;
        if let Some(space) = &space {
            self.spaces.insert(namespace.clone(), space.clone());
        }
        Ok(space)
    }

    fn execute(
        &self,
        operation: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<usize> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .sqlite(operation, &self.path)
    }
}

impl Space {
    /// Takes an id and a dimension into account that were just written.
    fn note(&mut self, id: MemoryId, dimension: Option<usize>) {
        // A namespace whose caller chose the largest id counts no further: the next one that the
        // store would choose is then refused as taken.
        self.next_id = self.next_id.max(id.next());
        self.dimension = self.dimension.or(dimension);
        self.is_changed = true;
    }
}

fn check_dimension(space: &Space, memory: &NewMemory) -> Result<()> {
    match (space.dimension, &memory.vector) {
        (Some(expected), Some(vector)) if vector.len() != expected => Err(Error::Dimension {
            item: memory.label(),
            namespace: memory.namespace.clone(),
            found: vector.len(),
            expected,
        }),
        _ => Ok(()),
    }
}

fn dimension_from_sql(dimension: Option<i64>) -> rusqlite::Result<Option<usize>> {
    let checked = |value| {
        usize::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, value))
    };
    dimension.map(checked).transpose()
}
