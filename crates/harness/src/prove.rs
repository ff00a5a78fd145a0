use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use load_engine::{
    Discrepancy, Failure, Found, Ledger, Model, Outcome, Plan, RunError, RunRecord, Source,
    StopHandle, Stragglers, Threshold, Until, Verification, Workload, run_pooled, run_shared,
};

use crate::manifest::Manifest;
use crate::scenario::spec::Executor;
use crate::{Error, Progress, data_dir};
use report::{ScenarioResult, limited_by};

/// A workload whose effects can be read back after it was closed and opened again.
///
/// That is what makes a load test a proof: [`prove`] compares the effects that are read back *after* the
/// reopening with those that were acknowledged during the load.
pub trait Target: Workload<User: 'static> + Sized + Send + 'static {
    /// Ends the target; by default it is dropped. Everything acknowledged must survive this, and a kill in
    /// its place.
    ///
    /// # Errors
    ///
    /// When what was accepted could not be written.
    fn close(self) -> Result<(), Failure> {
        drop(self);
        Ok(())
    }

    /// Every effect that is there, read from where it lasts.
    ///
    /// # Errors
    ///
    /// When reading cannot begin. A single effect that cannot be read is an `Err` item.
    fn effects(&self) -> Result<EffectsFound<'_>, Failure>;
}

/// How long the target may take to answer what was under way when the load ended. One that takes longer
/// hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What [`Target::effects`] gives.
pub type EffectsFound<'t> = Box<dyn Iterator<Item = Result<Found, Failure>> + 't>;

/// What was found in one place of a target, thing by thing, or the one error with which it was read.
pub(crate) fn found_in(place: Result<Vec<Found>, Failure>) -> Vec<Result<Found, Failure>> {
    match place {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(failure) => vec![Err(failure)],
    }
}

/// One scenario, ready to run.
#[derive(Debug, Clone)]
pub struct ScenarioRun {
    /// The scenario's name in the report.
    pub name: String,
    /// What is done, for people.
    pub title: String,
    /// The kind of target, for whoever opens again what the load left.
    pub target: String,
    /// The load.
    pub plan: Plan,
    /// What it is judged by, besides the effects: see [`limited_by`](report::limited_by).
    pub thresholds: Vec<(Source, Threshold)>,
    /// What its users are.
    pub executor: Executor,
    /// What the load may write, in bytes by estimate.
    pub needed_bytes: u64,
    /// Where the report goes, and the data meanwhile.
    pub out: PathBuf,
    /// Where every discrepancy is written, a JSON line each, if there is one.
    pub discrepancies: PathBuf,
    /// Whether what the target wrote is kept when all holds. It is always kept when it does not.
    pub keep: bool,
}

