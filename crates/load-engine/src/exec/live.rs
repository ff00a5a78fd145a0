//! The record of a run that is still going on, for whoever watches it.

use std::sync::Arc;

use crate::context::RunContext;
use crate::exec::abort::so_far;
use crate::monitor::Monitor;
use crate::record::phase::PhaseSummary;
use crate::record::{IntervalSummary, RunRecord};

/// Looks at a run now and then. What did not change since the last look is not summed up again, so
/// that a look at a long run costs what one at a short run does.
pub(crate) struct LiveSnapshot {
    width_ns: u64,
    /// Of each step, as far as they were known at the last look.
    intervals: Vec<Vec<IntervalSummary>>,
}

impl LiveSnapshot {
    pub(crate) fn new(context: &RunContext<'_>) -> Self {
        Self {
            width_ns: 0,
            intervals: vec![Vec::new(); context.steps.len()],
        }
    }

    /// What the users have brought together by now, which they do once a second.
    pub(crate) fn look(
        &mut self,
        context: &RunContext<'_>,
        monitor: &Monitor,
        began_ns: u64,
        monitor_began_ns: u64,
    ) -> Arc<RunRecord> {
        let wall_ns = context.clock.now_ns().saturating_sub(began_ns);
        let width_ns = context.timeline.align();
        if width_ns != self.width_ns {
            self.width_ns = width_ns;
            self.intervals.iter_mut().for_each(Vec::clear);
        }
        let plan = &context.plan;
        let mut record = so_far(context, wall_ns);
        for (number, (step, known)) in record.steps.iter_mut().zip(&mut self.intervals).enumerate()
        {
            // The lock is held while counts are copied, and not while they are summed up.
            let changed = context.timeline.step(number).intervals.changed_since(known);
            changed.bring_up_to_date(known);
            step.intervals.clone_from(known);
        }
        record.iterations.planned = plan.model.planned_iterations();
        record.label.clone_from(&plan.label);
        record.model = plan.model.clone();
        record.think_time = plan.think_time;
        record.seed = plan.seed;
        record.users = context.users();
        record.interval_ns = width_ns;
        record.phases = phases(context, began_ns, wall_ns);
        record.monitor = monitor.so_far(monitor_began_ns, wall_ns);
        Arc::new(record)
    }
}

/// The phases that have begun.
fn phases(context: &RunContext<'_>, began_ns: u64, wall_ns: u64) -> Vec<PhaseSummary> {
    let mut start_ns = 0;
    let mut begun = Vec::new();
    for (number, phase) in context.plan.phases.iter().enumerate() {
        if start_ns > wall_ns {
            break;
        }
        let planned_ns = start_ns + phase.duration.as_nanos() as u64;
        let end_ns = context
            .phases
            .end_ns(number)
            .map_or(planned_ns, |end_ns| end_ns.saturating_sub(began_ns));
        let steps = context.steps.iter().enumerate();
        begun.push(PhaseSummary {
            name: phase.name.clone(),
            start_ns,
            end_ns: end_ns.min(wall_ns),
            ended_early: end_ns < planned_ns,
            steps: steps
                .map(|(step, spec)| context.timeline.step(step).phase(number, &spec.name))
                .collect(),
            ..PhaseSummary::default()
        });
        start_ns = end_ns;
    }
    begun
}
