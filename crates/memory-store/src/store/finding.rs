//! What each tier finds: candidates, ranked.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Result;
use crate::metadata::{find_ids_where, find_text};
use crate::model::filter::Filter;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::query::{Candidate, Found, Signal};
use crate::model::time::When;
use crate::relations::Traversal;
use crate::similarity::Allowed;

use super::MemoryStore;

impl MemoryStore {
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
    ) -> Result<Option<Found>> {
        let Some(visit) = self.tiers.relations.path_to(namespace, traversal, target) else {
            return Ok(None);
        };
        let Some(memory) = self.find(namespace, visit.id, traversal.when)? else {
            return Ok(None);
        };
        let candidate = Candidate::from(visit);
        Ok(Some(Found::by(memory, Signal::Relation, 1, candidate)))
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
}
