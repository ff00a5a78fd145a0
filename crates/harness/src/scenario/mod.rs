//! Scenarios as text: a target, a load on it and what has to hold, in a TOML file.

mod compile;
pub(crate) mod key_path;
mod model;
mod overrides;
mod phases;
mod quick;
mod renamed_keys;
mod schema;
mod sizes;
pub(crate) mod spec;
mod tables;
mod thresholds;

use std::fs;
use std::path::{Path, PathBuf};

use load_engine::{Plan, Source, StepSpec, Threshold};
use report::{Definition, ScenarioResult, limited_by};
use toml::de::DeTable;

use self::compile::{Compiled, compile};
pub use self::key_path::{Inside, KeyPath, Segment, SpecError};
use self::key_path::{byte_of, line_and_column, with_suggestion};
use self::overrides::{Edit, edits_of};
pub use self::overrides::{FlagThreshold, Overrides};
pub use self::schema::{scenario_schema, scenario_schema_of};
pub use self::spec::{
    AbortSpec, ArrivalKind, Course, DataSpec, Executor, ModelKind, ModelSpec, PhaseSpec,
    ScenarioSpec, TargetSpec, ThinkSpec,
};
use crate::targets::{Mistake, Permissions, TARGETS, TargetEntry};
use crate::{Error, Journal, Progress, ScenarioRun};
pub use load_engine::quantity::{Size, Time};

/// The scenarios that come with the program, in the order in which a suite runs them.
const EMBEDDED: [(&str, &str); 5] = [
    ("approval", include_str!("../builtin/approval.toml")),
    ("forensic", include_str!("../builtin/forensic.toml")),
    ("integrated", include_str!("../builtin/integrated.toml")),
    ("storage", include_str!("../builtin/storage.toml")),
    ("memory", include_str!("../builtin/memory.toml")),
];

/// A scenario that was read from a file, and is sure to make sense.
///
/// ```
/// use harness::{NoProgress, Overrides, ScenarioFile, Suite};
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
/// let scenario = ScenarioFile::parse("appends.toml", text, &Overrides::default())?;
/// let out = tempfile::tempdir()?;
/// let report = Suite::new([scenario]).run(out.path(), &mut NoProgress)?;
/// assert!(report.verdict.conclusion.is_pass(), "{}", report::render::markdown(&report));
///
/// let misspelt = text.replace("users", "usres");
/// let mistake = ScenarioFile::parse("appends.toml", &misspelt, &Overrides::default());
/// let told = mistake.unwrap_err().to_string();
/// assert!(told.starts_with("appends.toml:7:5: unknown field `usres`"), "{told}");
/// assert!(told.ends_with("did you mean `users`?"), "{told}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ScenarioFile {
    path: PathBuf,
    definition: Definition,
    overrides: Overrides,
    compiled: Compiled,
}

