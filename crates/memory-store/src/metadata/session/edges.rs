//! Edges: at any moment at most one of the same source, relation and target holds.

use action::Timestamp;
use rusqlite::params;

use crate::error::{Result, SqliteContext};
use crate::metadata::rows::{EDGE_COLUMNS, edge_from_row};
use crate::model::edge::Edge;
use crate::model::names::{MemoryId, Namespace, Relation};

use super::Session;
use super::memories::unknown;

impl Session {
    /// Adds an edge. One of the same source, relation and target that begins with it is replaced,
    /// one that holds when it begins ends there, and it ends where a later one begins. All that
    /// were written are returned.
    pub(crate) fn link(&mut self, edge: &Edge) -> Result<Vec<Edge>> {
        let namespace = &edge.namespace;
        let space = self
            .space(namespace)?
            .ok_or_else(|| unknown(namespace, edge.source))?;
        for id in [edge.source, edge.target] {
            if !self.exists(space.ns, id)? {
                return Err(unknown(namespace, id));
            }
        }
        let mut new = edge.clone();
        let mut written = Vec::with_capacity(1);
        let (source, target) = (edge.source, edge.target);
        for mut old in self.edges_between(space.ns, source, &edge.relation, target)? {
            if old.valid_from > new.valid_from {
                let next = old.valid_from;
                new.valid_until = Some(new.valid_until.map_or(next, |until| until.min(next)));
                continue;
            }
            let begins_together = old.valid_from == new.valid_from;
            let holds_still = old.valid_until.is_none_or(|until| until > new.valid_from);
            if begins_together || holds_still {
                self.keep_edge(space.ns, &old, new.at)?;
            }
            if !begins_together && holds_still {
                old.valid_until = Some(new.valid_from);
                self.put_edge(space.ns, &old)?;
                written.push(old);
            }
        }
        self.put_edge(space.ns, &new)?;
        written.push(new);
        Ok(written)
    }

    /// Ends the edge that holds at a moment; the edge as it is then, if there was one.
    pub(crate) fn end_edge(
        &mut self,
        namespace: &Namespace,
        (source, relation, target): (MemoryId, &Relation, MemoryId),
        until: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<Option<Edge>> {
        let Some(space) = self.space(namespace)? else {
            return Ok(None);
        };
        let edges = self.edges_between(space.ns, source, relation, target)?;
        let holds = |edge: &Edge| {
            edge.valid_from <= until && edge.valid_until.is_none_or(|end| until < end)
        };
        let Some(mut edge) = edges.into_iter().find(holds) else {
            return Ok(None);
        };
        self.keep_edge(space.ns, &edge, recorded_at)?;
        edge.valid_until = Some(until);
        self.put_edge(space.ns, &edge)?;
        Ok(Some(edge))
    }

    /// Removes the edges of a source, relation and target, and their history; whether there was one.
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
        let mut removed = 0;
        for sql in [
            "DELETE FROM edge_versions
             WHERE ns = ?1 AND source = ?2 AND relation = ?3 AND target = ?4",
            "DELETE FROM edges WHERE ns = ?1 AND source = ?2 AND relation = ?3 AND target = ?4",
        ] {
            removed = self.execute(
                "unlink",
                sql,
                params![
                    space.ns,
                    source.to_sql(),
                    relation.as_str(),
                    target.to_sql()
                ],
            )?;
        }
        Ok(removed > 0)
    }

    /// The edges of a source, relation and target, in the order of their beginnings.
    fn edges_between(
        &self,
        ns: i64,
        source: MemoryId,
        relation: &Relation,
        target: MemoryId,
    ) -> Result<Vec<Edge>> {
        let sql = format!(
            "SELECT {EDGE_COLUMNS} FROM edges e JOIN namespaces n ON n.ns = e.ns
             WHERE e.ns = ?1 AND e.source = ?2 AND e.relation = ?3 AND e.target = ?4
             ORDER BY e.valid_from"
        );
        let read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let edges = statement.query_map(
                params![ns, source.to_sql(), relation.as_str(), target.to_sql()],
                edge_from_row,
            )?;
            edges.collect()
        };
        let edges: rusqlite::Result<_> = read();
        edges.sqlite("look up an edge", &self.path)
    }

    /// Writes an edge, in place of the one that begins with it.
    pub(super) fn put_edge(&self, ns: i64, edge: &Edge) -> Result<()> {
        self.execute(
            "link",
            "INSERT OR REPLACE INTO edges(ns, source, relation, target, valid_from, valid_until,
                 weight, at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                ns,
                edge.source.to_sql(),
                edge.relation.as_str(),
                edge.target.to_sql(),
                edge.valid_from.as_millis(),
                edge.valid_until.map(Timestamp::as_millis),
                edge.weight,
                edge.at.as_millis(),
            ],
        )
        .map(drop)
    }

    /// Copies an edge to the history.
    pub(super) fn keep_edge(&self, ns: i64, edge: &Edge, replaced_at: Timestamp) -> Result<()> {
        self.execute(
            "keep a version",
            "INSERT INTO edge_versions(ns, source, relation, target, valid_from, valid_until,
                 weight, at, replaced_at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                ns,
                edge.source.to_sql(),
                edge.relation.as_str(),
                edge.target.to_sql(),
                edge.valid_from.as_millis(),
                edge.valid_until.map(Timestamp::as_millis),
                edge.weight,
                edge.at.as_millis(),
                replaced_at.max(edge.at).as_millis(),
            ],
        )
        .map(drop)
    }
}
