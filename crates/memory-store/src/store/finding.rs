//! Finding memories by one tier.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Result;
use crate::metadata::{find_ids_where, find_text, find_where};
use crate::model::filter::Filter;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::query::Candidate;
use crate::model::time::When;
use crate::relations::{Traversal, Visit};
use crate::similarity::Allowed;

use super::MemoryStore;

/// A memory found by similarity or by text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recalled {
    /// The memory.
    pub memory: Arc<Memory>,
    /// By similarity, the cosine of the angle between its vector and the query, in [-1, 1]; by
    /// text, its BM25 score, which is comparable within one result only.
    pub score: f32,
}

/// A memory found by following edges.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Related {
    /// The memory.
    pub memory: Arc<Memory>,
    /// The shortest way to it, from the start to this memory, both inclusive.
    pub path: Vec<MemoryId>,
    /// The product of the weights along the path.
    pub strength: f64,
}

impl Related {
    /// How many edges away it is.
    pub fn hops(&self) -> usize {
        self.path.len() - 1
    }
}

impl MemoryStore {
    /// The `k` memories whose vectors are nearest to the query by cosine, the best first; equals
    /// by id. Below [`IndexOptions::exact_below`](crate::IndexOptions::exact_below) vectors, and
    /// for those that the graph does not have yet, every one is compared; otherwise a few of a
    /// hundred results may be missed. Of those that are true without an end; for others see
    /// [`recall_similar_when`](Self::recall_similar_when).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidVector`](crate::Error::InvalidVector) or
    /// [`Error::Dimension`](crate::Error::Dimension) if the query cannot be compared; and if the
    /// database cannot be read.
    pub fn recall_similar(
        &self,
        namespace: &Namespace,
        query: &[f32],
        k: usize,
    ) -> Result<Vec<Recalled>> {
        self.recall_similar_when(namespace, query, k, When::Current)
    }

    /// As [`recall_similar`](Self::recall_similar), as of when it is asked for.
    ///
    /// # Errors
    ///
    /// Those of [`recall_similar`](Self::recall_similar).
    pub fn recall_similar_when(
        &self,
        namespace: &Namespace,
        query: &[f32],
        k: usize,
        when: When,
    ) -> Result<Vec<Recalled>> {
        let similar = self.similar(namespace, query, k, when, None)?;
        self.recalled(namespace, similar, when)
    }

    /// The `k` memories whose texts match any of the words best by BM25, the best first; equals in
    /// the order of their writing. English endings are ignored. Of those that are true without an
    /// end; for others see [`recall_text_when`](Self::recall_text_when).
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn recall_text(
        &self,
        namespace: &Namespace,
        words: &str,
        k: usize,
    ) -> Result<Vec<Recalled>> {
        self.recall_text_when(namespace, words, k, When::Current)
    }

