//! Taking the nodes of removed vectors out of the graph.
//!
//! Until then they are ways to others, but no results. All of them are taken out in one pass over
//! the nodes that link to them, which get the removed ones' neighbours to choose from instead
//! (Singh et al., "FreshDiskANN", 2021, algorithm 4).

use super::super::block::{Blocks, Slot};
use super::Graph;
use super::insert::diverse;
use super::search::Evaluated;

impl Graph {
    /// Unlinks every node whose vector was removed, and returns their slots, which are free then.
    /// Insertions wait meanwhile; searches go on.
    pub(in super::super) fn unlink_removed(&self) -> Vec<Slot> {
        self.pause(|| {
            let blocks = &*self.blocks();
            let removed: Vec<Slot> = blocks
                .linked()
                .filter(|slot| blocks.id(*slot).is_none())
                .collect();
            if removed.is_empty() {
                return removed;
            }
            let mut is_removed = vec![false; blocks.slots()];
            removed
                .iter()
                .for_each(|slot| is_removed[*slot as usize] = true);
            for slot in blocks.linked().filter(|slot| !is_removed[*slot as usize]) {
                let (block, place) = blocks.at(slot);
                for level in 0..=block.nodes.level(place) {
                    self.replace_removed(blocks, slot, level, &is_removed);
                }
            }
            for slot in &removed {
                let (block, place) = blocks.at(*slot);
                block.nodes.set_unlinked(place);
            }
            self.span_paused(blocks);
            removed
        })
    }

    fn replace_removed(&self, blocks: &Blocks, node: Slot, level: usize, is_removed: &[bool]) {
        let (block, place) = blocks.at(node);
        let gone = |slot: &Slot| is_removed.get(*slot as usize).copied().unwrap_or(true);
        let (lost, kept): (Vec<Slot>, Vec<Slot>) =
            block.nodes.links(place, level).partition(|link| gone(link));
        if lost.is_empty() {
            return;
        }
        let query = blocks.code(node);
        let evaluate = |slot: Slot| Evaluated {
            distance: query.distance(blocks.code(slot)),
            slot,
        };
        let mut candidates = kept;
        for slot in lost {
            let Some((block, place)) = blocks.find(slot) else {
                continue;
            };
            let ways_on = block.nodes.links(place, level);
            candidates.extend(ways_on.filter(|slot| !gone(slot) && *slot != node));
        }
        candidates.sort_unstable();
        candidates.dedup();
        let mut candidates: Vec<Evaluated> = candidates.into_iter().map(evaluate).collect();
        candidates.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        let room = self.shape().width.links(level);
        let chosen = diverse(blocks, &candidates, Vec::new(), room);
        let links: Vec<Slot> = chosen.iter().map(|chosen| chosen.slot).collect();
        let _lock = block.nodes.lock(place);
        block.nodes.set_links(place, level, &links);
    }
}
