//! The text of a scenario file, taken apart: what the engine reads, and what the target does.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of a phase that the engine reads. All others are the target's.
pub(super) const PHASE_KEYS: [&str; 7] = [
    "name",
    "for",
    "until",
    "users",
    "rate",
    "repeat",
    "thresholds",
];

/// The key of `[target]` that chooses a target. All others are the target's.
const TARGET_KEYS: [&str; 1] = ["kind"];

/// The parts of a file. Each value keeps its place in the text.
pub(super) struct Tables<'t> {
    /// Everything but what follows.
    pub(super) engine: Spanned<DeTable<'t>>,
    pub(super) target: Spanned<DeValue<'t>>,
    /// What each phase says to the target.
    pub(super) phases: Vec<Spanned<DeValue<'t>>>,
}

impl<'t> Tables<'t> {
    pub(super) fn of(mut file: Spanned<DeTable<'t>>) -> Self {
        let whole = file.get_mut();
        let target = match whole.get_mut("target") {
            Some(target) => take_other(target, &TARGET_KEYS),
            None => Spanned::new(0..0, DeValue::Table(DeTable::new())),
        };
        let phases = match whole.get_mut("phases").map(Spanned::get_mut) {
            Some(DeValue::Array(phases)) => phases
                .iter_mut()
                .map(|phase| take_other(phase, &PHASE_KEYS))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            engine: file,
            target,
            phases,
        }
    }
}

/// Takes every key out of a table but these.
fn take_other<'t>(value: &mut Spanned<DeValue<'t>>, kept: &[&str]) -> Spanned<DeValue<'t>> {
    let span = value.span();
    let mut others = DeTable::new();
    if let DeValue::Table(table) = value.get_mut() {
        for (key, value) in std::mem::take(table) {
            match kept.contains(&key.get_ref().as_ref()) {
                true => table.insert(key, value),
                false => others.insert(key, value),
            };
        }
    }
    Spanned::new(span, DeValue::Table(others))
}

#[cfg(test)]
mod tests {
    use crate::scenario::spec::PhaseSpec;

    use super::*;

    #[test]
    fn the_engines_keys_are_those_of_the_specification() {
        let schema = schemars::schema_for!(PhaseSpec).to_value();
        let mut of_schema: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut keys = PHASE_KEYS.to_vec();
        keys.sort_unstable();
        of_schema.sort_unstable();
        assert_eq!(keys, of_schema);
    }
}
