//! One namespace's edges, findable from both ends.

use std::collections::HashMap;

use action::Timestamp;

use crate::model::edge::Edge;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::time::When;

use super::Direction;

/// A relation's place in [`Graph::relations`]: four bytes an edge in place of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RelationSymbol(u32);

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<MemoryId, Node>,
    relations: Vec<Relation>,
    symbols: HashMap<Relation, RelationSymbol>,
    edges: usize, // the sum of all `outgoing`, and of all `incoming`
}

/// Both sorted by [`Link::key`]: found in logarithmic time at a hub, and compact at a leaf.
#[derive(Debug, Default)]
struct Node {
    outgoing: Vec<Link>,
    incoming: Vec<Link>,
}

/// An edge as seen from one of its ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) relation: RelationSymbol,
    pub(super) other: MemoryId,
    pub(super) weight: f64,
    at: Timestamp,
    from: Timestamp,
    until: Option<Timestamp>,
}

impl Link {
    fn key(&self) -> (RelationSymbol, MemoryId, Timestamp) {
        (self.relation, self.other, self.from)
    }

    pub(super) fn is_found(&self, when: When) -> bool {
        when.admits(self.from, self.until, None)
    }
}

impl Graph {
    pub(super) fn len(&self) -> usize {
        self.edges
    }

    pub(super) fn symbol(&self, relation: &Relation) -> Option<RelationSymbol> {
        self.symbols.get(relation).copied()
    }

    pub(super) fn links(&self, id: MemoryId, direction: Direction) -> impl Iterator<Item = &Link> {
        let node = self.nodes.get(&id);
        let outgoing = node
            .filter(|_| direction != Direction::Incoming)
            .map(|node| &node.outgoing);
        let incoming = node
            .filter(|_| direction != Direction::Outgoing)
            .map(|node| &node.incoming);
        outgoing.into_iter().chain(incoming).flatten()
    }

    pub(super) fn insert(&mut self, edge: &Edge) {
        let relation = self.symbol_or_create(&edge.relation);
        let link = |other| Link {
            relation,
            other,
            weight: edge.weight,
            at: edge.at,
            from: edge.valid_from,
            until: edge.valid_until,
        };
        let source = self.nodes.entry(edge.source).or_default();
        let is_new = put(&mut source.outgoing, link(edge.target));
        let target = self.nodes.entry(edge.target).or_default();
        put(&mut target.incoming, link(edge.source));
        self.edges += usize::from(is_new);
    }

    /// Removes the edges of a source, relation and target, whenever they hold.
    pub(super) fn remove(&mut self, source: MemoryId, relation: &Relation, target: MemoryId) {
        let Some(relation) = self.symbol(relation) else {
            return;
        };
        let removed = self
            .nodes
            .get_mut(&source)
            .map_or(0, |node| take(&mut node.outgoing, relation, target));
        if removed > 0 {
            self.edges -= removed;
            self.drop_if_bare(source);
        }
        if let Some(node) = self.nodes.get_mut(&target) {
            take(&mut node.incoming, relation, source);
            self.drop_if_bare(target);
        }
    }

    /// Removes a node with all edges at it.
    pub(super) fn remove_node(&mut self, id: MemoryId) {
        let Some(node) = self.nodes.remove(&id) else {
            return;
        };
        self.edges -= node.outgoing.len();
        for link in &node.outgoing {
            if let Some(target) = self.nodes.get_mut(&link.other) {
                take(&mut target.incoming, link.relation, id);
                self.drop_if_bare(link.other);
            }
        }
        // An edge from a node to itself went with the outgoing ones.
        for link in node.incoming.iter().filter(|link| link.other != id) {
            if let Some(source) = self.nodes.get_mut(&link.other) {
                self.edges -= take(&mut source.outgoing, link.relation, id);
                self.drop_if_bare(link.other);
            }
        }
    }

    pub(super) fn edges_of(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        direction: Direction,
        when: When,
    ) -> Vec<Edge> {
        let Some(node) = self.nodes.get(&id) else {
            return Vec::new();
        };
        let mut edges = Vec::new();
        if direction != Direction::Incoming {
            let outgoing = node.outgoing.iter().filter(|link| link.is_found(when));
            edges.extend(outgoing.map(|link| self.edge(namespace, id, link.other, link)));
        }
        if direction != Direction::Outgoing {
            // An edge from a node to itself is already among the outgoing ones.
            let is_both = direction == Direction::Both;
            let incoming = node
                .incoming
                .iter()
                .filter(|link| link.is_found(when) && (!is_both || link.other != id));
            edges.extend(incoming.map(|link| self.edge(namespace, link.other, id, link)));
        }
        edges.sort_by(|a, b| {
            let a = (a.source, &a.relation, a.target, a.valid_from);
            a.cmp(&(b.source, &b.relation, b.target, b.valid_from))
        });
        edges
    }

    pub(super) fn for_each(&self, namespace: &Namespace, visit: &mut impl FnMut(Edge)) {
        for (id, node) in &self.nodes {
            for link in &node.outgoing {
                visit(self.edge(namespace, *id, link.other, link));
            }
        }
    }

    fn edge(&self, namespace: &Namespace, source: MemoryId, target: MemoryId, link: &Link) -> Edge {
        let relation = self.relations[link.relation.0 as usize].clone();
        Edge {
            namespace: namespace.clone(),
            source,
            relation,
            target,
            weight: link.weight,
            at: link.at,
            valid_from: link.from,
            valid_until: link.until,
        }
    }

    fn symbol_or_create(&mut self, relation: &Relation) -> RelationSymbol {
        if let Some(symbol) = self.symbol(relation) {
            return symbol;
        }
        let symbol = RelationSymbol(u32::try_from(self.relations.len()).expect("fewer than 2^32"));
        self.relations.push(relation.clone());
        self.symbols.insert(relation.clone(), symbol);
        symbol
    }

    fn drop_if_bare(&mut self, id: MemoryId) {
        if self
            .nodes
            .get(&id)
            .is_some_and(|n| n.outgoing.is_empty() && n.incoming.is_empty())
        {
            self.nodes.remove(&id);
        }
    }
}

/// Adds a link or replaces the one of the same relation, end and beginning; whether it is new.
fn put(links: &mut Vec<Link>, link: Link) -> bool {
    match links.binary_search_by_key(&link.key(), Link::key) {
        Ok(place) => {
            links[place] = link;
            false
        }
        Err(place) => {
            links.insert(place, link);
            true
        }
    }
}

/// Removes the links of a relation to an end; how many there were.
fn take(links: &mut Vec<Link>, relation: RelationSymbol, other: MemoryId) -> usize {
    let first = links.partition_point(|link| (link.relation, link.other) < (relation, other));
    let count = links[first..]
        .iter()
        .take_while(|link| (link.relation, link.other) == (relation, other))
        .count();
    links.drain(first..first + count);
    count
}
