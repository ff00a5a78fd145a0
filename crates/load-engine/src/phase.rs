//! Phases: named times of a run, each with figures of its own.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::nanoseconds;
use crate::record::LatencySummary;

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
    /// Iterations that began in it and succeeded.
    pub completed: u64,
    /// Iterations that began in it and failed.
    pub failed: u64,
    /// Those of them that were still under way at its end, or in an open model still waiting.
    pub in_flight: u64,
    /// Each declared step, in the workload's order.
    pub steps: Vec<PhaseStep>,
}

/// The figures of one step in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PhaseStep {
    /// The step's name.
    pub name: String,
    /// Attempts that failed.
    pub failed: u64,
    /// How long all attempts took: response time in an open model, else service time.
    pub latency: LatencySummary,
}

/// Iterations that began in a phase, by what became of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct PhaseCounts {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) in_flight: u64,
}

impl PhaseCounts {
    pub(crate) fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.in_flight += other.in_flight;
    }
}

/// Where one thread is among the phases.
pub(crate) struct PhaseCursor {
    /// When each phase ends.
    ends_ns: Vec<u64>,
    current: usize,
    /// When the current phase ends; never, when there is no other.
    end_ns: u64,
    pub(crate) counts: Vec<PhaseCounts>,
}

impl PhaseCursor {
    pub(crate) fn new(phases: &[Phase], began_ns: u64) -> Self {
        let mut end_ns = began_ns;
        let ends_ns: Vec<u64> = phases
            .iter()
            .map(|phase| {
                end_ns = end_ns.saturating_add(phase.duration.as_nanos() as u64);
                end_ns
            })
            .collect();
        Self {
            current: 0,
            end_ns: ends_ns.first().copied().unwrap_or(u64::MAX),
            counts: vec![PhaseCounts::default(); phases.len()],
            ends_ns,
        }
    }

    /// The current phase's number; as many as there are phases when the last is over.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// Whether an iteration that begins at `start_ns` belongs to a later phase.
    #[inline]
    pub(crate) fn is_over(&self, start_ns: u64) -> bool {
        start_ns >= self.end_ns
    }

    pub(crate) fn advance(&mut self, start_ns: u64) {
        while self.is_over(start_ns) {
            self.current += 1;
            self.end_ns = self.ends_ns.get(self.current).copied().unwrap_or(u64::MAX);
        }
    }

    /// Counts an iteration of the current phase that ended at `end_ns`.
    #[inline]
    pub(crate) fn count(&mut self, end_ns: u64, succeeded: bool) {
        let Some(counts) = self.counts.get_mut(self.current) else {
            return;
        };
        counts.completed += u64::from(succeeded);
        counts.failed += u64::from(!succeeded);
        counts.in_flight += u64::from(end_ns >= self.end_ns);
    }
}
