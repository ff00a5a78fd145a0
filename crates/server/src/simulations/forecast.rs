//! What an action would change, by the schemas of the data directory and the facts that the caller gives.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use action::{Action, PlanDigest, Timestamp};
use approval_workflow::Binding;
use forensic_simulator::{
    BUILTIN_SCHEMAS, Change, Error as SimulationError, PlanFile, PlanFormat, Reversibility, Schema,
    SimulationReport, Simulator, Workflow, World,
};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::http::problem::{Code, Problem};

/// The field of a request's context in which a prediction is kept. Callers cannot write it.
pub(crate) const FIELD: &str = "simulation";
/// The most of a prediction that is kept with a request; a context takes 64 KiB in all.
const MOST_BYTES: usize = 32 << 10;
/// The version of a key that does not exist, as `execution` writes it.
const ABSENT: &str = "absent";
/// Where every random number of an examination comes from.
const SEED: u64 = 1;

pub(crate) struct Forecaster {
    schemas: Vec<Schema>,
    simulator: Simulator,
    /// Simulations use the processor: more at a time than it has cores would only slow down the gate.
    places: Semaphore,
}

/// What is kept of a prediction: what an approval is bound to, and what a reviewer reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forecast {
    pub(crate) binding: Binding,
    pub(crate) summary: Value,
}

impl Forecaster {
    /// Reads `*.toml` of a folder, over the schemas that come with the simulator; no folder is no schemas.
    ///
    /// # Errors
    ///
    /// [`Error::Schemas`] with the file and the place.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let own = read_schemas(folder)?;
        let failed = |source| Error::Schemas {
            path: folder.to_owned(),
            source: Box::new(source),
        };
        let mut schemas = Schema::parse(BUILTIN_SCHEMAS).map_err(failed)?;
        schemas.retain(|schema| own.iter().all(|own| own.pattern() != schema.pattern()));
        schemas.extend(own);
        let simulator = Simulator::builder()
            .schemas(schemas.clone())
            .build()
            .map_err(failed)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            schemas,
            simulator,
            places: Semaphore::new(cores),
        })
    }

    /// Runs a simulation on a thread for blocking work, when a core is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.places.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?
    }

    /// What one action would change.
    pub(crate) async fn of_action(
        self: &Arc<Self>,
        action: &Action,
        facts: Map<String, Value>,
    ) -> Result<Forecast, Problem> {
        let (this, action) = (Arc::clone(self), action.clone());
        self.run(move || this.predict(action, &facts)).await
    }

    /// What a plan would change, step by step.
    pub(crate) async fn of_plan(
        self: &Arc<Self>,
        workflow: Workflow,
        facts: Map<String, Value>,
    ) -> Result<Forecast, Problem> {
        let this = Arc::clone(self);
        self.run(move || {
            let (mut forecast, plan) = this.predict_plan(workflow, &facts)?;
            forecast.binding.plan = Some(plan);
            Ok(forecast)
        })
        .await
    }

    fn predict(&self, action: Action, facts: &Map<String, Value>) -> Result<Forecast, Problem> {
        let workflow = Workflow::new(action.name.clone()).step("action", action);
        Ok(self.predict_plan(workflow, facts)?.0)
    }

    fn predict_plan(
        &self,
        workflow: Workflow,
        facts: &Map<String, Value>,
    ) -> Result<(Forecast, PlanDigest), Problem> {
        let plan = self
            .simulator
            .check(workflow)
            .map_err(|error| invalid(Code::PlanInvalid, &error))?;
        // At one moment always: a report says when, and the same facts have to give the same report.
        let report = self
            .simulator
            .simulate(&plan, &world(facts)?, Timestamp::default());
        let digest = report
            .digest()
            .map_err(|error| invalid(Code::PlanInvalid, &error))?;
        let mut binding = Binding::default()
            .with_report(digest)
            .with_effects(report.effects_digest());
        for read in &report.reads {
            let version = read
                .version
                .map_or_else(|| ABSENT.to_owned(), |version| version.to_string());
            binding = binding.with_read(read.key.as_str(), version);
        }
        let forecast = Forecast {
            binding,
            summary: summary(&report),
        };
        Ok((forecast, plan.plan_digest()))
    }

    /// Everything that there is to say of a plan, as JSON.
    pub(crate) fn examine(
        &self,
        plan: &[u8],
        format: Option<PlanFormat>,
        facts: &Map<String, Value>,
    ) -> Result<String, Problem> {
        let wrong = |error: SimulationError| invalid(Code::PlanInvalid, &error);
        let file = PlanFile::read(plan, format).map_err(wrong)?;
        let mut known = file.world.clone();
        known.lay_over(world(facts)?);
        let builder = file
            .register(Simulator::builder())
            .schemas(self.schemas.clone());
        let simulator = builder.build().map_err(wrong)?;
        let examination = simulator.examine_file(&file, &known, Timestamp::default(), SEED);
        examination
            .and_then(|examination| examination.to_json())
            .map_err(wrong)
    }
}

fn world(facts: &Map<String, Value>) -> Result<World, Problem> {
    let text = json!(facts).to_string();
    World::parse(&text).map_err(|error| invalid(Code::WorldInvalid, &error))
}

fn invalid(code: Code, error: &SimulationError) -> Problem {
    Problem::new(code, error.to_string())
}

/// What a reviewer has to know, within the bound; how many changes there are is said also where not all are kept.
fn summary(report: &SimulationReport) -> Value {
    let mut left = MOST_BYTES;
    let changes = report.net_changes();
    let mut fits = |change: &&Change| {
        let bytes = json!(change).to_string().len();
        left = left.saturating_sub(bytes);
        left > 0
    };
    let kept: Vec<&Change> = changes.iter().take_while(|change| fits(change)).collect();
    let step = report
        .steps
        .iter()
        .min_by_key(|step| finality(&step.reversibility));
    let external: Vec<_> = report
        .steps
        .iter()
        .flat_map(|step| &step.external)
        .collect();
    let for_good = report
        .steps
        .iter()
        .filter(|step| finality(&step.reversibility) < 2);
    json!({
        "outcome": report.outcome,
        "irreversible": for_good.count(),
        "not_modelled": report.not_modelled.len(),
        "safety_issues": report.safety_issues.len(),
        "reason": step.map(|step| step.reason.clone()),
        "reversibility": step.map_or(&Reversibility::Opaque, |step| &step.reversibility),
        "is_modelled": report.not_modelled.is_empty(),
        "changes": kept,
        "change_count": changes.len(),
        "external": external,
    })
}

/// A plan is as final as its most final step.
fn finality(reversibility: &Reversibility) -> u8 {
    match reversibility {
        Reversibility::Irreversible => 0,
        Reversibility::Opaque => 1,
        Reversibility::CompensatedBy(_) => 2,
        Reversibility::Reversible => 3,
    }
}

fn read_schemas(folder: &Path) -> Result<Vec<Schema>, Error> {
    let failed = |path: &Path, source| Error::File {
        path: path.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| failed(folder, source))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|source| failed(folder, source))?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(file);
        }
    }
    files.sort();
    let mut schemas = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|source| failed(&file, source))?;
        let parsed = Schema::parse(&text);
        schemas.extend(parsed.map_err(|source| Error::Schemas {
            path: file,
            source: Box::new(source),
        })?);
    }
    Ok(schemas)
}
