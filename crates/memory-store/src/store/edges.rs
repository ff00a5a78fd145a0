//! Edges between memories.

use action::Timestamp;

use crate::error::Result;
use crate::metadata::find_edge_versions;
use crate::model::edge::Edge;
use crate::model::millis::floor;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::time::{Version, When};
use crate::relations::Direction;
use crate::writer::{Write, Written};

use super::MemoryStore;

impl MemoryStore {
    /// Stores an edge. At any moment at most one of a source, relation and target holds: one that
    /// begins together with the new one is replaced, one that holds when the new one begins ends
    /// there, and the new one ends where a later one begins.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMemory`](crate::Error::UnknownMemory) if an end does not exist,
    /// [`Error::InvalidWeight`](crate::Error::InvalidWeight),
    /// [`Error::InvalidInterval`](crate::Error::InvalidInterval), and those of
    /// [`remember`](Self::remember) that concern the disk.
    pub fn link(&self, edge: Edge) -> Result<()> {
        let edge = Edge {
            at: floor(edge.at),
            valid_from: floor(edge.valid_from),
            valid_until: edge.valid_until.map(floor),
            ..edge
        };
        edge.check()?;
        self.writer.write(Write::Link(edge)).map(drop)
    }

    /// Ends the edge of a source, relation and target that holds at a moment, and leaves it to be
    /// followed as of earlier ones; whether there was one.
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember) that concern the disk.
    pub fn end_edge(
        &self,
        namespace: &Namespace,
        (source, relation, target): (MemoryId, &Relation, MemoryId),
        until: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<bool> {
        match self.writer.write(Write::EndEdge {
            namespace: namespace.clone(),
            source,
            relation: relation.clone(),
            target,
            until: floor(until),
            recorded_at: floor(recorded_at),
        })? {
            Written::EndedEdge(edge) => Ok(edge.is_some()),
            other => unreachable!("an end of an edge was answered with {other:?}"),
        }
    }

    /// Removes the edges of a source, relation and target, whenever they hold, and their history;
    /// whether there was one.
    ///
    /// # Errors
    ///
    /// Those of [`remember`](Self::remember) that concern the disk.
    pub fn unlink(
        &self,
        namespace: &Namespace,
        source: MemoryId,
        relation: &Relation,
        target: MemoryId,
    ) -> Result<bool> {
        let (namespace, relation) = (namespace.clone(), relation.clone());
        self.remove(Write::Unlink {
            namespace,
            source,
            relation,
            target,
        })
    }

    /// The edges at a memory as of when they are asked for, ordered by source, relation, target and
    /// start of validity.
    pub fn edges_of(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        direction: Direction,
        when: When,
    ) -> Vec<Edge> {
        self.tiers
            .relations
            .edges_of(namespace, id, direction, when)
    }

    /// Every version of the edges of a source, relation and target: first what was replaced, in the
    /// order of its replacement, then what is known now, in the order of its recording.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn edge_history(
        &self,
        namespace: &Namespace,
        source: MemoryId,
        relation: &Relation,
        target: MemoryId,
    ) -> Result<Vec<Version<Edge>>> {
        find_edge_versions(&self.readers, namespace, (source, relation, target))
    }
}
