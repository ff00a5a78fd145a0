//! The similarity tier: unit vectors in memory, derived from the metadata tier, compared exactly.
//!
//! A search takes a snapshot and scans it without any lock; a write copies only those chunks that
//! a search is still reading. So neither waits for the other longer than it takes to clone an
//! `Arc`.

mod kernel;
mod slab;
mod top_k;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::change::{Change, DerivedTier};
use crate::error::{Error, Result};
use crate::names::{MemoryId, Namespace};

use slab::Slab;

pub(crate) use kernel::unit_vector;

/// A memory's id and its cosine with the query, in [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Similar {
    pub(crate) id: MemoryId,
    pub(crate) score: f32,
}

#[derive(Debug, Default)]
pub(crate) struct SimilarityTier {
    spaces: RwLock<HashMap<Namespace, Arc<Space>>>,
}

#[derive(Debug)]
struct Space {
    snapshot: RwLock<Arc<Slab>>,
    /// Where each memory stands in the slab. Apart from the snapshot, as searches do not need it
    /// and copying it would cost more than the vectors.
    places: Mutex<HashMap<MemoryId, usize>>,
}

impl SimilarityTier {
    /// The `k` nearest of the allowed ones to a query of any length but zero, the best first;
    /// equals by id.
    pub(crate) fn search(
        &self,
        namespace: &Namespace,
        query: &[f32],
        k: usize,
        allowed: impl Fn(MemoryId) -> bool,
    ) -> Result<Vec<Similar>> {
        let query = unit_vector(query, || "the query".into())?;
        let Some(space) = self.spaces.read().get(namespace).cloned() else {
            return Ok(Vec::new());
        };
        let slab = Arc::clone(&space.snapshot.read());
        if slab.dimension() != query.len() {
            return Err(Error::Dimension {
                item: "the query".into(),
                namespace: namespace.clone(),
                found: query.len(),
                expected: slab.dimension(),
            });
        }
        Ok(slab.search(&query, k, allowed))
    }

    /// Adds a unit vector, in place of the memory's previous one. One of another dimension than the
    /// namespace's, which only a damaged database can hold, is left out and found by a check.
    pub(crate) fn insert(&self, namespace: &Namespace, id: MemoryId, unit: &[f32]) {
        let space = self.space_or_create(namespace, unit.len());
        let mut places = space.places.lock();
        let mut snapshot = space.snapshot.write();
        if snapshot.dimension() != unit.len() {
            return;
        }
        let slab = Arc::make_mut(&mut snapshot);
        match places.get(&id) {
            Some(place) => slab.replace(*place, unit),
            None => {
                places.insert(id, slab.len());
                slab.push(id, unit);
            }
        }
    }

    pub(crate) fn remove(&self, namespace: &Namespace, id: MemoryId) {
        let Some(space) = self.spaces.read().get(namespace).cloned() else {
            return;
        };
        let mut places = space.places.lock();
        let Some(place) = places.remove(&id) else {
            return;
        };
        let mut snapshot = space.snapshot.write();
        if let Some(moved) = Arc::make_mut(&mut snapshot).swap_remove(place) {
            places.insert(moved, place);
        }
    }

    /// Takes over the content of another tier, at once for every search.
    pub(crate) fn replace(&self, other: Self) {
        *self.spaces.write() = other.spaces.into_inner();
    }

    /// How many vectors there are.
    pub(crate) fn len(&self) -> usize {
        self.spaces
            .read()
            .values()
            .map(|space| space.snapshot.read().len())
            .sum()
    }

    /// Calls back with every vector, for comparison with the metadata tier.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Namespace, MemoryId, &[f32])) {
        for (namespace, space) in self.spaces.read().iter() {
            let slab = Arc::clone(&space.snapshot.read());
            slab.for_each(|id, unit| visit(namespace, id, unit));
        }
    }

    fn space_or_create(&self, namespace: &Namespace, dimension: usize) -> Arc<Space> {
        if let Some(space) = self.spaces.read().get(namespace) {
            return Arc::clone(space);
        }
        let space = Space {
            snapshot: RwLock::new(Arc::new(Slab::new(dimension))),
            places: Mutex::default(),
        };
        Arc::clone(
            self.spaces
                .write()
                .entry(namespace.clone())
                .or_insert(Arc::new(space)),
        )
    }
}

impl DerivedTier for SimilarityTier {
    fn apply(&self, change: &Change) {
        match change {
            Change::Remembered {
                namespace,
                id,
                unit: Some(unit),
            } => {
                self.insert(namespace, *id, unit);
            }
            Change::Updated {
                namespace,
                id,
                unit: Some(unit),
            } => self.insert(namespace, *id, unit),
            Change::Forgotten { namespace, id }
            | Change::Updated {
                namespace,
                id,
                unit: None,
            } => self.remove(namespace, *id),
            Change::NamespaceDeleted(namespace) => {
                self.spaces.write().remove(namespace);
            }
            Change::Remembered { unit: None, .. }
            | Change::Ended { .. }
            | Change::Linked(_)
            | Change::Unlinked { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u64) -> MemoryId {
        MemoryId::new(id).unwrap()
    }

    fn namespace() -> Namespace {
        Namespace::new("n").unwrap()
    }

    fn tier(vectors: &[(u64, [f32; 2])]) -> SimilarityTier {
        let tier = SimilarityTier::default();
        for (number, vector) in vectors {
            let unit = unit_vector(vector, String::new).unwrap();
            tier.insert(&namespace(), id(*number), &unit);
        }
        tier
    }

    fn found(tier: &SimilarityTier, query: [f32; 2], k: usize) -> Vec<u64> {
        let found = tier.search(&namespace(), &query, k, |_| true).unwrap();
        found.iter().map(|similar| similar.id.get()).collect()
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        let tier = tier(&[
            (9, [2.0, 0.0]),
            (3, [1.0, 0.0]),
            (5, [0.0, 1.0]),
            (4, [4.0, 0.0]),
        ]);
        assert_eq!(found(&tier, [1.0, 0.0], 2), [3, 4]);
        assert_eq!(found(&tier, [1.0, 0.0], 9), [3, 4, 9, 5]);
    }

    #[test]
    fn a_removed_vector_is_never_found_and_the_moved_one_still_is() {
        let tier = tier(&[(1, [1.0, 0.0]), (2, [0.9, 0.1]), (3, [0.0, 1.0])]);
        tier.remove(&namespace(), id(1));
        assert_eq!(found(&tier, [1.0, 0.0], 9), [2, 3]);
        tier.remove(&namespace(), id(3));
        tier.remove(&namespace(), id(3));
        assert_eq!(found(&tier, [1.0, 0.0], 9), [2]);
        assert_eq!(tier.len(), 1);
    }

    #[test]
    fn a_query_of_another_dimension_names_both() {
        let error = tier(&[(1, [1.0, 0.0])])
            .search(&namespace(), &[1.0; 3], 1, |_| true)
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Dimension {
                    found: 3,
                    expected: 2,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_search_keeps_its_snapshot_while_vectors_are_removed() {
        let tier = tier(&[(1, [1.0, 0.0]), (2, [0.0, 1.0])]);
        let space = Arc::clone(&tier.spaces.read()[&namespace()]);
        let before = Arc::clone(&space.snapshot.read());
        tier.remove(&namespace(), id(1));
        assert_eq!(before.search(&[1.0, 0.0], 9, |_| true).len(), 2);
        assert_eq!(found(&tier, [1.0, 0.0], 9), [2]);
    }
}
