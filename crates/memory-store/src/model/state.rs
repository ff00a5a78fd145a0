//! What an agent keeps of a run: versioned values under keys, and checkpoints of them.

use std::fmt;
use std::sync::Arc;

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::chunking::PreparedValue;
use crate::model::names::{Namespace, check_name};

/// A larger value would stall the group it is committed with.
const MAX_VALUE_BYTES: usize = 16 << 20;

/// One run of one agent, the owner of a state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentRun {
    /// Whose agent it is.
    pub namespace: Namespace,
    /// The agent.
    pub agent: String,
    /// The run; names are unique for each agent.
    pub run: String,
}

impl AgentRun {
    /// Names a run, which exists once something is written to it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] if a name is empty, longer than 128 bytes, or contains a control
    /// character.
    pub fn new(
        namespace: Namespace,
        agent: impl Into<String>,
        run: impl Into<String>,
    ) -> Result<Self> {
        let (agent, run) = (agent.into(), run.into());
        check_name("agent", &agent)?;
        check_name("run", &run)?;
        Ok(Self {
            namespace,
            agent,
            run,
        })
    }
}

impl fmt::Display for AgentRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.agent, self.run)
    }
}

/// What a write expects to replace: compare and set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// Nothing: the key was never written, or removed.
    Absent,
    /// This version.
    Version(u64),
}

impl Expected {
    pub(crate) fn is_met_by(self, version: Option<u64>) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("any version"),
            Self::Absent => f.write_str("no version"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// A value with its version, which grows with each write of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Versioned {
    /// The version to expect when replacing it.
    pub version: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// The number of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckpointId(pub(crate) u64);

impl CheckpointId {
    /// The checkpoint of that number, as [`CheckpointId::get`] told it.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A moment of a run's state that can be returned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its number.
    pub id: CheckpointId,
    /// What its maker called it.
    pub label: String,
    /// When it was made.
    #[serde(with = "crate::model::millis")]
    pub at: Timestamp,
}

/// Which checkpoints of a run are kept: those that any of the two says.
///
/// ```
/// use memory_store::{Retention, Timestamp};
///
/// let retention = Retention::last(10).since(Timestamp::from_millis(1_767_225_600_000));
/// assert_eq!(retention.last, 10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retention {
    /// As many of the last ones.
    pub last: usize,
    /// Those that were made at this moment or later.
    #[serde(default, with = "crate::model::millis::option")]
    pub since: Option<Timestamp>,
}

impl Retention {
    /// Keeps as many of the last ones.
    pub fn last(checkpoints: usize) -> Self {
        Self {
            last: checkpoints,
            since: None,
        }
    }

    /// Keeps those as well that were made at this moment or later. Default: none.
    #[must_use]
    pub fn since(mut self, moment: Timestamp) -> Self {
        self.since = Some(moment);
        self
    }
}

/// How a key differs between two checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "key")]
pub enum Difference {
    /// Only the later one has it.
    Added(String),
    /// Only the earlier one has it.
    Removed(String),
    /// Both have it, in different versions.
    Changed(String),
}

/// A write to a run's state.
#[derive(Debug)]
pub(crate) struct StateWrite {
    pub(crate) run: AgentRun,
    pub(crate) kind: StateWriteKind,
}

#[derive(Debug)]
pub(crate) enum StateWriteKind {
    /// No value removes the key.
    Put {
        key: String,
        value: Option<Arc<PreparedValue>>,
        expected: Expected,
    },
    Checkpoint {
        label: String,
        at: Timestamp,
    },
    /// Removes checkpoints.
    Retain(Retention),
    Restore(CheckpointId),
    /// Begins a run of the same agent at a checkpoint of this one.
    Fork {
        from: CheckpointId,
        name: String,
    },
}

pub(crate) fn check_value(run: &AgentRun, key: &str, value: &[u8]) -> Result<()> {
    if value.len() <= MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: "value",
        item: format!("state {key:?} of {run}"),
        size: value.len(),
        limit: MAX_VALUE_BYTES,
    })
}
