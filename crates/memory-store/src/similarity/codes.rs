//! Vectors in eight bits a component: a quarter of the memory to read, and exact enough to find the
//! way. What is found is ranked again by the exact vectors.

use super::kernel::dot_codes;
use super::metric::Metric;

/// The largest code; -128 is not used, as it has no counterpart.
const MAX_CODE: f32 = 127.0;

/// A vector as codes: component = code * scale, with a scale of its own.
///
/// The distance of two codes is `a.bias + b.bias - a.scale * b.scale * (a.codes . b.codes)`; lower
/// is nearer. What the metric asks for is in scale and bias: for the Euclidean one, the square of
/// the length and a scale multiplied by the root of two make it the squared distance.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) codes: Box<[i8]>,
    pub(super) scale: f32,
    pub(super) bias: f32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CodeRef<'a> {
    pub(super) codes: &'a [i8],
    pub(super) scale: f32,
    pub(super) bias: f32,
}

impl Code {
    pub(super) fn new(metric: Metric, vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        // A largest component below the smallest normal number would make the factor infinite.
        let scale = (largest / MAX_CODE).max(f32::MIN_POSITIVE);
        let factor = 1.0 / scale;
        let code = |x: &f32| (x * factor).round_ties_even() as i8;
        let codes: Box<[i8]> = vector.iter().map(code).collect();
        let (scale, bias) = match metric {
            Metric::Cosine | Metric::InnerProduct => (scale, 0.0),
            Metric::Euclidean => {
                let square = scale * scale * dot_codes(&codes, &codes);
                (scale * std::f32::consts::SQRT_2, square)
            }
        };
        Self { codes, scale, bias }
    }

    pub(super) fn as_ref(&self) -> CodeRef<'_> {
        CodeRef {
            codes: &self.codes,
            scale: self.scale,
            bias: self.bias,
        }
    }
}

impl CodeRef<'_> {
    #[inline]
    pub(super) fn distance(self, other: CodeRef<'_>) -> f32 {
        let product = dot_codes(self.codes, other.codes);
        self.bias + other.bias - self.scale * other.scale * product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_codes_is_close_to_the_exact_one() {
        let a: Vec<f32> = (0..100).map(|n| (n as f32).sin()).collect();
        let b: Vec<f32> = (0..100).map(|n| 3.0 * (n as f32 * 0.7).cos()).collect();
        for metric in [Metric::Cosine, Metric::Euclidean, Metric::InnerProduct] {
            let prepare = |vector: &[f32]| metric.prepare(vector, String::new).unwrap();
            let (a, b) = (prepare(&a), prepare(&b));
            let (code_a, code_b) = (Code::new(metric, &a), Code::new(metric, &b));
            let found = code_a.as_ref().distance(code_b.as_ref());
            let exact = match metric {
                Metric::Euclidean => metric.score(&a, &b).powi(2),
                _ => -metric.score(&a, &b),
            };
            let size = a.iter().map(|x| x * x).sum::<f32>() + b.iter().map(|x| x * x).sum::<f32>();
            assert!(
                (found - exact).abs() < 0.01 * size,
                "{metric:?}: {found} for {exact}"
            );
        }
    }

    #[test]
    fn the_smallest_vectors_have_codes_too() {
        let code = Code::new(Metric::Euclidean, &[1e-45, 0.0, -1e-40]);
        assert!(code.as_ref().distance(code.as_ref()).is_finite());
    }
}
