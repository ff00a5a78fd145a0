//! The targets that a scenario file can name. Adding one is a module that implements [`RegisteredTarget`],
//! and a line in [`TARGETS`].

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use load_engine::{Discrepancy, Failure, Ledger, StepSpec, Verification};
use report::ScenarioResult;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::agents::AgentsTarget;
use super::approval::ApprovalTarget;
use super::data_feed::DataFeed;
use super::forensic::ForensicTarget;
use super::integrated::IntegratedTarget;
use super::memory::MemoryTarget;
use super::storage::StorageTarget;
use crate::scenario::key_path::{KeyPath, SpecError, unknown};
use crate::{Error, Journal, Progress, ScenarioRun, Target, prove};

/// The targets that come with the program.
pub static TARGETS: &[TargetEntry] = &[
    TargetEntry::of::<ApprovalTarget>(),
    TargetEntry::of::<ForensicTarget>(),
    TargetEntry::of::<IntegratedTarget>(),
    TargetEntry::of::<StorageTarget>(),
    TargetEntry::of::<MemoryTarget>(),
    TargetEntry::of::<AgentsTarget>(),
    crate::services::ENTRY,
];

/// A target that a scenario file can name, with the options that it reads from the file.
pub trait RegisteredTarget: Target {
    /// Its name in files: `target.kind`.
    const NAME: &'static str;
    /// Whether it uses the records of a scenario's `data` file.
    const TAKES_DATA: bool = false;
    /// The keys of `[target]` besides `kind`.
    type Options: DeserializeOwned + JsonSchema;
    /// Its own keys in `[[phases]]`.
    type PhaseOptions: DeserializeOwned + JsonSchema + Clone;
    /// The options, checked.
    type Prepared: Debug + Send + Sync + 'static;

    /// Checks the options; `phases` are those of each phase as it comes. Opens nothing.
    ///
    /// # Errors
    ///
    /// A [`SpecError`] with the place of what makes no sense.
    fn prepare(
        options: Self::Options,
        phases: Vec<Self::PhaseOptions>,
        load: &LoadFacts,
    ) -> Result<Self::Prepared, SpecError>;

    /// The steps that it takes with these options. Opens nothing.
    fn steps(prepared: &Self::Prepared) -> Vec<StepSpec>;

    /// What it writes, by estimate (small records).
    fn disk_use(prepared: &Self::Prepared) -> DiskUse {
        let _ = prepared;
        DiskUse::default()
    }

    /// Opens it in a directory: before the load, and again after it was closed.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    fn open(dir: &Path, prepared: &Self::Prepared, context: OpenContext) -> Result<Self, Failure>;

    /// Opens what a load left in a directory, only to read it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    fn reopen(dir: &Path) -> Result<Self, Failure>;
}

/// Options of a target that has none.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

/// What a file may do besides putting a load on what it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The folder that paths in the file are relative to.
    pub folder: PathBuf,
    /// Hosts beyond this machine that services may be at.
    pub allow_hosts: Vec<String>,
    /// Folders beyond the run's own that services of files may be in.
    pub allow_paths: Vec<PathBuf>,
    /// Whether it may start no program.
    pub no_commands: bool,
    /// Whether effects may be without a `read`.
    pub unverified: bool,
    /// The id of the run, random unless it is set.
    pub run_id: Option<String>,
    /// Values of `${secret.…}` that are not in the environment.
    pub secrets: BTreeMap<String, String>,
}

/// What a target may need to know of the load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadFacts {
    /// How many users there are at most.
    pub users: u32,
    /// Each phase as it comes: its name, and which of the file's phases it is.
    pub phases: Vec<(String, usize)>,
    /// How long each phase is, as it comes.
    pub phase_lengths: Vec<Duration>,
    /// Whether a phase may end before its time.
    pub phases_may_end_early: bool,
    /// Whether the model is open.
    pub is_open: bool,
    /// Where every random number comes from.
    pub seed: u64,
    /// What the file may do.
    pub permissions: Permissions,
    /// The file of records, if there is one.
    pub data: Option<PathBuf>,
}

