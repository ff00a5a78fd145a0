//! Walking the graph breadth first.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::names::{MemoryId, Relation};

use super::graph::{Graph, Link, RelationSymbol};

/// Which way edges are followed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// From source to target.
    #[default]
    Outgoing,
    /// From target to source.
    Incoming,
    /// Both ways.
    Both,
}

/// A walk along edges, breadth first.
///
/// ```
/// use std::num::NonZeroU32;
/// use memory_store::{Direction, MemoryId, Relation, Traversal};
///
/// let causes = Traversal::new(MemoryId::new(7)?)
///     .relation(Relation::new("caused")?)
///     .direction(Direction::Incoming)
///     .hops(NonZeroU32::new(3).unwrap());
/// assert_eq!(causes.hops.get(), 3);
/// # Ok::<(), memory_store::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Traversal {
    /// Where it starts; the start itself is not part of the result.
    pub start: MemoryId,
    /// The only relation followed, or `None` for all.
    pub relation: Option<Relation>,
    /// Which way edges are followed.
    pub direction: Direction,
    /// How far it goes.
    pub hops: NonZeroU32,
    /// How many memories are visited at most, the nearest first.
    pub limit: usize,
}

impl Traversal {
    /// To the targets of all edges of a memory.
    pub fn new(start: MemoryId) -> Self {
        Self {
            start,
            relation: None,
            direction: Direction::default(),
            hops: NonZeroU32::MIN,
            limit: usize::MAX,
        }
    }

    /// Follows one relation only. Default: all.
    #[must_use]
    pub fn relation(mut self, relation: Relation) -> Self {
        self.relation = Some(relation);
        self
    }

    /// Sets which way edges are followed. Default: outgoing.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets how far it goes. Default: one hop.
    #[must_use]
    pub fn hops(mut self, hops: NonZeroU32) -> Self {
        self.hops = hops;
        self
    }

    /// Sets how many memories are visited at most. Default: all.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// A memory that a traversal reached, by its shortest path and among those by the strongest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Visit {
    pub(crate) id: MemoryId,
    /// From the start to this memory, both inclusive.
    pub(crate) path: Vec<MemoryId>,
    /// The product of the weights along the path.
    pub(crate) strength: f64,
}

/// How a node was first reached.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    strength: f64,
    from: MemoryId,
}

/// The visits by hops, then strength, then id.
pub(super) fn run(graph: &Graph, traversal: &Traversal) -> Vec<Visit> {
    let relation = match &traversal.relation {
        None => None,
        Some(relation) => match graph.symbol(relation) {
            Some(symbol) => Some(symbol),
            None => return Vec::new(),
        },
    };
    let start = Arrival {
        strength: 1.0,
        from: traversal.start,
    };
    let mut arrivals = HashMap::from([(traversal.start, start)]);
    let mut frontier = vec![traversal.start];
    let mut visits = Vec::new();
    for _ in 0..traversal.hops.get() {
        if frontier.is_empty() || visits.len() >= traversal.limit {
            break;
        }
        frontier = next_level(
            graph,
            traversal.direction,
            relation,
            &frontier,
            &mut arrivals,
        );
        visits.extend(
            frontier
                .iter()
                .map(|id| visit(*id, traversal.start, &arrivals)),
        );
    }
    visits.truncate(traversal.limit);
    visits
}

/// The nodes that are first reached from this frontier, the strongest first.
fn next_level(
    graph: &Graph,
    direction: Direction,
    relation: Option<RelationSymbol>,
    frontier: &[MemoryId],
    arrivals: &mut HashMap<MemoryId, Arrival>,
) -> Vec<MemoryId> {
    let mut reached: BTreeMap<MemoryId, Arrival> = BTreeMap::new();
    let follows = |link: &&Link| relation.is_none_or(|relation| link.relation == relation);
    for from in frontier {
        let strength = arrivals[from].strength;
        for link in graph.links(*from, direction).filter(follows) {
            if arrivals.contains_key(&link.other) {
                continue;
            }
            let arrival = Arrival {
                strength: strength * link.weight,
                from: *from,
            };
            let best = reached.entry(link.other).or_insert(arrival);
            if is_better(arrival, *best) {
                *best = arrival;
            }
        }
    }
    let mut level: Vec<MemoryId> = reached.keys().copied().collect();
    // Stable: equals stay in the order of their ids.
    level.sort_by(|a, b| reached[b].strength.total_cmp(&reached[a].strength));
    arrivals.extend(reached);
    level
}

