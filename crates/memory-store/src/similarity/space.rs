//! The vectors of one namespace: the youngest in a slab, the others in blocks, and a graph over the
//! blocks that is built behind the writes.
//!
//! A vector is found from the moment that it is inserted, wherever it stands: what the graph does
//! not have yet is compared one by one. So a write waits for no graph, and a result never depends
//! on how far the graph has come, but for what it costs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::model::names::MemoryId;

use super::block::{BLOCK, Block, Blocks, Nodes, Slot, Vectors};
use super::graph::{Graph, Shape};
use super::metric::Metric;
use super::slab::Slab;

/// A block is filled again once that many of its slots are free: filling copies the whole block.
const LEAST_REFILL: usize = BLOCK / 8;

/// Removed vectors are taken out of the graph when they are more than this part of it. Until then
/// they cost room and a part of each walk; taking them out costs a pass over the graph.
const REMOVED_DIVISOR: usize = 8;

/// How the vectors of a namespace are compared and indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) metric: Metric,
    pub(super) shape: Shape,
    pub(super) search_effort: usize,
    /// With fewer vectors than this there is no graph.
    pub(super) exact_below: usize,
}

/// How far the graph of an index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndexCoverage {
    /// Vectors that can be found.
    pub vectors: usize,
    /// Those that the graph does not have yet, and that are compared one by one meanwhile.
    pub waiting: usize,
}

#[derive(Debug)]
pub(super) struct Space {
    plan: Plan,
    dimension: usize,
    /// Apart from the view, as few searches need it. Taken before the view's lock.
    ledger: RwLock<Ledger>,
    view: RwLock<Arc<View>>,
    graph: Graph,
    /// Slots with a vector that is not in the graph, in the order of their filling.
    todo: Mutex<VecDeque<Slot>>,
    /// How many vectors in blocks are not in the graph.
    unlinked: AtomicUsize,
    /// Vectors in blocks that were removed, and whose slots are not free yet.
    removed: AtomicUsize,
    /// Changes of the graph since it was saved.
    unsaved: AtomicUsize,
}

/// What a search reads, all of one moment.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) fresh: Slab,
    pub(super) blocks: Arc<Blocks>,
}

#[derive(Debug, Default)]
struct Ledger {
    places: HashMap<MemoryId, Place>,
    /// Slots without vector and node.
    free: Vec<Slot>,
}

/// Where a vector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Fresh(u32),
    Sealed(Slot),
}

impl Space {
    pub(super) fn new(plan: Plan, dimension: usize) -> Self {
        let blocks = Arc::new(Blocks::default());
        let view = View {
            fresh: Slab::new(dimension),
            blocks,
        };
        Self {
            plan,
            dimension,
            ledger: RwLock::default(),
            view: RwLock::new(Arc::new(view)),
            graph: Graph::new(plan.shape),
            todo: Mutex::default(),
            unlinked: AtomicUsize::new(0),
            removed: AtomicUsize::new(0),
            unsaved: AtomicUsize::new(0),
        }
    }

