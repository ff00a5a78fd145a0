//! Scenarios as text: a target, a load on it and what has to hold, in a TOML file.

mod compile;
mod model;
mod overrides;
mod place;
mod quantity;
mod sizes;
mod spec;
mod target;
mod thresholds;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use load_engine::{Model, Until};
use report::Definition;

use self::compile::{Compiled, compile};
use self::place::{Fault, byte_of, line_and_column, with_suggestion};
pub use self::quantity::{Size, Time};
pub use self::spec::{
    AbortSpec, ArrivalKind, Course, DataSpec, Executor, ModelKind, ModelSpec, PhaseSpec, PoolSpec,
    ScenarioSpec, TargetKind, TargetSpec, ThinkSpec,
};
use crate::{Error, Journal, Progress, Trial};
use report::ScenarioResult;

/// How long a load is that was made quick, at most.
const QUICK: Duration = Duration::from_secs(2);

/// By how much a load that is counted, not timed, is made smaller to be quick.
const QUICK_SHARE: u64 = 10;

/// Iterations of a user that are not made fewer: what comes seldom has to come at all.
const QUICK_AT_LEAST: u64 = 20;

/// A scenario that was read from a file, and is sure to make sense.
///
/// ```
/// use harness::{Journal, NoProgress, ScenarioFile, Settings, Suite};
///
/// let text = r#"
///     name = "appends"
///     thresholds = ["lost == 0", "operations(append) == 40"]
///     [target]
///     kind = "storage"
///     [model]
///     users = 4
///     iterations = 10
/// "#;
/// let scenario = ScenarioFile::parse("appends.toml", text, &[])?;
/// let out = tempfile::tempdir()?;
/// let report = Suite::of_files([scenario]).run(out.path(), &mut NoProgress)?;
/// assert!(report.verdict.health.is_pass(), "{}", report::render::markdown(&report));
///
/// let mistake = ScenarioFile::parse("appends.toml", &text.replace("users", "usres"), &[]);
/// let told = mistake.unwrap_err().to_string();
/// assert!(told.starts_with("appends.toml:7:5: unknown field `usres`"), "{told}");
/// assert!(told.ends_with("did you mean `users`?"), "{told}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ScenarioFile {
    path: PathBuf,
    definition: Definition,
    spec: ScenarioSpec,
    compiled: Compiled,
    /// The arguments, besides the file's name and what was set, that make the same load.
    arguments: String,
}

