//! Phases: named times of a run, each with figures of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::nanoseconds;

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

/// Iterations that began in a phase, by what became of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct PhaseCounts {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) in_flight: u64,
    pub(crate) outside_failures: u64,
    /// When the last of them ended, by the run's clock.
    pub(crate) ended_ns: u64,
}

impl PhaseCounts {
    pub(crate) fn one(succeeded: bool, late: bool, ended_ns: u64) -> Self {
        Self {
            completed: u64::from(succeeded),
            failed: u64::from(!succeeded),
            in_flight: u64::from(late),
            outside_failures: 0,
            ended_ns,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.in_flight += other.in_flight;
        self.outside_failures += other.outside_failures;
        self.ended_ns = self.ended_ns.max(other.ended_ns);
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
