//! One question to all tiers, and the fusion of their answers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::filter::Filter;
use crate::model::memory::Memory;
use crate::model::names::MemoryId;
use crate::model::time::When;
use crate::relations::{Traversal, Visit};

/// The constant of reciprocal rank fusion: a memory at rank r of a signal gains 1 / (60 + r). 60 is
/// the value of the paper (Cormack, Clarke and Büttcher, SIGIR 2009), where results were flat
/// around it.
const RANK_CONSTANT: f64 = 60.0;

/// What is asked of the store in one call. Each signal that is set ranks memories by itself; the
/// ranks are fused, so scores of different kinds need not be comparable.
///
/// ```
/// use memory_store::{Filter, MemoryId, Query, Traversal};
///
/// let query = Query::new()
///     .text("why does the linker fail")
///     .related(Traversal::new(MemoryId::new(7)?))
///     .only(Filter::new().tag("build"))
///     .recency()
///     .max_tokens(2_000);
/// assert_eq!(query.max_tokens, Some(2_000));
/// # Ok::<(), memory_store::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Query {
    /// Words to find in texts, and the meaning to be near to where the store embeds texts.
    pub text: Option<String>,
    /// A vector to be near to.
    pub vector: Option<Vec<f32>>,
    /// A walk along edges.
    pub related: Option<Traversal>,
    /// What is preferred, but not required.
    pub preferred: Option<Filter>,
    /// Whether younger memories rank higher. The other signals choose the candidates; alone, the
    /// youngest of all are found.
    pub recency: bool,
    /// What every result must meet.
    pub filter: Filter,
    /// How much results shall differ from each other, in [0, 1].
    #[serde(default)]
    pub diversity: f64,
    /// How much less a memory weighs as it gets older.
    #[serde(default)]
    pub decay: Option<Decay>,
    /// How much each signal weighs in the fusion.
    #[serde(default)]
    pub weights: Weights,
    /// How many results there are at most. Default: 10, or all matches of a query that ranks by
    /// nothing.
    #[serde(default)]
    pub limit: Option<usize>,
    /// How many tokens the results' texts may have together, at about four bytes a token.
    pub max_tokens: Option<usize>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            text: None,
            vector: None,
            related: None,
            preferred: None,
            recency: false,
            filter: Filter::new(),
            diversity: 0.0,
            decay: None,
            weights: Weights::default(),
            limit: None,
            max_tokens: None,
        }
    }
}

impl Query {
    /// A query without any signal: it lists what its filter lets through, the newest first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for texts with any of these words, by BM25. A store that has an
    /// [embedder](crate::Options::embedder) asks for texts of a near meaning too, unless
    /// [`Signal::Similarity`] weighs nothing or the query has a vector.
    #[must_use]
    pub fn text(mut self, words: impl Into<String>) -> Self {
        self.text = Some(words.into());
        self
    }

    /// Asks for vectors near to this one, by cosine.
    #[must_use]
    pub fn vector(mut self, vector: Vec<f32>) -> Self {
        self.vector = Some(vector);
        self
    }

    /// Asks for what a walk along edges reaches, the nearest and strongest first.
    #[must_use]
    pub fn related(mut self, traversal: Traversal) -> Self {
        self.related = Some(traversal);
        self
    }

    /// Prefers what meets a filter, the newest first.
    #[must_use]
    pub fn prefer(mut self, filter: Filter) -> Self {
        self.preferred = Some(filter);
        self
    }

    /// Prefers younger memories.
    #[must_use]
    pub fn recency(mut self) -> Self {
        self.recency = true;
        self
    }

