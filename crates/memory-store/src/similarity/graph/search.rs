//! Walking through the graph towards a query.

use super::super::block::{Blocks, Slot};
use super::super::codes::CodeRef;
use super::super::kernel::prefetch;
use super::{Entry, Graph};

/// A node and its distance by codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Evaluated {
    pub(in super::super) distance: f32,
    pub(in super::super) slot: Slot,
}

/// The memory of a walk.
#[derive(Debug, Default)]
pub(in super::super) struct Walk {
    visited: Vec<u64>, // one bit a slot
    /// The nearest found so far, the nearest first.
    pool: Vec<Step>,
    fresh: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    distance: f32,
    slot: Slot,
    is_expanded: bool,
}

impl Walk {
    fn begin(&mut self, blocks: &Blocks) {
        self.visited.clear();
        self.visited.resize(blocks.slots().div_ceil(64), 0);
        self.pool.clear();
    }

    /// Marks a slot; whether it was not marked before and exists.
    #[inline]
    fn visit(&mut self, slot: Slot) -> bool {
        let Some(word) = self.visited.get_mut(slot as usize / 64) else {
            return false;
        };
        let bit = 1 << (slot % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Puts a node into the pool if it is one of the `effort` nearest; its place there.
    #[inline]
    fn offer(&mut self, effort: usize, distance: f32, slot: Slot) -> Option<usize> {
        if self.pool.len() >= effort {
            if distance >= self.pool[self.pool.len() - 1].distance {
                return None;
            }
            self.pool.pop();
        }
        let place = self.pool.partition_point(|step| step.distance <= distance);
        self.pool.insert(
            place,
            Step {
                distance,
                slot,
                is_expanded: false,
            },
        );
        Some(place)
    }

    /// What the walk found, the nearest first.
    pub(in super::super) fn found(&self) -> impl Iterator<Item = Evaluated> {
        self.pool.iter().map(|step| Evaluated {
            distance: step.distance,
            slot: step.slot,
        })
    }
}

impl Graph {
    /// Walks to the `effort` nodes nearest to a query at the lowest level. The blocks were taken
    /// after the entry.
    pub(in super::super) fn search(
        entry: Entry,
        blocks: &Blocks,
        query: CodeRef<'_>,
        effort: usize,
        walk: &mut Walk,
    ) {
        let start = descend(blocks, query, entry, 0);
        search_level(blocks, query, &[start], 0, effort, walk);
    }
}

/// Goes greedily from the entry to the node nearest to the query above a level.
pub(super) fn descend(
    blocks: &Blocks,
    query: CodeRef<'_>,
    entry: Entry,
    above: usize,
) -> Evaluated {
    let mut nearest = Evaluated {
        distance: query.distance(blocks.code(entry.slot)),
        slot: entry.slot,
    };
    for level in (above + 1..=entry.level).rev() {
        loop {
            let (block, place) = blocks.at(nearest.slot);
            let before = nearest.slot;
            for slot in block.nodes.links(place, level) {
                // A link may be younger than the blocks.
                let Some((block, place)) = blocks.find(slot) else {
                    continue;
                };
                let distance = query.distance(block.vectors.code(place));
                if distance < nearest.distance {
                    nearest = Evaluated { distance, slot };
                }
            }
            if nearest.slot == before {
                break;
            }
        }
    }
    nearest
}

/// Walks at one level from where to start until the pool holds the `effort` nearest nodes.
pub(super) fn search_level(
    blocks: &Blocks,
    query: CodeRef<'_>,
    starts: &[Evaluated],
    level: usize,
    effort: usize,
    walk: &mut Walk,
) {
    walk.begin(blocks);
    for start in starts {
        walk.visit(start.slot);
        walk.offer(effort, start.distance, start.slot);
    }
    let mut next = 0;
    while let Some(step) = walk.pool.get_mut(next) {
        if step.is_expanded {
            next += 1;
            continue;
        }
        step.is_expanded = true;
        let (block, place) = blocks.at(step.slot);
        let mut fresh = std::mem::take(&mut walk.fresh);
        fresh.clear();
        for slot in block.nodes.links(place, level) {
            if walk.visit(slot) {
                prefetch(blocks.code(slot).codes);
                fresh.push(slot);
            }
        }
        for slot in &fresh {
            let distance = query.distance(blocks.code(*slot));
            if let Some(place) = walk.offer(effort, distance, *slot) {
                next = next.min(place);
            }
        }
        walk.fresh = fresh;
    }
}
