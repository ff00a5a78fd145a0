//! What each tier finds: candidates, ranked.

use std::sync::Arc;

use action::Timestamp;

use crate::error::Result;
use crate::metadata::{find_ids_where, find_newest};
use crate::model::filter::Filter;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::query::{Candidate, Found, Signal};
use crate::model::time::When;
use crate::relations::Traversal;
use crate::similarity::Allowed;
use crate::text::{Admitted, Selection};

use super::MemoryStore;

impl MemoryStore {
    /// The shortest way of a traversal to a target, and among those the strongest; none if it does
    /// not get there within its hops.
    ///
    /// # Errors
    ///
    /// [`Error::QueryTooLarge`](crate::Error::QueryTooLarge) if it would follow more than 250,000
    /// edges, and if the database cannot be read.
    pub fn shortest_path(
        &self,
        namespace: &Namespace,
        traversal: &Traversal,
        target: MemoryId,
    ) -> Result<Option<Found>> {
        let Some(visit) = self.tiers.relations.path_to(namespace, traversal, target)? else {
            return Ok(None);
        };
        let Some(memory) = self.find(namespace, visit.id, traversal.when)? else {
            return Ok(None);
        };
        let candidate = Candidate::from(visit);
        Ok(Some(Found::by(memory, Signal::Relation, 1, candidate)))
    }

    /// The best by similarity among those selected.
    pub(super) fn similar(
        &self,
        namespace: &Namespace,
        query: &[f32],
        depth: usize,
        selection: &Selection,
    ) -> Result<Vec<Candidate>> {
        let admits = |id| selection.admits(id);
        let allowed = match selection {
            Selection::All => Allowed::Everything,
            Selection::Few(ids) => Allowed::Only(ids),
            Selection::Many(_) => Allowed::Where(&admits),
        };
        let similarity = &self.tiers.similarity;
        let similar = similarity.search(namespace, query, depth, allowed)?;
        Ok(similar
            .iter()
            .map(|found| Candidate::new(found.id, f64::from(found.score)))
            .collect())
    }

    /// The best by text.
    pub(super) fn matching(
        &self,
        namespace: &Namespace,
        words: &str,
        depth: usize,
        admitted: &Admitted<'_>,
    ) -> Result<Vec<Candidate>> {
        let matches = self.tiers.text.search(namespace, words, depth, admitted)?;
        Ok(matches
            .into_iter()
            .map(|(id, score)| Candidate::new(id, score))
            .collect())
    }

    /// A filter, with the ids that meet the part of it that only the database knows.
    pub(super) fn admitted<'f>(
        &self,
        namespace: &Namespace,
        filter: &'f Filter,
    ) -> Result<Admitted<'f>> {
        let only = match &filter.text_contains {
            Some(_) => Some(find_ids_where(&self.readers, namespace, filter)?),
            None => None,
        };
        Ok(Admitted { filter, only })
    }

    /// The newest `most` of those that meet a filter, with the times at which they happened.
    pub(super) fn newest(
        &self,
        namespace: &Namespace,
        filter: &Filter,
        most: usize,
    ) -> Result<Vec<(MemoryId, Timestamp)>> {
        if filter.has_labels() {
            let admitted = self.admitted(namespace, filter)?;
            Ok(self.tiers.text.newest(namespace, &admitted, most))
        } else {
            // The database has them in the order of time.
            find_newest(&self.readers, namespace, filter, most)
        }
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
