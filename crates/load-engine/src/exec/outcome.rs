//! What a run gives, brought together from what its users left.

use crate::context::RunContext;
use crate::context::counter::Doing;
use crate::error::RunError;
use crate::exec::messages::Load;
use crate::exec::stragglers::Stragglers;
use crate::ledger::Ledger;
use crate::ledger::spill::SpilledLedger;
use crate::plan::model::Model;
use crate::plan::phase::PhaseCounts;
use crate::record::fairness::{Fairness, UserTally};
use crate::record::lag::LagTally;
use crate::record::open_summary::OpenSummary;
use crate::record::phase::PhaseSummary;
use crate::record::{
    CheckCount, FailureCounts, InFlight, IterationCounts, RunRecord, SlowOperation, StepSummary,
};
use crate::step::StepSpec;

/// What a run gives whose threads it may leave behind.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What was measured.
    pub record: RunRecord,
    /// What was acknowledged. Writes that were under way at the end are *attempted*.
    pub ledger: Ledger,
    /// The ledger instead, if the plan keeps it on disk.
    pub spilled: Option<SpilledLedger>,
    /// The threads that the run ended without.
    pub stragglers: Stragglers,
}

/// Brings the users' figures together.
pub(crate) fn total(
    mut load: Load,
    context: &RunContext<'_>,
) -> Result<(RunRecord, Ledger, Option<SpilledLedger>), RunError> {
    let spilled = match &context.spill {
        None => None,
        Some(spill) => {
            load.ledgers
                .iter_mut()
                .for_each(|ledger| spill.take(ledger));
            Some(spill.finish()?)
        }
    };
    let plan = &context.plan;
    let in_flight = in_flight(&load, context);
    let planned = plan.model.planned_iterations();
    let interval_ns = context.timeline.align();
    let window_ns = window_ns(&load, context);
    let open = context.arrival_queue.as_ref().map(|_| {
        let arrivals = load.recorders.iter().filter_map(|user| user.open.as_ref());
        let under_way = load.in_flight.len() as u64 + load.unfinished;
        OpenSummary::new(
            arrivals,
            planned.unwrap_or_default(),
            under_way,
            interval_ns,
        )
    });
    let runtime_lag = LagTally::sum(load.lags.iter());
    let fairness = fairness(&load, context);
    let mut total = context.recorder();
    for recorder in load.recorders {
        total.absorb(recorder);
    }
    let phases = phases(context, load.began_ns, &total.phases);
    let summary = |((step, tally), in_flight)| {
        let summary = StepSummary::new(tally, &context.timeline.step(step));
        summary.with_in_flight(in_flight)
    };
    let slow = std::mem::take(&mut total.slow.operations);
    let steps: Vec<StepSummary> = total
        .steps
        .into_iter()
        .enumerate()
        .zip(in_flight)
        .map(summary)
        .collect();
    let mut checks: Vec<CheckCount> = total.checks.into_iter().map(CheckCount::from).collect();
    // By name, since which user made one first is a matter of chance.
    checks.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let slow_operations = slow_operations(slow, &steps);
    let ledger = all(load.ledgers);
    let record = RunRecord {
        label: plan.label.clone(),
        model: plan.model.clone(),
        seed: plan.seed,
        users: context.users(),
        interrupted: load.interrupted,
        abort: load.abort,
        iterations: IterationCounts {
            planned,
            completed: load.completed,
            failed: load.failed,
            in_flight: load.in_flight.len() as u64,
        },
        failures: total.failures.into(),
        checks,
        tear_down_failures: FailureCounts::from(load.tear_down_failures),
        steps,
        slow_operations,
        window_ns,
        think_time: plan.think_time,
        phases,
        interval_ns,
        open,
        fairness,
        runtime_lag,
        stored: ledger.stored(),
        ..RunRecord::default()
    };
    Ok((record, ledger, spilled))
}

