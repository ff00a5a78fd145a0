//! Hybrid recall: every signal of a query ranks candidates, and the ranks are fused.

mod diversity;

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::error::Result;
use crate::filter::Filter;
use crate::metadata::{find_ids_where, find_text, find_where};
use crate::names::{MemoryId, Namespace};
use crate::query::{Candidate, Found, Fused, Query, Signal, fuse};
use crate::similarity::Allowed;

use super::MemoryStore;
use diversity::diversify;

impl MemoryStore {
    /// What a query finds, best first; equals by id. Every result says which signals found it, at
    /// which rank, and along which path.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidVector`](crate::Error::InvalidVector) or
    /// [`Error::Dimension`](crate::Error::Dimension) if the query's vector cannot be compared; and
    /// if the database cannot be read.
    pub fn recall(&self, namespace: &Namespace, query: &Query) -> Result<Vec<Found>> {
        let allowed = self.allowed(namespace, &query.filter)?;
        let mut lists = self.ranked(namespace, query, allowed.as_ref())?;
        if query.recency {
            lists.push((Signal::Recency, self.youngest(namespace, query, &lists)?));
        }
        let mut budget = Budget {
            items: query.limit,
            tokens: query.max_tokens,
        };
        let mut found = Vec::new();
        for fused in self.diversified(namespace, query, fuse(lists)) {
            if budget.items == 0 {
                break;
            }
            // One that was forgotten meanwhile is left out.
            let Some(memory) = self.get(namespace, fused.id)? else {
                continue;
            };
            if budget.admits(&memory.text) {
                found.push(Found {
                    memory,
                    score: fused.score,
                    reasons: fused.reasons,
                });
            }
        }
        Ok(found)
    }

    /// In the order of what is relevant and new, if that is asked for.
    fn diversified(&self, namespace: &Namespace, query: &Query, ranking: Vec<Fused>) -> Vec<Fused> {
        let diversity = query.diversity.clamp(0.0, 1.0);
        // What is no number asks for none.
        if diversity.is_nan() || diversity == 0.0 {
            return ranking;
        }
        let similarity = &self.tiers.similarity;
        let vector_of =
            |fused: &Fused| similarity.with_vector(namespace, fused.id, <[f32]>::to_vec);
        diversify(ranking, diversity, query.depth(), vector_of)
    }

    /// The ids that a filter lets through; none if it lets everything through.
    fn allowed(&self, namespace: &Namespace, filter: &Filter) -> Result<Option<HashSet<MemoryId>>> {
        let is_open = Filter {
            limit: filter.limit,
            ..Filter::new()
        } == *filter;
        if is_open {
            Ok(None)
        } else {
            find_ids_where(&self.readers, namespace, filter).map(Some)
        }
    }

    /// The lists of the signals that choose their own candidates.
    fn ranked(
        &self,
        namespace: &Namespace,
        query: &Query,
        allowed: Option<&HashSet<MemoryId>>,
    ) -> Result<Vec<(Signal, Vec<Candidate>)>> {
        let depth = query.depth();
        let is_allowed = |id: MemoryId| allowed.is_none_or(|allowed| allowed.contains(&id));
        let mut lists = Vec::new();
        if let Some(vector) = &query.vector {
            let similar = self.tiers.similarity.search(
                namespace,
                vector,
                depth,
                allowed.map_or(Allowed::Everything, Allowed::Only),
            )?;
            let similar = similar
                .iter()
                .map(|found| candidate(found.id, f64::from(found.score)));
            lists.push((Signal::Similarity, similar.collect()));
        }
        if let Some(words) = &query.text {
            let matches = find_text(&self.readers, namespace, words, depth, allowed)?;
            let matches = matches.into_iter().map(|(id, score)| candidate(id, score));
            lists.push((Signal::Text, matches.collect()));
        }
        if let Some(traversal) = &query.related {
            let visits = self
                .tiers
                .relations
                .traverse(namespace, traversal)
                .into_iter();
            let reached = visits.filter(|visit| is_allowed(visit.id)).take(depth);
            let reached = reached.map(|visit| Candidate {
                id: visit.id,
                score: visit.strength,
                path: visit.path,
            });
            lists.push((Signal::Relation, reached.collect()));
        }
        if let Some(preferred) = &query.preferred {
            lists.push((
                Signal::Metadata,
                self.newest(namespace, preferred, depth, is_allowed)?,
            ));
        }
        Ok(lists)
    }

    fn newest(
        &self,
        namespace: &Namespace,
        filter: &Filter,
        depth: usize,
        is_allowed: impl Fn(MemoryId) -> bool,
    ) -> Result<Vec<Candidate>> {
        let newest = find_where(&self.readers, namespace, filter)?;
        let newest = newest
            .iter()
            .filter(|memory| is_allowed(memory.id))
            .take(depth);
        Ok(newest
            .map(|memory| candidate(memory.id, memory.at.unix_millis() as f64))
            .collect())
    }

    /// The candidates of the other signals by age; without others, the youngest of all.
    fn youngest(
        &self,
        namespace: &Namespace,
        query: &Query,
        lists: &[(Signal, Vec<Candidate>)],
    ) -> Result<Vec<Candidate>> {
        if lists.is_empty() {
            let filter = query.filter.clone().limit(query.depth());
            return self.newest(namespace, &filter, query.depth(), |_| true);
        }
        let ids: HashSet<MemoryId> = lists
            .iter()
            .flat_map(|(_, list)| list)
            .map(|candidate| candidate.id)
            .collect();
        let mut memories = Vec::with_capacity(ids.len());
        for id in ids {
            memories.extend(self.get(namespace, id)?);
        }
        memories.sort_by_key(|memory| (Reverse(memory.at), memory.id));
        let by_age = memories.iter();
        Ok(by_age
            .map(|memory| candidate(memory.id, memory.at.unix_millis() as f64))
            .collect())
    }
}

fn candidate(id: MemoryId, score: f64) -> Candidate {
    Candidate {
        id,
        score,
        path: Vec::new(),
    }
}

/// What a result may still take up.
struct Budget {
    items: usize,
    tokens: Option<usize>,
}

impl Budget {
    /// Takes a text's share, if there is as much left.
    fn admits(&mut self, text: &str) -> bool {
        /// The usual estimate for English; a tokenizer would tie the store to a model.
        const BYTES_A_TOKEN: usize = 4;
        let tokens = text.len().div_ceil(BYTES_A_TOKEN);
        match &mut self.tokens {
            Some(left) if *left < tokens => return false,
            Some(left) => *left -= tokens,
            None => {}
        }
        self.items -= 1;
        true
    }
}
