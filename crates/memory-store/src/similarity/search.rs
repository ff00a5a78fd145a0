//! Finding the nearest vectors of a space: by the graph, and one by one where there is none.

use std::collections::HashSet;

use crate::model::names::MemoryId;

use super::Similar;
use super::block::{BLOCK, Blocks, Slot};
use super::codes::Code;
use super::graph::{Entry, Graph, Walk};
use super::space::Space;
use super::top_k::TopK;

/// When a set of ids is smaller than this part of all, its vectors are compared one by one: that
/// is exact, and a walk would have to pass too many others.
const SELECTIVE_DIVISOR: usize = 10;

/// Which memories may be found.
#[derive(Clone, Copy)]
pub(crate) enum Allowed<'a> {
    Everything,
    Only(&'a HashSet<MemoryId>),
    /// What meets a condition, which is asked for each one that is passed.
    Where(&'a (dyn Fn(MemoryId) -> bool + Sync)),
}

impl Allowed<'_> {
    pub(super) fn admits(self, id: MemoryId) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(ids) => ids.contains(&id),
            Self::Where(is_allowed) => is_allowed(id),
        }
    }
}

/// A block in which some slots were compared one by one, and are not to be found a second time.
struct Compared {
    block: usize,
    linked: [u64; BLOCK / 64],
}

struct Search<'a> {
    space: &'a Space,
    query: &'a [f32],
    allowed: Allowed<'a>,
    best: TopK,
}

impl Space {
    /// The `k` nearest of the allowed ones to a prepared query, the best first; equals by id.
    pub(super) fn search(&self, query: &[f32], k: usize, allowed: Allowed<'_>) -> Vec<Similar> {
        let effort = self.plan().search_effort;
        self.search_with(query, k, effort, allowed)
    }

    pub(super) fn search_with(
        &self,
        query: &[f32],
        k: usize,
        effort: usize,
        allowed: Allowed<'_>,
    ) -> Vec<Similar> {
        let mut search = Search {
            space: self,
            query,
            allowed,
            best: TopK::new(k),
        };
        if k == 0 {
            return Vec::new();
        }
        match allowed {
            Allowed::Only(ids) if ids.len() < self.len() / SELECTIVE_DIVISOR => {
                search.compare_all_of(ids);
            }
            _ => search.walk(k, effort),
        }
        search.best.into_sorted()
    }
}

impl Search<'_> {
    fn offer(&mut self, id: MemoryId, vector: &[f32]) {
        let score = self.space.plan().metric.score(self.query, vector);
        self.best.offer(Similar { id, score });
    }

    fn compare_all_of(&mut self, ids: &HashSet<MemoryId>) {
        let space = self.space;
        space.for_each_of(ids, |id, vector| self.offer(id, vector));
    }

    fn walk(&mut self, k: usize, effort: usize) {
        // The entry first: blocks that are taken after it have its slot.
        let entry = self.space.graph().entry();
        let view = self.space.view();
        for (id, vector) in view.fresh.iter() {
            if self.allowed.admits(id) {
                self.offer(id, vector);
            }
        }
        // Before the walk: what is linked by now is found there.
        let compared = self.compare_unlinked(&view.blocks);
        let graph = self.space.graph();
        let Some(entry) = entry.or_else(|| graph.entry()) else {
            return;
        };
        if view.blocks.find(entry.slot).is_none() {
            // The first node of all was linked since the view was taken.
            return self.compare_linked(&view.blocks, &compared);
        }
        graph.with_walk(|walk| self.walk_graph(entry, &view.blocks, k, effort, &compared, walk));
    }

    fn compare_unlinked(&mut self, blocks: &Blocks) -> Vec<Compared> {
        let mut compared = Vec::new();
        if self.space.is_all_linked() {
            return compared;
        }
        for (number, block) in blocks.0.iter().enumerate() {
            let linked: [u64; BLOCK / 64] = std::array::from_fn(|w| block.nodes.linked_word(w));
            if linked.iter().all(|word| *word == u64::MAX) {
                continue;
            }
            for place in (0..BLOCK).filter(|place| linked[place / 64] & (1 << (place % 64)) == 0) {
                if let Some(id) = block.vectors.id(place)
                    && self.allowed.admits(id)
                {
                    self.offer(id, block.vectors.exact(place));
                }
            }
            compared.push(Compared {
                block: number,
                linked,
            });
        }
        compared
    }

    /// Walks, and ranks the nearest by their exact vectors. If a filter leaves too few of what a
    /// walk found, the next one looks at more. One that would look at a good part of all is more
    /// than it costs to compare them all.
    fn walk_graph(
        &mut self,
        entry: Entry,
        blocks: &Blocks,
        k: usize,
        effort: usize,
        compared: &[Compared],
        walk: &mut Walk,
    ) {
        let code = Code::new(self.space.plan().metric, self.query);
        let wanted = effort.max(k.saturating_mul(2));
        let mut effort = wanted;
        while effort <= blocks.slots() / SELECTIVE_DIVISOR {
            Graph::search(entry, blocks, code.as_ref(), effort, walk);
            let is_wanted = |slot: &Slot| {
                let id = blocks.id(*slot);
                id.is_some_and(|id| self.allowed.admits(id)) && !was_compared(compared, *slot)
            };
            let found: Vec<Slot> = walk
                .found()
                .map(|found| found.slot)
                .filter(is_wanted)
                .collect();
            let is_exhausted = walk.found().count() < effort;
            if found.len() * 2 >= wanted || is_exhausted {
                // All of them: codes cannot tell apart what is closer than their steps.
                for slot in found {
                    let (block, place) = blocks.at(slot);
                    if let Some(id) = block.vectors.id(place) {
                        self.offer(id, block.vectors.exact(place));
                    }
                }
                return;
            }
            effort = (effort * wanted / found.len().max(1)).min(effort * 8);
        }
        self.compare_linked(blocks, compared);
    }

    fn compare_linked(&mut self, blocks: &Blocks, compared: &[Compared]) {
        for slot in blocks.linked() {
            let (block, place) = blocks.at(slot);
            if let Some(id) = block.vectors.id(place)
                && self.allowed.admits(id)
                && !was_compared(compared, slot)
            {
                self.offer(id, block.vectors.exact(place));
            }
        }
    }
}

fn was_compared(compared: &[Compared], slot: Slot) -> bool {
    let (number, place) = (slot as usize / BLOCK, slot as usize % BLOCK);
    let block = compared.iter().find(|compared| compared.block == number);
    block.is_some_and(|block| block.linked[place / 64] & (1 << (place % 64)) == 0)
}