/// How long the scheduled window was: the phases or the schedule, less what was left out or cut off; the
/// whole load, if it ends by count.
fn window_ns(load: &Load, context: &RunContext<'_>) -> u64 {
    let windows = &context.timeline.windows;
    let scheduled = windows.end_ns(context.plan.phases.len());
    let end_ns = scheduled.unwrap_or(u64::MAX).min(load.ended_ns);
    end_ns.saturating_sub(load.began_ns)
}

/// So many slow operations are kept in a record, the longest.
const MAX_SLOW: usize = 5_000;

/// An operation is slow beside the others of its step.
const SLOW_TIMES: u64 = 10;

/// The operations that took much longer than their step usually does, by their start.
fn slow_operations(mut slow: Vec<SlowOperation>, steps: &[StepSummary]) -> Vec<SlowOperation> {
    let length_ns = |slow: &SlowOperation| slow.end_ns - slow.start_ns;
    slow.retain(|slow| {
        let median_ns = steps[slow.step as usize].service_time.p50_ns;
        length_ns(slow) >= SLOW_TIMES * median_ns
    });
    slow.sort_unstable_by_key(|slow| std::cmp::Reverse(length_ns(slow)));
    slow.truncate(MAX_SLOW);
    slow.sort_unstable_by_key(|slow| (slow.start_ns, slow.end_ns, slow.user));
    slow
}

/// How far users were apart. Those of other models ask for different things: for as much as their
/// stage is long, or for the arrivals that the others left.
fn fairness(load: &Load, context: &RunContext<'_>) -> Option<Fairness> {
    let Model::Closed { .. } = context.plan.model else {
        return None;
    };
    let users = (0..)
        .zip(&load.user_ends_ns)
        .map(|(user, ended_ns)| UserTally {
            user,
            iterations: context.counter_of(user).done(),
            time_ns: ended_ns
                .unwrap_or(load.ended_ns)
                .saturating_sub(load.began_ns),
        });
    Fairness::of(users.collect())
}

/// One ledger of all users.
fn all(ledgers: Vec<Ledger>) -> Ledger {
    let mut all = Ledger::new();
    all.reserve(&ledgers);
    for ledger in ledgers {
        all.absorb(ledger);
    }
    all
}

/// What was under way in each step when the run ended.
fn in_flight(load: &Load, context: &RunContext<'_>) -> Vec<InFlight> {
    let mut steps = vec![InFlight::default(); context.steps.len()];
    for doing in &load.in_flight {
        if let Doing::Step { step, since_ns } = *doing {
            steps[step].count += 1;
            let age_ns = load.ended_ns.saturating_sub(since_ns);
            steps[step].longest_ns = steps[step].longest_ns.max(age_ns);
        }
    }
    steps
}

/// The figures of each phase, when all users have brought theirs to the timeline.
fn phases(context: &RunContext<'_>, began_ns: u64, counts: &[PhaseCounts]) -> Vec<PhaseSummary> {
    let mut start_ns = 0;
    let mut summaries = Vec::with_capacity(context.plan.phases.len());
    for (number, (phase, counts)) in context.plan.phases.iter().zip(counts).enumerate() {
        let planned_ns = start_ns + phase.duration.as_nanos() as u64;
        let end_ns = context
            .phases
            .end_ns(number)
            .map_or(planned_ns, |end_ns| end_ns.saturating_sub(began_ns));
        let step = |(step, spec): (usize, &StepSpec)| {
            context.timeline.step(step).phase(number, &spec.name)
        };
        summaries.push(PhaseSummary {
            name: phase.name.clone(),
            start_ns,
            end_ns,
            ended_early: end_ns < planned_ns,
            completed: counts.completed,
            failed: counts.failed,
            in_flight: counts.in_flight,
            outside_failures: counts.outside_failures,
            last_ended_ns: Some(counts.ended_ns.saturating_sub(began_ns))
                .filter(|_| counts.completed + counts.failed > 0),
            steps: context.steps.iter().enumerate().map(step).collect(),
        });
        start_ns = end_ns;
    }
    summaries
}
