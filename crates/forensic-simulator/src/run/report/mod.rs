pub(crate) mod digests;
pub(crate) mod issue;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use action::{ActionDigest, ActionPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::digests::digest_json;
use crate::digest::WorkflowDigest;
use crate::plan::step_id::StepId;
use crate::run::report::issue::{Recommendation, SafetyIssue};
use crate::world::World;
use crate::world::change::{Change, Read};
use crate::world::fact::{Fact, Key};
use action::Timestamp;

/// What a plan would do.
///
/// The same plan, world, handlers and moment give a report of the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SimulationReport {
    /// The workflow's name.
    pub workflow: String,
    /// The digest of the plan.
    pub plan: WorkflowDigest,
    /// The moment at which the plan would run.
    pub at: Timestamp,
    /// The outcome of the whole: the worst of its steps', in the order of [`PredictedOutcome`].
    pub outcome: PredictedOutcome,
    /// Each step, in the order of simulation.
    pub steps: Vec<StepReport>,
    /// What a person should look at before this runs.
    pub safety_issues: Vec<SafetyIssue>,
    /// What would make the plan better, each with the evidence.
    pub recommendations: Vec<Recommendation>,
    /// What the simulation read from the world, sorted by key: the report holds for every world
    /// that agrees in these.
    pub reads: Vec<Read>,
    /// Duration along the longest chain of dependencies, and the sum of the costs, over the steps
    /// that would run.
    pub estimate: Estimate,
    /// The steps whose effects are not modelled. Where there are any, the plan may do more than
    /// this report says.
    pub not_modelled: Vec<StepId>,
}

/// What would come of a step or a plan, from best to worst.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Outcome")] // its name in the published schema
pub enum PredictedOutcome {
    /// It would do what it says.
    #[default]
    Success,
    /// Nothing can be said, since something in it is not modelled or not known.
    Unknown,
    /// It could not begin, since something that it waits for would not be done.
    Blocked,
    /// It would be tried, and fail.
    WouldFail,
    /// It should not be done.
    Unsafe,
}

impl PredictedOutcome {
    /// All of them, from best to worst.
    pub const ALL: [Self; 5] = [
        Self::Success,
        Self::Unknown,
        Self::Blocked,
        Self::WouldFail,
        Self::Unsafe,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Unknown => "unknown",
            Self::Blocked => "blocked",
            Self::WouldFail => "would_fail",
            Self::Unsafe => "unsafe",
        }
    }
}

impl std::fmt::Display for PredictedOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one step would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepReport {
    /// The step.
    pub id: StepId,
    /// Where its action acts.
    pub path: ActionPath,
    /// The digest of its action.
    pub action: ActionDigest,
    /// What would come of it.
    pub outcome: PredictedOutcome,
    /// Why.
    pub reason: Cow<'static, str>,
    /// Whether it would be done, with `changes` and `external` saying all that it does.
    pub would_run: bool,
    /// The steps that keep it from being done, or from being known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<StepId>,
    /// What had to hold, as far as it was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<Precondition>,
    /// The keys it looked at, in that order, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Key>,
    /// What it would change, in order, each key once. Empty unless it would be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What it would do outside of the world that is modelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<ExternalEffect>,
    /// What it would answer to its caller, where the handler says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Fact>,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// How long it would take and what it would cost.
    pub estimate: Estimate,
}

/// Something that has to hold before a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// What has to hold.
    pub what: Arc<str>,
    /// Whether it does.
    pub verdict: PreconditionStatus,
    /// What was found, unless it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Whether a precondition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreconditionStatus {
    /// It holds.
    Satisfied,
    /// It does not.
    Violated,
    /// It depends on a value that is not known.
    Undetermined,
}

/// Something that a step would do beyond the keys of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalEffect {
    /// What it reaches, such as an address.
    pub target: String,
    /// What it does there.
    pub effect: String,
}

/// Whether a step can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Writing the values from before undoes it.
    Reversible,
    /// Another action makes up for it, such as a refund for a payment.
    CompensatedBy(ActionPath),
    /// Nothing undoes it.
    Irreversible,
    /// Nobody said.
    #[default]
    Opaque,
}

/// A number that is not certain: never below `least`, never above `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The least.
    pub least: u64,
    /// The most probable.
    pub likely: u64, // in least..=most
    /// The most.
    pub most: u64,
}

impl Spread {
    /// A number that is certain.
    #[must_use]
    pub const fn exactly(value: u64) -> Self {
        Self {
            least: value,
            likely: value,
            most: value,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            likely: self.likely.saturating_add(other.likely),
            most: self.most.saturating_add(other.most),
        }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            least: self.least.max(other.least),
            likely: self.likely.max(other.likely),
            most: self.most.max(other.most),
        }
    }
}

/// How long something takes and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// The duration, in microseconds.
    pub duration_us: Spread,
    /// The cost, in millionths of whatever unit the schemas count in.
    pub cost_micros: Spread,
}

impl SimulationReport {
    /// The report of one step.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.id.as_str() == id)
    }

    /// The changes of all steps, in order; a key that two steps write is there twice.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.steps.iter().flat_map(|step| &step.changes)
    }

    /// The whole plan's change of each key, sorted by key, without keys that end as they began.
    #[must_use]
    pub fn net_changes(&self) -> Vec<Change> {
        let mut net: BTreeMap<&Key, (&Option<Fact>, &Option<Fact>)> = BTreeMap::new();
        for change in self.changes() {
            let entry = net.entry(&change.key);
            entry
                .and_modify(|(_, after)| *after = &change.after)
                .or_insert((&change.before, &change.after));
        }
        let changes = net.into_iter().map(|(key, (before, after))| Change {
            key: key.clone(),
            before: before.clone(),
            after: after.clone(),
        });
        changes.filter(|change| !change.is_noop()).collect()
    }

    /// The keys that the simulation read and that are no longer as they were. Where there are
    /// none, a simulation in this world would give the same report.
    #[must_use]
    pub fn moved_keys(&self, world: &World) -> Vec<&Key> {
        let moved = |read: &&Read| world.version(read.key.as_str()) != read.version;
        self.reads
            .iter()
            .filter(moved)
            .map(|read| &read.key)
            .collect()
    }

    /// Whether the world has moved since, in something that this report depends on.
    #[must_use]
    pub fn is_stale(&self, world: &World) -> bool {
        let mut reads = self.reads.iter();
        reads.any(|read| world.version(read.key.as_str()) != read.version)
    }
}
