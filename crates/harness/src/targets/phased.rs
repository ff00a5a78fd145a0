//! What a target does differently from one phase of a load to the next.

use load_engine::{Mix, Rng};

/// A value that some phases have another one of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phased<T> {
    pub(crate) usual: T,
    pub(crate) by_phase: Vec<Option<T>>,
}

impl<T> Phased<T> {
    /// The same value in every phase.
    pub(crate) fn always(usual: T) -> Self {
        Self {
            usual,
            by_phase: Vec::new(),
        }
    }

    pub(crate) fn at(&self, phase: usize) -> &T {
        let other = self.by_phase.get(phase).and_then(Option::as_ref);
        other.unwrap_or(&self.usual)
    }
}

/// The operations of a target by name, with how often each comes.
#[derive(Debug, Clone)]
pub(crate) struct Weights<T> {
    pub(crate) weights: Vec<(T, u32)>, // at least one of them above 0
    mix: Mix<T>,
}

impl<T: Copy + PartialEq> Weights<T> {
    /// # Errors
    ///
    /// When no operation has a weight.
    pub(crate) fn new(weights: Vec<(T, u32)>) -> Result<Self, String> {
        let mix = Mix::new(weights.clone()).map_err(|error| error.to_string())?;
        Ok(Self { weights, mix })
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> T {
        *self.mix.draw(rng)
    }

    fn has(&self, operation: T) -> bool {
        self.weights
            .iter()
            .any(|(other, weight)| *other == operation && *weight > 0)
    }
}

impl<T: Copy + PartialEq> Phased<Weights<T>> {
    /// Whether the operation comes in any phase.
    pub(crate) fn ever(&self, operation: T) -> bool {
        let others = self.by_phase.iter().flatten();
        std::iter::once(&self.usual)
            .chain(others)
            .any(|weights| weights.has(operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_without_a_value_of_its_own_has_the_usual_one() {
        let phased = Phased {
            usual: 1,
            by_phase: vec![None, Some(2)],
        };
        let values = [0, 1, 2].map(|phase| *phased.at(phase));
        assert_eq!(values, [1, 2, 1]);
        let read = Weights::new(vec![('r', 1), ('w', 0)]).unwrap();
        let write = Weights::new(vec![('w', 1)]).unwrap();
        let mixes = Phased {
            usual: read,
            by_phase: vec![Some(write)],
        };
        assert!(mixes.ever('w') && !mixes.ever('x'));
        assert!(Weights::new(vec![('r', 0)]).is_err());
    }
}
