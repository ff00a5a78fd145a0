//! Vectors and graph nodes in blocks of slots.
//!
//! A block's vectors never change once it is shared, so that searches read them without a lock; its
//! nodes are atomics, so that links are added while others search. A slot keeps its place for as
//! long as it is part of the graph. Freed slots are filled again by exchanging the block's vectors
//! for a copy; searches that began before go on with the ones that they had.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::model::names::MemoryId;

use super::codes::{Code, CodeRef};
use super::metric::Metric;

/// The place of a vector, and of its node in the graph.
pub(super) type Slot = u32;

/// No slot: ends a list of links.
pub(super) const NONE: Slot = Slot::MAX;

/// Slots in a block: at 384 dimensions 1 MB. As many vectors wait outside of the graph at most,
/// and are compared one by one, some 10 µs; smaller blocks would make a longer list of them.
pub(super) const BLOCK: usize = 512;

/// The graph's width, which tells how much room a node needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width(pub(super) u16); // at least 2

impl Width {
    /// Links of a node at a level: twice as many at the lowest, as the HNSW paper advises.
    pub(super) fn links(self, level: usize) -> usize {
        usize::from(self.0) * if level == 0 { 2 } else { 1 }
    }

    /// How many children of the spanning tree a node takes: half of its room, so that the other
    /// half is free for what makes the graph good to search.
    pub(super) fn children(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) vectors: Arc<Vectors>,
    pub(super) nodes: Arc<Nodes>,
}

/// The vectors of a block, exact and as codes.
#[derive(Debug)]
pub(super) struct Vectors {
    dimension: usize,
    /// Zero where there is none, or none any more.
    ids: Box<[AtomicU64]>, // BLOCK
    components: Box<[f32]>,  // BLOCK * dimension
    codes: Box<[i8]>,        // BLOCK * dimension
    scales: Box<[[f32; 2]]>, // BLOCK: scale and bias of the code
}

impl Vectors {
    pub(super) fn empty(dimension: usize) -> Self {
        Self {
            dimension,
            ids: (0..BLOCK).map(|_| AtomicU64::new(0)).collect(),
            components: vec![0.0; BLOCK * dimension].into(),
            codes: vec![0; BLOCK * dimension].into(),
            scales: vec![[0.0; 2]; BLOCK].into(),
        }
    }

    /// Puts a prepared vector into a place that is free.
    pub(super) fn set(&mut self, metric: Metric, place: usize, id: MemoryId, vector: &[f32]) {
        let range = place * self.dimension..(place + 1) * self.dimension;
        self.components[range.clone()].copy_from_slice(vector);
        let code = Code::new(metric, vector);
        self.codes[range].copy_from_slice(&code.codes);
        self.scales[place] = [code.scale, code.bias];
        *self.ids[place].get_mut() = id.get();
    }

    pub(super) fn id(&self, place: usize) -> Option<MemoryId> {
        MemoryId::new(self.ids[place].load(Ordering::Acquire)).ok()
    }

    /// Takes a vector out of every result; it stays a way to others until it is unlinked.
    pub(super) fn remove(&self, place: usize) {
        self.ids[place].store(0, Ordering::Release);
    }

    pub(super) fn exact(&self, place: usize) -> &[f32] {
        &self.components[place * self.dimension..(place + 1) * self.dimension]
    }

    #[inline]
    pub(super) fn code(&self, place: usize) -> CodeRef<'_> {
        let [scale, bias] = self.scales[place];
        CodeRef {
            codes: &self.codes[place * self.dimension..(place + 1) * self.dimension],
            scale,
            bias,
        }
    }
}

impl Clone for Vectors {
    fn clone(&self) -> Self {
        let id = |id: &AtomicU64| AtomicU64::new(id.load(Ordering::Acquire));
        Self {
            dimension: self.dimension,
            ids: self.ids.iter().map(id).collect(),
            components: self.components.clone(),
            codes: self.codes.clone(),
            scales: self.scales.clone(),
        }
    }
}

/// The nodes of a block.
#[derive(Debug)]
pub(super) struct Nodes {
    width: Width,
    base: Box<[AtomicU32]>, // BLOCK * links(0); each list ends at its end or at NONE
    /// The lists above, level by level; the level is told by the length. Few nodes have any.
    upper: Box<[OnceLock<Box<[AtomicU32]>>]>, // BLOCK
    /// Where each node hangs in the spanning tree (see `tree`).
    parents: Box<[AtomicU32]>, // BLOCK
    /// One bit a node: whether it is in the graph.
    linked: [AtomicU64; BLOCK / 64],
    /// Held while a node's links are changed; reading needs none.
    locks: Box<[Mutex<()>]>, // BLOCK
}