/// Puts the load on a fresh target, closes it, opens it again, and verifies every effect.
///
/// `open` is called twice with the same directory: before the load, and after the close.
///
/// # Errors
///
/// When there could be no load, or no verification: the target cannot be opened or closed, a user
/// cannot be set up, or the disk is full. Once a load was put on it, what the target wrote is kept:
/// [`Error::DataKept`] says where, and [`Error::Incomplete`] has the result as well. What fails under load is
/// counted in the result.
pub fn prove<T: Target>(
    scenario: &ScenarioRun,
    open: impl Fn(&Path) -> Result<T, Failure>,
    progress: &mut dyn Progress,
) -> Result<ScenarioResult, Error> {
    let data = data_dir::fresh(&scenario.out, &scenario.name)?;
    data_dir::check_space(data.path(), scenario.needed_bytes)?;
    Manifest::begin(&scenario.target, &scenario.name)?.write(data.path())?;
    progress.scenario_began(&scenario.name, &scenario.describe());

    let target = open(data.path()).map_err(|failure| scenario.failed("open", failure))?;
    // From here on it may hold what was acknowledged: it is removed when that was verified, and not before.
    let data = data.keep();
    let proved = measure(scenario, target, &data, &open, progress);
    let kept = |source| Error::DataKept {
        scenario: scenario.name.clone(),
        data: data.clone(),
        source: Box::new(source),
    };
    let (mut result, problem) = proved.map_err(kept)?;
    if scenario.keep || problem.is_some() || !result.effects_hold() {
        result.data_kept_in = Some(data.display().to_string());
    } else {
        data_dir::remove(&data)?;
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

/// What was measured and found; with it, what belongs to it and could not be kept.
type Measured = (ScenarioResult, Option<Error>);

fn measure<T: Target>(
    scenario: &ScenarioRun,
    target: T,
    data: &Path,
    open: impl Fn(&Path) -> Result<T, Failure>,
    progress: &mut dyn Progress,
) -> Result<Measured, Error> {
    let target = Arc::new(target);
    let Outcome {
        record: run,
        ledger,
        stragglers,
        ..
    } = load(scenario, Arc::clone(&target), progress)?;
    let filled = disk_filled(scenario, &run, data);
    let verified = alone(scenario, target, stragglers)
        .and_then(|target| reopen_and_verify(scenario, target, data, open, &ledger, progress));
    let (verification, discrepancies) = match (verified, filled) {
        // It is the cause of what came after it.
        (Err(_), Some(filled)) => return Err(filled),
        (verified, filled) => {
            let (verification, discrepancies) = verified?;
            (verification, filled.map_or(discrepancies, Err))
        }
    };
    let (discrepancies_file, problem) = match discrepancies {
        Ok(file) => (file, None),
        Err(problem) => (None, Some(problem)),
    };
    check_sums(&scenario.name, &run, &verification)?;
    let mut result = ScenarioResult {
        title: scenario.title.clone(),
        load: scenario.describe(),
        discrepancies_file,
        ..ScenarioResult::new(&scenario.name, run, verification)
    };
    result.judge(&scenario.thresholds);
    Ok((result, problem))
}

/// What was found, and the file's name in which every discrepancy stands, or why there is none.
type Verified = (Verification, Result<Option<String>, Error>);

fn reopen_and_verify<T: Target>(
    scenario: &ScenarioRun,
    target: T,
    data: &Path,
    open: impl Fn(&Path) -> Result<T, Failure>,
    ledger: &Ledger,
    progress: &mut dyn Progress,
) -> Result<Verified, Error> {
    target
        .close()
        .map_err(|failure| scenario.failed("close", failure))?;
    progress.verification_began(&scenario.name);
    let target = open(data).map_err(|failure| scenario.failed("reopen", failure))?;
    let verified = verify(scenario, &target, ledger)?;
    target
        .close()
        .map_err(|failure| scenario.failed("close", failure))?;
    Ok(verified)
}

impl ScenarioRun {
    /// A scenario whose users are threads, which is judged by the default thresholds, and whose report and
    /// data go below `out`.
    #[must_use]
    pub fn new(name: &str, plan: Plan, out: &Path) -> Self {
        Self {
            name: name.to_owned(),
            title: name.to_owned(),
            target: name.to_owned(),
            thresholds: limited_by(&plan.model, &[], &[]),
            plan,
            executor: Executor::Threads,
            needed_bytes: 0,
            out: out.to_owned(),
            discrepancies: out.join(format!("discrepancies-{name}.jsonl")),
            keep: false,
        }
    }

    /// How large the load is, for people.
    pub(crate) fn describe(&self) -> String {
        let kind = match (self.executor, self.plan.model.users().get()) {
            (Executor::Threads, 1) => "thread",
            (Executor::Threads, _) => "threads",
            (Executor::Tokio, 1) => "task",
            (Executor::Tokio, _) => "tasks",
        };
        match &self.plan.model {
            Model::Closed { users, until } => match until {
                Until::Iterations(each) => format!("{users} {kind} × {each}"),
                Until::Elapsed(time) => format!("{users} {kind} for {time:?}"),
            },
            Model::Staged { stages } => {
                let fewest = stages.iter().map(|stage| stage.from.min(stage.to)).min();
                let (fewest, most) = (fewest.unwrap_or(0), self.plan.model.users());
                let time: Duration = stages.iter().map(|stage| stage.duration).sum();
                let phases = match self.plan.phases.len() {
                    1 => "1 phase".to_owned(),
                    phases => format!("{phases} phases"),
                };
                if fewest == most.get() {
                    format!("{most} {kind} for {time:?} in {phases}")
                } else {
                    format!("{fewest} to {most} {kind} for {time:?} in {phases}")
                }
            }
            Model::Open { schedule, .. } => {
                let rates = schedule
                    .stages
                    .iter()
                    .flat_map(|stage| [stage.from_per_s, stage.to_per_s]);
                let lowest = rates.clone().fold(f64::INFINITY, f64::min);
                let highest = rates.fold(0.0, f64::max);
                let (time, arrivals) = (schedule.duration(), schedule.arrivals());
                if lowest == highest {
                    format!("{arrivals} arrivals at {highest}/s for {time:?}")
                } else {
                    format!("{arrivals} arrivals at {lowest} to {highest}/s for {time:?}")
                }
            }
            _ => "a load of another kind".to_owned(),
        }
    }

    pub(crate) fn failed(&self, operation: &'static str, failure: Failure) -> Error {
        Error::Target {
            scenario: self.name.clone(),
            operation,
            failure,
        }
    }
}

fn load<T: Target>(
    scenario: &ScenarioRun,
    target: Arc<T>,
    progress: &mut dyn Progress,
) -> Result<Outcome, Error> {
    let executor = scenario.executor;
    load_with(
        scenario,
        ANSWER_WITHIN,
        progress,
        |plan, stop, watch| match executor {
            Executor::Threads => run_shared(target, plan, stop, watch),
            Executor::Tokio => run_pooled(target, plan, stop, watch),
        },
    )
}

/// Checks that what was measured does not contradict itself, before anything is said of it.
pub(crate) fn check_sums(
    scenario: &str,
    run: &RunRecord,
    verification: &Verification,
) -> Result<(), Error> {
    let problem = run.inconsistency().or_else(|| verification.inconsistency());
    problem.map_or(Ok(()), |problem| {
        Err(Error::Inconsistent {
            scenario: scenario.to_owned(),
            problem,
        })
    })
}

/// Puts the load on whatever `run` drives, tells how it goes, and stops it when it is interrupted.
pub(crate) fn load_with(
    scenario: &ScenarioRun,
    answer_within: Duration,
    progress: &mut dyn Progress,
    run: impl FnOnce(
        &Plan,
        &StopHandle,
        &mut dyn FnMut(&load_engine::Progress),
    ) -> Result<Outcome, RunError>,
) -> Result<Outcome, Error> {
    let stop = StopHandle::new();
    progress.load_planned(&scenario.plan);
    // What is cut off leaves effects under names that nobody knows yet, such as an id that the target
    // gives: so only what hangs is cut off, not what is slow.
    let mut plan = scenario.plan.clone().grace(answer_within);
    plan.record_so_far = progress.wants_record();
    let mut on_progress = |state: &load_engine::Progress| {
        progress.load_goes_on(&scenario.name, state);
        if progress.is_interrupted() {
            stop.stop();
        }
    };
    run(&plan, &stop, &mut on_progress).map_err(|source| Error::Run {
        scenario: scenario.name.clone(),
        source,
    })
}

/// Takes the target back from the load's threads, unless some are still inside a step.
fn alone<T>(
    scenario: &ScenarioRun,
    target: Arc<T>,
    mut stragglers: Stragglers,
) -> Result<T, Error> {
    let left = stragglers
        .wait(Duration::from_secs(1))
        .map_err(|source| Error::Run {
            scenario: scenario.name.clone(),
            source,
        })?;
    Arc::into_inner(target).ok_or_else(|| {
        let failure = Failure::new(format!(
            "{left} users are still inside a step, {ANSWER_WITHIN:?} after the load's end: the target hangs, \
             so it cannot be closed, opened again and verified"
        ));
        scenario.failed("stop", failure)
    })
}

/// A full disk is not the target's fault, and no figure of such a run means anything.
fn disk_filled(scenario: &ScenarioRun, run: &RunRecord, data: &Path) -> Option<Error> {
    let mut failures = run.steps.iter().flat_map(|step| &step.failures.messages);
    let filled = failures.any(|failure| tells_of_full_disk(&failure.message));
    filled.then(|| Error::DiskFilled {
        scenario: scenario.name.clone(),
        path: data.to_owned(),
    })
}

/// As the operating system says it (ENOSPC, EDQUOT, EFBIG), SQLite (SQLITE_FULL), and the memory store of that.
fn tells_of_full_disk(message: &str) -> bool {
    let words = [
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
        "database or disk is full",
        "disk full",
    ];
    words.iter().any(|words| message.contains(words))
}

/// Reads the target back.
fn verify<T: Target>(
    scenario: &ScenarioRun,
    target: &T,
    ledger: &Ledger,
) -> Result<Verified, Error> {
    let found = target
        .effects()
        .map_err(|failure| scenario.failed("read back", failure))?;
    let mut file = DiscrepancyFile::new(&scenario.discrepancies);
    let verification = load_engine::verify_each(ledger, found, |item| file.add(item));
    Ok((verification, file.finish()))
}

/// Made with the first discrepancy, so that a run without any leaves no empty file.
pub(crate) struct DiscrepancyFile<'p> {
    path: &'p Path,
    writer: Option<BufWriter<File>>,
    failed: Option<std::io::Error>,
}

impl<'p> DiscrepancyFile<'p> {
    pub(crate) fn new(path: &'p Path) -> Self {
        Self {
            path,
            writer: None,
            failed: None,
        }
    }

    pub(crate) fn add(&mut self, discrepancy: &Discrepancy) {
        if self.failed.is_none()
            && let Err(error) = self.try_add(discrepancy)
        {
            self.failed = Some(error);
        }
    }

    fn try_add(&mut self, discrepancy: &Discrepancy) -> std::io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(BufWriter::new(File::create(self.path)?)),
        };
        serde_json::to_writer(&mut *writer, discrepancy)?;
        writer.write_all(b"\n")
    }

    pub(crate) fn finish(self) -> Result<Option<String>, Error> {
        if let Some(source) = self.failed {
            return Err(Error::io("write", self.path)(source));
        }
        let Some(mut writer) = self.writer else {
            return Ok(None);
        };
        writer.flush().map_err(Error::io("write", self.path))?;
        Ok(self
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()))
    }
}
