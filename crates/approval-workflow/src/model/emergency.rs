//! Breaking the glass: an approval without the votes that it takes, and the review that it owes.

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::names::{GroupId, PersonId, RequestId};
use crate::model::signature::ReviewSignature;

/// One person approved alone, in an emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenGlass {
    /// The request.
    pub id: RequestId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: PersonId,
    /// The groups that this person belonged to then.
    pub groups: Vec<GroupId>,
    /// Why.
    pub reason: String,
    /// The time step of the one-time code that was verified, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor_step: Option<u64>,
    /// The signature that was verified, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReviewSignature>,
}

/// Another person reviewed what was done in the emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The request.
    pub id: RequestId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: PersonId,
    /// What was found.
    pub finding: String,
    /// The signature that was verified, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReviewSignature>,
}
