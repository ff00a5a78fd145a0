//! The relation tier: an adjacency in memory, derived from the metadata tier.

mod graph;
mod traversal;

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::error::Result;
use crate::model::change::{Change, DerivedTier, Forgotten};
use crate::model::edge::Edge;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::time::When;

use graph::Graph;

pub(crate) use traversal::Visit;
pub use traversal::{Direction, Traversal};

/// Every namespace's graph under one lock: a write holds it for the change of a few links, a
/// traversal for its length.
#[derive(Debug, Default)]
pub(crate) struct RelationTier {
    graphs: RwLock<HashMap<Namespace, Graph>>,
}

impl RelationTier {
    pub(crate) fn insert(&self, edge: &Edge) {
        self.graphs
            .write()
            .entry(edge.namespace.clone())
            .or_default()
            .insert(edge);
    }

    pub(crate) fn remove(
        &self,
        namespace: &Namespace,
        source: MemoryId,
        relation: &Relation,
        target: MemoryId,
    ) {
        if let Some(graph) = self.graphs.write().get_mut(namespace) {
            graph.remove(source, relation, target);
        }
    }

    pub(crate) fn remove_node(&self, namespace: &Namespace, id: MemoryId) {
        if let Some(graph) = self.graphs.write().get_mut(namespace) {
            graph.remove_node(id);
        }
    }

    /// The edges at a memory, ordered by source, relation, target and beginning.
    pub(crate) fn edges_of(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        direction: Direction,
        when: When,
    ) -> Vec<Edge> {
        let graphs = self.graphs.read();
        graphs.get(namespace).map_or_else(Vec::new, |graph| {
            graph.edges_of(namespace, id, direction, when)
        })
    }

    /// The first `most` memories that a traversal reaches and that are admitted.
    pub(crate) fn traverse(
        &self,
        namespace: &Namespace,
        traversal: &Traversal,
        most: usize,
        admits: impl Fn(MemoryId) -> bool,
    ) -> Result<Vec<Visit>> {
        let graphs = self.graphs.read();
        graphs.get(namespace).map_or_else(
            || Ok(Vec::new()),
            |graph| traversal::run(graph, traversal, most, admits),
        )
    }

    /// The shortest way to a target, and the strongest of the shortest.
    pub(crate) fn path_to(
        &self,
        namespace: &Namespace,
        traversal: &Traversal,
        target: MemoryId,
    ) -> Result<Option<Visit>> {
        let graphs = self.graphs.read();
        let graph = graphs.get(namespace);
        graph.map_or(Ok(None), |graph| {
            traversal::run_to(graph, traversal, target)
        })
    }

    /// Takes over the content of another tier, at once for every traversal.
    pub(crate) fn replace(&self, other: Self) {
        *self.graphs.write() = other.graphs.into_inner();
    }

    /// How many edges there are.
    pub(crate) fn len(&self) -> usize {
        self.graphs.read().values().map(Graph::len).sum()
    }

    /// Calls back with every edge, for comparison with the metadata tier.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Edge)) {
        for (namespace, graph) in self.graphs.read().iter() {
            graph.for_each(namespace, &mut visit);
        }
    }
}

impl DerivedTier for RelationTier {
    fn apply(&self, change: &Change) {
        match change {
            Change::Linked(edge) => self.insert(edge),
            Change::Unlinked {
                namespace,
                source,
                relation,
                target,
            } => {
                self.remove(namespace, *source, relation, *target);
            }
            Change::Forgotten(Forgotten { namespace, id, .. }) => {
                self.remove_node(namespace, *id);
            }
            Change::NamespaceDeleted(namespace) => {
                self.graphs.write().remove(namespace);
            }
            Change::Remembered { .. } | Change::Updated { .. } | Change::Ended(_) => {}
        }
    }
}
