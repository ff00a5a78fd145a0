//! What a run has before it has users, and what is made of it when they have gone.

use crate::context::RunContext;
use crate::context::counter::MAX_STEPS;
use crate::error::{RunError, panicked};
use crate::exec::abort;
use crate::exec::messages::Load;
use crate::exec::outcome::total;
use crate::ledger::Ledger;
use crate::ledger::spill::SpilledLedger;
use crate::monitor::Monitor;
use crate::monitor::process::Process;
use crate::plan::Plan;
use crate::record::RunRecord;
use crate::record::generator::{GeneratorRecord, calibrate};
use crate::step::StepSpec;

/// What a run has before it has users.
pub(crate) struct Prepared {
    pub(crate) steps: Vec<StepSpec>,
    operation_overhead_ns: f64,
    pub(crate) monitor: Monitor,
    target: Option<Monitor>,
}

impl Prepared {
    pub(crate) fn new(plan: &Plan, steps: Vec<StepSpec>) -> Result<Self, RunError> {
        plan.check()?;
        let steps = checked_steps(steps)?;
        abort::check(plan, &steps)?;
        let operation_overhead_ns = calibrate();
        let spawn_failed = |source| RunError::Spawn {
            thread: "load-engine:monitor".to_owned(),
            users: plan.model.users().get(),
            source,
        };
        let target = match plan.watched.map(Process::find).transpose()? {
            None => None,
            Some(process) => {
                let monitor = Monitor::watch(plan.sample_period, process);
                Some(monitor.map_err(spawn_failed)?)
            }
        };
        let monitor = Monitor::start(plan.sample_period).map_err(spawn_failed)?;
        Ok(Self {
            steps,
            operation_overhead_ns,
            monitor,
            target,
        })
    }

    pub(crate) fn finish(
        self,
        load: Load,
        context: &RunContext<'_>,
    ) -> Result<(RunRecord, Ledger, Option<SpilledLedger>), RunError> {
        let wall_ns = load.ended_ns.saturating_sub(load.began_ns);
        let monitor_panicked = |failure| panicked("load-engine:monitor", &failure);
        // The two have clocks of their own, with origins that are a moment apart.
        let since_load_ns = self.monitor.now_ns() - load.monitor_began_ns;
        let target = self.target.map(|target| {
            let load_began_ns = target.now_ns().saturating_sub(since_load_ns);
            target.finish(load_began_ns, None, wall_ns)
        });
        let target = target.transpose().map_err(monitor_panicked)?;
        let monitored = self
            .monitor
            .finish(load.monitor_began_ns, Some(load.cpu_ns), wall_ns)
            .map_err(monitor_panicked)?;
        let overslept_share = load.overslept_share().filter(|share| *share > 0.0);
        let (mut record, ledger, spilled) = total(load, context)?;
        record.wall_ns = wall_ns;
        record.monitor = monitored;
        record.target = target;
        record.generator = GeneratorRecord::new(
            self.operation_overhead_ns,
            record.operations(),
            record.monitor.summary.cpu_ns,
            wall_ns,
            &record.monitor,
        );
        if context.clock.is_simulated() {
            record.generator = record.generator.of_simulated_time();
        }
        record.generator.overslept_share = overslept_share;
        Ok((record, ledger, spilled))
    }
}

fn checked_steps(steps: Vec<StepSpec>) -> Result<Vec<StepSpec>, RunError> {
    if steps.is_empty() {
        return Err(RunError::NoSteps);
    }
    if steps.len() > MAX_STEPS {
        return Err(RunError::Plan {
            field: "number of steps",
            value: steps.len().to_string(),
            expected: "it must be at most 65,533",
        });
    }
    for (second, step) in steps.iter().enumerate() {
        if let Some(first) = steps[..second]
            .iter()
            .position(|earlier| earlier.name == step.name)
        {
            return Err(RunError::DuplicateStep {
                name: step.name.to_string(),
                first,
                second,
            });
        }
    }
    Ok(steps)
}
