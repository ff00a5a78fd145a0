//! A policy's decision about a request, as the request keeps it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::names::GroupId;
use crate::model::requirement::Requirement;
use crate::model::signature::Signers;
use crate::model::time::text;

action::digest_type! {
    /// The digest of a policy's JSON.
    PolicyDigest, 32, "proofload 2026-11 approval policy v1"
}

/// Whether a request needs a person, and if not, what the policy decided by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// A person must approve.
    Approval,
    /// The rule says that the action is not sensitive.
    NotSensitive,
    /// The rule's condition for automatic approval held.
    AutoApproved,
    /// The rule's condition for automatic denial held: the request is denied from the start, and
    /// it cannot be approved.
    AutoDenied,
}

/// How much harm an action could do, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// None: needs no approval. It is recorded all the same.
    None,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Sensitivity {
    /// All of them, from [`None`](Self::None) to [`Critical`](Self::Critical).
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// Its name in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an approval takes, and how long it is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How much harm the action could do.
    pub sensitivity: Sensitivity,
    /// Who must approve (default: any one person).
    #[serde(default)]
    pub requires: Requirement,
    /// The groups whose members can deny (default: none named, so anybody's denial settles). With
    /// groups named, a denial by anybody else is recorded as that person's vote, and no more.
    #[serde(default)]
    pub veto: Vec<GroupId>,
    /// The groups whose members can approve alone in an emergency (default: none, so that
    /// no one can). A review by another person is then owed.
    #[serde(default)]
    pub break_glass: Vec<GroupId>,
    /// Whether a decision needs a reason (default: no).
    #[serde(default)]
    pub requires_reason: bool,
    /// Whether an approval needs a one-time code of the reviewer (default: no).
    #[serde(default)]
    pub requires_second_factor: bool,
    /// How long a request waits for its decision (default: 24 hours).
    #[serde(default = "default_expiry", with = "text")]
    pub expiry: Duration,
    /// How long an approval may be used (default: 24 hours).
    #[serde(default = "default_expiry", with = "text")]
    pub execute_within: Duration,
    /// How often an approval may be used within that time (default: once).
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub uses: NonZeroU32,
    /// The systems that the action touches, for the person who decides (default: none named).
    #[serde(default)]
    pub affected_systems: Vec<String>,
    /// The public keys of the policy that the terms are part of; filled in by
    /// [`Rulebook::new`](crate::Rulebook::new).
    #[serde(default, skip_serializing_if = "no_signers")]
    pub signers: Arc<Signers>,
}

impl Terms {
    /// The default terms at this sensitivity.
    #[must_use]
    pub fn new(sensitivity: Sensitivity) -> Self {
        Self {
            sensitivity,
            requires: Requirement::anyone(),
            veto: Vec::new(),
            break_glass: Vec::new(),
            requires_reason: false,
            requires_second_factor: false,
            expiry: default_expiry(),
            execute_within: default_expiry(),
            uses: once(),
            affected_systems: Vec::new(),
            signers: Arc::default(),
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self::new(Sensitivity::Critical)
    }
}

/// One working day and the night: long enough for a reviewer in another time zone.
pub(crate) fn default_expiry() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

pub(crate) fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

// The signature is serde's.
fn no_signers(signers: &Arc<Signers>) -> bool {
    signers.is_empty()
}

pub(crate) fn is_once(uses: &NonZeroU32) -> bool {
    *uses == once()
}
