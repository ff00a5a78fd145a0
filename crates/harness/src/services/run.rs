//! The order of a run: start, set up, load, read back, restart, read back again, remove, stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{Code, Outcome, Slot, Value, Values};
use load_engine::{
    Discrepancy, Failure, Ledger, RunRecord, SHOWN_DISCREPANCIES, Verification, run_async,
};
use report::ScenarioResult;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::process::{self, Running};
use super::program::{Program, Step};
use super::proof::{self, Proof, Writes};
use super::read::Reader;
use super::shared::{Left, Shared};
use super::user::{User, outside_iterations};
use super::workload::FlowWorkload;
use crate::prove::{DiscrepancyFile, load_with};
use crate::targets::DataFeed;
use crate::{Error, Journal, Progress, ScenarioRun, data_dir};

/// The least that is waited for what was under way at the load's end, beyond a service's own time.
const DRAIN_MORE: Duration = Duration::from_secs(1);

/// How often a service that is on its way up is asked.
const ASK_READY_EACH: Duration = Duration::from_millis(20);

/// One run of a file.
pub(super) struct Services<'r> {
    scenario: &'r ScenarioRun,
    program: Arc<Program>,
    /// The run's own directory.
    dir: PathBuf,
    runtime: Runtime,
    /// What was started, service by service.
    running: Vec<Option<Running>>,
}

/// What the load left.
struct Loaded {
    record: RunRecord,
    ledger: Ledger,
    left: Left,
    shared: Arc<Shared>,
    run_values: Values,
}

/// Runs a file: puts the load on its services and verifies every effect.
pub(super) fn run(
    scenario: &ScenarioRun,
    dir: &tempfile::TempDir,
    program: Program,
    data: Option<&Path>,
    journal: &Journal,
    progress: &mut dyn Progress,
) -> Result<ScenarioResult, Error> {
    data_dir::check_space(dir.path(), scenario.needed_bytes)?;
    progress.scenario_began(&scenario.name, &scenario.describe());
    let failed = |operation| move |failure| scenario.failed(operation, failure);
    let mut services = Services::new(scenario, dir.path(), program).map_err(failed("open"))?;
    services.start().map_err(failed("open"))?;
    let data = data.map(DataFeed::open).transpose();
    let data = data.map_err(|problem| scenario.failed("open", Failure::new(problem)))?;
    let loaded = services.load(data, journal, progress)?;
    progress.verification_began(&scenario.name);
    let result = services.prove(loaded)?;
    services.stop();
    Ok(result)
}

