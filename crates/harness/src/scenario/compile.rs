//! From what a file says to a load that can be run; each contradiction is told with its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use load_engine::{Model, Plan, Threshold};
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::key_path::{KeyPath, SpecError, unknown, unknown_field};
use super::model::{self, users_at_most};
use super::phases::{TimedPhase, timed_phases};
use super::renamed_keys;
use super::spec::{Executor, ScenarioSpec};
use super::tables::{self, PHASE_KEYS, Tables};
use super::thresholds::ThresholdReader;
use crate::targets::{
    DataFeed, LoadFacts, Mistake, OptionTables, Permissions, PreparedTarget, TargetEntry,
};

/// The longest name: it is part of a directory's.
const MAX_NAME: usize = 64;

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) spec: ScenarioSpec,
    pub(super) plan: Plan,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) target: Arc<dyn PreparedTarget>,
    pub(super) data: Option<PathBuf>,
    pub(super) needed_bytes: u64,
}

/// Compiles a scenario whose file is in the permissions' folder.
pub(super) fn compile(
    file: Spanned<DeTable<'_>>,
    permissions: &Permissions,
    targets: &[TargetEntry],
) -> Result<Compiled, Mistake> {
    renamed_keys::refuse(file.get_ref())?;
    tables::check(file.get_ref())?;
    let Tables {
        engine,
        target: options,
        phases,
    } = Tables::of(file);
    let mut spec = ScenarioSpec::deserialize(Deserializer::from(engine))?;
    let entry = entry(&spec, targets)?;
    if entry.has_tasks() {
        spec.model.executor = Executor::Tokio;
    }
    check_phase_keys(&phases, entry)?;
    check_name(&spec)?;
    check_tags(&spec)?;
    let timed = timed_phases(&spec)?;
    let model = model::compile(&spec, &timed)?;
    let data = data(&spec, &permissions.folder, entry, targets)?;
    let facts = LoadFacts {
        users: users_at_most(&model),
        phases: timed
            .iter()
            .map(|phase| (phase.name.clone(), phase.number))
            .collect(),
        phase_lengths: timed.iter().map(|phase| phase.length).collect(),
        phases_may_end_early: timed.iter().any(|phase| phase.spec.until.is_some()),
        is_open: matches!(model, Model::Open { .. }),
        seed: spec.seed,
        permissions: permissions.clone(),
        data: data.clone(),
    };
    let tables = OptionTables {
        target: options,
        phases,
    };
    let target = entry.prepare(tables, &facts)?;
    let mut plan = Plan::new(&spec.name, model).seed(spec.seed);
    plan = plan.think_time(model::think_time(&spec)?);
    for phase in &timed {
        plan = plan.phase(phase.name.as_str(), phase.length);
    }
    let thresholds = thresholds(&spec, &timed, target.as_ref(), &mut plan)?;
    Ok(Compiled {
        needed_bytes: model::needed_bytes(&plan.model, target.disk_use()),
        plan,
        thresholds,
        target,
        data,
        spec,
    })
}

fn entry<'e>(
    spec: &ScenarioSpec,
    targets: &'e [TargetEntry],
) -> Result<&'e TargetEntry, SpecError> {
    let kind = &spec.target.kind;
    // Services are a target that no file names as one.
    let named = targets.iter().filter(|entry| !entry.has_tasks());
    let names = named.map(TargetEntry::name);
    let found = targets.iter().find(|entry| entry.name() == kind);
    found.ok_or_else(|| {
        let at = KeyPath::to("target").then("kind");
        SpecError::new(at, unknown("target", kind, names))
    })
}

/// Refuses a key of a phase that neither the engine nor the target knows, with all that there are.
fn check_phase_keys(
    phases: &[Spanned<toml::de::DeValue<'_>>],
    entry: &TargetEntry,
) -> Result<(), SpecError> {
    let [_, schema] = entry.schemas(&mut schemars::SchemaGenerator::default());
    let properties = schema.get("properties").and_then(|value| value.as_object());
    let of_target = properties
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str());
    let known: Vec<&str> = PHASE_KEYS.into_iter().chain(of_target).collect();
    for (number, phase) in phases.iter().enumerate() {
        let keys = phase.get_ref().as_table().into_iter().flatten();
        for (key, _) in keys {
            let key = key.get_ref().as_ref();
            if !known.contains(&key) {
                let at = KeyPath::to("phases").then(number).then(key);
                return Err(SpecError::of_key(at, unknown_field(key, &known)));
            }
        }
    }
    Ok(())
}

fn thresholds(
    spec: &ScenarioSpec,
    timed: &[TimedPhase<'_>],
    target: &dyn PreparedTarget,
    plan: &mut Plan,
) -> Result<Vec<Threshold>, SpecError> {
    let phases = plan.phases.clone();
    let reader = ThresholdReader {
        steps: target.steps(),
        parts: target.parts(),
        open_parts: target.open_parts(),
        services: target.services(),
        phases: &phases,
    };
    let mut thresholds = reader.all(spec, timed)?;
    plan.phase_ends = reader.ends(timed)?;
    for (threshold, after) in reader.aborts(spec)? {
        // It has to hold at the end as well.
        if !thresholds.contains(&threshold) {
            thresholds.push(threshold.clone());
        }
        *plan = plan.clone().abort_on_fail(threshold, after);
    }
    Ok(thresholds)
}

fn check_name(spec: &ScenarioSpec) -> Result<(), SpecError> {
    let name = &spec.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        let problem = format!(
            "`{name}` is no name: it has 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`"
        );
        return Err(SpecError::new(KeyPath::to("name"), problem));
    }
    Ok(())
}

/// A tag is a label of Prometheus and a property of JUnit, so its name is one of theirs.
fn check_tags(spec: &ScenarioSpec) -> Result<(), SpecError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for name in spec.tags.keys() {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || name.len() > MAX_NAME || !name.chars().all(plain) || name == "scenario" {
            let problem = format!(
                "`{name}` is no name of a tag: it has 1 to {MAX_NAME} letters, digits and `_`, begins \
                 with a letter and is not `scenario`"
            );
            let at = KeyPath::to("tags").then(name.as_str());
            return Err(SpecError::of_key(at, problem));
        }
    }
    Ok(())
}

/// The data's path, of which it is sure that it can be read.
fn data(
    spec: &ScenarioSpec,
    folder: &Path,
    entry: &TargetEntry,
    targets: &[TargetEntry],
) -> Result<Option<PathBuf>, SpecError> {
    let Some(data) = &spec.data else {
        return Ok(None);
    };
    if !entry.takes_data() {
        let others = targets.iter().filter(|entry| entry.takes_data());
        let others: Vec<&str> = others.map(TargetEntry::name).collect();
        let problem = format!(
            "target {} reads no data: leave it out, or take {}",
            entry.name(),
            others.join(" or ")
        );
        return Err(SpecError::of_key(KeyPath::to("data"), problem));
    }
    let path = folder.join(&data.file);
    let opened = DataFeed::open(&path);
    opened.map_err(|problem| SpecError::new(KeyPath::to("data").then("file"), problem))?;
    Ok(Some(path))
}
