//! Figures that are kept as things happen, never by counting.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// A store's figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Memories stored.
    pub items: u64,
    /// Edges stored.
    pub edges: u64,
    /// Vectors in the similarity tier.
    pub vectors: u64,
    /// Reads that the cache answered since the store was opened.
    pub cache_hits: u64,
    /// Reads that it did not answer.
    pub cache_misses: u64,
    /// Writes acknowledged since the store was opened.
    pub writes: u64,
    /// Transactions they were committed in.
    pub commits: u64,
}

/// Written by the writer alone, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) items: Counter,
    pub(crate) writes: Counter,
    pub(crate) commits: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
