//! The order of a run: start, set up, load, read back, restart, read back again, remove, stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{Outcome, Slot, Value, Values};
use load_engine::{
    Discrepancy, Failure, Ledger, Parts, Plan, RunRecord, SHOWN_DISCREPANCIES, Verification,
    run_async,
};
use report::{FaultReport, ScenarioResult};

use super::faults;
use super::hosts::Hosts;
use super::invariants::{self, Checks};
use super::memory;
use super::pool::Threads;
use super::prober;
use super::program::{EffectKind, Program, Step};
use super::proof::{self, Proof, Writes};
use super::read::{Keys, Reader, Reading};
use super::shared::{Left, Shared};
use super::stale;
use super::user::{User, outside_iterations};
use super::workload::FlowWorkload;
use crate::prove::{DiscrepancyFile, check_sums, load_with};
use crate::targets::DataFeed;
use crate::{Error, Journal, Progress, ScenarioRun, data_dir};

/// The least that is waited for what was under way at the load's end, beyond a service's own time.
const DRAIN_MORE: Duration = Duration::from_secs(1);

/// One run of a file.
pub(super) struct Services<'r> {
    scenario: &'r ScenarioRun,
    program: Arc<Program>,
    hosts: Hosts,
}

/// What is known before the load.
struct Prepared {
    /// What the set-up for the whole run captured.
    run_values: Values,
    /// What sums were, effect by effect.
    before: Vec<BTreeMap<String, String>>,
    checks: Checks,
}

/// What the load left.
struct Loaded {
    record: RunRecord,
    ledger: Ledger,
    left: Left,
    shared: Arc<Shared>,
    run_values: Values,
    /// What sums were before the load, effect by effect.
    before: Vec<BTreeMap<String, String>>,
    checks: Checks,
    faults: Vec<FaultReport>,
}

/// How soon an effect that may take its time is looked for again, and how rarely at last.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_secs(1);

/// What was measured and found; with it, what kept the run from being complete.
pub(super) type Ran = (ScenarioResult, Option<Error>);

/// Runs a file: puts the load on its services and verifies every effect.
pub(super) fn run(
    scenario: &ScenarioRun,
    dir: &tempfile::TempDir,
    program: Program,
    data: Option<&Path>,
    journal: &Journal,
    progress: &mut dyn Progress,
) -> Result<Ran, Error> {
    data_dir::check_space(dir.path(), scenario.needed_bytes)?;
    progress.scenario_began(&scenario.name, &scenario.describe());
    let failed = |operation| move |failure| scenario.failed(operation, failure);
    let program = Arc::new(program);
    let mut services = Services {
        scenario,
        hosts: Hosts::new(&program, dir.path()).map_err(failed("open"))?,
        program,
    };
    services.hosts.start().map_err(failed("open"))?;
    let data = data.map(DataFeed::open).transpose();
    let data = data.map_err(|problem| scenario.failed("open", Failure::new(problem)))?;
    let (mut result, problem) = match services.set_up() {
        Ok(prepared) => {
            let loaded = services.load(prepared, data, journal, progress)?;
            progress.verification_began(&scenario.name);
            services.prove(loaded)?
        }
        Err(problem) => (services.not_loaded(), Some(problem)),
    };
    services.hosts.stop();
    result.incomplete = problem.as_ref().map(Error::to_string);
    result.judge(&scenario.thresholds);
    Ok((result, problem))
}

