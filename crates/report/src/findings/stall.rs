//! Times in which everybody waited: the target stood still.

use load_engine::{Model, MonitorSample, RunRecord, StepSummary};

use super::load::Load;
use super::strength;
use crate::comparison::median::median;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Span, Unit};

/// A wait is at least this long, and at least so many times the step's median.
const MIN_WAIT_NS: u64 = 50_000_000;
const MIN_TIMES: u64 = 10;

/// Of those who could have waited, at least this share did.
const MOST: f64 = 0.8;

/// With fewer at once, "all of them" is chance.
const MIN_USERS: f64 = 4.0;

/// Long waits are at least so many times as many as in the usual interval: else they are the tail.
const MIN_TIMES_USUAL: f64 = 5.0;

/// So many stalls are named; a run with more has another trouble.
const MAX_FINDINGS: usize = 5;

#[derive(Clone, Copy)]
struct Stall {
    interval: usize,
    longest_ns: u64,
    waited: u64,
    /// Of those who could have waited.
    share: f64,
    expected: f64,
}

impl Stall {
    fn is_one(&self, usual: f64) -> bool {
        // Far more than there are users: long waits follow one another, and nothing stood still.
        self.expected >= MIN_USERS
            && (MOST..=2.0).contains(&self.share)
            && self.waited as f64 >= MIN_TIMES_USUAL * usual
    }
}

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let intervals = run
        .steps
        .iter()
        .map(|step| step.intervals.len())
        .max()
        .unwrap_or(0);
    let load = Load::of(run);
    let bounds: Vec<u64> = run.steps.iter().map(long_wait).collect();
    let waits: Vec<Stall> = (0..intervals)
        .map(|interval| waits_in(run, &load, &bounds, interval))
        .collect();
    let usual = median(waits.iter().map(|waits| waits.waited as f64)).unwrap_or(0.0);
    let mut stalls: Vec<Stall> = Vec::new();
    for stall in waits.into_iter().filter(|waits| waits.is_one(usual)) {
        // Who ended on either side of a boundary waited for the same.
        match stalls.last_mut() {
            Some(last) if last.interval + 1 == stall.interval => {
                if stall.share > last.share {
                    *last = stall;
                }
            }
            _ => stalls.push(stall),
        }
    }
    stalls.sort_by_key(|stall| std::cmp::Reverse(stall.longest_ns));
    stalls.truncate(MAX_FINDINGS);
    stalls.sort_by_key(|stall| stall.interval);
    stalls
        .iter()
        .map(|stall| finding(scenario, run, stall))
        .collect()
}

/// From where on a wait of a step is long.
fn long_wait(step: &StepSummary) -> u64 {
    let filled = step
        .intervals
        .iter()
        .filter(|interval| interval.latency.count > 0);
    let medians = filled.map(|interval| interval.latency.p50_ns as f64);
    let usual = median(medians).unwrap_or(0.0);
    MIN_WAIT_NS.max(MIN_TIMES * usual as u64)
}

/// Counts the long waits that ended in an interval or the next one.
fn waits_in(run: &RunRecord, load: &Load<'_>, bounds: &[u64], interval: usize) -> Stall {
    let mut longest_ns = 0;
    let mut waits: Vec<(u64, u64)> = Vec::new(); // length and count
    for (step, &bound) in run.steps.iter().zip(bounds) {
        for summary in step.intervals.iter().skip(interval).take(2) {
            if summary.latency.max_ns < bound {
                continue;
            }
            // A damaged text is the loader's to complain of.
            let Ok(histogram) = summary.latency.to_histogram() else {
                continue;
            };
            longest_ns = longest_ns.max(histogram.max());
            let long = histogram
                .iter_recorded()
                .filter(|b| b.value_iterated_to() >= bound);
            waits.extend(long.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())));
        }
    }
    let middle = interval as u64 * run.interval_ns + run.interval_ns / 2;
    let (waited, expected) = match run.model {
        // Each arrival that was due meanwhile waited, the late ones less.
        Model::Open { .. } => {
            let due = load.at(middle.saturating_sub(longest_ns)) * longest_ns as f64 / 1e9;
            (waits.iter().map(|(_, count)| count).sum::<u64>(), due)
        }
        // Each user waited once, all about as long.
        _ => {
            let alike = waits.iter().filter(|(length, _)| *length >= longest_ns / 3);
            (alike.map(|(_, count)| count).sum(), load.at(middle))
        }
    };
    Stall {
        interval,
        longest_ns,
        waited,
        share: waited as f64 / expected.max(1.0),
        expected,
    }
}

