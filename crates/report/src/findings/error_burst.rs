//! Failures that came together: an outage rather than a rate.

use load_engine::{RunRecord, StepSummary};

use super::strength;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Span, Unit};

const MIN_FAILURES: u64 = 10;

/// Most of the failures…
const MOST: f64 = 0.7;

/// …in at most this share of the attempts.
const WITHIN: f64 = 0.25;

/// The share of failures inside is at least so many times that outside: else the burst is of load.
const TIMES: f64 = 5.0;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let steps = run.steps.iter();
    steps
        .filter_map(|step| of_step(scenario, run, step))
        .collect()
}

fn of_step(scenario: &str, run: &RunRecord, step: &StepSummary) -> Option<Finding> {
    if step.failed < MIN_FAILURES || step.intervals.len() < 4 {
        return None;
    }
    let (from, until) = shortest_with_most(step)?;
    let inside = &step.intervals[from..until];
    let attempts: u64 = inside
        .iter()
        .map(|interval| run.attempted_in(interval))
        .sum();
    let failures: u64 = inside.iter().map(|interval| interval.failed).sum();
    let outside_attempts = step.attempted.saturating_sub(attempts);
    let outside_failures = step.failed.saturating_sub(failures);
    let rate = failures as f64 / attempts.max(1) as f64;
    let outside = outside_failures as f64 / outside_attempts.max(1) as f64;
    let together = failures as f64 / step.failed as f64;
    let part = attempts as f64 / step.attempted.max(1) as f64;
    if part > WITHIN || rate < TIMES * outside {
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
        strength: strength(rate, 0.1, 0.5, "share of failures within the burst"),
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

/// The fewest intervals in a row that hold most of the failures, first and past the last.
fn shortest_with_most(step: &StepSummary) -> Option<(usize, usize)> {
    let wanted = (step.failed as f64 * MOST).ceil() as u64;
    let mut best: Option<(usize, usize)> = None;
    let (mut from, mut held) = (0, 0);
    for (number, interval) in step.intervals.iter().enumerate() {
        held += interval.failed;
        while held >= wanted {
            if best.is_none_or(|(first, past)| number + 1 - from < past - first) {
                best = Some((from, number + 1));
            }
            held -= step.intervals[from].failed;
            from += 1;
        }
    }
    best
}
