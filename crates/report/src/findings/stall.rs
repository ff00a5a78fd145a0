//! Times in which nearly everybody waited at once: the target stood still.

use std::collections::BTreeMap;

use load_engine::{Model, RunRecord, SlowOperation, StepSummary};

use super::causes::{explanation, figures};
use super::chance::{binomial_tail, grade, strength};
use super::load::Load;
use crate::comparison::median::median;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Span, Unit};

/// Of those who could have waited, at least this share did.
const MOST: f64 = 0.8;

/// With fewer at once, "all of them" is chance.
const MIN_USERS: f64 = 4.0;

/// A wait is at least so many times the usual 95th percentile: those of a busy period, in which a few
/// servers have a queue for a moment, are shorter.
const MIN_TIMES_P95: f64 = 5.0;

/// In a shorter run there is no usual state to compare with.
const MIN_WINDOW_NS: u64 = 5_000_000_000;

/// Stalls with less than this between them are one.
const NEAR_NS: u64 = 1_000_000_000;

/// So many stalls are named; a run with more has another trouble.
const MAX_FINDINGS: usize = 5;

/// A time in which most waited.
#[derive(Clone, Copy)]
struct Stall {
    span: Span,
    /// The most users that were inside slow operations at one instant, and how many there were.
    waited: usize,
    present: f64,
    longest_ns: u64,
}

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    if run.window_ns() < MIN_WINDOW_NS {
        return Vec::new();
    }
    let mut stalls = stalls(run);
    stalls.sort_by_key(|stall| std::cmp::Reverse(stall.longest_ns));
    stalls.truncate(MAX_FINDINGS);
    stalls.sort_by_key(|stall| stall.span.start_ns);
    stalls
        .iter()
        .map(|stall| finding(scenario, run, stall))
        .collect()
}

/// Goes through the beginnings and ends of slow operations in their order.
fn stalls(run: &RunRecord) -> Vec<Stall> {
    let load = Load::of(run);
    let bounds: Vec<f64> = run.steps.iter().map(usual_p95).collect();
    let is_long = |slow: &&SlowOperation| {
        let bound = bounds.get(slow.step as usize).copied().unwrap_or(0.0);
        (slow.end_ns - slow.start_ns) as f64 >= MIN_TIMES_P95 * bound
    };
    let mut ends: Vec<(u64, bool, &SlowOperation)> = run
        .slow_operations
        .iter()
        .filter(is_long)
        .flat_map(|slow| [(slow.start_ns, true, slow), (slow.end_ns, false, slow)])
        .collect();
    // Who ends at a moment is not there together with who begins at it.
    ends.sort_by_key(|(at, begins, slow)| (*at, *begins, slow.user));
    let mut inside: BTreeMap<u32, u32> = BTreeMap::new();
    let mut stalls: Vec<Stall> = Vec::new();
    for (at_ns, begins, slow) in ends {
        if !begins {
            if let Some(count) = inside.get_mut(&slow.user) {
                *count -= 1;
                if *count == 0 {
                    inside.remove(&slow.user);
                }
            }
            continue;
        }
        *inside.entry(slow.user).or_default() += 1;
        let longest_ns = slow.end_ns - slow.start_ns;
        let present = present(run, &load, at_ns, longest_ns);
        if present < MIN_USERS || (inside.len() as f64) < MOST * present {
            continue;
        }
        let one = Stall {
            span: Span {
                start_ns: at_ns,
                end_ns: slow.end_ns,
            },
            waited: inside.len(),
            present: present.max(inside.len() as f64),
            longest_ns,
        };
        match stalls.last_mut() {
            Some(last) if at_ns <= last.span.end_ns + NEAR_NS => last.extend(&one),
            _ => stalls.push(one),
        }
    }
    stalls
}

/// The 95th percentile of the usual interval.
fn usual_p95(step: &StepSummary) -> f64 {
    let filled = step.intervals.iter().filter(|own| own.latency.count > 0);
    median(filled.map(|own| own.latency.p95_ns as f64)).unwrap_or(0.0)
}

impl Stall {
    fn extend(&mut self, other: &Self) {
        self.span.end_ns = self.span.end_ns.max(other.span.end_ns);
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        if other.waited >= self.waited {
            self.waited = other.waited;
            self.present = other.present;
        }
    }
}

/// Who could have waited: the users, or the arrivals that were due in so long a time and found a slot.
fn present(run: &RunRecord, load: &Load<'_>, at_ns: u64, longest_ns: u64) -> f64 {
    match run.model {
        Model::Open { max_in_flight, .. } => {
            let due = load.at(at_ns) * longest_ns as f64 / 1e9;
            due.min(f64::from(max_in_flight.get()))
        }
        _ => load.at(at_ns).min(f64::from(run.users)),
    }
}

/// The chance of so many at once somewhere in the run, if each is as often inside a slow operation as
/// elsewhere in the run and knows nothing of the others.
fn chance(run: &RunRecord, stall: &Stall) -> f64 {
    let Span { start_ns, end_ns } = stall.span;
    let outside = |slow: &&SlowOperation| slow.end_ns <= start_ns || slow.start_ns >= end_ns;
    let elsewhere = run.slow_operations.iter().filter(outside);
    let slow_ns: u64 = elsewhere.map(|slow| slow.end_ns - slow.start_ns).sum();
    let length_ns = (end_ns - start_ns).max(1);
    let rest_ns = run.window_ns().saturating_sub(length_ns).max(1) as f64;
    let users = stall.present.round() as u64;
    // Never seen elsewhere is not never: as if one had been.
    let slow_ns = slow_ns.max(stall.longest_ns) as f64;
    let share = (slow_ns / (rest_ns * users as f64)).min(1.0);
    let places = run.window_ns() as f64 / length_ns as f64;
    (places * binomial_tail(users, share, stall.waited as u64)).min(1.0)
}

fn finding(scenario: &str, run: &RunRecord, stall: &Stall) -> Finding {
    let share = stall.waited as f64 / stall.present;
    let mut evidence = vec![
        Figure::new("longest wait", stall.longest_ns as f64, Unit::Nanoseconds),
        Figure::new("users that waited", stall.waited as f64, Unit::Count),
        Figure::new("share of users", share, Unit::Share),
    ];
    evidence.extend(figures(run, stall.span));
    let cause = explanation(run, stall.span);
    let text = format!(
        "{} of {:.0} users were inside slow operations at one instant, up to {:.2} s{}",
        stall.waited,
        stall.present,
        stall.longest_ns as f64 / 1e9,
        cause.text
    );
    Finding {
        kind: FindingKind::Stall,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            grade(chance(run, stall), 1),
            share,
            "share of the users that waited at the same time",
        ),
        evidence: Evidence {
            text,
            figures: evidence,
        },
        recommendation: cause.remedy.to_owned(),
        span: Some(stall.span),
        plot: PlotKind::HeatMap,
    }
}