impl ScenarioFile {
    /// Reads a file, and sets values over those that it has (`model.users=20`, `phases.peak.for=5s`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::ScenarioFile`] with the place of the first
    /// mistake in it, and [`Error::ScenarioOverride`] for one in what was set.
    pub fn read(path: &Path, set: &[String]) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(path, &text, set)
    }

    /// As [`ScenarioFile::read`], of a text that is at hand. Paths in it are relative to `path`.
    ///
    /// # Errors
    ///
    /// As [`ScenarioFile::read`].
    pub fn parse(path: impl AsRef<Path>, text: &str, set: &[String]) -> Result<Self, Error> {
        let path = path.as_ref();
        let mistake = |byte: usize, problem: String| {
            let (line, column) = line_and_column(text, byte);
            Error::ScenarioFile {
                path: path.to_owned(),
                line,
                column,
                problem,
            }
        };
        let spec: ScenarioSpec = toml::from_str(text).map_err(|error| {
            let byte = error.span().map_or(0, |span| span.start);
            mistake(byte, with_suggestion(error.message().trim()))
        })?;
        let compiled = compile(&spec, folder(path))
            .map_err(|fault| mistake(byte_of(text, &fault), fault.problem))?;
        let file = Self {
            path: path.to_owned(),
            definition: Definition {
                file: path.display().to_string(),
                text: text.to_owned(),
                set: set.to_vec(),
            },
            spec,
            compiled,
            arguments: String::new(),
        };
        if set.is_empty() {
            Ok(file)
        } else {
            file.overridden(set)
        }
    }

    fn overridden(self, set: &[String]) -> Result<Self, Error> {
        let mistake = |setting: String, problem: String| Error::ScenarioOverride {
            path: self.path.clone(),
            setting,
            problem,
        };
        let mut table: toml::Table =
            toml::from_str(&self.definition.text).expect("the text was parsed before");
        for setting in set {
            overrides::set(&mut table, setting)
                .map_err(|problem| mistake(setting.clone(), problem))?;
        }
        let all = || set.join(" --set ");
        let spec: ScenarioSpec = table
            .try_into()
            .map_err(|error: toml::de::Error| mistake(all(), with_suggestion(error.message())))?;
        let compiled = compile(&spec, folder(&self.path)).map_err(|fault| {
            let Fault { at, problem, .. } = fault;
            mistake(all(), format!("{at}: {problem}"))
        })?;
        Ok(Self {
            spec,
            compiled,
            ..self
        })
    }

    /// Shortens the load for a first look: each phase in proportion, so that all together take 2 s at
    /// most; a tenth of the iterations, if that is 20 or more; and memory is not judged for leaks, since
    /// that needs a longer time. Users, rates and records stay, for which the thresholds were chosen.
    #[must_use]
    pub fn quick(self) -> Self {
        let share = QUICK.as_secs_f64() / self.length().max(QUICK).as_secs_f64();
        let mut quick = self.scaled(share);
        let fewer = |number: u64| (number / QUICK_SHARE).max(number.min(QUICK_AT_LEAST));
        quick.spec.model.iterations = quick.spec.model.iterations.map(fewer);
        quick.spec.no_leak_in = None;
        quick.arguments.push_str(" --quick");
        quick.recompiled()
    }

    /// Makes the whole load as long as this, each phase in proportion. One that is counted in
    /// iterations is timed instead.
    #[must_use]
    pub fn lasting(self, whole: Duration) -> Self {
        let length = self.length();
        let mut file = if length.is_zero() {
            let mut file = self;
            file.spec.model.iterations = None;
            file.spec.model.length = Some(Time(whole));
            file
        } else {
            self.scaled(whole.as_secs_f64() / length.as_secs_f64())
        };
        let ms = whole.as_millis();
        file.arguments.push_str(&format!(" --duration {ms}ms"));
        file.recompiled()
    }

    fn scaled(mut self, share: f64) -> Self {
        let scale = |time: Time| {
            let scaled = time.0.mul_f64(share);
            Time(scaled.max(Duration::from_millis(1)))
        };
        for phase in &mut self.spec.phases {
            phase.length = scale(phase.length);
        }
        for stop in &mut self.spec.abort_on_fail {
            stop.after = stop.after.map(scale);
        }
        self.spec.model.length = self.spec.model.length.map(scale);
        self
    }

    fn recompiled(mut self) -> Self {
        self.compiled = compile(&self.spec, folder(&self.path))
            .expect("times and counts do not decide whether a scenario makes sense");
        self
    }

    /// How long the load is; none if it is counted in iterations.
    fn length(&self) -> Duration {
        let phases = &self.compiled.plan.phases;
        match &self.compiled.plan.model {
            Model::Closed {
                until: Until::Elapsed(time),
                ..
            } => *time,
            _ => phases.iter().map(|phase| phase.duration).sum(),
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it says, with what was set over it.
    #[must_use]
    pub fn spec(&self) -> &ScenarioSpec {
        &self.spec
    }

    /// The file, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was set over the file, and the other arguments that make the same load.
    pub(crate) fn arguments(&self) -> String {
        let set = &self.definition.set;
        let set = set
            .iter()
            .map(|setting| format!(" --set {}", quoted(setting)));
        set.chain([self.arguments.clone()]).collect()
    }

    /// A trial of this scenario in a report that goes to `out`.
    pub(crate) fn trial(&self, out: &Path, beside_report: &Path, keep: bool) -> Trial {
        let title = match self.spec.title.as_str() {
            "" => format!("a load on {}", self.spec.target.kind.name()),
            title => title.to_owned(),
        };
        Trial {
            name: self.spec.name.clone(),
            title,
            target: self.spec.target.kind.name().to_owned(),
            plan: self.compiled.plan.clone(),
            executor: self.spec.model.executor,
            needed_bytes: self.compiled.needed_bytes,
            out: out.to_owned(),
            discrepancies: beside_report.join(format!("discrepancies-{}.jsonl", self.spec.name)),
            keep,
        }
    }

    /// Puts the load on the target and verifies every effect.
    pub(crate) fn run(
        &self,
        trial: &Trial,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error> {
        let Compiled {
            target,
            data,
            thresholds,
            ..
        } = &self.compiled;
        progress.will_be_judged(thresholds);
        let result = target.prove(trial, data.as_deref(), journal, progress);
        journal.check()?;
        let mut result = result?;
        result.definition = Some(self.definition.clone());
        result.thresholds.clone_from(thresholds);
        result.no_leak_in.clone_from(&self.spec.no_leak_in);
        result.tags.clone_from(&self.spec.tags);
        Ok(result)
    }
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The JSON schema of a scenario file, as published in `schemas/scenario.v1.json`. Editors that know
/// schemas check and complete a TOML file by it.
#[must_use]
pub fn scenario_schema() -> serde_json::Value {
    schemars::schema_for!(ScenarioSpec).to_value()
}

#[cfg(test)]
mod tests;