impl ScenarioFile {
    /// Reads a file, and sets values over those that it has.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::ScenarioFile`] with the place of the first
    /// mistake in it, and [`Error::ScenarioOverride`] for one in what was set.
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(path, &text, overrides)
    }

    /// As [`ScenarioFile::read`], of a text that is at hand. Paths in it are relative to `path`.
    ///
    /// # Errors
    ///
    /// As [`ScenarioFile::read`].
    pub fn parse(path: impl AsRef<Path>, text: &str, overrides: &Overrides) -> Result<Self, Error> {
        Self::parse_for(TARGETS, path, text, overrides)
    }

    /// As [`ScenarioFile::parse`], of a file that may name these targets: your own beside, or in place of,
    /// [`TARGETS`].
    ///
    /// # Errors
    ///
    /// As [`ScenarioFile::read`].
    pub fn parse_for(
        targets: &[TargetEntry],
        path: impl AsRef<Path>,
        text: &str,
        overrides: &Overrides,
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let folder = path.parent().unwrap_or(Path::new(""));
        let text = Text {
            path,
            text,
            targets,
            permissions: overrides.permissions(folder),
        };
        let mut compiled = text.compile(&[]).map_err(|mistake| text.told(mistake))?;
        let edits = text.edits(&compiled, overrides)?;
        if !edits.is_empty() {
            let changed = text.compile(&edits);
            compiled = changed.map_err(|mistake| text.override_told(overrides, mistake))?;
        }
        Ok(Self {
            path: text.path.to_owned(),
            definition: Definition {
                file: text.path.display().to_string(),
                text: text.text.to_owned(),
                set: edits.iter().filter_map(Edit::to_setting).collect(),
            },
            overrides: overrides.clone(),
            compiled,
        })
    }

    /// One of the scenarios that come with the program.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownScenario`] when none has this name, and [`Error::ScenarioOverride`].
    pub fn embedded(name: &str, overrides: &Overrides) -> Result<Self, Error> {
        Self::parse(name, Self::embedded_text(name)?, overrides)
    }

    /// The names of the scenarios that come with the program, in the order in which a suite runs them.
    pub fn embedded_names() -> impl Iterator<Item = &'static str> + Clone {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// The text of one of the scenarios that come with the program.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownScenario`] when none has this name.
    pub fn embedded_text(name: &str) -> Result<&'static str, Error> {
        let found = EMBEDDED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| Error::UnknownScenario {
            name: name.to_owned(),
            known: Self::embedded_names().collect::<Vec<_>>().join(", "),
        })?;
        Ok(text)
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.compiled.spec.name
    }

    /// What it says, with what was set over it.
    #[must_use]
    pub fn spec(&self) -> &ScenarioSpec {
        &self.compiled.spec
    }

    /// The load that it describes.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.compiled.plan
    }

    /// The steps that its target takes.
    #[must_use]
    pub fn steps(&self) -> &[StepSpec] {
        self.compiled.target.steps()
    }

    /// Each request once, filled in, as `--dry-run` shows it; none of a target without requests.
    ///
    /// # Errors
    ///
    /// [`Error::Target`] when a request cannot be made from what is known before the load.
    pub fn dry_run(&self) -> Result<Option<String>, Error> {
        let shown = self.compiled.target.dry_run().transpose();
        shown.map_err(|failure| Error::Target {
            scenario: self.name().to_owned(),
            operation: "show the requests to",
            failure,
        })
    }

    /// The file, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is judged by, besides the effects: what it says, or the defaults, and flags.
    #[must_use]
    pub fn thresholds(&self) -> Vec<(Source, Threshold)> {
        let Compiled {
            plan, thresholds, ..
        } = &self.compiled;
        limited_by(&plan.model, thresholds, &self.overrides.flags())
    }

    /// Whether it comes with the program.
    pub(crate) fn is_embedded(&self) -> bool {
        let known = EMBEDDED
            .iter()
            .find(|(name, _)| self.path == Path::new(name));
        known.is_some_and(|(_, text)| *text == self.definition.text)
    }

    /// What was set over it.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// A run of this scenario in a report that goes to `out`.
    pub(crate) fn to_run(&self, out: &Path, beside_report: &Path, keep: bool) -> ScenarioRun {
        let spec = &self.compiled.spec;
        let title = match spec.title.as_str() {
            "" => self.compiled.target.title(),
            title => title.to_owned(),
        };
        ScenarioRun {
            name: spec.name.clone(),
            title,
            target: spec.target.kind.clone(),
            plan: self.compiled.plan.clone(),
            thresholds: self.thresholds(),
            executor: spec.model.executor,
            needed_bytes: self.compiled.needed_bytes,
            out: out.to_owned(),
            discrepancies: beside_report.join(format!("discrepancies-{}.jsonl", spec.name)),
            keep,
        }
    }

    /// Puts the load on the target and verifies every effect.
    pub(crate) fn run(
        &self,
        run: &ScenarioRun,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error> {
        let Compiled {
            spec, target, data, ..
        } = &self.compiled;
        let own: Vec<Threshold> = run.thresholds.iter().map(|(_, own)| own.clone()).collect();
        progress.will_be_judged(&own);
        let complete = |mut result: ScenarioResult| {
            result.definition = Some(self.definition.clone());
            result.tags.clone_from(&spec.tags);
            result
        };
        let incomplete = |result, source| Error::Incomplete {
            result: Box::new(complete(result)),
            source,
        };
        match (
            target.run(run, data.as_deref(), journal, progress),
            journal.check(),
        ) {
            (Ok(result), Ok(())) => Ok(complete(result)),
            (Ok(result), Err(problem)) => Err(incomplete(result, Box::new(problem))),
            (Err(Error::Incomplete { result, source }), _) => Err(incomplete(*result, source)),
            (Err(error), _) => Err(error),
        }
    }
}

