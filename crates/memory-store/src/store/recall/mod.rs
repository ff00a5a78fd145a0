//! Hybrid recall: every signal of a query ranks candidates, and the ranks are fused.

mod diversity;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use action::Timestamp;

use crate::error::Result;
use crate::metadata::find_where;
use crate::model::filter::Filter;
use crate::model::memory::Memory;
use crate::model::names::{MemoryId, Namespace};
use crate::model::query::{Candidate, Found, Fused, Query, Signal, fuse};
use crate::text::Selection;
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
    /// [`Error::Dimension`](crate::Error::Dimension) if the query's vector cannot be compared,
    /// [`Error::Embedding`](crate::Error::Embedding) if the store's embedder fails,
    /// [`Error::QueryTooLarge`](crate::Error::QueryTooLarge) for more than 1,024 distinct words, 1 MiB
    /// of text, or a walk along more than 250,000 edges; and if the database cannot be read.
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
        let query = &*self.embedded_query(namespace, query)?;
        let mut lists = self.ranked(namespace, query)?;
        if query.recency {
            lists.push((Signal::Recency, self.youngest(namespace, query, &lists)?));
        }
        let mut budget = Budget {
            items: query.most_results(),
            tokens: query.max_tokens,
        };
        let mut found = Vec::new();
        let ranking = self.decayed(namespace, query, fuse(lists, &query.weights));
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
        for memory in self.filtered(namespace, &query.filter, most)? {
            if budget.items == 0 {
                break;
            }
            if budget.admits(&memory.text) {
                found.push(Found {
                    memory,
                    score: 0.0,
                    reasons: Vec::new(),
                });
            }
        }
        Ok(found)
    }

    fn filtered(
        &self,
        namespace: &Namespace,
        filter: &Filter,
        most: usize,
    ) -> Result<Vec<Arc<Memory>>> {
        if !filter.has_labels() {
            let memories = find_where(&self.readers, namespace, filter, most)?;
            return Ok(memories.into_iter().map(Arc::new).collect());
        }
        let mut memories = Vec::new();
        for (id, _) in self.newest(namespace, filter, most)? {
            memories.extend(self.find(namespace, id, filter.when)?);
        }
        Ok(memories)
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

    /// The lists of the signals that choose their own candidates.
    fn ranked(
        &self,
        namespace: &Namespace,
        query: &Query,
    ) -> Result<Vec<(Signal, Vec<Candidate>)>> {
        let (depth, when) = (query.depth(), query.filter.when);
        let admitted = self.admitted(namespace, &query.filter)?;
        let mut lists = Vec::new();
        if let Some(words) = &query.text {
            let matching = self.matching(namespace, words, depth, &admitted)?;
            lists.push((Signal::Text, matching));
        }
        if query.vector.is_none() && query.related.is_none() && query.preferred.is_none() {
            return Ok(lists);
        }
        let selection = self.tiers.text.admitted(namespace, &admitted);
        if let Some(vector) = &query.vector {
            let similar = self.similar(namespace, vector, depth, &selection)?;
            lists.push((Signal::Similarity, similar));
        }
        if let Some(traversal) = &query.related {
            let traversal = traversal.clone().when(traversal.when.or(when));
            let admits = |id| selection.admits(id);
            let reached = self
                .tiers
                .relations
                .traverse(namespace, &traversal, depth, admits)?;
            let reached = reached.into_iter().map(Candidate::from).collect();
            lists.push((Signal::Relation, reached));
        }
        if let Some(preferred) = &query.preferred {
            let preferred = preferred.clone().when(preferred.when.or(when));
            // How many of the newest are selected is not known beforehand.
            let most = match selection {
                Selection::All => depth,
                _ => usize::MAX,
            };
            let newest = self.newest(namespace, &preferred, most)?;
            let newest = newest.into_iter().filter(|(id, _)| selection.admits(*id));
            lists.push((Signal::Metadata, by_time(newest.take(depth))));
        }
        Ok(lists)
    }

    /// In the order of their scores after the decay.
    fn decayed(&self, namespace: &Namespace, query: &Query, mut fused: Vec<Fused>) -> Vec<Fused> {
        let Some(decay) = query.decay else {
            return fused;
        };
        let times = self
            .tiers
            .text
            .times(namespace, fused.iter().map(|fused| fused.id));
        for fused in &mut fused {
            if let Some(at) = times.get(&fused.id) {
                fused.score *= decay.factor(*at);
            }
        }
        fused.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
        fused
    }

    /// The candidates of the other signals by age; without others, the youngest of all.
    fn youngest(
        &self,
        namespace: &Namespace,
        query: &Query,
        lists: &[(Signal, Vec<Candidate>)],
    ) -> Result<Vec<Candidate>> {
        if lists.is_empty() {
            let newest = self.newest(namespace, &query.filter, query.depth())?;
            return Ok(by_time(newest.into_iter()));
        }
        let candidates = lists.iter().flat_map(|(_, list)| list);
        let ids: HashSet<MemoryId> = candidates.map(|candidate| candidate.id).collect();
        let mut times: Vec<_> = self.tiers.text.times(namespace, ids).into_iter().collect();
        times.sort_by_key(|(id, at)| (Reverse(*at), *id));
        Ok(by_time(times.into_iter()))
    }
}

fn by_time(memories: impl Iterator<Item = (MemoryId, Timestamp)>) -> Vec<Candidate> {
    memories
        .map(|(id, at)| Candidate::new(id, at.as_millis() as f64))
        .collect()
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
