//! The index of one namespace by itself, for whoever has vectors and needs no store.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::names::MemoryId;

use super::block::Width;
use super::graph::Shape;
use super::metric::Metric;
use super::search::Allowed;
use super::space::{IndexCoverage, Plan, Space};

/// How vectors are compared and indexed.
///
/// ```
/// use memory_store::{IndexOptions, Metric};
///
/// let options = IndexOptions::new().metric(Metric::Euclidean).search_effort(200);
/// assert_eq!(options.search_effort, 200);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndexOptions {
    /// What "near" means.
    pub metric: Metric,
    /// Links of a node, twice as many at the lowest level; in [2, 256].
    pub links: u16,
    /// Candidates among which a new node's neighbours are chosen.
    pub build_effort: usize,
    /// Nodes that a search keeps looking around from; at least twice as many as are asked for are
    /// taken.
    pub search_effort: usize,
    /// With fewer vectors than this there is no graph: every one is compared.
    pub exact_below: usize,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            metric: Metric::Cosine,
            links: 16,
            build_effort: 100,
            search_effort: 64,
            // With 384 components a comparison of all takes as long as the graph at about 1,000, and
            // half as long again at 2,000, where it needs no building and misses nothing.
            exact_below: 2_048,
        }
    }
}

impl IndexOptions {
    /// The defaults: cosine, 16 links, build effort 100, search effort 64, exact below 2,048.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what "near" means. Default: the cosine.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Sets the links of a node. More make better recall, and cost memory (8 bytes each) and time.
    /// Default: 16. Clamped to [2, 256].
    #[must_use]
    pub fn links(mut self, links: u16) -> Self {
        self.links = links;
        self
    }

    /// Sets among how many candidates a new node's neighbours are chosen. Default: 100.
    #[must_use]
    pub fn build_effort(mut self, candidates: usize) -> Self {
        self.build_effort = candidates;
        self
    }

    /// Sets how many nodes a search keeps looking around from. Default: 64.
    #[must_use]
    pub fn search_effort(mut self, nodes: usize) -> Self {
        self.search_effort = nodes;
        self
    }

    /// Sets below how many vectors all of them are compared. Default: 2,048.
    #[must_use]
    pub fn exact_below(mut self, vectors: usize) -> Self {
        self.exact_below = vectors;
        self
    }

    pub(super) fn plan(self) -> Plan {
        Plan {
            metric: self.metric,
            shape: Shape {
                width: Width(self.links.clamp(2, 256)),
                build_effort: self.build_effort.max(1),
            },
            search_effort: self.search_effort.max(1),
            exact_below: self.exact_below,
        }
    }
}

/// Vectors that are found by similarity: the [`MemoryStore`](crate::MemoryStore)'s own index,
/// without the store. It is in memory only.
///
/// All methods take `&self` and may be called from any number of threads. A vector is found as soon
/// as it is inserted; the graph is built by whoever calls [`build`](Self::build).
///
/// ```
/// use memory_store::{IndexOptions, MemoryId, VectorIndex};
///
/// let index = VectorIndex::new(2.try_into()?, IndexOptions::new());
/// index.insert(MemoryId::new(1)?, &[1.0, 0.1])?;
/// index.insert(MemoryId::new(2)?, &[0.0, 1.0])?;
/// let nearest = index.search(&[1.0, 0.0], 1)?;
/// assert_eq!(nearest[0].0, MemoryId::new(1)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct VectorIndex {
    space: Space,
}

impl VectorIndex {
    /// An empty index of vectors of one length.
    pub fn new(dimension: NonZeroUsize, options: IndexOptions) -> Self {
        Self {
            space: Space::new(options.plan(), dimension.get()),
        }
    }

    /// Adds a vector, in place of the previous one of that id.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidVector`] or [`Error::IndexDimension`] if it cannot be compared.
    pub fn insert(&self, id: MemoryId, vector: &[f32]) -> Result<()> {
        let prepared = self.prepare(vector, || format!("item {id}"))?;
        self.space.insert(id, &prepared);
        Ok(())
    }

    /// Removes a vector; whether there was one. Its room is used again after some more removals.
    pub fn remove(&self, id: MemoryId) -> bool {
        self.space.remove(id)
    }

    /// The `k` nearest to a query with their scores (see [`Metric`]), the best first; equals by id.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidVector`] or [`Error::IndexDimension`] if the query cannot be compared.
    pub fn search(&self, query: &[f32], k: usize) -> Result<Vec<(MemoryId, f32)>> {
        self.search_with(query, k, self.space.plan().search_effort)
    }

    /// Like [`search`](Self::search), with another effort than the options say.
    ///
    /// # Errors
    ///
    /// Those of [`search`](Self::search).
    pub fn search_with(
        &self,
        query: &[f32],
        k: usize,
        effort: usize,
    ) -> Result<Vec<(MemoryId, f32)>> {
        let query = self.prepare(query, || "the query".into())?;
        let found = self
            .space
            .search_with(&query, k, effort, Allowed::Everything);
        Ok(found
            .into_iter()
            .map(|similar| (similar.id, similar.score))
            .collect())
    }

    /// Like [`search`](Self::search), among some ids only.
    ///
    /// # Errors
    ///
    /// Those of [`search`](Self::search).
    pub fn search_among(
        &self,
        ids: &HashSet<MemoryId>,
        query: &[f32],
        k: usize,
    ) -> Result<Vec<(MemoryId, f32)>> {
        let query = self.prepare(query, || "the query".into())?;
        let found = self.space.search(&query, k, Allowed::Only(ids));
        Ok(found
            .into_iter()
            .map(|similar| (similar.id, similar.score))
            .collect())
    }

    /// Brings the graph up to date. Several threads may call it at a time and share the work.
    /// Calls back with the coverage after each piece, a thousand vectors or so.
    pub fn build(&self, mut progress: impl FnMut(IndexCoverage)) {
        const PIECE: usize = 1_024;
        while (0..PIECE).all(|_| self.space.work()) {
            progress(self.coverage());
        }
        progress(self.coverage());
    }

    /// How far the graph has come.
    pub fn coverage(&self) -> IndexCoverage {
        self.space.coverage()
    }

    /// The ids that the graph has and that no walk from its entry can come to. None, ever: this
    /// is for proving it.
    pub fn unreachable(&self) -> Vec<MemoryId> {
        self.space.unreachable()
    }

    fn prepare(&self, vector: &[f32], label: impl Fn() -> String) -> Result<Vec<f32>> {
        if vector.len() != self.space.dimension() && !vector.is_empty() {
            return Err(Error::IndexDimension {
                item: label(),
                found: vector.len(),
                expected: self.space.dimension(),
            });
        }
        self.space.plan().metric.prepare(vector, label)
    }
}
