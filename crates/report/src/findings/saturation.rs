//! The knee: more load that brings no more throughput.

use load_engine::{Model, RunRecord};

use super::chance::{grade, strength};
use super::load::{Load, ended_in, whole_intervals};
use crate::comparison::median::median;
use crate::units::{self, count};
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Unit};

/// Levels of load that a ramp is divided into.
const LEVELS: usize = 8;

const MIN_LEVELS: usize = 4;

/// The highest load is at least so many times the knee's: else it says nothing about more load.
const MIN_MORE_LOAD: f64 = 1.4;

/// Throughput beyond the knee is at most so many times that at the knee.
const MAX_MORE_THROUGHPUT: f64 = 1.1;

/// Latency beyond the knee is at least so many times that at it.
const MIN_MORE_LATENCY: f64 = 1.25;

/// Intervals of each level: of fewer there is no spread.
const MIN_INTERVALS: usize = 5;

/// Throughput beyond the knee is surely below this.
const SURELY_BELOW: f64 = 1.2;

/// Neighbouring intervals resemble each other: their mean is less certain than that of independent ones.
const DEPENDENCE: f64 = 1.5;

/// In a smaller number of arrivals, those under way at the end may be many by chance.
const MIN_ARRIVALS: u64 = 1_000;

/// A backlog at the schedule's end of more than this share of all arrivals, and of so many standard
/// deviations of what is under way by chance, is an overload: of loads at the capacity or below it, one
/// in a hundred has one.
const BEHIND_SHARE: f64 = 0.01;
const BEHIND_DEVIATIONS: f64 = 3.0;

/// The same, for a strong finding.
const FAR_BEHIND_SHARE: f64 = 0.03;
const FAR_BEHIND_DEVIATIONS: f64 = 6.0;

#[derive(Debug, Clone, Copy)]
struct Level {
    load: f64,
    per_second: f64,
    mean_ns: f64,
    intervals: usize,
    /// The standard error of the throughput, as a share of it.
    error: f64,
}

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
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
    let more = (highest.per_second / knee.per_second).ln();
    let error = DEPENDENCE * (knee.error.powi(2) + highest.error.powi(2)).sqrt();
    let deviations = (SURELY_BELOW.ln() - more) / error.max(1e-9);
    let grade = grade(normal_tail(deviations), 1);
    if grade == Grade::Weak {
        return None;
    }
    Some(Finding {
        kind: FindingKind::Saturation,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            grade,
            slower,
            "mean latency at the most users over that at the knee",
        ),
        evidence: Evidence {
            text: format!(
                "{:.0} users do {}, {:.0} users do {}, each operation {slower:.1} times as slow",
                knee.load,
                units::rate(knee.per_second),
                highest.load,
                units::rate(highest.per_second)
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

/// Whether an open model's rate was more than the target served: by the schedule's end a backlog stood.
pub(super) fn is_behind(run: &RunRecord) -> bool {
    let backlog = Backlog::of(run);
    backlog.is_some_and(|backlog| backlog.is_more(BEHIND_SHARE, BEHIND_DEVIATIONS))
}

struct Backlog {
    /// Arrivals that were due.
    asked: u64,
    /// Those of them that had not ended by the schedule's end.
    undone: u64,
    /// Those of them that are under way at any time: the rate by the time that an arrival usually takes.
    usual: f64,
}

impl Backlog {
    /// None of another model, or of a run too short to know what is usual.
    fn of(run: &RunRecord) -> Option<Self> {
        let arrivals = run.open.as_ref()?.arrivals;
        let asked = arrivals
            .scheduled
            .saturating_sub(arrivals.cut + arrivals.skipped);
        let whole = whole_intervals(run);
        if asked < MIN_ARRIVALS || whole < MIN_INTERVALS {
            return None;
        }
        // By its first half, in which a queue that grows is still short.
        let took = |interval: usize| -> f64 {
            let steps = run
                .steps
                .iter()
                .filter_map(|step| step.intervals.get(interval));
            steps.map(|interval| interval.latency.mean_ns).sum()
        };
        let usual_ns = median((0..whole.div_ceil(2)).map(took))?;
        let per_ns = Load::of(run).at(run.window_ns().saturating_sub(1)) / 1e9;
        Some(Self {
            asked,
            undone: asked.saturating_sub(arrivals.done),
            usual: per_ns * usual_ns,
        })
    }

    fn is_more(&self, share: f64, deviations: f64) -> bool {
        let asked = self.asked as f64;
        let more = self.undone as f64 - self.usual;
        more > (share * asked).max(deviations * (2.0 * asked).sqrt())
    }
}

/// The chance of a normal deviate above this, by an upper bound that is right to a few per cent.
fn normal_tail(deviations: f64) -> f64 {
    if deviations <= 0.5 {
        return 0.5;
    }
    (-deviations * deviations / 2.0).exp() / (deviations * std::f64::consts::TAU.sqrt())
}

/// Arrivals that were asked for and not done.
fn behind(scenario: &str, run: &RunRecord) -> Option<Finding> {
    let arrivals = run.open.as_ref()?.arrivals;
    let backlog = Backlog::of(run)?;
    if !is_behind(run) {
        return None;
    }
    let Backlog { asked, undone, .. } = backlog;
    let grade = match backlog.is_more(FAR_BEHIND_SHARE, FAR_BEHIND_DEVIATIONS) {
        true => Grade::Strong,
        false => Grade::Moderate,
    };
    let share = undone as f64 / asked as f64;
    let seconds = run.window_ns() as f64 / 1e9;
    let rate = |count: u64| count as f64 / seconds.max(1e-9);
    Some(Finding {
        kind: FindingKind::Saturation,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            grade,
            share,
            "share of the arrivals that were not done in time",
        ),
        evidence: Evidence {
            text: format!(
                "of {} arrivals {} had not ended by the end of the schedule: {} were due, and {} done",
                count(asked),
                count(undone),
                units::rate(rate(asked)),
                units::rate(rate(arrivals.done))
            ),
            figures: vec![
                Figure::new("done", rate(arrivals.done), Unit::PerSecond),
                Figure::new("offered", rate(asked), Unit::PerSecond),
                Figure::new("not ended in time", undone as f64, Unit::Count),
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
                intervals: 1,
                error: 0.0,
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
            intervals: points.len(),
            error: error(points),
        })
        .filter(|level| level.intervals >= MIN_INTERVALS)
        .collect()
}

/// The standard error of the intervals' mean throughput, as a share of it.
fn error(points: &[Level]) -> f64 {
    let n = points.len() as f64;
    let mean = points.iter().map(|point| point.per_second).sum::<f64>() / n;
    let squares = points.iter().map(|point| (point.per_second - mean).powi(2));
    (squares.sum::<f64>() / (n - 1.0).max(1.0) / n).sqrt() / mean.max(1e-9)
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
