//! Memory that grows and does not stop.

use std::time::Duration;

use load_engine::{LeakRuling, LeakVerdict, RunRecord};

use super::chance::strength;
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Span, Unit};

/// The first part of a run fills caches and pools: it is not looked at.
const WARM_UP: f64 = 0.2;

/// In a shorter run everything still grows.
const MIN_TIME: Duration = Duration::from_mins(1);

/// In a shorter run a cache that fills cannot be told from a leak.
const STRONG_FROM: Duration = Duration::from_mins(10);

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let time = Duration::from_nanos(run.window_ns());
    if time < MIN_TIME {
        return Vec::new();
    }
    let warm = time.mul_f64(WARM_UP);
    let verdict = LeakVerdict::of_run(run, warm..time);
    if verdict.ruling != LeakRuling::Leaking {
        return Vec::new();
    }
    let megabytes = |bytes: f64| bytes / 1e6;
    let grade = match time >= STRONG_FROM {
        true => Grade::Strong,
        false => Grade::Moderate,
    };
    vec![Finding {
        kind: FindingKind::Leak,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            grade,
            verdict.z,
            "z of Mann and Kendall's test over the floors",
        ),
        evidence: Evidence {
            text: format!(
                "resident memory rose evenly by {:.1} MB after warm-up, {:.0} MB an hour, besides what the \
                 ledger and the stored things explain; one run cannot tell a leak from a cache that is \
                 still filling",
                megabytes(verdict.growth_bytes),
                megabytes(verdict.bytes_per_hour),
            ),
            figures: vec![
                Figure::new("growth after warm-up", verdict.growth_bytes, Unit::Bytes),
                Figure::new("growth an hour", verdict.bytes_per_hour, Unit::Bytes),
                Figure::new("floors of its cycles", verdict.floors as f64, Unit::Count),
                Figure::new("z", verdict.z, Unit::Plain),
            ],
        },
        recommendation:
            "run a soak of an hour: if the slope stays, compare two heap profiles taken \
                         minutes apart"
                .to_owned(),
        span: Some(Span {
            start_ns: warm.as_nanos() as u64,
            end_ns: run.window_ns(),
        }),
        plot: PlotKind::Memory,
    }]
}