/// A file's text, and what it may name.
struct Text<'t> {
    path: &'t Path,
    text: &'t str,
    targets: &'t [TargetEntry],
    permissions: Permissions,
}

impl Text<'_> {
    /// What the file says with these changes.
    fn compile(&self, edits: &[Edit]) -> Result<Compiled, Mistake> {
        let mut table = DeTable::parse(self.text)?;
        let quick = table.get_mut().remove("quick");
        for edit in edits {
            let applied = edit.apply(table.get_mut());
            applied.map_err(|problem| SpecError::new(KeyPath::default(), problem))?;
        }
        let compiled = compile(table, &self.permissions, self.targets)?;
        // What `quick` says is checked when the file is, and not only when it is asked for.
        match quick {
            Some(quick) if edits.is_empty() => self.check_quick(&quick)?,
            _ => {}
        }
        Ok(compiled)
    }

    fn check_quick(&self, quick: &toml::Spanned<toml::de::DeValue<'_>>) -> Result<(), Mistake> {
        let at = || KeyPath::to("quick");
        let Some(table) = quick.get_ref().as_table() else {
            let problem = "expected a table, such as quick.model.users = 5";
            return Err(SpecError::new(at(), problem).into());
        };
        let edits = edits_of(table, self.text, "");
        if edits.is_empty() {
            return Ok(());
        }
        let checked = self.compile(&edits);
        checked.map(drop).map_err(|mistake| {
            SpecError::new(
                at(),
                format!("with `quick`, {}", told_without_place(mistake)),
            )
            .into()
        })
    }

    /// Everything that is set over the file, in order.
    fn edits(&self, plain: &Compiled, overrides: &Overrides) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        if overrides.quick {
            let table = DeTable::parse(self.text).map_err(|error| self.told(error.into()))?;
            edits = match table.get_ref().get("quick").map(toml::Spanned::get_ref) {
                Some(quick) => quick
                    .as_table()
                    .map(|quick| edits_of(quick, self.text, ""))
                    .unwrap_or_default(),
                None => quick::quick(&plain.spec),
            };
        }
        if let Some(whole) = overrides.duration {
            let so_far = self.compile(&edits).map_err(|mistake| self.told(mistake))?;
            edits.extend(quick::lasting(&so_far.spec, whole));
        }
        edits.extend(overrides.sizes(&plain.spec));
        for setting in &overrides.set {
            edits.push(
                Edit::parse(setting).map_err(|problem| Error::ScenarioOverride {
                    path: self.path.to_owned(),
                    setting: format!("--set {setting}"),
                    problem,
                })?,
            );
        }
        let scaled = edits
            .into_iter()
            .flat_map(|edit| sizes::users_of_phases(&plain.spec, edit));
        Ok(scaled.collect())
    }

    /// A mistake in the file, with its place.
    fn told(&self, mistake: Mistake) -> Error {
        match mistake {
            Mistake::Form(error) => {
                let byte = error.span().map_or(0, |span| span.start);
                self.at(byte, with_suggestion(error.message().trim()))
            }
            Mistake::Sense(error) => self.at(byte_of(self.text, &error), error.problem),
        }
    }

    fn at(&self, byte: usize, problem: String) -> Error {
        let (line, column) = line_and_column(self.text, byte);
        Error::ScenarioFile {
            path: self.path.to_owned(),
            line,
            column,
            problem,
        }
    }

    /// A mistake in what was set over the file.
    fn override_told(&self, overrides: &Overrides, mistake: Mistake) -> Error {
        Error::ScenarioOverride {
            path: self.path.to_owned(),
            setting: overrides.to_arguments().trim_start().to_owned(),
            problem: told_without_place(mistake),
        }
    }
}

fn told_without_place(mistake: Mistake) -> String {
    match mistake {
        Mistake::Form(error) => with_suggestion(error.message().trim()),
        Mistake::Sense(SpecError { at, problem, .. }) if at == KeyPath::default() => problem,
        Mistake::Sense(SpecError { at, problem, .. }) => format!("{at}: {problem}"),
    }
}

/// A word for a shell: in apostrophes unless it is plain.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
