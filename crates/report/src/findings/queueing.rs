//! Response time apart from service time: arrivals waited before anybody served them.

use load_engine::{Model, RunRecord};

use super::strength;
use crate::{Evidence, Figure, Finding, FindingKind, PlotKind, Unit};

/// The 99th percentile of response time is at least so many times that of service time.
const TIMES: f64 = 2.0;

/// A shorter wait is the system's jitter.
const MIN_WAIT_NS: f64 = 1e6;

const MIN_ARRIVALS: u64 = 100;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let (Some(open), Model::Open { max_in_flight, .. }) = (&run.open, &run.model) else {
        return Vec::new();
    };
    let (response, service) = (&open.response_time, &open.service_time);
    let wait = response.p99_ns as f64 - service.p99_ns as f64;
    let times = response.p99_ns as f64 / service.p99_ns.max(1) as f64;
    if response.count < MIN_ARRIVALS || times < TIMES || wait < MIN_WAIT_NS {
        return Vec::new();
    }
    // Lateness of the generator itself is no queue of the target.
    if !run.generator_limits().is_empty() {
        return Vec::new();
    }
    let waited = 1.0 - service.mean_ns / response.mean_ns.max(1.0);
    vec![Finding {
        kind: FindingKind::Queueing,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            times,
            4.0,
            10.0,
            "p99 of response time over p99 of service time",
        ),
        evidence: Evidence {
            text: format!(
                "p99 of response time is {times:.1} times that of service time: {:.0} % of the \
                 response time was spent waiting to be begun",
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
                    "arrivals that found no thread",
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