fn finding(scenario: &str, run: &RunRecord, stall: &Stall) -> Finding {
    let end_ns = ((stall.interval as u64 + 2) * run.interval_ns).min(run.wall_ns);
    let span = Span {
        start_ns: (stall.interval as u64 * run.interval_ns).saturating_sub(stall.longest_ns),
        end_ns,
    };
    let causes = causes(run, span);
    let mut figures = vec![
        Figure::new("longest wait", stall.longest_ns as f64, Unit::Nanoseconds),
        Figure::new("who waited", stall.waited as f64, Unit::Count),
    ];
    let mut text = format!(
        "{} operations waited at the same time, up to {:.2} s",
        stall.waited,
        stall.longest_ns as f64 / 1e9
    );
    for cause in &causes {
        figures.push(Figure::new(cause.name, cause.inside, Unit::Share));
    }
    let worst = causes
        .iter()
        .filter(|cause| cause.inside > 0.2 && cause.inside > 2.0 * cause.outside)
        .max_by(|a, b| a.inside.total_cmp(&b.inside));
    let recommendation = match worst {
        Some(cause) => {
            text.push_str(&format!(
                "; {} for {:.0} % of that time, and {:.0} % otherwise",
                cause.name,
                cause.inside * 100.0,
                cause.outside * 100.0
            ));
            cause.remedy.to_owned()
        }
        None => {
            "the monitors show no pressure on processor, memory or disk then: look for a lock, a \
                 pause for garbage, or a service that the target waited for"
                .to_owned()
        }
    };
    Finding {
        kind: FindingKind::Stall,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            stall.share,
            0.9,
            0.98,
            "share of the users that waited at the same time",
        ),
        evidence: Evidence { text, figures },
        recommendation,
        span: Some(span),
        plot: PlotKind::HeatMap,
    }
}

struct Cause {
    name: &'static str,
    remedy: &'static str,
    /// Share of the stall's time.
    inside: f64,
    /// Share of the other time.
    outside: f64,
}

/// What the monitors showed in a span and outside of it.
fn causes(run: &RunRecord, span: Span) -> Vec<Cause> {
    type Source = (
        &'static str,
        &'static str,
        fn(&MonitorSample) -> Option<u64>,
    );
    const SOURCES: [Source; 4] = [
        (
            "tasks waited for a disk",
            "look at the disk: a sync, a checkpoint or somebody else's writes held everybody up",
            |sample| sample.io_pressure_ns,
        ),
        (
            "tasks waited for memory",
            "give it more memory, or let it use less: the kernel reclaimed pages meanwhile",
            |sample| sample.memory_pressure_ns,
        ),
        (
            "tasks waited for a processor",
            "something took the processors: look for a neighbour, or for work that comes in batches",
            |sample| sample.cpu_pressure_ns,
        ),
        (
            "the processor limit held the process back",
            "raise the CPU limit of the control group: the process was throttled",
            |sample| sample.throttled_ns,
        ),
    ];
    let is_inside = |at_ns: i64| {
        u64::try_from(at_ns).is_ok_and(|at| (span.start_ns..=span.end_ns).contains(&at))
    };
    let of = |(name, remedy, source): &Source| {
        let (mut inside, mut outside) = ((0.0, 0.0), (0.0, 0.0));
        for pair in run.monitor.samples.windows(2) {
            let (Some(before), Some(after)) = (source(&pair[0]), source(&pair[1])) else {
                continue;
            };
            let sum = match is_inside(pair[0].at_ns) && is_inside(pair[1].at_ns) {
                true => &mut inside,
                false => &mut outside,
            };
            sum.0 += after.saturating_sub(before) as f64;
            sum.1 += (pair[1].at_ns - pair[0].at_ns) as f64;
        }
        let share = |(part, whole): (f64, f64)| (whole > 0.0).then(|| (part / whole).min(1.0));
        Some(Cause {
            name,
            remedy,
            inside: share(inside)?,
            outside: share(outside).unwrap_or(0.0),
        })
    };
    SOURCES.iter().filter_map(of).collect()
}