impl Nodes {
    pub(super) fn empty(width: Width) -> Self {
        let none = |count| (0..count).map(|_| AtomicU32::new(NONE)).collect();
        Self {
            width,
            base: none(BLOCK * width.links(0)),
            upper: (0..BLOCK).map(|_| OnceLock::new()).collect(),
            parents: none(BLOCK),
            linked: Default::default(),
            locks: (0..BLOCK).map(|_| Mutex::new(())).collect(),
        }
    }

    /// The list of a node at a level that it has, with its unused room.
    #[inline]
    pub(super) fn list(&self, place: usize, level: usize) -> &[AtomicU32] {
        if level == 0 {
            let room = self.width.links(0);
            return &self.base[place * room..(place + 1) * room];
        }
        let room = self.width.links(level);
        self.upper[place]
            .get()
            .and_then(|lists| lists.get((level - 1) * room..level * room))
            .unwrap_or_default()
    }

    /// The links of a node at a level; none above its own.
    #[inline]
    pub(super) fn links(&self, place: usize, level: usize) -> impl Iterator<Item = Slot> {
        let links = self.list(place, level).iter();
        links
            .map(|link| link.load(Ordering::Relaxed))
            .take_while(|link| *link != NONE)
    }

    /// Replaces a list; to be called under the node's lock.
    pub(super) fn set_links(&self, place: usize, level: usize, links: &[Slot]) {
        let list = self.list(place, level);
        assert!(links.len() <= list.len(), "{} links", links.len());
        let padded = links.iter().copied().chain(std::iter::repeat(NONE));
        for (link, value) in list.iter().zip(padded) {
            link.store(value, Ordering::Relaxed);
        }
    }

    /// The highest level of a node that has been given one.
    pub(super) fn level(&self, place: usize) -> usize {
        let lists = self.upper[place].get().map_or(0, |lists| lists.len());
        lists / self.width.links(1)
    }

    /// Makes room for a node up to a level. A node that has had one keeps it: returns its own.
    pub(super) fn grow_to(&self, place: usize, level: usize) -> usize {
        if level > 0 || self.upper[place].get().is_some() {
            let room = level * self.width.links(1);
            self.upper[place].get_or_init(|| (0..room).map(|_| AtomicU32::new(NONE)).collect());
        }
        self.level(place)
    }

    pub(super) fn parent(&self, place: usize) -> Slot {
        self.parents[place].load(Ordering::Relaxed)
    }

    pub(super) fn set_parent(&self, place: usize, parent: Slot) {
        self.parents[place].store(parent, Ordering::Relaxed);
    }

    pub(super) fn lock(&self, place: usize) -> parking_lot::MutexGuard<'_, ()> {
        self.locks[place].lock()
    }

    /// Whether a node is in the graph: then it was before any search that begins now.
    pub(super) fn is_linked(&self, place: usize) -> bool {
        self.linked_word(place / 64) & (1 << (place % 64)) != 0
    }

    pub(super) fn linked_word(&self, word: usize) -> u64 {
        self.linked[word].load(Ordering::Acquire)
    }

    pub(super) fn set_linked(&self, place: usize) {
        self.linked[place / 64].fetch_or(1 << (place % 64), Ordering::Release);
    }

    pub(super) fn set_unlinked(&self, place: usize) {
        self.linked[place / 64].fetch_and(!(1 << (place % 64)), Ordering::Release);
    }
}

/// The blocks of an index, found by slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks(pub(super) Vec<Block>);

impl Blocks {
    /// How many slots there are, taken or free.
    pub(super) fn slots(&self) -> usize {
        self.0.len() * BLOCK
    }

    /// The block of a slot and its place there; none for one that was added after these blocks
    /// were taken.
    #[inline]
    pub(super) fn find(&self, slot: Slot) -> Option<(&Block, usize)> {
        let block = self.0.get(slot as usize / BLOCK)?;
        Some((block, slot as usize % BLOCK))
    }

    /// The block of a slot that is known to exist.
    pub(super) fn at(&self, slot: Slot) -> (&Block, usize) {
        self.find(slot)
            .expect("slots are given out with their block")
    }

    #[inline]
    pub(super) fn code(&self, slot: Slot) -> CodeRef<'_> {
        let (block, place) = self.at(slot);
        block.vectors.code(place)
    }

    pub(super) fn id(&self, slot: Slot) -> Option<MemoryId> {
        let (block, place) = self.find(slot)?;
        block.vectors.id(place)
    }

    /// Every slot whose node is in the graph.
    pub(super) fn linked(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().enumerate().flat_map(|(number, block)| {
            let first = (number * BLOCK) as Slot;
            (0..BLOCK)
                .filter(|place| block.nodes.is_linked(*place))
                .map(move |place| first + place as Slot)
        })
    }
}