    /// Requires every result to meet a filter.
    #[must_use]
    pub fn only(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets how much a signal weighs in the fusion, compared with others; 0 lets it find nothing by
    /// itself. Default: [`Weights::default`].
    #[must_use]
    pub fn weight(mut self, signal: Signal, weight: f64) -> Self {
        *self.weights.of_mut(signal) = weight;
        self
    }

    /// Sets how much results shall differ from each other, by their vectors (maximal marginal
    /// relevance): 0 ranks by relevance alone, 1 by nothing but difference. With 0.3, the copy of
    /// a result comes behind what is new and at least about half as relevant. Default: 0.
    /// Clamped to [0, 1].
    #[must_use]
    pub fn diversity(mut self, diversity: f64) -> Self {
        self.diversity = diversity;
        self
    }

    /// Asks for what was true at a moment and had not expired. A traversal or a preference that says
    /// when for itself keeps it. Default: for what is true without an end.
    #[must_use]
    pub fn as_of(mut self, moment: Timestamp) -> Self {
        self.filter.when = When::AsOf(moment);
        self
    }

    /// Halves a memory's score for each `half_life` that it is old at a moment. Unlike
    /// [`recency`](Self::recency), which knows the order of ages only, this knows how old they are.
    #[must_use]
    pub fn decay(mut self, half_life: Duration, moment: Timestamp) -> Self {
        self.decay = Some(Decay { half_life, moment });
        self
    }

    /// Sets how many results there are at most. Default: 10, or all matches of a query that ranks
    /// by nothing.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets how many tokens the results' texts may have together. A memory that does not fit is
    /// left out, and lower ones may still fit. Default: any number.
    #[must_use]
    pub fn max_tokens(mut self, tokens: usize) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// How many results there are at most, of a query that ranks.
    pub(crate) fn most_results(&self) -> usize {
        const DEFAULT: usize = 10;
        self.limit.unwrap_or(DEFAULT)
    }

    /// Whether no signal is set, so that its filter alone says what is found.
    pub(crate) fn is_listing(&self) -> bool {
        self.signals() == 0
    }

    /// How many candidates each signal contributes. Deeper than the limit where the ranks change
    /// later on: a memory that two signals rank in the middle may beat the first of one.
    pub(crate) fn depth(&self) -> usize {
        const LEAST_DEPTH: usize = 50;
        let keeps_order = self.signals() == 1
            && self.decay.is_none()
            && self.max_tokens.is_none()
            && self.diversity == 0.0;
        let limit = self.most_results();
        if keeps_order {
            limit
        } else {
            limit.saturating_mul(4).max(LEAST_DEPTH)
        }
    }

    fn signals(&self) -> usize {
        let set = [
            self.text.is_some(),
            self.vector.is_some(),
            self.related.is_some(),
            self.preferred.is_some(),
            self.recency,
        ];
        set.into_iter().filter(|is_set| *is_set).count()
    }
}

/// How much each signal weighs in the fusion. The defaults were tuned on one half of labelled
/// questions and checked on the other; see `quality` in this crate's benches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Weights {
    /// Of words.
    pub text: f64,
    /// Of vectors. A strong model deserves more than the default, which is for hashed n-grams.
    pub similarity: f64,
    /// Of edges.
    pub relation: f64,
    /// Of what is preferred.
    pub metadata: f64,
    /// Of age: enough to order what is about equally relevant.
    pub recency: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            text: 1.0,
            similarity: 0.4,
            relation: 1.0,
            metadata: 1.0,
            recency: 0.05,
        }
    }
}

impl Weights {
    /// Every signal weighs the same.
    pub const EQUAL: Self = Self {
        text: 1.0,
        similarity: 1.0,
        relation: 1.0,
        metadata: 1.0,
        recency: 1.0,
    };

    pub(crate) fn of(&self, signal: Signal) -> f64 {
        let weight = match signal {
            Signal::Similarity => self.similarity,
            Signal::Text => self.text,
            Signal::Relation => self.relation,
            Signal::Metadata => self.metadata,
            Signal::Recency => self.recency,
        };
        // What is no weight has none.
        if weight.is_finite() {
            weight.max(0.0)
        } else {
            0.0
        }
    }

