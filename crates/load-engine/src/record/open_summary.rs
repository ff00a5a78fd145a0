//! What became of the arrivals of an open model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::is_zero;
use crate::record::latency::LatencySummary;

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
