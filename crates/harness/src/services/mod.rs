//! Services that others wrote, as a target: a file says how they are asked, and how their effects are read
//! back.

mod beside;
mod compile;
mod dry_run;
mod faults;
mod hosts;
mod invariants;
mod judge;
mod machine;
mod memory;
mod meter;
mod pool;
mod prober;
mod process;
mod program;
mod proof;
mod proxies;
mod read;
mod run;
mod secrets;
mod shared;
mod spec;
mod stale;
mod user;
mod workload;

pub(crate) mod schema;

use std::path::Path;
use std::sync::Arc;

use drivers::Constants;
use load_engine::{Discrepancy, Failure, Ledger, StepSpec, Verification};
use report::ScenarioResult;
use schemars::{JsonSchema as _, Schema, SchemaGenerator};
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use self::compile::{File, compile, service_files};
use self::spec::{FlowsSpec, PhaseSpec};
use crate::manifest::Manifest;
use crate::targets::{DiskUse, LoadFacts, Mistake, OptionTables, PreparedTarget, TargetEntry};
use crate::{Error, Journal, Progress, ScenarioRun, data_dir};

/// What a file with `[services]` is run by.
pub(crate) const ENTRY: TargetEntry =
    TargetEntry::of_services("services", schemas, prepare, verify);

/// A run's id has so many characters.
const RUN_ID: usize = 8;

fn schemas(generator: &mut SchemaGenerator) -> [Schema; 2] {
    [
        FlowsSpec::json_schema(generator),
        PhaseSpec::json_schema(generator),
    ]
}

