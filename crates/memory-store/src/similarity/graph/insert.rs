//! Adding a node: its neighbours are found by a walk, chosen for diversity, and linked both ways.

use super::super::block::{Blocks, NONE, Slot, Width};
use super::search::{Evaluated, Walk, descend, search_level};
use super::{Entry, Graph, level_of};

impl Graph {
    /// Links the node of a slot whose vector is in the blocks. Any number of threads may do so at
    /// a time, for different slots.
    pub(in super::super) fn insert(&self, slot: Slot) {
        let _shared = self.insertion.read();
        let entry = self.entry();
        let blocks = self.blocks();
        let (block, place) = blocks.at(slot);
        block.nodes.set_parent(place, NONE);
        let level = block.nodes.grow_to(place, level_of(slot, self.shape.width));
        // What the slot's last node has left.
        (0..=level).for_each(|level| block.nodes.set_links(place, level, &[]));
        let node = Entry { level, slot };
        let Some(entry) = entry.or_else(|| self.entry_or_begin(node)) else {
            block.nodes.set_linked(place);
            return;
        };
        let chosen = self.with_walk(|walk| self.choose(&blocks, node, entry, walk));
        // From below, so that whoever comes upon the node can go on from it.
        for (level, neighbours) in chosen.iter().enumerate() {
            self.link(&blocks, slot, level, neighbours);
        }
        block.nodes.set_linked(place);
        self.raise_entry(node);
    }

    /// The entry; none if there was none and this node has become it.
    fn entry_or_begin(&self, first: Entry) -> Option<Entry> {
        let _change = self.entry_change.lock();
        let entry = self.entry();
        if entry.is_none() {
            self.set_entry(Some(first));
        }
        entry
    }

    fn raise_entry(&self, candidate: Entry) {
        let is_higher = || {
            self.entry()
                .is_none_or(|entry| candidate.level > entry.level)
        };
        if is_higher() {
            let _change = self.entry_change.lock();
            if is_higher() {
                self.set_entry(Some(candidate));
            }
        }
    }

    /// The neighbours at each level from the lowest, nearest first.
    fn choose(
        &self,
        blocks: &Blocks,
        node: Entry,
        entry: Entry,
        walk: &mut Walk,
    ) -> Vec<Vec<Evaluated>> {
        let query = blocks.code(node.slot);
        let top = node.level.min(entry.level);
        let mut starts = vec![descend(blocks, query, entry, top)];
        let mut chosen = vec![Vec::new(); top + 1];
        for level in (0..=top).rev() {
            let effort = self.shape.build_effort;
            search_level(blocks, query, &starts, level, effort, walk);
            starts = walk
                .found()
                .filter(|found| found.slot != node.slot)
                .collect();
            let room = usize::from(self.shape.width.0);
            chosen[level] = diverse(blocks, &starts, Vec::new(), room);
        }
        chosen
    }

    fn link(&self, blocks: &Blocks, slot: Slot, level: usize, neighbours: &[Evaluated]) {
        let (block, place) = blocks.at(slot);
        {
            let _lock = block.nodes.lock(place);
            let links: Vec<Slot> = neighbours.iter().map(|found| found.slot).collect();
            block.nodes.set_links(place, level, &links);
        }
        if level == 0 {
            // First, as nobody prunes the node's links before someone else knows of it.
            self.adopt(slot, neighbours);
        }
        for neighbour in neighbours {
            self.link_back(blocks, *neighbour, slot, level);
        }
    }

    /// Links a node's neighbour to it, and prunes the neighbour's list if it is full.
    fn link_back(&self, blocks: &Blocks, neighbour: Evaluated, node: Slot, level: usize) {
        let (block, place) = blocks.at(neighbour.slot);
        let _lock = block.nodes.lock(place);
        let mut links: Vec<Slot> = block.nodes.links(place, level).collect();
        if links.contains(&node) {
            return;
        }
        if links.len() < self.shape.width.links(level) {
            links.push(node);
        } else {
            let new = Evaluated {
                slot: node,
                ..neighbour
            };
            links = prune(
                &self.blocks(),
                self.shape.width,
                neighbour.slot,
                links,
                new,
                level,
            );
        }
        block.nodes.set_links(place, level, &links);
    }
}

/// The best of a full list and one more; what the spanning tree needs is kept. The blocks were taken under
/// the node's lock, so they have all that it links to.
pub(super) fn prune(
    blocks: &Blocks,
    width: Width,
    node: Slot,
    links: Vec<Slot>,
    new: Evaluated,
    level: usize,
) -> Vec<Slot> {
    let query = blocks.code(node);
    let (needed, others): (Vec<Slot>, Vec<Slot>) = links
        .into_iter()
        .partition(|link| level == 0 && is_tree_edge(blocks, node, *link));
    let evaluate = |slot: Slot| Evaluated {
        distance: query.distance(blocks.code(slot)),
        slot,
    };
    let mut candidates: Vec<Evaluated> = others.into_iter().map(evaluate).collect();
    candidates.push(new);
    candidates.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    let needed: Vec<Evaluated> = needed.into_iter().map(evaluate).collect();
    let kept = diverse(blocks, &candidates, needed, width.links(level));
    kept.iter().map(|kept| kept.slot).collect()
}

/// Whether two nodes are parent and child in the spanning tree.
pub(super) fn is_tree_edge(blocks: &Blocks, a: Slot, b: Slot) -> bool {
    let parent = |slot: Slot| {
        let (block, place) = blocks.at(slot);
        block.nodes.parent(place)
    };
    parent(a) == b || parent(b) == a
}

/// The heuristic of the paper: of candidates sorted by distance, one that is nearer to the node
/// than to any chosen before it. So a cluster gets few links, and the way out of it stays.
pub(super) fn diverse(
    blocks: &Blocks,
    candidates: &[Evaluated],
    mut chosen: Vec<Evaluated>,
    room: usize,
) -> Vec<Evaluated> {
    for candidate in candidates {
        if chosen.len() >= room {
            break;
        }
        let code = blocks.code(candidate.slot);
        let is_new_direction =
            |other: &Evaluated| code.distance(blocks.code(other.slot)) > candidate.distance;
        if chosen.iter().all(is_new_direction) {
            chosen.push(*candidate);
        }
    }
    chosen
}
