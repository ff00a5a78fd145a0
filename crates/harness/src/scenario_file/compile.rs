//! From what a file says to a load that can be run; each contradiction is told with its place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use load_engine::{Plan, Threshold};

use super::model::{self, users_at_most};
use super::place::{Fault, Way};
use super::spec::{PhaseSpec, ScenarioSpec};
use super::target::{TargetPlan, phase_number};
use super::thresholds::ThresholdReader;
use crate::targets::DataFeed;

/// The longest name: it is part of a directory's.
const MAX_NAME: usize = 64;

/// How often a phase may come.
const MAX_REPEAT: u32 = 1_000;

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) plan: Plan,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) target: TargetPlan,
    pub(super) data: Option<PathBuf>,
    pub(super) needed_bytes: u64,
}

/// A phase as it comes: one that is repeated comes several times.
#[derive(Debug, Clone)]
pub(super) struct Timed<'s> {
    /// Which of the file's phases it is.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) length: Duration,
    pub(super) spec: &'s PhaseSpec,
}

/// Compiles a scenario whose file lies in `folder`.
pub(super) fn compile(spec: &ScenarioSpec, folder: &Path) -> Result<Compiled, Fault> {
    check_name(spec)?;
    check_tags(spec)?;
    let timed = timed(spec)?;
    let model = model::compile(spec, &timed)?;
    let target = TargetPlan::new(spec, &timed, users_at_most(&model))?;
    let data = data(spec, folder)?;
    let mut plan = Plan::new(&spec.name, model).seed(spec.seed);
    plan = plan.think_time(model::think_time(spec)?);
    for phase in &timed {
        plan = plan.phase(phase.name.as_str(), phase.length);
    }
    let steps = target.steps().map_err(|failure| {
        let at = Way::to("target").then("kind");
        Fault::new(
            at,
            format!("cannot ask the target for its steps: {failure}"),
        )
    })?;
    let reader = ThresholdReader {
        steps: &steps,
        phases: &plan.phases,
    };
    let mut thresholds = reader.all(spec, &timed)?;
    let (stops, ends) = (reader.stops(spec)?, reader.ends(&timed)?);
    plan.phase_ends = ends;
    for (threshold, after) in stops {
        // It has to hold at the end as well.
        if !thresholds.contains(&threshold) {
            thresholds.push(threshold.clone());
        }
        plan = plan.abort_on_fail(threshold, after);
    }
    if let Some(name) = &spec.no_leak_in {
        phase_number(name, &timed, &Way::to("no_leak_in"))?;
    }
    Ok(Compiled {
        needed_bytes: model::needed_bytes(spec, &plan.model),
        plan,
        thresholds,
        target,
        data,
    })
}

fn check_name(spec: &ScenarioSpec) -> Result<(), Fault> {
    let name = &spec.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        let problem = format!(
            "`{name}` is no name: it has 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`"
        );
        return Err(Fault::new(Way::to("name"), problem));
    }
    Ok(())
}

/// A tag is a label of Prometheus and a property of JUnit, so its name is one of theirs.
fn check_tags(spec: &ScenarioSpec) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for name in spec.tags.keys() {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || name.len() > MAX_NAME || !name.chars().all(plain) || name == "scenario" {
            let problem = format!(
                "`{name}` is no name of a tag: it has 1 to {MAX_NAME} letters, digits and `_`, begins \
                 with a letter and is not `scenario`"
            );
            return Err(Fault {
                of_key: true,
                ..Fault::new(Way::to("tags").then(name.as_str()), problem)
            });
        }
    }
    Ok(())
}

fn timed(spec: &ScenarioSpec) -> Result<Vec<Timed<'_>>, Fault> {
    let mut timed = Vec::new();
    let mut names = BTreeSet::new();
    for (number, phase) in spec.phases.iter().enumerate() {
        let at = Way::to("phases").then(number);
        let repeat = phase.repeat.unwrap_or(1);
        if !(1..=MAX_REPEAT).contains(&repeat) {
            let problem = format!("a phase comes 1 to {MAX_REPEAT} times");
            return Err(Fault::new(at.then("repeat"), problem));
        }
        if phase.name.is_empty() || phase.name.contains(['"', '\n']) {
            let problem = "a phase has a name, without quotation marks";
            return Err(Fault::new(at.then("name"), problem));
        }
        for time in 1..=repeat {
            let name = match phase.repeat {
                Some(_) => format!("{} {time}", phase.name),
                None => phase.name.clone(),
            };
            if !names.insert(name.clone()) {
                let problem =
                    format!("another phase is called `{name}`: give this one its own name");
                return Err(Fault::new(at.then("name"), problem));
            }
            timed.push(Timed {
                number,
                name,
                length: phase.length.0,
                spec: phase,
            });
        }
    }
    Ok(timed)
}

/// The data's path, of which it is sure that it can be read.
fn data(spec: &ScenarioSpec, folder: &Path) -> Result<Option<PathBuf>, Fault> {
    let Some(data) = &spec.data else {
        return Ok(None);
    };
    let path = folder.join(&data.file);
    let opened = DataFeed::open(&path);
    opened.map_err(|problem| Fault::new(Way::to("data").then("file"), problem))?;
    Ok(Some(path))
}
