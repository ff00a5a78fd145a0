//! What is stored: the edges between memories.

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::memory::check_interval;
use crate::model::names::{MemoryId, Namespace, Relation};
use crate::model::time::When;

/// A typed, weighted, directed edge between two memories of one namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Whose edge it is.
    pub namespace: Namespace,
    /// Where it starts.
    pub source: MemoryId,
    /// What it means.
    pub relation: Relation,
    /// Where it ends.
    pub target: MemoryId,
    /// How strong it is; any finite number.
    pub weight: f64,
    /// When it was linked, which is when it was recorded.
    #[serde(with = "crate::model::millis")]
    pub at: Timestamp,
    /// Since when it holds.
    #[serde(with = "crate::model::millis")]
    pub valid_from: Timestamp,
    /// Until when it holds, exclusive; `None` for without an end.
    #[serde(default, with = "crate::model::millis::option")]
    pub valid_until: Option<Timestamp>,
}

impl Edge {
    /// An edge of weight 1 that holds from `at` on without an end.
    pub fn new(
        namespace: Namespace,
        source: MemoryId,
        relation: Relation,
        target: MemoryId,
        at: Timestamp,
    ) -> Self {
        Self {
            namespace,
            source,
            relation,
            target,
            weight: 1.0,
            at,
            valid_from: at,
            valid_until: None,
        }
    }

    /// Sets the weight.
    #[must_use]
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Sets since when it holds. Default: since it was linked.
    #[must_use]
    pub fn valid_from(mut self, from: Timestamp) -> Self {
        self.valid_from = from;
        self
    }

    /// Sets until when it holds, exclusive. Default: without an end. What has an end is followed as
    /// of a moment only, see [`When`].
    #[must_use]
    pub fn valid_until(mut self, until: Timestamp) -> Self {
        self.valid_until = Some(until);
        self
    }

    /// Whether it is followed by who asks so.
    pub fn is_found(&self, when: When) -> bool {
        when.admits(self.valid_from, self.valid_until, None)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !self.weight.is_finite() {
            return Err(Error::InvalidWeight {
                edge: self.label(),
                weight: self.weight,
            });
        }
        let item = || format!("edge {}", self.label());
        check_interval(item, self.valid_from, self.valid_until)
    }

    /// How an error or a report names this edge.
    pub(crate) fn label(&self) -> String {
        format!("{} -{}-> {}", self.source, self.relation, self.target)
    }
}