impl LoadFacts {
    /// The place in the file of a phase as it comes.
    #[must_use]
    pub fn phase_path(&self, number: usize) -> KeyPath {
        let of_file = self
            .phases
            .get(number)
            .map_or(number, |(_, number)| *number);
        KeyPath::to("phases").then(of_file)
    }

    /// Which phase has this name.
    ///
    /// # Errors
    ///
    /// When none has, with the names that there are.
    pub fn phase_number(&self, name: &str, at: &KeyPath) -> Result<usize, SpecError> {
        let names = self.phases.iter().map(|(name, _)| name.as_str());
        names
            .clone()
            .position(|other| other == name)
            .ok_or_else(|| SpecError::new(at.clone(), unknown("phase", name, names)))
    }
}

/// What a load on a target writes, by estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Records that are written before anything else.
    pub records_before: u64,
    /// How much more than a small record an iteration writes, in bytes.
    pub bytes_per_iteration: u64,
    /// Whether it writes nothing on this machine, or what it starts does.
    pub writes_nothing: bool,
}

/// What a target is opened with.
#[derive(Default)]
pub struct OpenContext {
    /// Where it acknowledges effects.
    pub journal: Journal,
    /// The scenario's records, if it has some.
    pub data: Option<DataFeed>,
}

/// One of the targets that a file can name.
#[derive(Debug, Clone, Copy)]
pub struct TargetEntry {
    name: &'static str,
    takes_data: bool,
    /// Whether its users are tasks, whatever the file says.
    has_tasks: bool,
    schemas: fn(&mut SchemaGenerator) -> [Schema; 2],
    prepare: PrepareFn,
    verify: VerifyFn,
}

pub(crate) type PrepareFn =
    for<'t> fn(OptionTables<'t>, &LoadFacts) -> Result<Arc<dyn PreparedTarget>, Mistake>;
pub(crate) type VerifyFn =
    fn(&Path, &Ledger, &mut dyn FnMut(&Discrepancy)) -> Result<Verification, Failure>;

/// The target's own keys in a file, each with its place.
pub(crate) struct OptionTables<'t> {
    pub(crate) target: Spanned<DeValue<'t>>,
    /// Of each of the file's phases.
    pub(crate) phases: Vec<Spanned<DeValue<'t>>>,
}

/// What is wrong with a file: its form, or its sense.
#[derive(Debug)]
pub(crate) enum Mistake {
    Form(toml::de::Error),
    Sense(SpecError),
}

impl From<toml::de::Error> for Mistake {
    fn from(error: toml::de::Error) -> Self {
        Self::Form(error)
    }
}

impl From<SpecError> for Mistake {
    fn from(error: SpecError) -> Self {
        Self::Sense(error)
    }
}

/// A target with its options, ready to be put under load.
pub(crate) trait PreparedTarget: Debug + Send + Sync {
    fn steps(&self) -> &[StepSpec];

    /// The names of the times that it measures beside its steps.
    fn parts(&self) -> &[String] {
        &[]
    }

    /// Steps beside which it measures times that are named when the run has begun.
    fn open_parts(&self) -> &[String] {
        &[]
    }

    /// The names of the services that it asks.
    fn services(&self) -> &[String] {
        &[]
    }

    fn disk_use(&self) -> DiskUse;

    /// What it is, for a file without a title.
    fn title(&self) -> String;

    /// Each request once, filled in; none of a target without requests.
    fn dry_run(&self) -> Option<Result<String, Failure>> {
        None
    }

    /// Puts the load on it and verifies every effect.
    fn run(
        &self,
        run: &ScenarioRun,
        data: Option<&Path>,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error>;
}

impl TargetEntry {
    /// The entry of a target.
    #[must_use]
    pub const fn of<T: RegisteredTarget>() -> Self {
        Self {
            name: T::NAME,
            takes_data: T::TAKES_DATA,
            has_tasks: false,
            schemas: schemas::<T>,
            prepare: prepare::<T>,
            verify: verify::<T>,
        }
    }

