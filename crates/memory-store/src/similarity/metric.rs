//! What "near" means, exactly and by codes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

use super::kernel::{dot, squared_distance};

/// How two vectors are compared. The score is higher for the nearer one, whatever the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// By direction alone: the score is the cosine of the angle, in [-1, 1].
    #[default]
    Cosine,
    /// By Euclidean distance: the score is the distance, negated.
    Euclidean,
    /// By inner product, for models trained to it: the score is the product, of any size.
    InnerProduct,
}

impl Metric {
    /// A vector as the index keeps it: at length one for the cosine, as it is for the others.
    pub(super) fn prepare(self, vector: &[f32], label: impl Fn() -> String) -> Result<Vec<f32>> {
        match self {
            Self::Cosine => unit_vector(vector, label),
            Self::Euclidean | Self::InnerProduct => {
                square_length(vector, label).map(|_| vector.to_vec())
            }
        }
    }

    /// The score of two prepared vectors; higher is nearer.
    pub(super) fn score(self, a: &[f32], b: &[f32]) -> f32 {
        match self {
            // Rounding may leave the range of a cosine by an ulp.
            Self::Cosine => dot(a, b).clamp(-1.0, 1.0),
            Self::Euclidean => -squared_distance(a, b).sqrt(),
            Self::InnerProduct => dot(a, b),
        }
    }
}

/// The cosine of the angle between two vectors at length one.
pub(crate) fn unit_cosine(a: &[f32], b: &[f32]) -> f32 {
    Metric::Cosine.score(a, b)
}

/// The vector at length one; `label` names its item in an error.
pub(crate) fn unit_vector(vector: &[f32], label: impl Fn() -> String) -> Result<Vec<f32>> {
    let length = square_length(vector, label)?.sqrt();
    Ok(vector
        .iter()
        .map(|component| (f64::from(*component) / length) as f32)
        .collect())
}

/// The square of the length, unless the vector cannot be compared.
fn square_length(vector: &[f32], label: impl Fn() -> String) -> Result<f64> {
    let invalid = |detail: String| Error::InvalidVector {
        item: label(),
        detail,
    };
    if vector.is_empty() {
        return Err(invalid("is empty".into()));
    }
    if let Some(index) = vector.iter().position(|component| !component.is_finite()) {
        return Err(invalid(format!("has {} at index {index}", vector[index])));
    }
    // In f64, where the square of the largest and of the smallest f32 are representable.
    let square: f64 = vector
        .iter()
        .map(|component| f64::from(*component).powi(2))
        .sum();
    if square == 0.0 {
        return Err(invalid("is zero, so it has no direction".into()));
    }
    Ok(square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_vectors_keep_their_direction() {
        for extreme in [f32::MAX, f32::MIN_POSITIVE, 1e-45] {
            let unit = unit_vector(&[extreme, 0.0, -extreme], String::new).unwrap();
            let side = std::f32::consts::FRAC_1_SQRT_2;
            assert_eq!(unit, [side, 0.0, -side]);
        }
    }

    #[test]
    fn a_vector_without_direction_is_refused_and_named() {
        let cases: [(&[f32], &str); 4] = [
            (&[], "vector of memory 7 is empty"),
            (
                &[0.0, -0.0],
                "vector of memory 7 is zero, so it has no direction",
            ),
            (&[1.0, f32::NAN], "vector of memory 7 has NaN at index 1"),
            (&[f32::INFINITY], "vector of memory 7 has inf at index 0"),
        ];
        for (vector, message) in cases {
            for metric in [Metric::Cosine, Metric::Euclidean, Metric::InnerProduct] {
                let error = metric.prepare(vector, || "memory 7".into()).unwrap_err();
                assert_eq!(error.to_string(), message);
            }
        }
    }

    #[test]
    fn the_nearer_vector_has_the_higher_score() {
        let query = [3.0, 4.0];
        let score = |metric: Metric, vector: [f32; 2]| {
            let query = metric.prepare(&query, String::new).unwrap();
            let vector = metric.prepare(&vector, String::new).unwrap();
            metric.score(&query, &vector)
        };
        assert_eq!(score(Metric::Cosine, [6.0, 8.0]), 1.0);
        assert_eq!(score(Metric::Cosine, [-4.0, 3.0]), 0.0);
        assert_eq!(score(Metric::Euclidean, [6.0, 8.0]), -5.0);
        assert_eq!(score(Metric::InnerProduct, [6.0, 8.0]), 50.0);
    }
}
