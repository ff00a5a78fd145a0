//! Summaries of steps and of arrivals, from what was recorded of them.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::record::histogram::empty_histogram;
use crate::record::latency::LatencySummary;
use crate::record::open_summary::OpenSummary;
use crate::record::recorder::{OpenTally, StepTally};
use crate::record::timeline::{INTERVAL_NS, StepTimeline};
use crate::record::{InFlight, StepSummary};
use crate::step::StepSpec;

impl StepSummary {
    pub(crate) fn new(tally: StepTally, times: &StepTimeline) -> Self {
        let summary =
            |times: &Histogram<u64>| (!times.is_empty()).then(|| LatencySummary::of(times));
        Self {
            name: tally.spec.name.to_string(),
            effect: tally.spec.effect,
            tags: tags_of(&tally.spec),
            attempted: tally.succeeded + tally.failed,
            succeeded: tally.succeeded,
            failed: tally.failed,
            effects: tally.effects,
            unacknowledged: if tally.spec.effect {
                tally.unacknowledged
            } else {
                0
            },
            service_time: LatencySummary::of(&times.service),
            response_time: tally.is_open().then(|| LatencySummary::of(&times.response)),
            failure_time: summary(&times.failure),
            drained: times.drained(),
            intervals: times.intervals.summaries(),
            failures: tally.failures.into(),
            in_flight: 0,
            longest_in_flight_ns: 0,
        }
    }

    pub(crate) fn with_in_flight(mut self, in_flight: InFlight) -> Self {
        self.in_flight = in_flight.count;
        self.longest_in_flight_ns = in_flight.longest_ns;
        self
    }
}

fn tags_of(step: &StepSpec) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    step.tags.iter().map(owned).collect()
}

impl OpenSummary {
    pub(crate) fn new<'t>(
        tallies: impl Iterator<Item = &'t OpenTally>,
        scheduled: u64,
        under_way: u64,
        interval_ns: u64,
    ) -> Self {
        let mut response = empty_histogram();
        let mut service = empty_histogram();
        let mut lag = empty_histogram();
        let mut sum = Self::default();
        for tally in tallies {
            let arrivals = &mut sum.arrivals;
            arrivals.done += tally.done;
            arrivals.in_flight += tally.in_flight;
            arrivals.queued += tally.queued;
            arrivals.dropped += tally.dropped;
            arrivals.skipped += tally.skipped;
            sum.late_starts += tally.late;
            sum.overtaken += tally.overtaken;
            for &(second, late_ns) in &tally.latest {
                let interval = (u64::from(second) * INTERVAL_NS / interval_ns) as usize;
                if interval >= sum.latest_ns.len() {
                    sum.latest_ns.resize(interval + 1, 0);
                }
                sum.latest_ns[interval] = sum.latest_ns[interval].max(late_ns);
            }
            tally.response.add_to(&mut response);
            tally.service.add_to(&mut service);
            tally.lag.add_to(&mut lag);
        }
        let arrivals = &mut sum.arrivals;
        arrivals.in_flight += under_way;
        let started = arrivals.done + arrivals.in_flight + arrivals.queued;
        arrivals.scheduled = scheduled;
        // Those that no thread had come to when the run was stopped are nobody's.
        arrivals.cut = scheduled - started - arrivals.dropped - arrivals.skipped;
        sum.response_time = LatencySummary::of(&response);
        sum.service_time = LatencySummary::of(&service);
        sum.schedule_lag = LatencySummary::of(&lag);
        sum
    }
}
