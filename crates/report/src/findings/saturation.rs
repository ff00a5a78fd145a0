//! The knee: more load that brings no more throughput.

use load_engine::{Model, RunRecord};

use super::load::{Load, ended_in, whole_intervals};
use super::strength;
use crate::comparison::median::median;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Unit};

/// Levels of load that a ramp is divided into.
const LEVELS: usize = 8;

const MIN_LEVELS: usize = 4;

/// The highest load is at least so many times the knee's: else it says nothing about more load.
const MIN_MORE_LOAD: f64 = 1.4;

/// Throughput beyond the knee is at most so many times that at the knee.
const MAX_MORE_THROUGHPUT: f64 = 1.1;

/// Latency beyond the knee is at least so many times that at it.
const MIN_MORE_LATENCY: f64 = 1.25;

/// Arrivals that were not done in time, as a share of all, at which an open rate is too high.
const MIN_BEHIND: f64 = 0.02;

#[derive(Debug, Clone, Copy)]
struct Level {
    load: f64,
    per_second: f64,
    mean_ns: f64,
}

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    if !run.generator_limits().is_empty() {
        return Vec::new();
    }
    let found = match run.model {
        Model::Open { .. } => behind(scenario, run),
        _ => knee(scenario, run),
    };
    found.into_iter().collect()
}

/// Users that were added and brought nothing.
fn knee(scenario: &str, run: &RunRecord) -> Option<Finding> {
    let levels = levels(run);
    let highest = *levels.last()?;
    if levels.len() < MIN_LEVELS {
        return None;
    }
    let is_knee = |(number, level): &(usize, &Level)| {
        let beyond = &levels[number + 1..];
        let most = beyond
            .iter()
            .map(|other| other.per_second)
            .fold(0.0, f64::max);
        highest.load >= MIN_MORE_LOAD * level.load
            && most <= MAX_MORE_THROUGHPUT * level.per_second
            && highest.mean_ns >= MIN_MORE_LATENCY * level.mean_ns
    };
    let (_, knee) = levels.iter().enumerate().find(is_knee)?;
    let slower = highest.mean_ns / knee.mean_ns.max(1.0);
    Some(Finding {
        kind: FindingKind::Saturation,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            slower,
            1.5,
            2.0,
            "mean latency at the most users over that at the knee",
        ),
        evidence: Evidence {
            text: format!(
                "{:.0} users do {:.0} operations/s; {:.0} users do {:.0}/s, each {slower:.1} times \
                 as slow",
                knee.load, knee.per_second, highest.load, highest.per_second
            ),
            figures: vec![
                Figure::new("users at the knee", knee.load, Unit::Count),
                Figure::new("throughput at the knee", knee.per_second, Unit::PerSecond),
                Figure::new("most users", highest.load, Unit::Count),
                Figure::new("throughput there", highest.per_second, Unit::PerSecond),
            ],
        },
        recommendation: format!(
            "plan for about {:.0} users at once; for more, find what they wait for in turns",
            knee.load
        ),
        span: None,
        plot: PlotKind::Throughput,
    })
}

/// Arrivals that were asked for and not done.
fn behind(scenario: &str, run: &RunRecord) -> Option<Finding> {
    let arrivals = run.open.as_ref()?.arrivals;
    let asked = arrivals.scheduled.saturating_sub(arrivals.cut);
    let undone = arrivals.queued + arrivals.dropped;
    let share = undone as f64 / asked.max(1) as f64;
    if share < MIN_BEHIND || asked < 100 {
        return None;
    }
    let seconds = run.wall_ns as f64 / 1e9;
    let rate = |count: u64| count as f64 / seconds.max(1e-9);
    Some(Finding {
        kind: FindingKind::Saturation,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            share,
            0.1,
            0.3,
            "share of the arrivals that were not done in time",
        ),
        evidence: Evidence {
            text: format!(
                "of {asked} arrivals {undone} were not begun by the end of the schedule: the target \
                 did {:.0}/s",
                rate(arrivals.done)
            ),
            figures: vec![
                Figure::new("done", rate(arrivals.done), Unit::PerSecond),
                Figure::new("waiting at the end", arrivals.queued as f64, Unit::Count),
                Figure::new("dropped", arrivals.dropped as f64, Unit::Count),
            ],
        },
        recommendation: "search for the highest rate that it still keeps, and stay under it"
            .to_owned(),
        span: None,
        plot: PlotKind::Throughput,
    })
}

/// Throughput and latency by the load, from low to high.
fn levels(run: &RunRecord) -> Vec<Level> {
    let load = Load::of(run);
    let seconds = run.interval_ns as f64 / 1e9;
    let whole = whole_intervals(run);
    let mut points: Vec<Level> = (0..whole)
        .map(|interval| {
            let middle = interval as u64 * run.interval_ns + run.interval_ns / 2;
            let ended = ended_in(run, interval);
            Level {
                load: load.at(middle),
                per_second: ended as f64 / seconds,
                mean_ns: mean_in(run, interval, ended),
            }
        })
        .filter(|point| point.load > 0.0 && point.per_second > 0.0)
        .collect();
    points.sort_by(|a, b| a.load.total_cmp(&b.load));
    let [Level { load: least, .. }, .., Level { load: most, .. }] = points[..] else {
        return Vec::new();
    };
    let width = (most - least) / LEVELS as f64;
    if width <= 0.0 {
        return Vec::new();
    }
    let level_of = |point: &Level| (((point.load - least) / width) as usize).min(LEVELS - 1);
    let of = |points: &[Level], figure: fn(&Level) -> f64| {
        median(points.iter().map(figure)).unwrap_or_default()
    };
    points
        .chunk_by(|a, b| level_of(a) == level_of(b))
        .map(|points| Level {
            load: of(points, |point| point.load),
            per_second: of(points, |point| point.per_second),
            mean_ns: of(points, |point| point.mean_ns),
        })
        .collect()
}

fn mean_in(run: &RunRecord, interval: usize, ended: u64) -> f64 {
    let summaries = run
        .steps
        .iter()
        .filter_map(|step| step.intervals.get(interval));
    let total: f64 = summaries
        .map(|summary| summary.latency.mean_ns * summary.latency.count as f64)
        .sum();
    total / ended.max(1) as f64
}