fn prepare(tables: OptionTables<'_>, load: &LoadFacts) -> Result<Arc<dyn PreparedTarget>, Mistake> {
    let span = tables.target.span();
    let mut options = match tables.target.into_inner() {
        DeValue::Table(options) => options,
        _ => DeTable::new(),
    };
    let services = options
        .remove("services")
        .unwrap_or_else(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
    let services = service_files(services)?;
    let options = Spanned::new(span, DeValue::Table(options));
    let flows = FlowsSpec::deserialize(ValueDeserializer::from(options))?;
    let of_file = tables.phases.into_iter();
    let of_file = of_file.map(|phase| PhaseSpec::deserialize(ValueDeserializer::from(phase)));
    let of_file: Vec<PhaseSpec> = of_file.collect::<Result<_, _>>()?;
    let phases = load
        .phases
        .iter()
        .map(|(_, number)| of_file[*number].clone());
    let file = File {
        services,
        flows,
        phases: phases.collect(),
        load: load.clone(),
    };
    // The id and the directory of a run are not known before it: what is checked here is all else.
    let constants = constants(load, &"0".repeat(RUN_ID)).with_dir("DIR");
    let program = compile(&file, constants)?;
    let steps = program
        .timed_steps()
        .map(|step| step.spec.clone())
        .collect();
    let services = program.services.iter();
    let services = services.map(|service| service.name.to_string()).collect();
    let open_parts = program.timed_steps();
    let open_parts = open_parts.filter(|step| program.has_unknown_variants(step));
    let open_parts = open_parts.map(|step| step.spec.name.to_string()).collect();
    let parts = program.all_parts();
    Ok(Arc::new(Prepared {
        file,
        steps,
        parts,
        open_parts,
        services,
    }))
}

/// What services hold is with them, and not in a directory.
fn verify(
    dir: &Path,
    _: &Ledger,
    _: &mut dyn FnMut(&Discrepancy),
) -> Result<Verification, Failure> {
    Err(Failure::new(format!(
        "{} is of a load on services, whose effects are with them: run the scenario again",
        dir.display()
    )))
}

/// A file that makes sense.
#[derive(Debug)]
struct Prepared {
    file: File,
    steps: Vec<StepSpec>,
    /// The names of the times beside steps.
    parts: Vec<String>,
    /// Steps with times beside them that are named when the run has begun.
    open_parts: Vec<String>,
    services: Vec<String>,
}

impl PreparedTarget for Prepared {
    fn steps(&self) -> &[StepSpec] {
        &self.steps
    }

    fn parts(&self) -> &[String] {
        &self.parts
    }

    fn open_parts(&self) -> &[String] {
        &self.open_parts
    }

    fn services(&self) -> &[String] {
        &self.services
    }

    fn disk_use(&self) -> DiskUse {
        DiskUse {
            writes_nothing: self
                .file
                .services
                .iter()
                .all(|service| service.spec.kind != "file"),
            ..DiskUse::default()
        }
    }

    fn title(&self) -> String {
        let names: Vec<&str> = self
            .file
            .services
            .iter()
            .map(|service| &*service.name)
            .collect();
        format!("a load on {}", names.join(" and "))
    }

    fn dry_run(&self) -> Option<Result<String, Failure>> {
        Some(
            self.compile(Path::new("DIR"))
                .and_then(|program| dry_run::show(&program)),
        )
    }

    fn run(
        &self,
        run: &ScenarioRun,
        data_file: Option<&Path>,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error> {
        let data = data_dir::fresh(&run.out, &run.name)?;
        Manifest::begin(&run.target, &run.name)?.write(data.path())?;
        let journal = journal.for_directory(data.path())?;
        let dir = data
            .path()
            .canonicalize()
            .map_err(Error::io("find", data.path()))?;
        let program = self
            .compile(&dir)
            .map_err(|failure| run.failed("open", failure))?;
        let secrets = program.secrets.clone();
        let ran = run::run(run, &data, program, data_file, &journal, progress);
        let (mut result, problem) = match secrets::hide(&secrets, run, ran) {
            Ok(ran) => ran,
            Err(error) if is_before_load(&error) => return Err(error),
            // What the services said while they were under load.
            Err(source) => {
                return Err(Error::DataKept {
                    scenario: run.name.clone(),
                    data: data.keep(),
                    source: Box::new(source),
                });
            }
        };
        if run.keep || problem.is_some() || !result.effects_hold() {
            result.data_kept_in = Some(data.keep().display().to_string());
        }
        progress.scenario_ended(&result);
        match problem {
            None => Ok(result),
            Some(source) => Err(Error::Incomplete {
                result: Box::new(result),
                source: Box::new(source),
            }),
        }
    }
}

/// Whether nothing was asked of a service before this went wrong.
fn is_before_load(error: &Error) -> bool {
    match error {
        Error::Target { operation, .. } => *operation == "open",
        Error::DiskFull { .. } => true,
        _ => false,
    }
}

impl Prepared {
    /// The file for a run of its own in this directory.
    fn compile(&self, dir: &Path) -> Result<program::Program, Failure> {
        let id = match &self.file.load.permissions.run_id {
            Some(id) => id.clone(),
            None => random_id(),
        };
        let constants = constants(&self.file.load, &id).with_dir(&dir.display().to_string());
        compile(&self.file, constants)
            .map_err(|mistake| Failure::new(format!("{}: {}", mistake.at, mistake.problem)))
    }
}

/// What is the same during a whole run. What was handed over stands in the environment's place.
fn constants(load: &LoadFacts, run: &str) -> Constants {
    let secrets = load.permissions.secrets.clone();
    Constants::new(run).with_environment(move |name| {
        let given = secrets.get(name).cloned();
        given.or_else(|| std::env::var(name).ok())
    })
}

/// Letters and digits that no other run has.
fn random_id() -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut hasher = blake3::Hasher::new();
    hasher.update(&crate::clock::now_micros().to_le_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    static TURN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let turn = TURN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    hasher.update(&turn.to_le_bytes());
    let letter = |byte: &u8| char::from(letters[usize::from(*byte) % letters.len()]);
    hasher.finalize().as_bytes()[..RUN_ID]
        .iter()
        .map(letter)
        .collect()
}
