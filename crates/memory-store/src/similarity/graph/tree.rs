//! The guarantee that every node is reachable.
//!
//! Pruning by quality alone cuts nodes off: a link back may be the only way to a node, and is
//! dropped as soon as its source has nearer neighbours. So the nodes form a spanning tree at the
//! lowest level. Each one is linked from its parent and to it, and such links are never pruned; so
//! from every node there is a way to the root and from there to every other. A node has room for
//! as many children as for half of its links; one whose neighbours are all full hangs below a
//! child of the nearest.

use super::super::block::{BLOCK, Blocks, NONE, Slot};
use super::insert::is_tree_edge;
use super::search::Evaluated;
use super::{Entry, Graph};

impl Graph {
    /// Finds a parent for a node: the nearest of its neighbours that has room for a child. To be
    /// called before anyone else knows of the node.
    pub(super) fn adopt(&self, slot: Slot, neighbours: &[Evaluated]) {
        let nearest = neighbours.iter().map(|neighbour| neighbour.slot);
        if nearest.clone().any(|parent| self.try_adopt(parent, slot)) {
            return;
        }
        // Every node has fewer than all others below it, so going down ends at one with room.
        let first = neighbours.first().map(|neighbour| neighbour.slot);
        let mut parent = first
            .or_else(|| self.entry().map(|entry| entry.slot))
            .expect("a node that is not the first has others before it");
        while !self.try_adopt(parent, slot) {
            // A list that is just being changed may be read without any: then it is read again.
            if let Some(child) = children(&self.blocks(), parent).next() {
                parent = child;
            }
        }
    }

    /// Makes one node the parent of another if it has room for a child.
    fn try_adopt(&self, parent: Slot, child: Slot) -> bool {
        let blocks = self.blocks();
        let (block, place) = blocks.at(parent);
        {
            let _lock = block.nodes.lock(place);
            let blocks = self.blocks();
            if children(&blocks, parent).count() >= self.shape.width.children() {
                return false;
            }
            let (child_block, child_place) = blocks.at(child);
            child_block.nodes.set_parent(child_place, parent);
            self.require(&blocks, parent, child);
        }
        let (block, place) = blocks.at(child);
        let _lock = block.nodes.lock(place);
        self.require(&self.blocks(), child, parent);
        true
    }

    /// Makes sure of a link of the tree, in place of the last one that the tree does not need. To
    /// be called under the node's lock.
    fn require(&self, blocks: &Blocks, from: Slot, to: Slot) {
        let (block, place) = blocks.at(from);
        let mut links: Vec<Slot> = block.nodes.links(place, 0).collect();
        if links.contains(&to) {
            return;
        }
        if links.len() == self.shape.width.links(0) {
            let spare = links
                .iter()
                .rposition(|link| !is_tree_edge(blocks, from, *link))
                .expect("a node's children and parent are fewer than its links");
            links.remove(spare);
        }
        links.push(to);
        block.nodes.set_links(place, 0, &links);
    }

    /// Spans the tree anew over all linked nodes and makes one of the highest the entry.
    pub(in super::super) fn span(&self) {
        self.pause(|| self.span_paused(&self.blocks()));
    }

    /// The same, while nobody inserts.
    pub(super) fn span_paused(&self, blocks: &Blocks) {
        let mut root: Option<Entry> = None;
        for slot in blocks.linked() {
            let (block, place) = blocks.at(slot);
            block.nodes.set_parent(place, NONE);
            let level = block.nodes.level(place);
            if root.is_none_or(|root| level > root.level) {
                root = Some(Entry { level, slot });
            }
        }
        self.set_entry(root);
        let Some(root) = root else { return };
        let mut reached = vec![0_u64; blocks.slots().div_ceil(64)];
        self.span_from(blocks, root.slot, &mut reached);
        for slot in blocks.linked() {
            if !is_marked(&reached, slot) {
                self.hang(blocks, root.slot, slot, &reached);
                self.span_from(blocks, slot, &mut reached);
            }
        }
    }

    /// Lets every node that can be reached from one, and was not yet, be adopted by the one that
    /// leads to it.
    fn span_from(&self, blocks: &Blocks, root: Slot, reached: &mut [u64]) {
        mark(reached, root);
        let mut queue = std::collections::VecDeque::from([root]);
        while let Some(parent) = queue.pop_front() {
            let (block, place) = blocks.at(parent);
            let links: Vec<Slot> = block.nodes.links(place, 0).collect();
            let mut room = self.shape.width.children();
            for child in links {
                if room > 0 && !is_marked(reached, child) && self.try_adopt(parent, child) {
                    room -= 1;
                    mark(reached, child);
                    queue.push_back(child);
                }
            }
        }
    }

    /// Hangs a node that the tree did not reach below one that it did, if possible a neighbour.
    fn hang(&self, blocks: &Blocks, root: Slot, slot: Slot, reached: &[u64]) {
        let (block, place) = blocks.at(slot);
        let reached: Vec<Evaluated> = block
            .nodes
            .links(place, 0)
            .filter(|link| is_marked(reached, *link))
            .map(|slot| Evaluated {
                distance: 0.0,
                slot,
            })
            .chain([Evaluated {
                distance: 0.0,
                slot: root,
            }])
            .collect();
        self.adopt(slot, &reached);
    }
}

fn children(blocks: &Blocks, parent: Slot) -> impl Iterator<Item = Slot> + '_ {
    let (block, place) = blocks.at(parent);
    block.nodes.links(place, 0).filter(move |child| {
        // A link may be younger than the blocks, but only if the node's lock is not held.
        let child = blocks.find(*child);
        child.is_some_and(|(block, place)| block.nodes.parent(place) == parent)
    })
}

/// The linked nodes that a walk at the lowest level could never come to from the entry.
pub(in super::super) fn unreachable(graph: &Graph, blocks: &Blocks) -> Vec<Slot> {
    let mut reached = vec![0_u64; blocks.0.len() * BLOCK / 64];
    let mut stack: Vec<Slot> = graph.entry().map(|entry| entry.slot).into_iter().collect();
    stack.iter().for_each(|slot| mark(&mut reached, *slot));
    while let Some(slot) = stack.pop() {
        let (block, place) = blocks.at(slot);
        for link in block.nodes.links(place, 0) {
            if blocks.find(link).is_some() && !is_marked(&reached, link) {
                mark(&mut reached, link);
                stack.push(link);
            }
        }
    }
    let linked = blocks.linked();
    linked.filter(|slot| !is_marked(&reached, *slot)).collect()
}

fn mark(bits: &mut [u64], slot: Slot) {
    bits[slot as usize / 64] |= 1 << (slot % 64);
}

fn is_marked(bits: &[u64], slot: Slot) -> bool {
    bits[slot as usize / 64] & (1 << (slot % 64)) != 0
}