fn is_better(new: Arrival, old: Arrival) -> bool {
    new.strength
        .total_cmp(&old.strength)
        .then_with(|| old.from.cmp(&new.from))
        .is_gt()
}

fn visit(id: MemoryId, start: MemoryId, arrivals: &HashMap<MemoryId, Arrival>) -> Visit {
    let mut path = vec![id];
    let mut last = id;
    while last != start {
        last = arrivals[&last].from;
        path.push(last);
    }
    path.reverse();
    Visit {
        id,
        path,
        strength: arrivals[&id].strength,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Edge;
    use crate::names::{Namespace, Timestamp};

    fn id(id: u64) -> MemoryId {
        MemoryId::new(id).unwrap()
    }

    fn graph(edges: &[(u64, &str, u64, f64)]) -> Graph {
        let mut graph = Graph::default();
        for (source, relation, target, weight) in edges {
            let relation = Relation::new(relation).unwrap();
            let namespace = Namespace::new("n").unwrap();
            let edge = Edge::new(
                namespace,
                id(*source),
                relation,
                id(*target),
                Timestamp::default(),
            );
            graph.insert(&edge.weight(*weight));
        }
        graph
    }

    /// One line a visit: the path and its strength.
    fn render(graph: &Graph, traversal: &Traversal) -> String {
        let line = |visit: &Visit| {
            let path: Vec<String> = visit.path.iter().map(ToString::to_string).collect();
            format!("{} ({})", path.join(">"), visit.strength)
        };
        run(graph, traversal)
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn hops(hops: u32) -> NonZeroU32 {
        NonZeroU32::new(hops).unwrap()
    }

    #[test]
    fn the_strongest_of_the_shortest_paths_is_told() {
        let graph = graph(&[
            (1, "r", 2, 0.5),
            (1, "r", 3, 0.9),
            (2, "r", 4, 1.0),
            (3, "r", 4, 0.8),
        ]);
        let walk = Traversal::new(id(1)).hops(hops(2));
        assert_eq!(
            render(&graph, &walk),
            "1>3 (0.9), 1>2 (0.5), 1>3>4 (0.7200000000000001)"
        );
    }

    #[test]
    fn a_cycle_is_walked_once() {
        let graph = graph(&[
            (1, "r", 2, 1.0),
            (2, "r", 3, 1.0),
            (3, "r", 1, 1.0),
            (2, "r", 2, 1.0),
        ]);
        let walk = Traversal::new(id(1)).hops(hops(9));
        assert_eq!(render(&graph, &walk), "1>2 (1), 1>2>3 (1)");
    }

    #[test]
    fn only_the_relation_and_the_direction_asked_for_are_followed() {
        let graph = graph(&[(1, "a", 2, 1.0), (1, "b", 3, 1.0), (4, "a", 1, 1.0)]);
        let relation = |name| Relation::new(name).unwrap();
        let walk = Traversal::new(id(1));
        assert_eq!(
            render(&graph, &walk.clone().relation(relation("a"))),
            "1>2 (1)"
        );
        assert_eq!(render(&graph, &walk.clone().relation(relation("c"))), "");
        assert_eq!(
            render(&graph, &walk.clone().direction(Direction::Incoming)),
            "1>4 (1)"
        );
        assert_eq!(
            render(&graph, &walk.clone().direction(Direction::Both).limit(2)),
            "1>2 (1), 1>3 (1)"
        );
    }

    #[test]
    fn a_removed_node_leaves_no_edge_behind() {
        let mut graph = graph(&[
            (1, "r", 2, 1.0),
            (2, "r", 2, 1.0),
            (3, "r", 2, 1.0),
            (2, "r", 3, 1.0),
        ]);
        graph.remove_node(id(2));
        assert_eq!(graph.len(), 0);
        let mut left = 0;
        graph.for_each(&Namespace::new("n").unwrap(), &mut |_| left += 1);
        assert_eq!(left, 0);
        assert_eq!(
            render(&graph, &Traversal::new(id(3)).direction(Direction::Both)),
            ""
        );
    }
}