    fn of_mut(&mut self, signal: Signal) -> &mut f64 {
        match signal {
            Signal::Similarity => &mut self.similarity,
            Signal::Text => &mut self.text,
            Signal::Relation => &mut self.relation,
            Signal::Metadata => &mut self.metadata,
            Signal::Recency => &mut self.recency,
        }
    }
}

/// How much less a memory weighs as it gets older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decay {
    /// The age at which it weighs half.
    pub half_life: Duration,
    /// The moment at which it has its age. What happened later weighs as if it happened then.
    #[serde(with = "crate::model::millis")]
    pub moment: Timestamp,
}

impl Decay {
    /// What a score is multiplied with, in [0, 1].
    pub(crate) fn factor(self, at: Timestamp) -> f64 {
        let age = self.moment.as_millis().saturating_sub(at.as_millis());
        // A half-life of nothing leaves what has no age as it is.
        let half_life = (self.half_life.as_secs_f64() * 1_000.0).max(f64::MIN_POSITIVE);
        (-(age.max(0) as f64) / half_life).exp2()
    }
}

/// What can find a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Signal {
    /// Its vector is near; the score is the cosine.
    Similarity,
    /// Its text has the words; the score is BM25's.
    Text,
    /// Edges lead to it; the score is the product of the weights along the path.
    Relation,
    /// It meets what is preferred; the score is its time in Unix milliseconds.
    Metadata,
    /// It is young; the score is its time in Unix milliseconds.
    Recency,
}

/// Why a memory was found: one signal's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reason {
    /// Which signal.
    pub signal: Signal,
    /// Its rank there; the best has 1.
    pub rank: usize,
    /// Its score there, whose meaning depends on the signal.
    pub score: f64,
    /// The way along edges, for [`Signal::Relation`]; empty for others.
    pub path: Vec<MemoryId>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = match self.signal {
            Signal::Similarity => "similarity",
            Signal::Text => "text",
            Signal::Relation => "relation",
            Signal::Metadata => "metadata",
            Signal::Recency => "recency",
        };
        write!(f, "{signal} #{} ({:.3})", self.rank, self.score)?;
        if !self.path.is_empty() {
            let path: Vec<String> = self.path.iter().map(ToString::to_string).collect();
            write!(f, " by {}", path.join(" > "))?;
        }
        Ok(())
    }
}

/// A memory that a [`Query`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Found {
    /// The memory.
    pub memory: Arc<Memory>,
    /// The sum of its shares of all signals, less its decay; comparable within one result only.
    /// Zero if nothing ranked it. A signal's own score is in its reason.
    pub score: f64,
    /// The signals that found it, in the order of [`Signal`].
    pub reasons: Vec<Reason>,
}

impl Found {
    /// As one signal alone finds it.
    pub(crate) fn by(
        memory: Arc<Memory>,
        signal: Signal,
        rank: usize,
        candidate: Candidate,
    ) -> Self {
        let fused = Fused::by(signal, rank, candidate);
        Self {
            memory,
            score: fused.score,
            reasons: fused.reasons,
        }
    }

    /// Why a signal found it, if it did: its rank and score there.
    pub fn reason(&self, signal: Signal) -> Option<&Reason> {
        self.reasons.iter().find(|reason| reason.signal == signal)
    }

    /// The way along edges, from the start to this memory; empty if no edges led to it.
    pub fn path(&self) -> &[MemoryId] {
        self.reason(Signal::Relation)
            .map_or(&[], |reason| &reason.path)
    }
}

/// A memory as one signal ranks it; the place in its list is the rank.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) id: MemoryId,
    pub(crate) score: f64,
    pub(crate) path: Vec<MemoryId>,
}

impl Candidate {
    pub(crate) fn new(id: MemoryId, score: f64) -> Self {
        Self {
            id,
            score,
            path: Vec::new(),
        }
    }
}

impl From<Visit> for Candidate {
    fn from(visit: Visit) -> Self {
        Self {
            id: visit.id,
            score: visit.strength,
            path: visit.path,
        }
    }
}

