//! A run from its plan to its record.

use std::thread::scope;
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::crew::{Crew, Load, panicked};
use crate::early_end;
use crate::error::RunError;
use crate::generator::{GeneratorRecord, calibrate};
use crate::ledger::Ledger;
use crate::monitor::Monitor;
use crate::phase::{PhaseCounts, PhaseSummary};
use crate::plan::{Plan, StopHandle};
use crate::record::{
    CheckCount, FailureCounts, IterationCounts, OpenSummary, RunRecord, StepSummary,
};
use crate::recorder::UserRecorder;
use crate::workload::{StepSpec, Workload};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is going on.
    pub stage: Stage,
    /// Time since the load began; zero during set-up.
    pub elapsed: Duration,
    /// Users that stand and have not ended.
    pub users: u32,
    /// Iterations that have ended, failed ones included.
    pub done: u64,
    /// Failed iterations.
    pub failed: u64,
    /// Iterations that the model asks for, if it says.
    pub planned: Option<u64>,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Users are being set up; there is no load yet.
    SettingUp,
    /// Users iterate.
    Running,
}

/// Puts the planned load on a workload, and gives what was measured and what was acknowledged.
///
/// `on_progress` is called from this thread about each 100 ms. After the run, read the target back
/// and pass what is there to [`verify`](crate::verify).
///
/// # Errors
///
/// When a user could not be set up or a thread not be started, and for a plan or a workload that
/// makes no sense. Failed operations are no error.
pub fn run<W: Workload>(
    workload: &W,
    plan: &Plan,
    stop: &StopHandle,
    on_progress: impl FnMut(&Progress),
) -> Result<(RunRecord, Ledger), RunError> {
    run_on(&MonotonicClock::new(), workload, plan, stop, on_progress)
}

/// Like [`run`], by a clock of the caller's, such as a simulated one.
///
/// # Errors
///
/// As [`run`].
pub fn run_on<W: Workload>(
    clock: &dyn Clock,
    workload: &W,
    plan: &Plan,
    stop: &StopHandle,
    mut on_progress: impl FnMut(&Progress),
) -> Result<(RunRecord, Ledger), RunError> {
    plan.check()?;
    let steps = checked_steps(workload)?;
    early_end::check(plan, &steps)?;
    let stop = stop.inner();
    let operation_overhead_ns = calibrate();
    let monitor = Monitor::start(plan.sample_period).map_err(|source| RunError::Spawn {
        thread: "load-engine:monitor".to_owned(),
        users: plan.model.users().get(),
        source,
    })?;
    let crew = Crew::new(plan, &stop, clock, &steps);
    let load = scope(|threads| crew.work(threads, workload, &monitor, &mut on_progress))?;
    let wall_ns = load.ended_ns.saturating_sub(load.began_ns);
    let monitored = monitor
        .finish(load.monitor_began_ns, load.cpu_ns, wall_ns)
        .map_err(|failure| panicked("load-engine:monitor", &failure))?;
    let (total, mut record) = total(load, &crew);
    record.wall_ns = wall_ns;
    record.monitor = monitored;
    record.generator = GeneratorRecord::new(
        operation_overhead_ns,
        record.operations(),
        record.monitor.summary.cpu_ns,
        wall_ns,
    );
    Ok((record, total))
}

/// Brings the users' figures together.
fn total(load: Load, crew: &Crew<'_>) -> (Ledger, RunRecord) {
    let plan = crew.plan;
    let mut total = crew.recorder();
    let ledgers: Vec<&Ledger> = load.recorders.iter().map(|user| &user.ledger).collect();
    total.ledger.reserve(&ledgers);
    let arrivals = load.recorders.iter().filter_map(|user| user.open.as_ref());
    let scheduled = plan.model.planned_iterations().unwrap_or_default();
    let open = crew
        .desk
        .as_ref()
        .map(|_| OpenSummary::new(arrivals, scheduled));
    let phases = phases(crew, &load.recorders);
    for recorder in load.recorders {
        total.absorb(recorder);
    }
    let interval_ns = crew.timeline.align();
    let summary = |(step, tally)| StepSummary::new(tally, &crew.timeline.step(step));
    let steps = total.steps.into_iter().enumerate().map(summary).collect();
    let planned = plan.model.planned_iterations();
    let mut checks: Vec<CheckCount> = total.checks.into_iter().map(CheckCount::from).collect();
    // By name, since which user made one first is a matter of chance.
    checks.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let record = RunRecord {
        label: plan.label.clone(),
        model: plan.model.clone(),
        seed: plan.seed,
        users: plan.model.users().get(),
        interrupted: load.interrupted,
        early_end: load.early_end,
        iterations: IterationCounts {
            planned,
            completed: load.completed,
            failed: load.failed,
        },
        failures: total.failures.into(),
        checks,
        tear_down_failures: FailureCounts::from(load.tear_down_failures),
        steps,
        think_time: plan.think_time,
        phases,
        interval_ns,
        open,
        ..RunRecord::default()
    };
    (total.ledger, record)
}

/// The figures of each phase, when all users have brought theirs to the timeline.
fn phases(crew: &Crew<'_>, recorders: &[UserRecorder]) -> Vec<PhaseSummary> {
    let mut start_ns = 0;
    let mut summaries = Vec::with_capacity(crew.plan.phases.len());
    for (number, phase) in crew.plan.phases.iter().enumerate() {
        let mut counts = PhaseCounts::default();
        for recorder in recorders {
            counts.add(recorder.phases.counts[number]);
        }
        let end_ns = start_ns + phase.duration.as_nanos() as u64;
        let step =
            |(step, spec): (usize, &StepSpec)| crew.timeline.step(step).phase(number, spec.name);
        summaries.push(PhaseSummary {
            name: phase.name.clone(),
            start_ns,
            end_ns,
            completed: counts.completed,
            failed: counts.failed,
            in_flight: counts.in_flight,
            steps: crew.steps.iter().enumerate().map(step).collect(),
        });
        start_ns = end_ns;
    }
    summaries
}

fn checked_steps(workload: &impl Workload) -> Result<Vec<StepSpec>, RunError> {
    let steps = workload.steps();
    if steps.is_empty() {
        return Err(RunError::NoSteps);
    }
    for (second, step) in steps.iter().enumerate() {
        if let Some(first) = steps[..second]
            .iter()
            .position(|earlier| earlier.name == step.name)
        {
            return Err(RunError::DuplicateStep {
                name: step.name,
                first,
                second,
            });
        }
    }
    Ok(steps)
}
