//! Results that differ from each other: maximal marginal relevance (Carbonell and Goldstein, "The
//! use of MMR, diversity-based reranking for reordering documents and producing summaries", SIGIR
//! 1998).

use crate::model::query::Fused;
use crate::similarity::unit_cosine;

/// Reorders the best `considered` of a ranking, the rest stays behind them: each next one is the
/// one with the highest `(1 - diversity) * relevance - diversity * similarity`, where relevance is
/// its score as a part of the best score, and similarity its greatest cosine with one before it.
/// A memory without a vector is similar to none.
pub(super) fn diversify(
    mut ranking: Vec<Fused>,
    diversity: f64,
    considered: usize,
    vector_of: impl Fn(&Fused) -> Option<Vec<f32>>,
) -> Vec<Fused> {
    let rest = ranking.split_off(considered.min(ranking.len()));
    let best = ranking.first().map_or(1.0, |fused| fused.score);
    let mut left: Vec<Candidate> = ranking
        .into_iter()
        .map(|fused| Candidate {
            vector: vector_of(&fused),
            relevance: if best > 0.0 { fused.score / best } else { 0.0 },
            similarity: 0.0,
            fused,
        })
        .collect();
    let mut chosen = Vec::with_capacity(left.len());
    while let Some(next) = most_valuable(&left, diversity) {
        // Not swapped with the last: equals keep the order of the ranking.
        let next = left.remove(next);
        for other in &mut left {
            if let (Some(a), Some(b)) = (&next.vector, &other.vector) {
                other.similarity = other.similarity.max(f64::from(unit_cosine(a, b)));
            }
        }
        chosen.push(next.fused);
    }
    chosen.extend(rest);
    chosen
}

struct Candidate {
    fused: Fused,
    vector: Option<Vec<f32>>,
    relevance: f64,
    similarity: f64,
}

fn most_valuable(left: &[Candidate], diversity: f64) -> Option<usize> {
    let value = |candidate: &Candidate| {
        (1.0 - diversity) * candidate.relevance - diversity * candidate.similarity
    };
    // From behind, as the last of equals is returned and the first is wanted.
    let values = left.iter().map(value).enumerate().rev();
    let most = values.max_by(|a, b| a.1.total_cmp(&b.1));
    most.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::MemoryId;

    /// The order of ids 1, 2, … with these scores and vectors.
    fn order(items: &[(f64, Option<[f32; 2]>)], diversity: f64, considered: usize) -> Vec<u64> {
        let ranking = (1..).zip(items).map(|(number, (score, _))| Fused {
            id: MemoryId::new(number).unwrap(),
            score: *score,
            reasons: Vec::new(),
        });
        let vector_of = |fused: &Fused| {
            let (_, vector) = items[fused.id.get() as usize - 1];
            vector.map(Vec::from)
        };
        let diverse = diversify(ranking.collect(), diversity, considered, vector_of);
        diverse.iter().map(|fused| fused.id.get()).collect()
    }

    #[test]
    fn a_copy_of_what_was_chosen_comes_after_what_is_new() {
        let items = [
            (1.0, Some([1.0, 0.0])),
            (0.9, Some([1.0, 0.0])),
            (0.5, Some([0.0, 1.0])),
        ];
        assert_eq!(order(&items, 0.5, 9), [1, 3, 2]);
        assert_eq!(order(&items, 0.0, 9), [1, 2, 3]);
    }

    #[test]
    fn without_vectors_and_behind_the_considered_the_ranking_stays() {
        let items = [(1.0, None), (0.9, None), (0.9, None), (0.1, None)];
        assert_eq!(order(&items, 0.9, 9), [1, 2, 3, 4]);
        let copies = [(1.0, Some([1.0, 0.0])); 4];
        assert_eq!(order(&copies, 0.5, 2), [1, 2, 3, 4]);
        assert_eq!(order(&[], 0.5, 2), [0; 0]);
    }
}
