//! How long latencies took to come back after a peak.

use load_engine::{Model, RunRecord, StepSummary};

use super::chance::strength;
use super::load::{Load, Plateau, ended_in};
use crate::comparison::median::median;
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Span, Unit};

/// A peak is at least so many times the load before it.
const PEAK: f64 = 1.3;

/// Back to normal: at most so many times the 95th percentile from before.
const NORMAL: f64 = 1.5;

/// …for so many intervals in a row.
const CALM: usize = 3;

/// A recovery that takes no longer than this many intervals is none to speak of.
const QUICK: usize = 3;

/// Fewer intervals before the peak do not show what is normal.
const MIN_BEFORE: usize = 10;

/// A strong finding: so many times as long as the queue explains, at least.
const STRONG_INTERVALS: usize = 10;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let load = Load::of(run);
    let plateaus = load.plateaus();
    let Some((before, peak)) = peak(&plateaus) else {
        return Vec::new();
    };
    let calm = |plateau: &&Plateau| plateau.from >= peak.until && plateau.load <= 1.1 * before.load;
    let Some(after) = plateaus.iter().find(calm) else {
        return Vec::new();
    };
    // The one that took longest stands for all: they share what was overloaded.
    let steps = run.steps.iter();
    let slowest = steps
        .filter_map(|step| Some((step, recovery(step, before, after)?)))
        .max_by_key(|(_, recovery)| recovery.intervals);
    slowest
        .filter(|(_, recovery)| recovery.intervals > QUICK + explained(run, &load, after))
        .map(|(step, recovery)| finding(scenario, run, step, after, &recovery))
        .into_iter()
        .collect()
}

/// The highest load, and a lower one before it.
fn peak(plateaus: &[Plateau]) -> Option<(&Plateau, &Plateau)> {
    let peak = plateaus.iter().max_by(|a, b| a.load.total_cmp(&b.load))?;
    let lower = |plateau: &&Plateau| plateau.until <= peak.from && peak.load >= PEAK * plateau.load;
    let longest = plateaus
        .iter()
        .filter(lower)
        .max_by_key(|p| p.intervals().len())?;
    (longest.intervals().len() >= MIN_BEFORE).then_some((longest, peak))
}

/// How many intervals an open model's queue needs to be served after the peak, at the fastest rate that was
/// seen: that long it is no sign of a slow recovery.
fn explained(run: &RunRecord, load: &Load<'_>, after: &Plateau) -> usize {
    let Model::Open { .. } = run.model else {
        return 0;
    };
    let seconds = run.interval_ns as f64 / 1e9;
    let middle = |interval: usize| interval as u64 * run.interval_ns + run.interval_ns / 2;
    let due: f64 = (0..after.from)
        .map(|interval| load.at(middle(interval)) * seconds)
        .sum();
    // Operations, of which an iteration may have several.
    let steps = run
        .steps
        .iter()
        .filter(|step| step.attempted > 0)
        .count()
        .max(1) as f64;
    let done = |interval: usize| ended_in(run, interval) as f64 / steps;
    let served: f64 = (0..after.from).map(done).sum();
    let fastest = (0..after.until).map(done).fold(0.0, f64::max) / seconds;
    let spare = fastest - after.load;
    let backlog = (due - served).max(0.0);
    match spare > 0.0 {
        true => (backlog / spare / seconds).ceil() as usize,
        false => usize::MAX / 2,
    }
}

struct Recovery {
    /// How many intervals it took, or all there were.
    intervals: usize,
    came_back: bool,
    before_ns: f64,
}

fn recovery(step: &StepSummary, before: &Plateau, after: &Plateau) -> Option<Recovery> {
    let p95 = |interval: usize| {
        let latency = &step.intervals.get(interval)?.latency;
        (latency.count > 0).then_some(latency.p95_ns as f64)
    };
    let before_ns = median(before.intervals().filter_map(p95))?;
    let highest = before.intervals().filter_map(p95).fold(0.0, f64::max);
    let bound = highest.max(NORMAL * before_ns);
    let last = after.until.min(step.intervals.len());
    if last < after.from + CALM {
        return None;
    }
    // An interval without an end is a wait.
    let calm = |interval: usize| p95(interval).is_some_and(|ns| ns <= bound);
    let back = (after.from..=last - CALM).find(|first| (*first..first + CALM).all(calm));
    Some(Recovery {
        intervals: back.unwrap_or(last) - after.from,
        came_back: back.is_some(),
        before_ns,
    })
}

fn finding(
    scenario: &str,
    run: &RunRecord,
    step: &StepSummary,
    after: &Plateau,
    recovery: &Recovery,
) -> Finding {
    let took_ns = recovery.intervals as u64 * run.interval_ns;
    let took = took_ns as f64 / 1e9;
    let text = if recovery.came_back {
        format!("latencies came back to those from before the peak {took:.0} s after it")
    } else {
        format!("latencies did not come back within the {took:.0} s after the peak")
    };
    let start_ns = after.from as u64 * run.interval_ns;
    let share = recovery.intervals as f64 / after.intervals().len().max(1) as f64;
    Finding {
        kind: FindingKind::SlowRecovery,
        scenario: scenario.to_owned(),
        step: Some(step.name.clone()),
        phase: None,
        strength: strength(
            match recovery.intervals >= STRONG_INTERVALS {
                true => Grade::Strong,
                false => Grade::Moderate,
            },
            share,
            "share of the calm after the peak that it took",
        ),
        evidence: Evidence {
            text,
            figures: vec![
                Figure::new("time to recover", took_ns as f64, Unit::Nanoseconds),
                Figure::new("p95 before the peak", recovery.before_ns, Unit::Nanoseconds),
            ],
        },
        recommendation: "bound the queues: work that nobody waits for any more should be dropped, \
                         not done late"
            .to_owned(),
        span: Some(Span {
            start_ns,
            end_ns: start_ns + took_ns,
        }),
        plot: PlotKind::Latency,
    }
}