/// A memory as all signals rank it together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fused {
    pub(crate) id: MemoryId,
    pub(crate) score: f64,
    pub(crate) reasons: Vec<Reason>,
}

impl Fused {
    fn by(signal: Signal, rank: usize, Candidate { id, score, path }: Candidate) -> Self {
        Self {
            id,
            score: share(rank),
            reasons: vec![Reason {
                signal,
                rank,
                score,
                path,
            }],
        }
    }
}

/// Fuses ranked lists by reciprocal rank, the best first; equals by id.
pub(crate) fn fuse(mut lists: Vec<(Signal, Vec<Candidate>)>, weights: &Weights) -> Vec<Fused> {
    if lists.len() == 1 {
        let (signal, candidates) = lists.remove(0);
        return ranked_alone(signal, candidates);
    }
    let mut fused: HashMap<MemoryId, Fused> = HashMap::new();
    for (signal, candidates) in lists {
        for (place, Candidate { id, score, path }) in candidates.into_iter().enumerate() {
            let rank = place + 1;
            let entry = fused.entry(id).or_insert(Fused {
                id,
                score: 0.0,
                reasons: Vec::new(),
            });
            entry.score += weights.of(signal) * share(rank);
            entry.reasons.push(Reason {
                signal,
                rank,
                score,
                path,
            });
        }
    }
    let mut fused: Vec<Fused> = fused.into_values().collect();
    fused
        .iter_mut()
        .for_each(|fused| fused.reasons.sort_by_key(|reason| reason.signal));
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    fused
}

/// One list is in its order already.
fn ranked_alone(signal: Signal, candidates: Vec<Candidate>) -> Vec<Fused> {
    let ranked = (1..).zip(candidates);
    ranked
        .map(|(rank, candidate)| Fused::by(signal, rank, candidate))
        .collect()
}

fn share(rank: usize) -> f64 {
    1.0 / (RANK_CONSTANT + rank as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ids: &[u64]) -> Vec<Candidate> {
        let candidate = |id: &u64| Candidate {
            id: MemoryId::new(*id).unwrap(),
            score: 0.5,
            path: Vec::new(),
        };
        ids.iter().map(candidate).collect()
    }

    fn order(lists: Vec<(Signal, Vec<Candidate>)>) -> Vec<u64> {
        fuse(lists, &Weights::EQUAL)
            .iter()
            .map(|fused| fused.id.get())
            .collect()
    }

    #[test]
    fn the_second_of_two_signals_beats_the_first_of_one() {
        let lists = vec![
            (Signal::Text, list(&[1, 2, 3])),
            (Signal::Similarity, list(&[4, 2, 5])),
        ];
        assert_eq!(order(lists), [2, 1, 4, 3, 5]);
    }

    #[test]
    fn a_score_halves_with_each_half_life() {
        let decay = Decay {
            half_life: Duration::from_secs(10),
            moment: Timestamp::from_millis(30_000),
        };
        let factor = |millis| decay.factor(Timestamp::from_millis(millis));
        assert_eq!(
            [factor(10_000), factor(20_000), factor(40_000)],
            [0.25, 0.5, 1.0]
        );
        let at_once = Decay {
            half_life: Duration::ZERO,
            ..decay
        };
        assert_eq!(at_once.factor(Timestamp::default()), 0.0);
        assert_eq!(at_once.factor(decay.moment), 1.0);
    }

    #[test]
    fn one_signal_alone_keeps_its_order_and_every_share_is_told() {
        assert_eq!(order(vec![(Signal::Text, list(&[9, 1, 5]))]), [9, 1, 5]);
        let fused = fuse(
            vec![
                (Signal::Text, list(&[7])),
                (Signal::Similarity, list(&[3, 7])),
            ],
            &Weights::EQUAL,
        );
        let reasons: Vec<String> = fused[0].reasons.iter().map(ToString::to_string).collect();
        assert_eq!(reasons, ["similarity #2 (0.500)", "text #1 (0.500)"]);
    }
}
