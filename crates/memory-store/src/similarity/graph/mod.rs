//! A hierarchical navigable small world (Malkov and Yashunin, "Efficient and robust approximate
//! nearest neighbor search using Hierarchical Navigable Small World graphs", 2018): a search walks
//! from a common entry towards the query, level by level.
//!
//! Links are atomics that searches read without a lock; whoever changes a node's links holds that
//! node's lock, and never two at a time. A node is linked from the lowest level upwards, so that
//! whoever comes upon it can go on from it at every level below. What a spanning tree needs is never
//! pruned (see `tree`), so every node is reachable from every other one at the lowest level.

mod insert;
mod search;
mod tree;
mod unlink;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::block::{Blocks, NONE, Slot, Width};

pub(super) use search::Walk;
pub(super) use tree::unreachable;

/// How a graph is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) width: Width,
    /// Candidates among which a new node's neighbours are chosen.
    pub(super) build_effort: usize,
}

#[derive(Debug)]
pub(super) struct Graph {
    shape: Shape,
    /// As of now. Whoever holds a node's lock finds every slot in them that the node links to.
    blocks: RwLock<Arc<Blocks>>,
    /// The level of the entry in the upper half, its slot in the lower one; all ones if the graph
    /// is empty.
    entry: AtomicU64,
    /// Held while the entry is replaced.
    entry_change: Mutex<()>,
    /// Shared by whoever inserts; exclusive for whoever takes nodes out.
    insertion: RwLock<()>,
    /// What walks leave for the next one, so that none has to allocate it.
    walks: Mutex<Vec<Walk>>,
}

/// Where every walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) level: usize,
    pub(super) slot: Slot,
}

impl Graph {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            blocks: RwLock::default(),
            entry: AtomicU64::new(u64::MAX),
            entry_change: Mutex::new(()),
            insertion: RwLock::new(()),
            walks: Mutex::default(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn blocks(&self) -> Arc<Blocks> {
        Arc::clone(&self.blocks.read())
    }

    /// Makes blocks known, before any slot in them is given out.
    pub(super) fn set_blocks(&self, blocks: Arc<Blocks>) {
        *self.blocks.write() = blocks;
    }

    /// Where walks begin. Blocks that are taken after this have its slot in them.
    pub(super) fn entry(&self) -> Option<Entry> {
        let packed = self.entry.load(Ordering::Acquire);
        let slot = packed as Slot;
        (slot != NONE).then_some(Entry {
            level: (packed >> 32) as usize,
            slot,
        })
    }

    pub(super) fn set_entry(&self, entry: Option<Entry>) {
        let packed = entry.map_or(u64::MAX, |entry| {
            (entry.level as u64) << 32 | u64::from(entry.slot)
        });
        self.entry.store(packed, Ordering::Release);
    }

    /// Does something with a walk's memory, used before if there is some.
    pub(super) fn with_walk<T>(&self, work: impl FnOnce(&mut Walk) -> T) -> T {
        let mut walk = self.walks.lock().pop().unwrap_or_default();
        let result = work(&mut walk);
        self.walks.lock().push(walk);
        result
    }

    /// Keeps every insertion waiting while a graph is changed as a whole.
    pub(super) fn pause<T>(&self, work: impl FnOnce() -> T) -> T {
        let _pause = self.insertion.write();
        work()
    }
}

/// A node's level, drawn from its slot: at each one, `width` times fewer nodes than below.
fn level_of(slot: Slot, width: Width) -> usize {
    /// With 16 links a node this many levels suffice for 16^8 vectors.
    const MAX_LEVEL: usize = 8;
    // SplitMix64's mixing: evenly distributed, and the same at every run.
    let mixed = u64::from(slot)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let fraction = ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let level = -fraction.ln() / f64::from(width.0).ln();
    (level as usize).min(MAX_LEVEL)
}
