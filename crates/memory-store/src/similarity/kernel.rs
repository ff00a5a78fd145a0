//! Arithmetic on vectors, written so that the compiler vectorises it without `unsafe`.

use crate::error::{Error, Result};

/// Partial sums that do not depend on each other: enough for four SSE or two AVX registers, which
/// hides the latency of the addition.
const LANES: usize = 16;

/// The scalar product of two vectors of equal length.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The vector at length one; `label` names its item in an error.
pub(crate) fn unit_vector(vector: &[f32], label: impl Fn() -> String) -> Result<Vec<f32>> {
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
    let length = square.sqrt();
    Ok(vector
        .iter()
        .map(|component| (f64::from(*component) / length) as f32)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_whole() {
        for length in 1..70_u16 {
            let ascending: Vec<f32> = (0..length).map(f32::from).collect();
            let expected: f32 = (0..length).map(f32::from).sum();
            assert_eq!(
                dot(&ascending, &vec![1.0; usize::from(length)]),
                expected,
                "{length}"
            );
        }
    }

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
            let error = unit_vector(vector, || "memory 7".into()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
