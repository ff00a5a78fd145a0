//! A step that gets slower while the load stands.

use load_engine::trend::{mann_kendall, theil_sen};
use load_engine::{Model, RunRecord, StepSummary};

use super::chance::strength;
use super::load::{Load, Plateau};
use super::saturation::is_behind;
use crate::comparison::median::median;
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Unit};

/// Neighbouring seconds resemble each other; the median of several is nearly independent of the next.
const BLOCKS: usize = 16;

/// In a shorter time, blocks are too short for that.
const MIN_NS: u64 = 64_000_000_000;

const MIN_OPERATIONS: u64 = 100;

/// One-sided chance below 1 in 1,000: many steps are looked at.
const SIGNIFICANT_Z: f64 = 3.09;

/// Growth over the plateau below this share of its first median is not worth a word.
const MIN_GROWTH: f64 = 0.25;

/// A strong finding: growth of at least this share, in both halves of the time.
const STRONG_GROWTH: f64 = 0.5;

/// Growth below so many times the blocks' spread around the trend is what neighbours that resemble each
/// other do by chance.
const SPREADS: f64 = 8.0;

/// The median absolute deviation of a normal distribution times this is its standard deviation.
const MAD: f64 = 1.4826;

/// In an open model, the intervals' times include the wait for a slot. A longer wait than this share of
/// the service time is the queue's trend, not the step's.
const MAX_WAIT: f64 = 0.25;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let plateaus = Load::of(run).plateaus();
    let longest = plateaus
        .iter()
        .max_by_key(|plateau| plateau.intervals().len());
    let Some(plateau) = longest else {
        return Vec::new();
    };
    let length_ns = plateau.intervals().len() as u64 * run.interval_ns;
    if length_ns < MIN_NS || is_behind(run) {
        return Vec::new();
    }
    let steps = run.steps.iter().filter(|step| is_service(run, step));
    steps
        .filter_map(|step| of_step(scenario, run, step, plateau))
        .collect()
}

/// Whether the times of the step's intervals are its service times, or nearly so.
fn is_service(run: &RunRecord, step: &StepSummary) -> bool {
    let Model::Open { .. } = run.model else {
        return true;
    };
    let (felt, served) = (step.felt().p50_ns as f64, step.service_time.p50_ns as f64);
    felt - served <= MAX_WAIT * served
}

fn of_step(
    scenario: &str,
    run: &RunRecord,
    step: &StepSummary,
    plateau: &Plateau,
) -> Option<Finding> {
    if step.succeeded < MIN_OPERATIONS {
        return None;
    }
    let blocks = blocks(run, step, plateau);
    let (rises, z) = mann_kendall(&blocks);
    if blocks.len() < BLOCKS || rises <= 0 || z < SIGNIFICANT_Z {
        return None;
    }
    let (first, last) = (blocks.first()?, blocks.last()?);
    let slope = theil_sen(&blocks);
    let growth = slope * (last.0 - first.0);
    let before = median(blocks.iter().take(blocks.len() / 4).map(|b| b.1))?;
    let share = growth / before.max(1.0);
    if share < MIN_GROWTH || growth < SPREADS * spread(&blocks, slope) {
        return None;
    }
    let rises = |half: &[(f64, f64)]| mann_kendall(half).0 > 0 && theil_sen(half) > 0.0;
    let (earlier, later) = blocks.split_at(blocks.len() / 2);
    let grade = if share >= STRONG_GROWTH && rises(earlier) && rises(later) {
        Grade::Strong
    } else {
        Grade::Moderate
    };
    Some(Finding {
        kind: FindingKind::Degradation,
        scenario: scenario.to_owned(),
        step: Some(step.name.clone()),
        phase: None,
        strength: strength(
            grade,
            share,
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

/// The standard deviation of the blocks around their trend, by its robust estimate.
fn spread(blocks: &[(f64, f64)], slope: f64) -> f64 {
    let rest = |(at, value): &(f64, f64)| value - slope * at;
    let middle = median(blocks.iter().map(rest)).unwrap_or(0.0);
    MAD * median(blocks.iter().map(|block| (rest(block) - middle).abs())).unwrap_or(0.0)
}

/// The median of the interval medians of each block of time; empty intervals say nothing.
fn blocks(run: &RunRecord, step: &StepSummary, plateau: &Plateau) -> Vec<(f64, f64)> {
    let (from, length) = (plateau.from, plateau.intervals().len());
    let block = |number: usize| {
        let range = from + number * length / BLOCKS..from + (number + 1) * length / BLOCKS;
        let at = range.start as f64 * run.interval_ns as f64;
        let own = step
            .intervals
            .get(range.start..range.end.min(step.intervals.len()))?;
        let filled = own.iter().filter(|interval| interval.latency.count > 0);
        let medians = filled.map(|interval| interval.latency.p50_ns as f64);
        Some((at, median(medians)?))
    };
    (0..BLOCKS).filter_map(block).collect()
}
