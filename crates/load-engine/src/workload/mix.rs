//! Mixed traffic: which of several things a user does next, by weights.

use crate::error::RunError;
use crate::workload::rng::Rng;

/// Choices with weights, drawn with an iteration's own random numbers: the same seed gives the same
/// traffic, whichever thread draws it.
///
/// ```
/// use load_engine::{Mix, Rng};
///
/// let mix = Mix::new([("read", 60), ("write", 40)])?;
/// let mut rng = Rng::for_iteration(7, 0, 0);
/// let reads = (0..10_000).filter(|_| *mix.draw(&mut rng) == "read").count();
/// assert!((5_800..6_200).contains(&reads));
/// # Ok::<(), load_engine::RunError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mix<T> {
    /// Each choice with the sum of the weights up to its own; a weight of 0 is left out.
    choices: Vec<(u64, T)>, // rising, not empty
    total: u64, // the last choice's sum
}

impl<T> Mix<T> {
    /// Choices, each drawn in proportion to its weight; one of weight 0 never is.
    ///
    /// # Errors
    ///
    /// When no choice has a weight, so that there would be nothing to draw.
    pub fn new(choices: impl IntoIterator<Item = (T, u32)>) -> Result<Self, RunError> {
        let mut total = 0;
        let choices: Vec<_> = choices
            .into_iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(choice, weight)| {
                total += u64::from(weight);
                (total, choice)
            })
            .collect();
        if choices.is_empty() {
            return Err(RunError::NoWeight);
        }
        Ok(Self { choices, total })
    }

    /// Draws one, with [`Iteration::rng`](crate::Iteration::rng) in a workload.
    pub fn draw(&self, rng: &mut Rng) -> &T {
        let ticket = rng.below(self.total);
        let index = self.choices.partition_point(|(sum, _)| *sum <= ticket);
        &self.choices[index].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_come_in_proportion_to_their_weights_and_never_without_one() {
        let mix = Mix::new([("never", 0), ("rare", 1), ("often", 9), ("nor", 0)]).unwrap();
        let mut rng = Rng::new(3);
        let draws: Vec<_> = (0..10_000).map(|_| *mix.draw(&mut rng)).collect();
        let count = |name| draws.iter().filter(|draw| **draw == name).count();
        assert_eq!((count("never"), count("nor")), (0, 0));
        assert!((900..1_100).contains(&count("rare")), "{}", count("rare"));
        assert_eq!(count("rare") + count("often"), 10_000);
    }

    #[test]
    fn a_mix_of_nothing_is_refused() {
        let error = Mix::<u8>::new([(1, 0)]).unwrap_err();
        assert_eq!(error.to_string(), "no choice of the mix has a weight");
    }
}
