//! Failures that came together: an outage rather than a rate.

use load_engine::{RunRecord, StepSummary};

use super::chance::{binomial_tail, grade, strength};
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Span, Unit};

const MIN_FAILURES: u64 = 10;

/// In a shorter run there is no elsewhere.
const MIN_INTERVALS: usize = 10;

/// A burst is at most this part of the run: else it is the usual state.
const WITHIN: f64 = 0.25;

/// The share of failures inside is at least so many times that outside: else the burst is of load.
const TIMES: f64 = 5.0;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let steps = run.steps.iter();
    steps
        .filter_map(|step| of_step(scenario, run, step))
        .collect()
}

/// Intervals in a row, and what failed in them.
#[derive(Clone, Copy)]
struct Window {
    from: usize,
    until: usize,
    attempts: u64,
    failures: u64,
}

fn of_step(scenario: &str, run: &RunRecord, step: &StepSummary) -> Option<Finding> {
    if step.failed < MIN_FAILURES || step.intervals.len() < MIN_INTERVALS {
        return None;
    }
    let Densest { window, p } = densest(run, step)?;
    let Window {
        from,
        until,
        attempts,
        failures,
    } = window;
    let outside_attempts = step.attempted.saturating_sub(attempts);
    let outside_failures = step.failed.saturating_sub(failures);
    let rate = failures as f64 / attempts.max(1) as f64;
    let outside = outside_failures as f64 / outside_attempts.max(1) as f64;
    let together = failures as f64 / step.failed as f64;
    if failures < MIN_FAILURES || rate < TIMES * outside {
        return None;
    }
    let grade = grade(p, run.steps.len());
    if grade == Grade::Weak {
        return None;
    }
    let span = Span {
        start_ns: from as u64 * run.interval_ns,
        end_ns: (until as u64 * run.interval_ns).min(run.wall_ns),
    };
    let seconds = |ns: u64| ns as f64 / 1e9;
    let message = step.failures.messages.first();
    let most = message.map_or(String::new(), |first| {
        format!("; most often: {}", first.message)
    });
    Some(Finding {
        kind: FindingKind::ErrorBurst,
        scenario: scenario.to_owned(),
        step: Some(step.name.clone()),
        phase: None,
        strength: strength(grade, rate, "share of failures within the burst"),
        evidence: Evidence {
            text: format!(
                "{failures} of {} failures came between {:.1} s and {:.1} s, where {:.1} % of the \
                 attempts failed and {:.2} % elsewhere{most}",
                step.failed,
                seconds(span.start_ns),
                seconds(span.end_ns),
                rate * 100.0,
                outside * 100.0
            ),
            figures: vec![
                Figure::new("failures in the burst", failures as f64, Unit::Count),
                Figure::new("share of all failures", together, Unit::Share),
                Figure::new("error rate in the burst", rate, Unit::Share),
                Figure::new("error rate elsewhere", outside, Unit::Share),
            ],
        },
        recommendation: "look in the target's log at that time: a restart, a failover or an \
                         exhausted pool fails many at once"
            .to_owned(),
        span: Some(span),
        plot: PlotKind::Throughput,
    })
}

struct Densest {
    window: Window,
    /// The chance of a window as dense as this somewhere in a run that fails evenly.
    p: f64,
}

/// The window that is least probable where failures come at the rate that they have outside of it.
fn densest(run: &RunRecord, step: &StepSummary) -> Option<Densest> {
    let counts: Vec<(u64, u64)> = step
        .intervals
        .iter()
        .map(|interval| (run.attempted_in(interval), interval.failed))
        .collect();
    let longest = ((counts.len() as f64 * WITHIN) as usize).max(1);
    let mut windows = 0u32;
    let mut densest: Option<Densest> = None;
    for (from, (_, first)) in counts.iter().enumerate() {
        let (mut attempts, mut failures) = (0, 0);
        let ends = from + 1..=(from + longest).min(counts.len());
        for (until, (attempted, failed)) in ends.zip(&counts[from..]) {
            attempts += attempted;
            failures += failed;
            windows += 1;
            // A window that begins or ends without a failure is another one's.
            if failures < MIN_FAILURES || *first == 0 || *failed == 0 {
                continue;
            }
            let elsewhere = step.attempted.saturating_sub(attempts).max(1);
            // Never seen is not never: as if one had been.
            let failed_elsewhere = step.failed.saturating_sub(failures).max(1);
            let rate = failed_elsewhere as f64 / elsewhere as f64;
            let p = binomial_tail(attempts, rate, failures);
            if densest
                .as_ref()
                .is_none_or(|best| p < best.p || p == best.p && failures > best.window.failures)
            {
                let window = Window {
                    from,
                    until,
                    attempts,
                    failures,
                };
                densest = Some(Densest { window, p });
            }
        }
    }
    let mut densest = densest?;
    densest.p = (densest.p * f64::from(windows)).min(1.0);
    Some(densest)
}
