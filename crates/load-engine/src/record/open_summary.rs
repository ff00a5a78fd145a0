//! What became of the arrivals of an open model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::is_zero;
use crate::record::latency::LatencySummary;
use crate::record::recorder::{OpenTally, empty_histogram};
use crate::record::timeline::INTERVAL_NS;

/// The arrivals of an open model. Each is one iteration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OpenSummary {
    /// What became of them.
    pub arrivals: ArrivalCounts,
    /// From when an arrival was due to its end. Dropped arrivals are not in it.
    pub response_time: LatencySummary,
    /// From an arrival's actual start to its end.
    pub service_time: LatencySummary,
    /// How late arrivals started for which a thread stood ready: the generator's own lateness.
    pub schedule_lag: LatencySummary,
    /// Arrivals for which no thread stood ready when they were due: the target, or the bound on what
    /// is in flight, was too slow for the rate.
    pub late_starts: u64,
    /// The largest lateness of the arrivals that were due in each interval, where a slot was free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest_ns: Vec<u64>,
    /// Arrivals that started after one that was due later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overtaken: u64,
}

/// Arrivals by what became of them: `scheduled` is the sum of all the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ArrivalCounts {
    /// All that the schedule has.
    pub scheduled: u64,
    /// Ended by the schedule's end.
    pub done: u64,
    /// Under way at the schedule's end, and ended after it, or not before the run did.
    pub in_flight: u64,
    /// Waiting at the schedule's end, and started after it.
    pub queued: u64,
    /// Never started, since they waited longer than `max_start_delay`.
    pub dropped: u64,
    /// Never started, since the run was stopped.
    pub cut: u64,
    /// Never due, since a phase ended before its time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
}

impl ArrivalCounts {
    /// Started, and ended after the schedule's end.
    #[must_use]
    pub fn drained(&self) -> u64 {
        self.in_flight + self.queued
    }

    /// Whether every scheduled arrival is accounted for, once.
    #[must_use]
    pub fn balance(&self) -> bool {
        let never_started = self.dropped + self.cut + self.skipped;
        self.done + self.in_flight + self.queued + never_started == self.scheduled
    }
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
