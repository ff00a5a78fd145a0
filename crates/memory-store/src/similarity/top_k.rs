//! The best k of a stream, in a heap of k.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::Similar;

impl Eq for Similar {}

impl Ord for Similar {
    /// The better one is greater: the higher score, and at equal scores the lower id, so that a
    /// result does not depend on the order of the scan.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Similar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

pub(super) struct TopK {
    k: usize,
    worst_first: BinaryHeap<Reverse<Similar>>, // at most k
}

impl TopK {
    pub(super) fn new(k: usize) -> Self {
        Self {
            k,
            worst_first: BinaryHeap::new(),
        }
    }

    pub(super) fn offer(&mut self, candidate: Similar) {
        if self.worst_first.len() < self.k {
            self.worst_first.push(Reverse(candidate));
        } else if let Some(mut worst) = self.worst_first.peek_mut()
            && candidate > worst.0
        {
            worst.0 = candidate;
        }
    }

    /// The best first.
    pub(super) fn into_sorted(self) -> Vec<Similar> {
        self.worst_first
            .into_sorted_vec()
            .into_iter()
            .map(|Reverse(similar)| similar)
            .collect()
    }
}
