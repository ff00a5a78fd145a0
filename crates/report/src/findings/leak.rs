//! Memory that grows and does not stop.

use std::time::Duration;

use load_engine::{LeakRuling, LeakVerdict, RunRecord};

use super::strength;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Span, Unit};

/// The first part of a run fills caches and pools: it is not looked at.
const WARM_UP: f64 = 0.2;

/// In a shorter run everything still grows.
const MIN_WALL: Duration = Duration::from_secs(20);

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let wall = Duration::from_nanos(run.wall_ns);
    if wall < MIN_WALL {
        return Vec::new();
    }
    let warm = wall.mul_f64(WARM_UP);
    let verdict = LeakVerdict::of(&run.monitor, warm..wall);
    if verdict.ruling != LeakRuling::Leaking {
        return Vec::new();
    }
    let megabytes = |bytes: f64| bytes / 1e6;
    vec![Finding {
        kind: FindingKind::Leak,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            verdict.z,
            3.0,
            4.0,
            "z of Mann and Kendall's test over the floors",
        ),
        evidence: Evidence {
            text: format!(
                "resident memory rose by {:.1} MB after warm-up, {:.0} MB an hour; {} floors of its \
                 cycles rise to the end",
                megabytes(verdict.growth_bytes),
                megabytes(verdict.bytes_per_hour),
                verdict.floors
            ),
            figures: vec![
                Figure::new("growth after warm-up", verdict.growth_bytes, Unit::Bytes),
                Figure::new("growth an hour", verdict.bytes_per_hour, Unit::Bytes),
                Figure::new("z", verdict.z, Unit::Plain),
            ],
        },
        recommendation:
            "run a soak of an hour: if the slope stays, compare two heap profiles taken \
                         minutes apart"
                .to_owned(),
        span: Some(Span {
            start_ns: warm.as_nanos() as u64,
            end_ns: run.wall_ns,
        }),
        plot: PlotKind::Memory,
    }]
}
