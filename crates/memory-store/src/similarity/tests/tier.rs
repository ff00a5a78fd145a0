//! The tier: order, removal and refusals.

use super::super::*;

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
    let found = tier
        .search(&namespace(), &query, k, Allowed::Everything)
        .unwrap();
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
        .search(&namespace(), &[1.0; 3], 1, Allowed::Everything)
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
