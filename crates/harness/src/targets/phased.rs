//! What a target does differently from one phase of a load to the next.

use std::collections::BTreeMap;

use load_engine::{Mix, Rng};
use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::LoadFacts;
use crate::scenario::key_path::{KeyPath, SpecError, unknown};

/// How often each operation comes, in proportion to the others, by its name.
pub(crate) type MixTable = BTreeMap<String, u32>;

/// The keys of `[[phases]]` of a target that has a mix.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseMix {
    /// The target's mix in this phase.
    #[serde(default)]
    pub(crate) mix: Option<MixTable>,
}

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
    /// The mix of a target and those of its phases; none if there is none at all.
    pub(crate) fn mixes(
        usual: &MixTable,
        phases: &[PhaseMix],
        load: &LoadFacts,
        known: &[(&'static str, T)],
    ) -> Result<Option<Self>, SpecError> {
        let own = phases.iter().map(|phase| phase.mix.as_ref());
        Self::of_mixes(usual, own, load, known)
    }

    /// As [`Phased::mixes`], of a target whose phases have more than a mix.
    pub(crate) fn of_mixes<'m>(
        usual: &MixTable,
        phases: impl Iterator<Item = Option<&'m MixTable>>,
        load: &LoadFacts,
        known: &[(&'static str, T)],
    ) -> Result<Option<Self>, SpecError> {
        let mut by_phase = Vec::new();
        for (number, mix) in phases.enumerate() {
            let at = load.phase_path(number).then("mix");
            by_phase.push(mix.map(|mix| weights(mix, known, &at)).transpose()?);
        }
        if !usual.is_empty() {
            let at = KeyPath::to("target").then("mix");
            let usual = weights(usual, known, &at)?;
            return Ok(Some(Self { usual, by_phase }));
        }
        if by_phase.iter().all(Option::is_none) {
            return Ok(None);
        }
        if let Some(number) = by_phase.iter().position(Option::is_none) {
            return Err(SpecError::new(
                load.phase_path(number),
                "other phases have a mix: give this one its own, or the target one for all",
            ));
        }
        let usual = by_phase[0].clone().expect("each phase has a mix");
        Ok(Some(Self { usual, by_phase }))
    }

    /// Whether the operation comes in any phase.
    pub(crate) fn ever(&self, operation: T) -> bool {
        let others = self.by_phase.iter().flatten();
        std::iter::once(&self.usual)
            .chain(others)
            .any(|weights| weights.has(operation))
    }
}

fn weights<T: Copy + PartialEq>(
    mix: &MixTable,
    known: &[(&'static str, T)],
    at: &KeyPath,
) -> Result<Weights<T>, SpecError> {
    let weight = |(name, weight): (&String, &u32)| {
        let found = known.iter().find(|(known, _)| known == name);
        let names = known.iter().map(|(name, _)| *name);
        let (_, operation) = found.ok_or_else(|| {
            let problem = unknown("operation", name, names);
            SpecError::of_key(at.then(name.as_str()), problem)
        })?;
        Ok((*operation, *weight))
    };
    let weights = mix
        .iter()
        .map(weight)
        .collect::<Result<Vec<_>, SpecError>>()?;
    Weights::new(weights).map_err(|problem| SpecError::new(at.clone(), problem))
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
