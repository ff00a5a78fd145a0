//! One step that takes most of the time: where to begin when the whole is too slow.

use load_engine::RunRecord;

use super::chance::strength;
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Unit};

/// Below this share of the time, a second step is worth as much attention.
const MOST: f64 = 0.8;

/// Of fewer steps there is no other to compare with.
const MIN_STEPS: usize = 3;

/// A few operations may have met anything.
const MIN_ATTEMPTS: u64 = 100;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let ran: Vec<_> = run.steps.iter().filter(|step| step.attempted > 0).collect();
    let time = |step: &load_engine::StepSummary| {
        step.service_time.mean_ns * step.service_time.count as f64
    };
    let total: f64 = ran.iter().map(|step| time(step)).sum();
    let Some(step) = ran.iter().max_by(|a, b| time(a).total_cmp(&time(b))) else {
        return Vec::new();
    };
    let share = time(step) / total;
    if ran.len() < MIN_STEPS || run.operations() < MIN_ATTEMPTS || share.is_nan() || share < MOST {
        return Vec::new();
    }
    let percent = share * 100.0;
    vec![Finding {
        kind: FindingKind::DominantStep,
        scenario: scenario.to_owned(),
        step: Some(step.name.clone()),
        phase: None,
        // It says where to begin, and not that anything is wrong.
        strength: strength(Grade::Weak, share, "share of the time of all steps"),
        evidence: Evidence {
            text: format!(
                "{percent:.0} % of the time of all steps went into this one of {}",
                ran.len()
            ),
            figures: vec![
                Figure::new("share of the time", share, Unit::Share),
                Figure::new("mean", step.service_time.mean_ns, Unit::Nanoseconds),
                Figure::new("attempts", step.attempted as f64, Unit::Count),
            ],
        },
        recommendation: "begin here: nothing that makes the other steps faster will be felt"
            .to_owned(),
        span: None,
        plot: PlotKind::Percentiles,
    }]
}
