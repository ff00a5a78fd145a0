//! Memories that say the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::metadata::find_same_content;
use crate::model::names::{MemoryId, Namespace};
use crate::similarity::Allowed;

use super::MemoryStore;

/// How many near ones are looked at for each memory: more copies than this of one vector are told
/// as pairs with some of the others, not with all.
const MOST_NEAR: usize = 32;

/// Two memories that say the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Duplicate {
    /// The one with the lower id.
    pub first: MemoryId,
    /// The other one.
    pub second: MemoryId,
    /// In what they are the same.
    pub kind: DuplicateKind,
}

/// In what two memories are the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum DuplicateKind {
    /// The whole content, time and labels included: their digests are equal.
    SameContent,
    /// Their vectors are near each other.
    Near {
        /// The cosine of the angle between them.
        cosine: f32,
    },
}

impl MemoryStore {
    /// Every pair of memories of a namespace that say the same, ordered by ids: those of equal
    /// digests, of which each is paired with the one of the lowest id; and those whose vectors'
    /// cosine is at least `threshold`, for each memory among the 32 nearest to it. With a graph
    /// over the vectors a few pairs of a hundred may be missed (see
    /// [`IndexOptions::exact_below`](crate::IndexOptions::exact_below)). Takes as long as a search
    /// for each memory.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn duplicates(&self, namespace: &Namespace, threshold: f32) -> Result<Vec<Duplicate>> {
        let mut pairs = BTreeMap::new();
        for id in self.tiers.similarity.ids(namespace) {
            for (other, cosine) in self.near(namespace, id, threshold)? {
                let pair = (id.min(other), id.max(other));
                pairs.insert(pair, DuplicateKind::Near { cosine });
            }
        }
        // Over the near ones: who is wholly the same is also near.
        for pair in find_same_content(&self.readers, namespace)? {
            pairs.insert(pair, DuplicateKind::SameContent);
        }
        let duplicate = |((first, second), kind)| Duplicate {
            first,
            second,
            kind,
        };
        Ok(pairs.into_iter().map(duplicate).collect())
    }

    /// The memories whose vectors' cosine with that of one memory is at least `threshold`, the
    /// nearest first, 32 at most; none if it has no vector.
    ///
    /// # Errors
    ///
    /// Those of [`recall`](Self::recall).
    pub fn near_duplicates_of(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        threshold: f32,
    ) -> Result<Vec<(MemoryId, f32)>> {
        self.near(namespace, id, threshold)
    }

    fn near(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        threshold: f32,
    ) -> Result<Vec<(MemoryId, f32)>> {
        let similarity = &self.tiers.similarity;
        // One that is forgotten meanwhile is near to nothing.
        let Some(vector) = similarity.with_vector(namespace, id, <[f32]>::to_vec) else {
            return Ok(Vec::new());
        };
        let is_other = |other| other != id;
        let others = Allowed::Where(&is_other);
        let found = similarity.search(namespace, &vector, MOST_NEAR, others)?;
        let near = found.into_iter().filter(|found| found.score >= threshold);
        Ok(near.map(|found| (found.id, found.score)).collect())
    }
}
