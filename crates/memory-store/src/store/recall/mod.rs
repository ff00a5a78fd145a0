//! Hybrid recall: every signal of a query ranks candidates, and the ranks are fused.

mod diversity;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Result;
use crate::metadata::{find_ids_where, find_newest, find_where};
use crate::model::filter::Filter;
use crate::model::names::{MemoryId, Namespace};
use crate::model::query::{Candidate, Found, Fused, Query, Signal, fuse};
use crate::relations::Traversal;
use crate::writer::pace::Stopwatch;

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
        let began = Stopwatch::now();
        let found = self.recall_untimed(namespace, query);
        self.tiers.counters().recall.record(began.elapsed());
        found
    }

    fn recall_untimed(&self, namespace: &Namespace, query: &Query) -> Result<Vec<Found>> {
        if query.is_listing() {
            return self.listed(namespace, query);
        }
        let allowed = self.allowed(namespace, &query.filter)?;
        let mut lists = self.ranked(namespace, query, allowed.as_ref())?;
        if query.recency {
            lists.push((Signal::Recency, self.youngest(namespace, query, &lists)?));
        }
        let mut budget = Budget {
            items: query.most_results(),
            tokens: query.max_tokens,
        };
        let mut found = Vec::new();
        let ranking = self.decayed(namespace, query, fuse(lists))?;
        for fused in self.diversified(namespace, query, ranking) {
            if budget.items == 0 {
                break;
            }
            // One that was forgotten or ended meanwhile is left out.
            let Some(memory) = self.find(namespace, fused.id, query.filter.when)? else {
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

    /// What a filter lets through, the newest first.
    fn listed(&self, namespace: &Namespace, query: &Query) -> Result<Vec<Found>> {
        let items = query.limit.unwrap_or(usize::MAX);
        let mut budget = Budget {
            items,
            tokens: query.max_tokens,
        };
        // What does not fit leaves its place to others.
        let most = query.max_tokens.map_or(items, |_| usize::MAX);
        let mut found = Vec::new();
        for memory in find_where(&self.readers, namespace, &query.filter, most)? {
            if budget.items == 0 {
                break;
            }
            if budget.admits(&memory.text) {
                found.push(Found {
                    memory: Arc::new(memory),
                    score: 0.0,
                    reasons: Vec::new(),
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

    /// The ids that a filter lets through; none if it lets everything through that is found as of
    /// when it is asked for.
    fn allowed(&self, namespace: &Namespace, filter: &Filter) -> Result<Option<HashSet<MemoryId>>> {
        let is_open = Filter {
            when: filter.when,
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
        let (depth, when) = (query.depth(), query.filter.when);
        let mut lists = Vec::new();
        if let Some(vector) = &query.vector {
            let similar = self.similar(namespace, vector, depth, when, allowed)?;
            lists.push((Signal::Similarity, similar));
        }
        if let Some(words) = &query.text {
            let matching = self.matching(namespace, words, depth, when, allowed)?;
            lists.push((Signal::Text, matching));
        }
        if let Some(traversal) = &query.related {
            let reached = self.reached(namespace, traversal, query, allowed)?;
            lists.push((Signal::Relation, reached));
        }
        if let Some(preferred) = &query.preferred {
            let preferred = preferred.clone().when(preferred.when.or(when));
            lists.push((
                Signal::Metadata,
                self.newest(namespace, &preferred, depth, allowed)?,
            ));
        }
        Ok(lists)
    }

    /// What a walk reaches, the nearest and strongest first.
    fn reached(
        &self,
        namespace: &Namespace,
        traversal: &Traversal,
        query: &Query,
        allowed: Option<&HashSet<MemoryId>>,
    ) -> Result<Vec<Candidate>> {
        let when = query.filter.when;
        let traversal = traversal.clone().when(traversal.when.or(when));
        let mut reached = Vec::new();
        for visit in self.tiers.relations.traverse(namespace, &traversal) {
            let is_allowed = match allowed {
                Some(allowed) => allowed.contains(&visit.id),
                None => self.find(namespace, visit.id, when)?.is_some(),
            };
            if is_allowed {
                reached.push(visit.into());
            }
            if reached.len() == query.depth() {
                break;
            }
        }
        Ok(reached)
    }

    /// In the order of their scores after the decay.
    fn decayed(
        &self,
        namespace: &Namespace,
        query: &Query,
        mut fused: Vec<Fused>,
    ) -> Result<Vec<Fused>> {
        let Some(decay) = query.decay else {
            return Ok(fused);
        };
        for fused in &mut fused {
            if let Some(memory) = self.get(namespace, fused.id)? {
                fused.score *= decay.factor(memory.at);
            }
        }
        fused.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
        Ok(fused)
    }

    fn newest(
        &self,
        namespace: &Namespace,
        filter: &Filter,
        depth: usize,
        allowed: Option<&HashSet<MemoryId>>,
    ) -> Result<Vec<Candidate>> {
        // How many of the newest are allowed is not known beforehand.
        let most = allowed.map_or(depth, |_| usize::MAX);
        let newest = find_newest(&self.readers, namespace, filter, most)?;
        let is_allowed = |id: &MemoryId| allowed.is_none_or(|allowed| allowed.contains(id));
        let newest = newest.into_iter().filter(|(id, _)| is_allowed(id));
        Ok(newest
            .take(depth)
            .map(|(id, at)| Candidate::new(id, at.unix_millis() as f64))
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
            return self.newest(namespace, &query.filter, query.depth(), None);
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
            .map(|memory| Candidate::new(memory.id, memory.at.unix_millis() as f64))
            .collect())
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