    pub(super) fn plan(&self) -> Plan {
        self.plan
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read())
    }

    pub(super) fn len(&self) -> usize {
        self.ledger.read().places.len()
    }

    pub(super) fn coverage(&self) -> IndexCoverage {
        let waiting = self.unlinked.load(Ordering::Acquire);
        IndexCoverage {
            vectors: self.len(),
            waiting: if self.wants_graph() { waiting } else { 0 },
        }
    }

    /// Adds a prepared vector, in place of the memory's previous one. Whether there is work for
    /// the graph now.
    pub(super) fn insert(&self, id: MemoryId, vector: &[f32]) -> bool {
        let mut ledger = self.ledger.write();
        {
            let mut view = self.view.write();
            let view = Arc::make_mut(&mut view);
            self.remove_from(&mut ledger, view, id);
            let place = Place::Fresh(view.fresh.len() as u32);
            ledger.places.insert(id, place);
            view.fresh.push(id, vector);
            if view.fresh.len() < BLOCK {
                return false;
            }
        }
        // In a copy, as searches would wait for as long as a block takes to fill. Nobody else
        // writes while the ledger is held.
        let mut view = View::clone(&self.view());
        self.seal(&mut ledger, &mut view);
        *self.view.write() = Arc::new(view);
        true
    }

    pub(super) fn remove(&self, id: MemoryId) -> bool {
        let mut ledger = self.ledger.write();
        let mut view = self.view.write();
        self.remove_from(&mut ledger, Arc::make_mut(&mut view), id)
    }

    fn remove_from(&self, ledger: &mut Ledger, view: &mut View, id: MemoryId) -> bool {
        match ledger.places.remove(&id) {
            None => return false,
            Some(Place::Fresh(place)) => {
                if let Some(moved) = view.fresh.swap_remove(place as usize) {
                    ledger.places.insert(moved, Place::Fresh(place));
                }
            }
            Some(Place::Sealed(slot)) => {
                let (block, place) = view.blocks.at(slot);
                block.vectors.remove(place);
                self.removed.fetch_add(1, Ordering::Relaxed);
                self.unsaved.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// Moves vectors from the slab into slots of one block.
    fn seal(&self, ledger: &mut Ledger, view: &mut View) {
        let mut blocks = Blocks::clone(&view.blocks);
        let number = roomy_block(&ledger.free, blocks.0.len()).unwrap_or_else(|| {
            let first = blocks.slots() as Slot;
            blocks.0.push(Block {
                vectors: Arc::new(Vectors::empty(self.dimension)),
                nodes: Arc::new(Nodes::empty(self.plan.shape.width)),
            });
            ledger.free.extend((first..first + BLOCK as Slot).rev());
            blocks.0.len() - 1
        });
        // One that is already shared is copied: searches go on with what they have.
        let vectors = Arc::make_mut(&mut blocks.0[number].vectors);
        let is_here = |slot: &Slot| *slot as usize / BLOCK == number;
        let mut slots: Vec<Slot> = ledger.free.iter().copied().filter(is_here).collect();
        slots.sort_unstable();
        slots.truncate(view.fresh.len());
        let mut rest = Slab::new(self.dimension);
        for (place, (id, vector)) in view.fresh.iter().enumerate() {
            if let Some(slot) = slots.get(place) {
                vectors.set(self.plan.metric, *slot as usize % BLOCK, id, vector);
                ledger.places.insert(id, Place::Sealed(*slot));
            } else {
                ledger.places.insert(id, Place::Fresh(rest.len() as u32));
                rest.push(id, vector);
            }
        }
        ledger
            .free
            .retain(|slot| slots.binary_search(slot).is_err());
        self.unlinked.fetch_add(slots.len(), Ordering::AcqRel);
        view.fresh = rest;
        view.blocks = Arc::new(blocks);
        self.graph.set_blocks(Arc::clone(&view.blocks));
        self.todo.lock().extend(slots);
    }

    /// Takes over blocks whose first slots are linked; to be called while the space is empty.
    pub(super) fn adopt(&self, blocks: Blocks, linked: usize) {
        let mut ledger = self.ledger.write();
        let mut removed = 0;
        for slot in 0..linked as Slot {
            match blocks.id(slot) {
                Some(id) => drop(ledger.places.insert(id, Place::Sealed(slot))),
                None => removed += 1,
            }
        }
        ledger
            .free
            .extend((linked as Slot..blocks.slots() as Slot).rev());
        drop(ledger);
        let blocks = Arc::new(blocks);
        self.graph.set_blocks(Arc::clone(&blocks));
        Arc::make_mut(&mut self.view.write()).blocks = blocks;
        self.removed.store(removed, Ordering::Relaxed);
        if removed == 0 {
            self.graph.span();
        } else {
            self.unlink_removed();
            self.unsaved.store(removed, Ordering::Relaxed);
        }
    }

    /// How many changes of the graph are not saved, of how many vectors.
    pub(super) fn unsaved(&self) -> usize {
        self.unsaved.load(Ordering::Relaxed)
    }

    pub(super) fn note_saved(&self, changes: usize) {
        self.unsaved.fetch_sub(changes, Ordering::Relaxed);
    }

    fn wants_graph(&self) -> bool {
        self.graph.entry().is_some() || self.len() >= self.plan.exact_below
    }

    /// Does one piece of the work that the graph is behind with; whether there was any. Any number
    /// of threads may help.
    pub(super) fn work(&self) -> bool {
        if !self.wants_graph() {
            return false;
        }
        let linked = self.graph.blocks().slots();
        if self.removed.load(Ordering::Relaxed) > linked / REMOVED_DIVISOR {
            self.unlink_removed();
        }
        let Some(slot) = self.todo.lock().pop_front() else {
            return false;
        };
        if self.graph.blocks().id(slot).is_some() {
            self.graph.insert(slot);
        } else {
            // Removed before it was linked.
            self.ledger.write().free.push(slot);
            self.removed.fetch_sub(1, Ordering::Relaxed);
        }
        self.unlinked.fetch_sub(1, Ordering::AcqRel);
        self.unsaved.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Takes what was removed out of the graph; its slots are free then.
    pub(super) fn unlink_removed(&self) {
        let freed = self.graph.unlink_removed();
        self.removed.fetch_sub(freed.len(), Ordering::Relaxed);
        self.ledger.write().free.extend(freed);
    }

    /// Calls back with every vector.
    pub(super) fn for_each(&self, mut visit: impl FnMut(MemoryId, &[f32])) {
        let view = self.view();
        view.fresh.iter().for_each(|(id, vector)| visit(id, vector));
        for block in &view.blocks.0 {
            for place in 0..BLOCK {
                if let Some(id) = block.vectors.id(place) {
                    visit(id, block.vectors.exact(place));
                }
            }
        }
    }

    /// Calls back with a memory's vector, if it has one.
    pub(super) fn with_vector<T>(&self, id: MemoryId, read: impl FnOnce(&[f32]) -> T) -> Option<T> {
        let ledger = self.ledger.read();
        let view = self.view();
        match *ledger.places.get(&id)? {
            Place::Fresh(place) => Some(read(view.fresh.get(place as usize))),
            Place::Sealed(slot) => {
                let (block, place) = view.blocks.at(slot);
                Some(read(block.vectors.exact(place)))
            }
        }
    }

    /// Calls back with the vectors of some memories, as far as they have any.
    pub(super) fn for_each_of(
        &self,
        ids: &HashSet<MemoryId>,
        mut visit: impl FnMut(MemoryId, &[f32]),
    ) {
        let ledger = self.ledger.read();
        let view = self.view();
        for id in ids {
            match ledger.places.get(id) {
                Some(Place::Fresh(place)) => visit(*id, view.fresh.get(*place as usize)),
                Some(Place::Sealed(slot)) => {
                    let (block, place) = view.blocks.at(*slot);
                    visit(*id, block.vectors.exact(place));
                }
                None => {}
            }
        }
    }

    /// Whether every vector in a block is in the graph.
    pub(super) fn is_all_linked(&self) -> bool {
        self.unlinked.load(Ordering::Acquire) == 0
    }

    /// The memories that the graph has and that cannot be reached in it.
    pub(super) fn unreachable(&self) -> Vec<MemoryId> {
        self.graph.pause(|| {
            let blocks = self.graph.blocks();
            let slots = super::graph::unreachable(&self.graph, &blocks);
            slots.iter().filter_map(|slot| blocks.id(*slot)).collect()
        })
    }
}

/// The block with the most free slots, if it is worth to be copied for them.
fn roomy_block(free: &[Slot], blocks: usize) -> Option<usize> {
    let mut counts = vec![0; blocks];
    free.iter()
        .for_each(|slot| counts[*slot as usize / BLOCK] += 1);
    let (number, count) = counts
        .into_iter()
        .enumerate()
        .max_by_key(|(_, count)| *count)?;
    (count >= LEAST_REFILL).then_some(number)
}
