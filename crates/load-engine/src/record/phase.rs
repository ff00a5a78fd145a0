//! The figures of phases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::is_zero;
use crate::record::latency::LatencySummary;

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
    /// When the last of its iterations ended, from the start of the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ended_ns: Option<u64>,
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