impl<'r> Services<'r> {
    /// Runs to its end what requests are made in.
    fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        self.hosts.wait(task)
    }

    /// Does the set-up for the whole run, and reads what sums are before the load.
    fn set_up(&self) -> Result<Prepared, Error> {
        let mut run_values = Values::default();
        self.once(&self.program.run_setup, &mut run_values)
            .map_err(|failure| self.scenario.failed("set up", failure))?;
        let before = self.sums_before(&run_values)?;
        let checks = self.wait(Checks::before(&self.program, &run_values));
        let checks = checks.map_err(|failure| self.scenario.failed("check", failure))?;
        Ok(Prepared {
            run_values,
            before,
            checks,
        })
    }

    /// What is told of a run whose set-up failed.
    fn not_loaded(&self) -> ScenarioResult {
        let (record, verification) = (RunRecord::default(), Verification::default());
        self.result(record, verification, Vec::new(), None)
    }

    fn load(
        &mut self,
        prepared: Prepared,
        data: Option<DataFeed>,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<Loaded, Error> {
        let program = &Arc::clone(&self.program);
        let Prepared {
            run_values,
            before,
            mut checks,
        } = prepared;
        let phases = self.scenario.plan.phases.iter();
        let phases = phases.map(|phase| phase.name.to_string());
        // The services are there, so that their variants are known.
        let parts = Parts::new(program.all_parts(), phases);
        let shared = Arc::new(Shared::new(program.effects.len(), parts));
        let workload = Arc::new(FlowWorkload {
            program: Arc::clone(program),
            shared: Arc::clone(&shared),
            journal: journal.clone(),
            run_values: run_values.clone(),
            data,
            threads: Threads::default(),
        });
        let longest = program.services.iter().map(|service| service.timeout).max();
        let drain = longest.unwrap_or_default() + DRAIN_MORE;
        let scenario = self.scenario;
        let hosts = &mut self.hosts;
        let (probes, parts) = (&shared.probes, &shared.parts);
        let started = hosts.started();
        let load = || {
            memory::during(program, &started, |tell| {
                faults::during(hosts, &program.faults, |due| {
                    load_with(scenario, drain, progress, |plan, stop, watch| {
                        let plan = &on_few_threads(program, plan);
                        run_async(workload, plan, stop, |state| {
                            tell(state);
                            due(state);
                            watch(state);
                        })
                    })
                })
            })
        };
        let watched = || invariants::during(program, &run_values, &mut checks, load);
        let loaded = prober::during(program, &run_values, probes, parts, watched);
        let failed = |failure| scenario.failed("watch", failure);
        let ((outcome, faults), memory) = loaded
            .and_then(|loaded| loaded)
            .and_then(|loaded| loaded)
            .map_err(failed)?;
        let mut outcome = outcome?;
        // Users that were cut off leave what they were about to do; their threads end with the runtimes.
        outcome
            .stragglers
            .wait(DRAIN_MORE)
            .map_err(|source| Error::Run {
                scenario: self.scenario.name.clone(),
                source,
            })?;
        let mut record = outcome.record;
        record.parts = shared.parts.summaries();
        record.services = memory;
        Ok(Loaded {
            record,
            ledger: outcome.ledger,
            left: shared.take(),
            shared,
            run_values,
            before,
            checks,
            faults,
        })
    }

    /// Reads what sums are before anything is added to them.
    fn sums_before(&self, run_values: &Values) -> Result<Vec<BTreeMap<String, String>>, Error> {
        let reader = Reader {
            program: Arc::clone(&self.program),
            run_values: run_values.clone(),
            users: Arc::default(),
        };
        let of_kind = |(number, kind): (usize, &EffectKind)| {
            if !kind.is_sum {
                return Ok(BTreeMap::new());
            }
            let reading = self.wait(reader.read(number, &Keys::new()));
            match reading.unreadable.first() {
                None => Ok(reading.texts),
                Some((_, error)) => {
                    let told = format!("`{}` before the load: {error}", kind.name);
                    Err(self.scenario.failed("read", Failure::new(told)))
                }
            }
        };
        self.program
            .effects
            .iter()
            .enumerate()
            .map(of_kind)
            .collect()
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
    ///
    /// What fails on the way does not undo what was found before it.
    fn prove(&mut self, loaded: Loaded) -> Result<Ran, Error> {
        let ended = Instant::now();
        let Loaded {
            record,
            ledger,
            mut left,
            shared,
            run_values,
            before,
            mut checks,
            faults,
        } = loaded;
        let program = Arc::clone(&self.program);
        let writes = proof::writes(
            &program,
            &shared,
            &ledger,
            &left.entries,
            &left.refused,
            std::mem::take(&mut left.sums),
            before,
        );
        let kinds = program.effects.iter().zip(&shared.tallies);
        let mut proofs: Vec<Proof> = kinds.map(|(kind, tally)| Proof::of(kind, tally)).collect();
        let reader = Reader {
            program: Arc::clone(&program),
            run_values: run_values.clone(),
            users: Arc::new(std::mem::take(&mut left.users)),
        };
        let mut wrong = Wrong::new(&self.scenario.discrepancies);
        self.wait(checks.ask_all(&program, &reader.run_values, "at the end"));
        let reads = std::mem::take(&mut left.reads);
        let stale = stale::reads(&writes, &reads);
        let stage = Stage {
            name: "end",
            ended,
            stale,
        };
        self.read(stage, &reader, &writes, &mut proofs, &mut wrong);
        let mut problem = None;
        if program
            .services
            .iter()
            .any(super::program::Service::restarts)
        {
            match self.hosts.restart() {
                Ok(()) => {
                    for (proof, kind) in proofs.iter_mut().zip(&program.effects) {
                        let service = kind.read.as_ref().map(|read| read.request.service);
                        proof.report.restarted =
                            service.is_some_and(|number| program.services[number].restarts());
                    }
                    let stage = "after restart";
                    self.wait(checks.ask_all(&program, &reader.run_values, stage));
                    let stage = Stage {
                        name: stage,
                        ended,
                        stale: BTreeMap::new(),
                    };
                    self.read(stage, &reader, &writes, &mut proofs, &mut wrong);
                }
                Err(failure) => problem = Some(self.scenario.failed("restart", failure)),
            }
        }
        let mut verification = proof::total(&proofs);
        let (violated, unreadable) = checks.counts();
        verification.violated += violated;
        verification.unreadable += unreadable;
        let (invariants, violations) = checks.finish();
        violations.iter().for_each(|found| wrong.add(found));
        let (shown, file) = wrong.finish();
        verification.discrepancies = shown;
        let discrepancies_file = kept(file, &mut problem).flatten();
        if verification.holds() && problem.is_none() {
            kept(self.remove(&reader, &writes, &mut proofs), &mut problem);
        }
        let mut values = run_values;
        let torn_down = self.once(&program.teardown, &mut values);
        let torn_down = torn_down.map_err(|failure| self.scenario.failed("tear down", failure));
        kept(torn_down, &mut problem);
        check_sums(&self.scenario.name, &record, &verification)?;
        let mut result = self.result(record, verification, proofs, discrepancies_file);
        result.faults = faults;
        result.invariants = invariants;
        Ok((result, problem))
    }

    /// Reads an effect until it is as it has to be, or has had its time since the load's end.
    fn settled(&self, effect: usize, ended: Instant, reader: &Reader, writes: &Writes) -> Reading {
        let until = ended + self.program.effects[effect].settle;
        let mut pause = LOOK_AGAIN;
        loop {
            let began = Instant::now();
            let reading = self.wait(reader.read(effect, &writes.keys));
            if began >= until || proof::is_right(writes, &reading) {
                return reading;
            }
            // The last look is when the time is up. One that takes long leaves the service as long alone.
            let pause_now = pause.max(began.elapsed());
            std::thread::sleep(pause_now.min(until.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(LOOK_AGAIN_AT_MOST);
        }
    }

    fn read(
        &self,
        mut stage: Stage,
        reader: &Reader,
        writes: &[Writes],
        proofs: &mut [Proof],
        wrong: &mut Wrong<'_>,
    ) {
        let read = |(number, writes): (usize, &Writes)| {
            let has_read = self.program.effects[number].read.is_some();
            has_read.then(|| self.settled(number, stage.ended, reader, writes))
        };
        let mut readings: Vec<Option<Reading>> = writes.iter().enumerate().map(read).collect();
        let numbers = 0..readings.len();
        let beside = numbers.map(|number| proof::beside(&self.program, number, writes, &readings));
        let mut beside: Vec<Vec<Discrepancy>> = beside.collect();
        for (beside, writes) in beside.iter_mut().zip(writes) {
            beside.extend(stage.stale.remove(writes.kind).into_iter().flatten());
        }
        for (number, proof) in proofs.iter_mut().enumerate() {
            if let Some(reading) = readings[number].take() {
                let (writes, beside) = (&writes[number], &beside[number]);
                proof.add(stage.name, writes, reading, beside, |found| {
                    wrong.add(found);
                });
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
        ScenarioResult {
            title: scenario.title.clone(),
            load: scenario.describe(),
            discrepancies_file,
            effects: Some(proofs.into_iter().map(|proof| proof.report).collect()),
            ..ScenarioResult::new(&scenario.name, record, verification)
        }
    }
}

/// The plan with as few threads as the smallest pool has connections: each of them has one at least.
fn on_few_threads(program: &Program, plan: &Plan) -> Plan {
    let pools = program.services.iter().filter_map(|service| service.pool);
    let mut plan = plan.clone();
    plan.most_runtimes = pools.map(|pool| pool.size).min();
    plan
}

/// One reading of all effects.
struct Stage {
    /// When it is, in the report.
    name: &'static str,
    /// When the load ended.
    ended: Instant,
    /// Reads during the load that are told of with it, by effect.
    stale: BTreeMap<&'static str, Vec<Discrepancy>>,
}

/// What was done, unless it failed: then the first such problem of a run is kept.
fn kept<T>(done: Result<T, Error>, problem: &mut Option<Error>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(error) => {
            problem.get_or_insert(error);
            None
        }
    }
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

    fn finish(self) -> (Vec<Discrepancy>, Result<Option<String>, Error>) {
        (self.shown, self.file.finish())
    }
}
