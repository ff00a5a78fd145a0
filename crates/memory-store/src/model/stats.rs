//! Figures that are kept as things happen, never by counting.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::model::latency::{Histogram, Latency};

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
    /// Memories in the cache.
    pub cached: u64,
    /// Writes acknowledged since the store was opened.
    pub writes: u64,
    /// Transactions they were committed in.
    pub commits: u64,
    /// How long hybrid recalls took.
    pub recall: Latency,
    /// How long a group of writes took, from its first statement to the disk.
    pub commit: Latency,
}

impl Stats {
    /// The part of reads that the cache answered, in [0, 1]; 0 before the first.
    pub fn cache_hit_rate(&self) -> f64 {
        let reads = self.cache_hits + self.cache_misses;
        if reads == 0 {
            return 0.0;
        }
        self.cache_hits as f64 / reads as f64
    }
}

/// Counted by the writer, but for recalls, and read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) items: Counter,
    pub(crate) writes: Counter,
    pub(crate) commits: Counter,
    pub(crate) recall: Histogram,
    pub(crate) commit: Histogram,
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

    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
