//! The text of a scenario file, taken apart: what the engine reads, and what the target does.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key_path::{KeyPath, SpecError, unknown_field};

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

/// The keys of a file that the engine reads.
const FILE_KEYS: [&str; 10] = [
    "name",
    "title",
    "tags",
    "seed",
    "thresholds",
    "abort_on_fail",
    "target",
    "model",
    "phases",
    "data",
];

/// The key of `[target]` that chooses a target. All others are the target's.
const TARGET_KEYS: [&str; 1] = ["kind"];

/// The tables of a file that puts the load on services. Together they are the options of the target that
/// services are.
pub(super) const SERVICE_TABLES: [&str; 6] = [
    "services",
    "flows",
    "effects",
    "invariants",
    "setup",
    "teardown",
];

/// The target that a file with `[services]` means.
const SERVICES: &str = "services";

/// Refuses a file that names what the load is put on twice or not at all, and keys that files with services
/// do not have.
pub(super) fn check(file: &DeTable<'_>) -> Result<(), SpecError> {
    let has = |name: &str| file.contains_key(name);
    if !has(SERVICES) {
        let of_services = SERVICE_TABLES.iter().find(|name| has(name));
        return match of_services {
            None if !has("target") => Err(SpecError::new(
                KeyPath::default(),
                "say what the load is put on: a `[target]` of Proofload, or your own `[services]`",
            )),
            Some(name) => Err(SpecError::of_key(
                KeyPath::to(name),
                format!("`{name}` belongs to `[services]`, of which this file has none"),
            )),
            None => check_target(file),
        };
    }
    if has("target") {
        let problem = "a file has `[target]` or `[services]`: leave one out";
        return Err(SpecError::of_key(KeyPath::to("target"), problem));
    }
    let model = file.get("model").map(Spanned::get_ref);
    if model.is_some_and(|model| model.get("executor").is_some()) {
        let problem = "`executor` is for embedded targets: leave it out";
        let at = KeyPath::to("model").then("executor");
        return Err(SpecError::of_key(at, problem));
    }
    let own = FILE_KEYS.into_iter().filter(|key| *key != "target");
    let known: Vec<&str> = own.chain(SERVICE_TABLES).collect();
    let mut keys = file.keys().map(|key| key.get_ref().as_ref());
    match keys.find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => Err(SpecError::of_key(
            KeyPath::to(key),
            unknown_field(key, &known),
        )),
    }
}

/// Services are a target that no file names as one.
fn check_target(file: &DeTable<'_>) -> Result<(), SpecError> {
    let kind = file
        .get("target")
        .and_then(|target| target.get_ref().get("kind"));
    match kind.and_then(|kind| kind.get_ref().as_str()) {
        Some(SERVICES) => {
            let problem = "services are no target: write [services.NAME] in place of [target]";
            Err(SpecError::new(KeyPath::to("target").then("kind"), problem))
        }
        _ => Ok(()),
    }
}

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
        let has_services = whole.contains_key(SERVICES);
        let target = match whole.get_mut("target") {
            Some(target) => take_other(target, &TARGET_KEYS),
            None if has_services => take_services(whole),
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

/// Takes what describes services out of a file, and the weights of flows, and names the target that they
/// are the options of.
fn take_services<'t>(file: &mut DeTable<'t>) -> Spanned<DeValue<'t>> {
    let mut options = DeTable::new();
    for name in SERVICE_TABLES {
        if let Some((key, value)) = file.remove_entry(name) {
            options.insert(key, value);
        }
    }
    let model = file.get_mut("model").map(Spanned::get_mut);
    if let Some(DeValue::Table(model)) = model
        && let Some((key, mix)) = model.remove_entry("mix")
    {
        options.insert(key, mix);
    }
    let word = |word: &'static str| Spanned::new(0..0, Cow::Borrowed(word));
    let kind = Spanned::new(0..0, DeValue::String(Cow::Borrowed(SERVICES)));
    let target = DeTable::from_iter([(word("kind"), kind)]);
    file.insert(word("target"), Spanned::new(0..0, DeValue::Table(target)));
    Spanned::new(0..0, DeValue::Table(options))
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
    use schemars::{Schema, schema_for};

    use crate::scenario::spec::{PhaseSpec, ScenarioSpec};

    use super::*;

    fn assert_keys(keys: &[&str], schema: Schema) {
        let schema = schema.to_value();
        let mut of_schema: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        of_schema.sort_unstable();
        assert_eq!(keys, of_schema);
    }

    #[test]
    fn the_engines_keys_are_those_of_the_specification() {
        assert_keys(&PHASE_KEYS, schema_for!(PhaseSpec));
        assert_keys(&FILE_KEYS, schema_for!(ScenarioSpec));
    }
}
