//! A step that gets slower while the load stands.

use load_engine::trend::{mann_kendall, theil_sen};
use load_engine::{RunRecord, StepSummary};

use super::load::{Load, Plateau};
use super::strength;
use crate::comparison::median::median;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Unit};

/// Neighbouring seconds resemble each other; the median of several is nearly independent of the next.
const BLOCKS: usize = 16;

const MIN_BLOCKS: usize = 8;

/// One-sided chance below 1 in 1,000: many steps are looked at.
const SIGNIFICANT_Z: f64 = 3.09;

/// Growth over the plateau below this share of its first median is not worth a word.
const MIN_GROWTH: f64 = 0.25;

/// Growth below this is the clock's and the scheduler's.
const MIN_GROWTH_NS: f64 = 1_000.0;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let plateaus = Load::of(run).plateaus();
    let longest = plateaus
        .iter()
        .max_by_key(|plateau| plateau.intervals().len());
    let Some(plateau) = longest else {
        return Vec::new();
    };
    let steps = run.steps.iter();
    steps
        .filter_map(|step| of_step(scenario, run, step, plateau))
        .collect()
}

fn of_step(
    scenario: &str,
    run: &RunRecord,
    step: &StepSummary,
    plateau: &Plateau,
) -> Option<Finding> {
    let blocks = blocks(run, step, plateau);
    let (rises, z) = mann_kendall(&blocks);
    if blocks.len() < MIN_BLOCKS || rises <= 0 || z < SIGNIFICANT_Z {
        return None;
    }
    let (first, last) = (blocks.first()?, blocks.last()?);
    let growth = theil_sen(&blocks) * (last.0 - first.0);
    let before = median(blocks.iter().take(blocks.len() / 4).map(|b| b.1))?;
    let share = growth / before.max(1.0);
    if share < MIN_GROWTH || growth < MIN_GROWTH_NS {
        return None;
    }
    Some(Finding {
        kind: FindingKind::Degradation,
        scenario: scenario.to_owned(),
        step: Some(step.name.clone()),
        phase: None,
        strength: strength(
            share,
            0.5,
            1.0,
            "growth of the median over the time, as a share of it",
        ),
        evidence: Evidence {
            text: format!(
                "the median grew by {:.0} % while the load stood, from block to block of time \
                 (Mann and Kendall's z {z:.1})",
                share * 100.0
            ),
            figures: vec![
                Figure::new("median at the beginning", before, Unit::Nanoseconds),
                Figure::new("growth", growth, Unit::Nanoseconds),
                Figure::new("z", z, Unit::Plain),
            ],
        },
        recommendation: "look for what grows with the number of operations: a table without an \
                         index, a list that is searched, a log that is read again"
            .to_owned(),
        span: Some(plateau.span(run)),
        plot: PlotKind::Latency,
    })
}

/// The median of the interval medians of each block of time; empty intervals say nothing.
fn blocks(run: &RunRecord, step: &StepSummary, plateau: &Plateau) -> Vec<(f64, f64)> {
    let intervals = &step.intervals;
    let intervals =
        &intervals[plateau.from.min(intervals.len())..plateau.until.min(intervals.len())];
    let size = intervals.len().div_ceil(BLOCKS).max(1);
    let block = |(number, block): (usize, &[load_engine::IntervalSummary])| {
        let filled = block.iter().filter(|interval| interval.latency.count > 0);
        let medians = filled.map(|interval| interval.latency.p50_ns as f64);
        let at = (number * size) as f64 * run.interval_ns as f64;
        Some((at, median(medians)?))
    };
    intervals
        .chunks(size)
        .enumerate()
        .filter_map(block)
        .collect()
}