impl<'r> Services<'r> {
    fn new(scenario: &'r ScenarioRun, dir: &Path, program: Program) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            scenario,
            running: program.services.iter().map(|_| None).collect(),
            program: Arc::new(program),
            dir: dir.to_owned(),
            runtime,
        })
    }

    /// Runs to its end what requests are made in.
    fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        LocalSet::new().block_on(&self.runtime, task)
    }

    /// Starts the services that the file starts, and waits until all are ready.
    fn start(&mut self) -> Result<(), Failure> {
        for number in 0..self.program.services.len() {
            self.start_one(number)?;
        }
        for number in 0..self.program.services.len() {
            self.wait_until_ready(number)?;
        }
        Ok(())
    }

    fn start_one(&mut self, number: usize) -> Result<(), Failure> {
        let service = &self.program.services[number];
        let Some(start) = &service.start else {
            return Ok(());
        };
        let log = self.dir.join(format!("{}.log", service.name));
        let running = Running::start(start, &self.program.folder, &log)
            .map_err(|failure| of_service(&service.name, &failure))?;
        self.running[number] = Some(running);
        Ok(())
    }

    /// Asks a service until it answers. One that nobody starts has to answer at once.
    fn wait_until_ready(&mut self, number: usize) -> Result<(), Failure> {
        let program = Arc::clone(&self.program);
        let service = &program.services[number];
        let until = Instant::now() + service.timeout;
        loop {
            let Err(NotReady { failure, is_final }) = self.wait(ready(&program, number)) else {
                return Ok(());
            };
            if let Some(running) = &mut self.running[number] {
                running
                    .check()
                    .map_err(|ended| of_service(&service.name, &ended))?;
            }
            let is_on_its_way = service.restarts() || service.ready.is_some();
            if is_final || !is_on_its_way || Instant::now() >= until {
                let told = format!("it is not ready: {}", failure.message());
                return Err(of_service(&service.name, &Failure::new(told)));
            }
            std::thread::sleep(ASK_READY_EACH);
        }
    }

    /// Restarts what can be restarted, and waits until it is ready.
    fn restart(&mut self) -> Result<(), Failure> {
        let program = Arc::clone(&self.program);
        for (number, service) in program.services.iter().enumerate() {
            if let Some(restart) = &service.restart {
                process::run(restart, &program.folder)
                    .map_err(|failure| of_service(&service.name, &failure))?;
            } else if let Some(running) = self.running[number].take() {
                running.stop(service.stop_signal);
                self.start_one(number)?;
            } else {
                // A program that the driver has started: nobody is connected to it any more.
                self.wait(service.driver.reset());
            }
        }
        for number in 0..program.services.len() {
            self.wait_until_ready(number)?;
        }
        Ok(())
    }

    fn load(
        &self,
        data: Option<DataFeed>,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<Loaded, Error> {
        let program = &self.program;
        let mut values = Values::default();
        self.once(&program.run_setup, &mut values)
            .map_err(|failure| self.scenario.failed("set up", failure))?;
        let shared = Arc::new(Shared::new(program.effects.len()));
        let workload = Arc::new(FlowWorkload {
            program: Arc::clone(program),
            shared: Arc::clone(&shared),
            journal: journal.clone(),
            run_values: values.clone(),
            data,
        });
        let longest = program.services.iter().map(|service| service.timeout).max();
        let drain = longest.unwrap_or_default() + DRAIN_MORE;
        let mut outcome = load_with(self.scenario, drain, progress, |plan, stop, watch| {
            run_async(workload, plan, stop, watch)
        })?;
        // Users that were cut off leave what they were about to do; their threads end with the runtimes.
        outcome
            .stragglers
            .wait(DRAIN_MORE)
            .map_err(|source| Error::Run {
                scenario: self.scenario.name.clone(),
                source,
            })?;
        Ok(Loaded {
            record: outcome.record,
            ledger: outcome.ledger,
            left: shared.take(),
            shared,
            run_values: values,
        })
    }

    /// Does steps once, outside the load.
    fn once(&self, steps: &[Step], values: &mut Values) -> Result<(), Failure> {
        let id = format!("{}-s", self.program.run);
        values.set(Slot::ID, Value::Text(id.as_bytes()));
        let context = outside_iterations(&self.program, u64::MAX);
        let mut user = User::new(&self.program, std::mem::take(values));
        let done = self.wait(async {
            for step in steps {
                let told =
                    |problem: String| Failure::new(format!("`{}`: {problem}", step.spec.name));
                user.draw(step, &context)?;
                match user.perform(&self.program, step, &context).await {
                    (Outcome::Acknowledged, None) => {}
                    (Outcome::Acknowledged, Some(failed)) => return Err(told(failed)),
                    (outcome, _) => return Err(told(outcome.to_string())),
                }
            }
            Ok(())
        });
        *values = user.values;
        values.end_iteration();
        done
    }

    /// Reads every effect back, restarts what can be restarted, and reads again.
    fn prove(&mut self, loaded: Loaded) -> Result<ScenarioResult, Error> {
        let Loaded {
            record,
            ledger,
            mut left,
            shared,
            run_values,
        } = loaded;
        let program = Arc::clone(&self.program);
        let writes = proof::writes(&program, &shared, &ledger, &left.entries, &left.refused);
        let kinds = program.effects.iter().zip(&shared.tallies);
        let mut proofs: Vec<Proof> = kinds.map(|(kind, tally)| Proof::of(kind, tally)).collect();
        let reader = Reader {
            program: Arc::clone(&program),
            run_values: run_values.clone(),
            users: Arc::new(std::mem::take(&mut left.users)),
        };
        self.settle();
        let mut wrong = Wrong::new(&self.scenario.discrepancies);
        self.read("end", &reader, &writes, &mut proofs, &mut wrong);
        if program
            .services
            .iter()
            .any(super::program::Service::restarts)
        {
            self.restart()
                .map_err(|failure| self.scenario.failed("restart", failure))?;
            for (proof, kind) in proofs.iter_mut().zip(&program.effects) {
                let service = kind.read.as_ref().map(|read| read.request.service);
                proof.report.restarted =
                    service.is_some_and(|number| program.services[number].restarts());
            }
            self.read("after restart", &reader, &writes, &mut proofs, &mut wrong);
        }
        let mut verification = proof::total(&proofs);
        let (shown, discrepancies_file) = wrong.finish()?;
        verification.discrepancies = shown;
        if verification.holds() {
            self.remove(&reader, &writes, &mut proofs)?;
        }
        let mut values = run_values;
        self.once(&program.teardown, &mut values)
            .map_err(|failure| self.scenario.failed("tear down", failure))?;
        Ok(self.result(record, verification, proofs, discrepancies_file))
    }

    /// Waits as long as an effect may take until it is seen.
    fn settle(&self) {
        let longest = self.program.effects.iter().map(|kind| kind.settle).max();
        std::thread::sleep(longest.unwrap_or_default());
    }

    fn read(
        &self,
        stage: &str,
        reader: &Reader,
        writes: &[Writes],
        proofs: &mut [Proof],
        wrong: &mut Wrong<'_>,
    ) {
        for (number, (proof, writes)) in proofs.iter_mut().zip(writes).enumerate() {
            if self.program.effects[number].read.is_some() {
                let reading = self.wait(reader.read(number, &writes.keys));
                proof.add(stage, writes, reading, |found| wrong.add(found));
            }
        }
    }

    /// Removes effects that were all found, and counts what is left.
    fn remove(
        &self,
        reader: &Reader,
        writes: &[Writes],
        proofs: &mut [Proof],
    ) -> Result<(), Error> {
        for (number, (proof, writes)) in proofs.iter_mut().zip(writes).enumerate() {
            let kind = &self.program.effects[number];
            if kind.delete.is_none() {
                continue;
            }
            let failed = self.wait(reader.delete(number, &writes.keys));
            if let Some(first) = failed.first() {
                let told = format!(
                    "`{}`: {} of its requests failed, the first by: {first}",
                    kind.name,
                    failed.len()
                );
                return Err(self
                    .scenario
                    .failed("remove effects of", Failure::new(told)));
            }
            if kind.read.is_some() {
                let left = self.wait(reader.read(number, &writes.keys));
                proof.report.left = Some(left.found.len() as u64);
            }
        }
        Ok(())
    }

    fn result(
        &self,
        record: RunRecord,
        verification: Verification,
        proofs: Vec<Proof>,
        discrepancies_file: Option<String>,
    ) -> ScenarioResult {
        let scenario = self.scenario;
        let mut result = ScenarioResult {
            title: scenario.title.clone(),
            load: scenario.describe(),
            discrepancies_file,
            effects: Some(proofs.into_iter().map(|proof| proof.report).collect()),
            ..ScenarioResult::new(&scenario.name, record, verification)
        };
        result.judge(&scenario.thresholds);
        result
    }

    /// Stops what was started.
    fn stop(&mut self) {
        // Each one is asked to end, and made to if it does not.
        self.running.clear();
    }
}

