//! Thresholds that are judged while the load runs, and end it when they are violated.

use std::time::Duration;

use crate::context::RunContext;
use crate::context::counter::Counter;
use crate::error::RunError;
use crate::plan::Plan;
use crate::plan::abort::AbortRule;
use crate::plan::condition::Kind;
use crate::record::abort::Abort;
use crate::record::latency::LatencySummary;
use crate::record::phase::PhaseSummary;
use crate::record::{FailureCounts, IterationCounts, RunRecord, StepSummary};
use crate::step::StepSpec;
use crate::threshold::{Names, Ruling, Threshold};

/// Checks, before a run, that every rule can be judged while it goes on.
pub(crate) fn check(plan: &Plan, steps: &[StepSpec]) -> Result<(), RunError> {
    for AbortRule { threshold, .. } in &plan.abort_rules {
        check_threshold(threshold, plan, steps)?;
    }
    for (_, condition) in &plan.phase_ends {
        if let Kind::Held(threshold) = &condition.0 {
            check_threshold(threshold, plan, steps)?;
        }
    }
    Ok(())
}

fn check_threshold(threshold: &Threshold, plan: &Plan, steps: &[StepSpec]) -> Result<(), RunError> {
    threshold.check_names(&Names {
        steps,
        phases: &plan.phases,
        ..Names::default()
    })?;
    threshold.check_live()
}

/// Ends the current phase if what is known now says so.
pub(crate) fn end_phase(context: &RunContext<'_>, began_ns: u64) {
    let now_ns = context.clock.now_ns();
    let current = context.phases.advance(0, now_ns);
    let mut ends = context.plan.phase_ends.iter();
    let Some((_, condition)) = ends.find(|(phase, _)| *phase == current) else {
        return;
    };
    if condition.holds(&so_far(context, now_ns.saturating_sub(began_ns))) {
        // By the clock of now: looking has taken time too.
        let now_ns = context.clock.now_ns();
        if let Some(left_ns) = context.phases.end_early(current, now_ns) {
            context.timeline.windows.shorten(current, left_ns);
            context.skips.skip(now_ns.saturating_sub(began_ns), left_ns);
        }
    }
}

/// The first rule that is violated by what is known now, if any is.
pub(crate) fn judge(context: &RunContext<'_>, began_ns: u64) -> Option<Abort> {
    let at_ns = context.clock.now_ns().saturating_sub(began_ns);
    let elapsed = Duration::from_nanos(at_ns);
    let due = |rule: &&AbortRule| rule.after <= elapsed;
    let mut rules = context.plan.abort_rules.iter().filter(due).peekable();
    rules.peek()?;
    let record = so_far(context, at_ns);
    rules
        .map(|rule| rule.threshold.judge(&record, None))
        .find(|judgement| judgement.ruling == Ruling::Violated)
        .map(|judgement| Abort { at_ns, judgement })
}

/// As much of the record as there is while users iterate.
pub(crate) fn so_far(context: &RunContext<'_>, wall_ns: u64) -> RunRecord {
    let (done, failed) = context.counted();
    RunRecord {
        wall_ns,
        failures: FailureCounts {
            messages: Vec::new(),
            other: context.counters().map(Counter::failed_outside).sum(),
        },
        iterations: IterationCounts {
            completed: done.saturating_sub(failed),
            failed,
            ..IterationCounts::default()
        },
        steps: (0..context.steps.len())
            .map(|step| step_so_far(context, step))
            .collect(),
        phases: phases_so_far(context),
        ..RunRecord::default()
    }
}

fn step_so_far(context: &RunContext<'_>, step: usize) -> StepSummary {
    // Copied under the lock and summed up outside it: a user that flushes waits for a copy at most.
    let (service, response, failed) = {
        let times = context.timeline.step(step);
        let response = context
            .arrival_queue
            .is_some()
            .then(|| times.response.clone());
        (times.service.clone(), response, times.intervals.failed())
    };
    let succeeded = service.len();
    StepSummary {
        name: context.steps[step].name.to_string(),
        attempted: succeeded + failed,
        succeeded,
        failed,
        service_time: LatencySummary::of(&service),
        response_time: response.as_ref().map(LatencySummary::of),
        ..StepSummary::default()
    }
}

fn phases_so_far(context: &RunContext<'_>) -> Vec<PhaseSummary> {
    let asked = |name: &str| {
        let plan = &context.plan;
        let rules = plan.abort_rules.iter().map(|rule| Some(&rule.threshold));
        let conditions = plan.phase_ends.iter().map(|(_, end)| match &end.0 {
            Kind::Held(threshold) => Some(threshold),
            Kind::Code(_) => None,
        });
        // Code may ask for any phase.
        rules.chain(conditions).any(|threshold| {
            threshold.is_none_or(|threshold| {
                let phase = threshold.phase.as_ref();
                phase.is_some_and(|phase| phase.text == name)
            })
        })
    };
    let phases = context.plan.phases.iter().enumerate();
    phases
        .filter(|(_, phase)| asked(&phase.name))
        .map(|(number, phase)| PhaseSummary {
            name: phase.name.clone(),
            steps: (0..context.steps.len())
                .map(|step| {
                    context
                        .timeline
                        .step(step)
                        .phase(number, &context.steps[step].name)
                })
                .collect(),
            ..PhaseSummary::default()
        })
        .collect()
}
