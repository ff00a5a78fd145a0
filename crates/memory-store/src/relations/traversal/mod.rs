//! Walking the graph breadth first.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::names::{MemoryId, Relation};
use crate::model::time::When;

use super::graph::{Graph, Link, RelationSymbol};

/// Edges that one traversal may look at: some ten milliseconds.
const MAX_FOLLOWED: usize = 250_000;

/// Steps of all paths of a result together: 32 MB.
const MAX_PATH_STEPS: usize = 4_000_000;

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
    /// As of when edges must hold, and memories be true.
    #[serde(default)]
    pub when: When,
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
            when: When::Current,
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

    /// Sets as of when edges must hold, and memories be true: it walks through others, and does not
    /// report them. Default: [`When::Current`].
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
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

/// The first `most` admitted visits, by hops, then strength, then id.
pub(super) fn run(
    graph: &Graph,
    traversal: &Traversal,
    most: usize,
    admits: impl Fn(MemoryId) -> bool,
) -> Result<Vec<Visit>> {
    let Some(mut walk) = Walk::new(graph, traversal) else {
        return Ok(Vec::new());
    };
    let mut visits: Vec<Visit> = Vec::new();
    let mut left = traversal.limit;
    let mut steps = 0;
    for hop in 1..=traversal.hops.get() as usize {
        if walk.frontier.is_empty() || left == 0 || visits.len() >= most {
            break;
        }
        walk.step()?;
        for id in walk.frontier.iter().take(left).filter(|id| admits(**id)) {
            if visits.len() == most {
                break;
            }
            steps += hop;
            if steps > MAX_PATH_STEPS {
                return Err(too_large(
                    "steps of paths in its result",
                    steps,
                    MAX_PATH_STEPS,
                ));
            }
            visits.push(walk.visit(*id));
        }
        left = left.saturating_sub(walk.frontier.len());
    }
    Ok(visits)
}

/// The visit of one node, if it is reached.
pub(super) fn run_to(
    graph: &Graph,
    traversal: &Traversal,
    target: MemoryId,
) -> Result<Option<Visit>> {
    let Some(mut walk) = Walk::new(graph, traversal) else {
        return Ok(None);
    };
    for _ in 0..traversal.hops.get() {
        if walk.frontier.is_empty() || walk.arrivals.contains_key(&target) {
            break;
        }
        walk.step()?;
    }
    let is_reached = walk.arrivals.contains_key(&target);
    Ok(is_reached.then(|| walk.visit(target)))
}

fn too_large(what: &'static str, size: usize, limit: usize) -> Error {
    Error::QueryTooLarge { what, size, limit }
}

struct Walk<'g> {
    graph: &'g Graph,
    start: MemoryId,
    direction: Direction,
    relation: Option<RelationSymbol>,
    when: When,
    arrivals: HashMap<MemoryId, Arrival>,
    /// What the last step reached first, the strongest first.
    frontier: Vec<MemoryId>,
    /// Edges that were looked at.
    followed: usize,
}

impl<'g> Walk<'g> {
    /// Nothing if no edge has the relation that is to be followed.
    fn new(graph: &'g Graph, traversal: &Traversal) -> Option<Self> {
        let relation = match &traversal.relation {
            None => None,
            Some(relation) => Some(graph.symbol(relation)?),
        };
        let start = Arrival {
            strength: 1.0,
            from: traversal.start,
        };
        Some(Self {
            graph,
            start: traversal.start,
            direction: traversal.direction,
            relation,
            when: traversal.when,
            arrivals: HashMap::from([(traversal.start, start)]),
            frontier: vec![traversal.start],
            followed: 0,
        })
    }

    fn step(&mut self) -> Result<()> {
        let mut reached: BTreeMap<MemoryId, Arrival> = BTreeMap::new();
        let (relation, when) = (self.relation, self.when);
        let follows = |link: &&Link| {
            relation.is_none_or(|relation| link.relation == relation) && link.is_found(when)
        };
        for from in &self.frontier {
            let strength = self.arrivals[from].strength;
            for link in self.graph.links(*from, self.direction) {
                self.followed += 1;
                if self.followed > MAX_FOLLOWED {
                    return Err(too_large("edges to follow", self.followed, MAX_FOLLOWED));
                }
                if !follows(&link) {
                    continue;
                }
                if self.arrivals.contains_key(&link.other) {
                    continue;
                }
                let arrival = Arrival {
                    // Long paths of large weights leave the range of numbers.
                    strength: (strength * link.weight).clamp(f64::MIN, f64::MAX),
                    from: *from,
                };
                let best = reached.entry(link.other).or_insert(arrival);
                if is_better(arrival, *best) {
                    *best = arrival;
                }
            }
        }
        self.frontier = reached.keys().copied().collect();
        // Stable: equals stay in the order of their ids.
        self.frontier
            .sort_by(|a, b| reached[b].strength.total_cmp(&reached[a].strength));
        self.arrivals.extend(reached);
        Ok(())
    }

    fn visit(&self, id: MemoryId) -> Visit {
        let mut path = vec![id];
        let mut last = id;
        while last != self.start {
            last = self.arrivals[&last].from;
            path.push(last);
        }
        path.reverse();
        Visit {
            id,
            path,
            strength: self.arrivals[&id].strength,
        }
    }
}

fn is_better(new: Arrival, old: Arrival) -> bool {
    new.strength
        .total_cmp(&old.strength)
        .then_with(|| old.from.cmp(&new.from))
        .is_gt()
}

#[cfg(test)]
mod tests;
