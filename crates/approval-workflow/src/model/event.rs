use std::sync::Arc;

use action::{Action, ActionDigest, Timestamp};
use jsonl_storage::Seq;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::binding::Binding;
use crate::model::emergency::{Attestation, BrokenGlass};
use crate::model::grant::{Claim, Receipt};
use crate::model::names::{GroupId, IdempotencyKey, PersonId, RequestId};
use crate::model::requirement::Requirement;
use crate::model::restore::Restored;
use crate::model::signature::ReviewSignature;
use crate::model::terms::{Disposition, PolicyDigest, Terms};

/// One line of the log: something that happened to a request.
///
/// The log of these is the whole truth. The state is [folded](crate::Request) from it, and the audit
/// trail is the log itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// Someone asked.
    Requested(Arc<Submission>),
    /// Someone decided.
    Reviewed(Review),
    /// The time to decide was over.
    Expired {
        /// The request.
        id: RequestId,
        /// When it was noticed.
        at: Timestamp,
    },
    /// Someone tried to decide with a wrong one-time code.
    FactorFailed {
        /// The request.
        id: RequestId,
        /// When.
        at: Timestamp,
        /// Whose code it was not.
        reviewer: PersonId,
    },
    /// Someone asked for more attention.
    Escalated {
        /// The request.
        id: RequestId,
        /// When.
        at: Timestamp,
        /// Who.
        by: PersonId,
        /// Why.
        reason: String,
        /// The level from now on; it rises by one.
        level: u32,
    },
    /// Someone asked for changes: the request waits on, and nobody voted.
    ChangesRequested(ChangeRequest),
    /// Someone approved alone, in an emergency.
    BrokeGlass(BrokenGlass),
    /// Another person reviewed what was done in the emergency.
    Attested(Attestation),
    /// Someone took the approval to use it.
    Claimed(Claim),
    /// The claimant reported.
    Finished(Receipt),
    /// The requester asks no longer.
    Withdrawn {
        /// The request.
        id: RequestId,
        /// When.
        at: Timestamp,
        /// Who.
        by: PersonId,
    },
    /// The requester asks for something else instead.
    Superseded {
        /// The request.
        id: RequestId,
        /// When.
        at: Timestamp,
        /// Who.
        by: PersonId,
        /// The request that takes its place.
        successor: RequestId,
    },
    /// Someone took the approval back.
    Revoked {
        /// The request.
        id: RequestId,
        /// When.
        at: Timestamp,
        /// Who.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// The directory was restored from an older copy.
    Restored(Restored),
}

impl Event {
    /// The request that it is about; none if it is about the whole log.
    #[must_use]
    pub fn id(&self) -> Option<&RequestId> {
        Some(match self {
            Self::Restored(_) => return None,
            Self::Requested(submission) => &submission.id,
            Self::Reviewed(review) => &review.id,
            Self::ChangesRequested(change) => &change.id,
            Self::BrokeGlass(glass) => &glass.id,
            Self::Attested(attestation) => &attestation.id,
            Self::Claimed(claim) => &claim.id,
            Self::Finished(receipt) => &receipt.id,
            Self::Expired { id, .. }
            | Self::FactorFailed { id, .. }
            | Self::Escalated { id, .. }
            | Self::Withdrawn { id, .. }
            | Self::Superseded { id, .. }
            | Self::Revoked { id, .. } => id,
        })
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Requested(submission) => submission.at,
            Self::Reviewed(review) => review.at,
            Self::ChangesRequested(change) => change.at,
            Self::BrokeGlass(glass) => glass.at,
            Self::Attested(attestation) => attestation.at,
            Self::Claimed(claim) => claim.at,
            Self::Finished(receipt) => receipt.at,
            Self::Restored(restored) => restored.at,
            Self::Expired { at, .. }
            | Self::FactorFailed { at, .. }
            | Self::Escalated { at, .. }
            | Self::Withdrawn { at, .. }
            | Self::Superseded { at, .. }
            | Self::Revoked { at, .. } => *at,
        }
    }
}

/// What was asked for, and what the policy said to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Names the request.
    pub id: RequestId,
    /// When it was asked.
    pub at: Timestamp,
    /// Who asked.
    pub requester: PersonId,
    /// What is to be done.
    pub action: Action,
    /// What an approval is bound to.
    pub digest: ActionDigest,
    /// What the requester said about the circumstances.
    pub context: Map<String, Value>,
    /// The policy that judged.
    pub policy: PolicyDigest,
    /// The label of the rule that decided; none if the policy's default did.
    pub rule: Option<String>,
    /// Whether a person is needed.
    pub need: Disposition,
    /// The terms that hold, whatever the policy says later.
    pub terms: Terms,
    /// The caller's key for this request, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// What an approval is bound to beside the action.
    #[serde(default, skip_serializing_if = "Binding::is_empty")]
    pub binding: Binding,
    /// The digest of the action as it is here, if a [secret](crate::NewRequest::secrets) in it was
    /// replaced; `digest` is that of the real one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<ActionDigest>,
}

impl Submission {
    /// Whether the policy lists a key of a person, so that what the person says has to be signed.
    pub(crate) fn demands_signature_of(&self, person: &PersonId) -> bool {
        self.terms.signers.contains_key(person)
    }

    /// The moment from which on it is too late to decide.
    #[must_use]
    pub fn decide_by(&self) -> Timestamp {
        self.at.after(self.terms.expiry)
    }
}

/// One person's decision as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The request.
    pub id: RequestId,
    /// When.
    pub at: Timestamp,
    /// Who decided.
    pub reviewer: PersonId,
    /// What was decided.
    pub verdict: Vote,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The groups that the reviewer belonged to then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
    /// The caller's key for this decision, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// The time step (RFC 6238) of the one-time code that was verified, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor_step: Option<u64>,
    /// In whose place, if not the reviewer's own; the groups are then this person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<PersonId>,
    /// The signature that was verified, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReviewSignature>,
}

/// A reviewer's wish that the requester asks for something else, which is no vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// The request.
    pub id: RequestId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: PersonId,
    /// What is to be changed, and why.
    pub reason: String,
}

impl Review {
    /// Whether two reviews use the voice of one person.
    pub(crate) fn shares_a_voice_with(&self, other: &Self) -> bool {
        let voices = |review: &Self| [Some(review.reviewer.clone()), review.on_behalf_of.clone()];
        let others = voices(other);
        voices(self)
            .iter()
            .any(|voice| voice.is_some() && others.contains(voice))
    }
}

impl Requirement {
    /// Whether the approvals among some reviews meet the requirement.
    #[must_use]
    pub fn is_met_by(&self, reviews: &[Review]) -> bool {
        let approvals: Vec<&[GroupId]> = reviews
            .iter()
            .filter(|review| review.verdict == Vote::Approve)
            .map(|review| &*review.groups)
            .collect();
        self.is_met_by_groups(&approvals)
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// The action may run.
    Approve,
    /// It may not.
    Deny,
}

/// An event and its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The place, from 1 and without gaps over the whole log.
    pub seq: Seq,
    /// What happened.
    pub event: Event,
}