/// Why a service is not ready, and whether it may become so.
struct NotReady {
    failure: Failure,
    is_final: bool,
}

/// Asks a service whether it is ready.
async fn ready(program: &Program, number: usize) -> Result<(), NotReady> {
    let service = &program.services[number];
    let mut values = Values::default();
    values.set(Slot::USER, Value::Int(0));
    let mut connection = service
        .driver
        .connect(&values)
        .await
        .map_err(|failure| NotReady {
            // Whoever answers that it wants a password, or has no such tool, is there already.
            is_final: !matches!(failure.code, Code::Connect | Code::Reset | Code::Timeout)
                && failure.code != Code::word("LOADING"),
            failure: Failure::new(&*failure.reason.text()),
        })?;
    let Some(ready) = &service.ready else {
        return Ok(());
    };
    let mut session = service.driver.session();
    let mut answer = drivers::Answer::default();
    let asked = service
        .driver
        .exchange(&mut connection, &mut session, ready, &values, &mut answer);
    match asked.await {
        Outcome::Acknowledged => Ok(()),
        outcome => Err(NotReady {
            failure: Failure::new(outcome.to_string()),
            is_final: false,
        }),
    }
}

fn of_service(name: &str, failure: &Failure) -> Failure {
    Failure::new(format!("service `{name}`: {}", failure.message()))
}

/// The discrepancies of a run: the first ones, and all in a file.
struct Wrong<'p> {
    file: DiscrepancyFile<'p>,
    shown: Vec<Discrepancy>,
}

impl<'p> Wrong<'p> {
    fn new(path: &'p Path) -> Self {
        Self {
            file: DiscrepancyFile::new(path),
            shown: Vec::new(),
        }
    }

    fn add(&mut self, found: &Discrepancy) {
        self.file.add(found);
        if self.shown.len() < SHOWN_DISCREPANCIES {
            self.shown.push(found.clone());
        }
    }

    fn finish(self) -> Result<(Vec<Discrepancy>, Option<String>), Error> {
        Ok((self.shown, self.file.finish()?))
    }
}
