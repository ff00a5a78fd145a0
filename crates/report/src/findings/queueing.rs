//! Response time apart from service time: arrivals waited before anybody served them.

use load_engine::{Model, RunRecord};

use super::chance::{lower_bound, strength};
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Unit};

/// More than this share of the arrivals found no slot, with certainty.
const MIN_SHARE: f64 = 0.01;

/// Standard deviations of the lower bounds by which a finding is moderate or strong.
const MODERATE: f64 = 1.645;
const STRONG: f64 = 2.968;

/// A shorter wait is the system's jitter.
const MIN_WAIT_NS: f64 = 1e6;

const MIN_ARRIVALS: u64 = 100;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let (Some(open), Model::Open { max_in_flight, .. }) = (&run.open, &run.model) else {
        return Vec::new();
    };
    let (response, service) = (&open.response_time, &open.service_time);
    let wait_ns = response.p99_ns as f64 - service.p99_ns as f64;
    let least_ns = MIN_WAIT_NS
        .max(service.p99_ns as f64)
        // Lateness of the generator itself is no queue of the target.
        .max(open.schedule_lag.max_ns as f64);
    let started = response.count.max(open.arrivals.done);
    let bound = |deviations| lower_bound(open.late_starts, started, deviations);
    if started < MIN_ARRIVALS || bound(MODERATE) <= MIN_SHARE || wait_ns < least_ns {
        return Vec::new();
    }
    let grade = match bound(STRONG) > MIN_SHARE {
        true => Grade::Strong,
        false => Grade::Moderate,
    };
    let share = open.late_starts as f64 / started as f64;
    let waited = 1.0 - service.mean_ns / response.mean_ns.max(1.0);
    vec![Finding {
        kind: FindingKind::Queueing,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            grade,
            share,
            "share of the arrivals that found no slot free",
        ),
        evidence: Evidence {
            text: format!(
                "{:.1} % of the arrivals found none of {max_in_flight} slots free: {:.0} % of the \
                 response time was spent waiting to be begun",
                share * 100.0,
                waited.max(0.0) * 100.0
            ),
            figures: vec![
                Figure::new(
                    "response time, p99",
                    response.p99_ns as f64,
                    Unit::Nanoseconds,
                ),
                Figure::new(
                    "service time, p99",
                    service.p99_ns as f64,
                    Unit::Nanoseconds,
                ),
                Figure::new(
                    "arrivals that found no slot",
                    open.late_starts as f64,
                    Unit::Count,
                ),
            ],
        },
        recommendation: format!(
            "the target serves fewer at once than arrive: give it more capacity, lower the rate, or, \
             if it can serve more than {max_in_flight} at once, raise that bound"
        ),
        span: None,
        plot: PlotKind::Latency,
    }]
}