    /// Its name in files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The entry of a target with services of others, whose parts are functions.
    pub(crate) const fn of_services(
        name: &'static str,
        schemas: fn(&mut SchemaGenerator) -> [Schema; 2],
        prepare: PrepareFn,
        verify: VerifyFn,
    ) -> Self {
        Self {
            name,
            takes_data: true,
            has_tasks: true,
            schemas,
            prepare,
            verify,
        }
    }

    pub(crate) fn has_tasks(&self) -> bool {
        self.has_tasks
    }

    pub(crate) fn takes_data(&self) -> bool {
        self.takes_data
    }

    /// The schemas of its keys in `[target]` and in `[[phases]]`.
    pub(crate) fn schemas(&self, generator: &mut SchemaGenerator) -> [Schema; 2] {
        (self.schemas)(generator)
    }

    pub(crate) fn prepare(
        &self,
        tables: OptionTables<'_>,
        load: &LoadFacts,
    ) -> Result<Arc<dyn PreparedTarget>, Mistake> {
        (self.prepare)(tables, load)
    }

    /// Opens what a load left in a directory, and compares it with a ledger.
    pub(crate) fn verify(
        &self,
        dir: &Path,
        ledger: &Ledger,
        each: &mut dyn FnMut(&Discrepancy),
    ) -> Result<Verification, Error> {
        (self.verify)(dir, ledger, each).map_err(|failure| Error::Target {
            scenario: self.name.to_owned(),
            operation: "reopen",
            failure,
        })
    }
}

fn schemas<T: RegisteredTarget>(generator: &mut SchemaGenerator) -> [Schema; 2] {
    [
        T::Options::json_schema(generator),
        T::PhaseOptions::json_schema(generator),
    ]
}

fn prepare<T: RegisteredTarget>(
    tables: OptionTables<'_>,
    load: &LoadFacts,
) -> Result<Arc<dyn PreparedTarget>, Mistake> {
    let options = T::Options::deserialize(ValueDeserializer::from(tables.target))?;
    let of_file = tables.phases.into_iter();
    let of_file = of_file.map(|phase| T::PhaseOptions::deserialize(ValueDeserializer::from(phase)));
    let of_file: Vec<T::PhaseOptions> = of_file.collect::<Result<_, _>>()?;
    let numbers = load.phases.iter().map(|(_, number)| *number);
    let phases = numbers.map(|number| of_file[number].clone()).collect();
    let prepared = T::prepare(options, phases, load)?;
    Ok(Arc::new(Prepared::<T> {
        steps: <T as RegisteredTarget>::steps(&prepared),
        options: prepared,
    }))
}

fn verify<T: RegisteredTarget>(
    dir: &Path,
    ledger: &Ledger,
    each: &mut dyn FnMut(&Discrepancy),
) -> Result<Verification, Failure> {
    read_back(T::reopen(dir)?, ledger, each)
}

/// Compares what a target holds with a ledger, and closes it.
pub(crate) fn read_back<T: Target>(
    target: T,
    ledger: &Ledger,
    each: &mut dyn FnMut(&Discrepancy),
) -> Result<Verification, Failure> {
    let verification = load_engine::verify_each(ledger, target.effects()?, each);
    target.close()?;
    Ok(verification)
}

struct Prepared<T: RegisteredTarget> {
    options: T::Prepared,
    steps: Vec<StepSpec>,
}

impl<T: RegisteredTarget> Debug for Prepared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(T::NAME).field(&self.options).finish()
    }
}

impl<T: RegisteredTarget> PreparedTarget for Prepared<T> {
    fn steps(&self) -> &[StepSpec] {
        &self.steps
    }

    fn disk_use(&self) -> DiskUse {
        T::disk_use(&self.options)
    }

    fn title(&self) -> String {
        format!("a load on {}", T::NAME)
    }

    fn run(
        &self,
        run: &ScenarioRun,
        data: Option<&Path>,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error> {
        let open = |dir: &Path| {
            let data = data.map(DataFeed::open).transpose().map_err(Failure::new)?;
            let journal = journal.for_directory(dir)?;
            T::open(dir, &self.options, OpenContext { journal, data })
        };
        prove(run, open, progress)
    }
}