    /// As [`recall_text`](Self::recall_text), as of when it is asked for.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn recall_text_when(
        &self,
        namespace: &Namespace,
        words: &str,
        k: usize,
        when: When,
    ) -> Result<Vec<Recalled>> {
        let matching = self.matching(namespace, words, k, when, None)?;
        self.recalled(namespace, matching, when)
    }

    /// The memories that a traversal reaches, by hops, then strength, then id.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn recall_related(
        &self,
        namespace: &Namespace,
        traversal: &Traversal,
    ) -> Result<Vec<Related>> {
        let visits = self.tiers.relations.traverse(namespace, traversal);
        let mut related = Vec::with_capacity(visits.len());
        for visit in visits {
            related.extend(self.related(namespace, visit, traversal.when)?);
        }
        Ok(related)
    }

    /// The shortest way of a traversal to a target, and among those the strongest; none if it does
    /// not get there within its hops.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn shortest_path(
        &self,
        namespace: &Namespace,
        traversal: &Traversal,
        target: MemoryId,
    ) -> Result<Option<Related>> {
        let Some(visit) = self.tiers.relations.path_to(namespace, traversal, target) else {
            return Ok(None);
        };
        self.related(namespace, visit, traversal.when)
    }

    /// The memories that meet a filter, the newest first; equals by id, the highest first.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn recall_where(&self, namespace: &Namespace, filter: &Filter) -> Result<Vec<Memory>> {
        find_where(&self.readers, namespace, filter, filter.limit)
    }

    /// The best by similarity, of `allowed` ones if such a set is given.
    pub(super) fn similar(
        &self,
        namespace: &Namespace,
        query: &[f32],
        depth: usize,
        when: When,
        allowed: Option<&HashSet<MemoryId>>,
    ) -> Result<Vec<Candidate>> {
        let similarity = &self.tiers.similarity;
        self.admitted(namespace, depth, when, allowed, |depth, allowed| {
            let allowed = allowed.map_or(Allowed::Everything, Allowed::Only);
            let similar = similarity.search(namespace, query, depth, allowed)?;
            Ok(similar
                .iter()
                .map(|found| Candidate::new(found.id, f64::from(found.score)))
                .collect())
        })
    }

    /// The best by text, of `allowed` ones if such a set is given.
    pub(super) fn matching(
        &self,
        namespace: &Namespace,
        words: &str,
        depth: usize,
        when: When,
        allowed: Option<&HashSet<MemoryId>>,
    ) -> Result<Vec<Candidate>> {
        self.admitted(namespace, depth, when, allowed, |depth, allowed| {
            let matches = find_text(&self.readers, namespace, words, depth, allowed)?;
            Ok(matches
                .into_iter()
                .map(|(id, score)| Candidate::new(id, score))
                .collect())
        })
    }

    /// The first `depth` of a ranked list that are found as of when it is asked for. The tiers rank
    /// whatever is known now. Few of it has ended as a rule, so a list is taken and looked through;
    /// if too little of it is left, then a longer one; and if that is not enough either, the
    /// metadata tells beforehand which may be in it.
    fn admitted(
        &self,
        namespace: &Namespace,
        depth: usize,
        when: When,
        allowed: Option<&HashSet<MemoryId>>,
        ranked: impl Fn(usize, Option<&HashSet<MemoryId>>) -> Result<Vec<Candidate>>,
    ) -> Result<Vec<Candidate>> {
        const LONGER: usize = 8;
        if allowed.is_some() || when == When::Ever {
            return ranked(depth, allowed);
        }
        for length in [depth, depth.saturating_mul(LONGER)] {
            let list = ranked(length, None)?;
            let is_whole = list.len() < length;
            let mut left = Vec::with_capacity(depth);
            for candidate in list {
                if left.len() < depth && self.find(namespace, candidate.id, when)?.is_some() {
                    left.push(candidate);
                }
            }
            if is_whole || left.len() == depth {
                return Ok(left);
            }
        }
        let allowed = find_ids_where(&self.readers, namespace, &Filter::new().when(when))?;
        ranked(depth, Some(&allowed))
    }

    /// The memory of that id if it is found as of when it is asked for.
    pub(super) fn find(
        &self,
        namespace: &Namespace,
        id: MemoryId,
        when: When,
    ) -> Result<Option<Arc<Memory>>> {
        let found = self.get(namespace, id)?;
        Ok(found.filter(|memory| memory.is_found(when)))
    }

    /// Candidates with their memories. One that was forgotten or ended since is left out.
    fn recalled(
        &self,
        namespace: &Namespace,
        candidates: Vec<Candidate>,
        when: When,
    ) -> Result<Vec<Recalled>> {
        let mut recalled = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            if let Some(memory) = self.find(namespace, candidate.id, when)? {
                recalled.push(Recalled {
                    memory,
                    score: candidate.score as f32,
                });
            }
        }
        Ok(recalled)
    }

    fn related(&self, namespace: &Namespace, visit: Visit, when: When) -> Result<Option<Related>> {
        let memory = self.find(namespace, visit.id, when)?;
        Ok(memory.map(|memory| Related {
            memory,
            path: visit.path,
            strength: visit.strength,
        }))
    }
}
