//! Phases: named times of a run, each with figures of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::nanoseconds;
use crate::record::is_zero;
use crate::record::latency::LatencySummary;

/// A named time of a run: ramp-up, peak, stress, spike, soak, recovery.
///
/// Phases follow one another from the start of the load. They only divide what the model does; an
/// iteration belongs to the phase in which it began, or in an open model was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// What it is called in reports.
    pub name: String,
    /// How long it lasts.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    #[schemars(with = "u64")]
    pub duration: Duration,
}

impl Phase {
    /// A phase.
    #[must_use]
    pub fn new(name: impl Into<String>, duration: Duration) -> Self {
        Self {
            name: name.into(),
            duration,
        }
    }
}

/// The figures of one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PhaseSummary {
    /// Its name.
    pub name: String,
    /// Its beginning, from the start of the load.
    pub start_ns: u64,
    /// Its end, from the start of the load.
    pub end_ns: u64,
    /// Whether a condition ended it before its time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_early: bool,
    /// Iterations that began in it and succeeded.
    pub completed: u64,
    /// Iterations that began in it and failed.
    pub failed: u64,
    /// Those of them that were still under way at its end, or in an open model still waiting.
    pub in_flight: u64,
    /// Iterations that began in it and failed outside every step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside_failures: u64,
    /// Each declared step, in the workload's order.
    pub steps: Vec<PhaseStep>,
}

/// The figures of one step in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PhaseStep {
    /// The step's name.
    pub name: String,
    /// Attempts that succeeded and completed in it, whenever they began: what its rate counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<u64>,
    /// Attempts that began in it, or were due.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempted: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// How long those took that succeeded: response time in an open model, else service time. (Of all
    /// attempts, in a record of an earlier version.)
    pub latency: LatencySummary,
}

impl PhaseStep {
    /// Attempts that began in the phase, or were due; also of a record of an earlier version, which
    /// has them as latencies.
    #[must_use]
    pub fn attempted(&self) -> u64 {
        self.attempted.max(self.latency.count)
    }
}

/// Iterations that began in a phase, by what became of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct PhaseCounts {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) in_flight: u64,
    pub(crate) outside_failures: u64,
}

impl PhaseCounts {
    pub(crate) fn one(succeeded: bool, late: bool) -> Self {
        Self {
            completed: u64::from(succeeded),
            failed: u64::from(!succeeded),
            in_flight: u64::from(late),
            outside_failures: 0,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.in_flight += other.in_flight;
        self.outside_failures += other.outside_failures;
    }
}

/// When the phases end, for all threads to see.
#[derive(Default)]
pub(crate) struct PhaseEnds {
    ends_ns: Vec<AtomicU64>,
}

impl PhaseEnds {
    pub(crate) fn new(phases: usize) -> Self {
        Self {
            ends_ns: (0..phases).map(|_| AtomicU64::new(u64::MAX)).collect(),
        }
    }

    /// Says when the load began, from which on phases are counted, and when at the latest they end.
    pub(crate) fn begin(&self, phases: &[Phase], began_ns: u64, last_ns: u64) {
        let mut end_ns = began_ns;
        let lengths = phases.iter().map(|phase| phase.duration.as_nanos() as u64);
        for (end, length_ns) in self.ends_ns.iter().zip(lengths.chain([u64::MAX])) {
            end_ns = end_ns.saturating_add(length_ns);
            end.store(end_ns.min(last_ns), Ordering::Relaxed);
        }
    }

    /// Ends all phases that have not ended.
    pub(crate) fn close(&self, now_ns: u64) {
        for end in &self.ends_ns {
            end.fetch_min(now_ns, Ordering::Relaxed);
        }
    }

    /// Ends everything from a phase on earlier by as much as was left out.
    pub(crate) fn shorten(&self, phase: usize, left_ns: u64) {
        for end in &self.ends_ns[phase..] {
            let end_ns = end.load(Ordering::Relaxed);
            if end_ns != u64::MAX {
                end.store(end_ns.saturating_sub(left_ns), Ordering::Relaxed);
            }
        }
    }

    /// Ends a phase now, and the later ones earlier. Gives how much was left of it, if it goes on.
    pub(crate) fn end_early(&self, phase: usize, now_ns: u64) -> Option<u64> {
        let left_ns = self.end_ns(phase)?.checked_sub(now_ns)?;
        self.shorten(phase, left_ns);
        Some(left_ns)
    }

    pub(crate) fn end_ns(&self, phase: usize) -> Option<u64> {
        Some(self.ends_ns.get(phase)?.load(Ordering::Relaxed))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends_ns.is_empty()
    }

    /// The phase of what begins at `start_ns`, from one that is not later; as many as there are
    /// phases when the last is over.
    #[inline]
    pub(crate) fn advance(&self, mut phase: usize, start_ns: u64) -> usize {
        while self.is_over(phase, start_ns) {
            phase += 1;
        }
        phase
    }

    /// Whether a phase is over at a time; never, when it is none.
    #[inline]
    pub(crate) fn is_over(&self, phase: usize, at_ns: u64) -> bool {
        self.ends_ns
            .get(phase)
            .is_some_and(|end| at_ns >= end.load(Ordering::Relaxed))
    }
}
