//! Signed reviews: a reviewer whose public key the policy lists signs what is decided, so that
//! an attacker who can write the log, or who speaks in the reviewer's name, cannot decide in the reviewer's place.

use action::{ActionDigest, Timestamp};
use serde::Serialize;

use crate::model::binding::Binding;
use crate::model::event::{Review, Submission, Vote};
use crate::model::input::{Decision, EmergencyApproval, EmergencyReview};
use crate::model::names::{PersonId, RequestId};

/// What a reviewer signs: a line that names the purpose, so that no signature made for anything else
/// fits, and a line of JSON with everything that the decision is about, in the order of its fields.
///
/// ```
/// # use action::{Action, ActionPath};
/// # use approval_workflow::{
/// #     ApprovalWorkflow, Decision, NewRequest, PersonId, Policy, PublicKey, ReviewStatement,
/// #     Signature, Timestamp,
/// # };
/// use ed25519_dalek::{Signer, SigningKey};
///
/// # let dir = tempfile::tempdir()?;
/// let key = SigningKey::from_bytes(&[7; 32]); // the reviewer's alone
/// let alice = PersonId::new("alice")?;
/// let public = PublicKey::from_bytes(key.verifying_key().to_bytes());
/// let policy = Policy::from_toml(&format!("signers.alice = \"{public}\""))?;
/// let workflow = ApprovalWorkflow::open(dir.path(), policy)?;
/// # let now = Timestamp::from_micros(1_700_000_000_000_000);
/// # let refund = Action::new(ActionPath::new("payments/refund")?, "Refund");
/// # let new = NewRequest::new(refund, PersonId::new("agent-7")?, now);
/// let request = workflow.request(new)?;
///
/// let yes = Decision::approve(alice, now).with_reason("order A-17");
/// let statement = ReviewStatement::new(&request.submission, &yes);
/// let signature = Signature::from_bytes(key.sign(&statement.to_bytes()).to_bytes());
/// workflow.decide(&request.submission.id, yes.with_signature(signature))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReviewStatement<'a> {
    request: &'a RequestId,
    asked_at: Timestamp,
    requester: &'a PersonId,
    action: ActionDigest,
    #[serde(skip_serializing_if = "Binding::is_empty")]
    binding: &'a Binding,
    reviewer: &'a PersonId,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<&'a PersonId>,
    verdict: Vote,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    at: Timestamp,
}

impl<'a> ReviewStatement<'a> {
    /// The first line of what is signed.
    pub const DOMAIN: &'static str = "proofload 2026-11 approval review v1";

    /// States what a decision about a request says, at the decision's own moment.
    #[must_use]
    pub fn new(asked: &'a Submission, decision: &'a Decision) -> Self {
        Self {
            request: &asked.id,
            asked_at: asked.at,
            requester: &asked.requester,
            action: asked.digest,
            binding: &asked.binding,
            reviewer: &decision.reviewer,
            on_behalf_of: decision.on_behalf_of.as_ref(),
            verdict: decision.verdict,
            reason: decision.reason.as_deref(),
            at: decision.at,
        }
    }

    pub(crate) fn of_review(asked: &'a Submission, review: &'a Review, at: Timestamp) -> Self {
        Self {
            request: &asked.id,
            asked_at: asked.at,
            requester: &asked.requester,
            action: asked.digest,
            binding: &asked.binding,
            reviewer: &review.reviewer,
            on_behalf_of: review.on_behalf_of.as_ref(),
            verdict: review.verdict,
            reason: review.reason.as_deref(),
            at,
        }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\n", Self::DOMAIN).into_bytes();
        crate::model::content::write_json(&mut bytes, self);
        bytes
    }
}

/// What a person signs who approves alone in an emergency, or who reviews such an approval: a line
/// that names the purpose and a line of JSON, as in a [`ReviewStatement`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EmergencyStatement<'a> {
    #[serde(skip)]
    domain: &'static str,
    request: &'a RequestId,
    asked_at: Timestamp,
    requester: &'a PersonId,
    action: ActionDigest,
    #[serde(skip_serializing_if = "Binding::is_empty")]
    binding: &'a Binding,
    by: &'a PersonId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'a str>,
    at: Timestamp,
}

impl<'a> EmergencyStatement<'a> {
    /// The first line of what is signed to approve alone.
    pub const APPROVAL_DOMAIN: &'static str = "proofload 2026-11 approval break-glass v1";
    /// The first line of what is signed to review such an approval.
    pub const REVIEW_DOMAIN: &'static str = "proofload 2026-11 approval attestation v1";

    /// States what an emergency approval of a request says, at its own moment.
    #[must_use]
    pub fn of_approval(asked: &'a Submission, approval: &'a EmergencyApproval) -> Self {
        Self::break_glass(asked, &approval.by, &approval.reason, approval.at)
    }

    /// States what the review of an emergency approval says, at its own moment.
    #[must_use]
    pub fn of_review(asked: &'a Submission, review: &'a EmergencyReview) -> Self {
        Self::attestation(asked, &review.by, &review.finding, review.at)
    }

    pub(crate) fn break_glass(
        asked: &'a Submission,
        by: &'a PersonId,
        reason: &'a str,
        at: Timestamp,
    ) -> Self {
        Self {
            reason: Some(reason),
            ..Self::new(Self::APPROVAL_DOMAIN, asked, by, at)
        }
    }

    pub(crate) fn attestation(
        asked: &'a Submission,
        by: &'a PersonId,
        finding: &'a str,
        at: Timestamp,
    ) -> Self {
        Self {
            finding: Some(finding),
            ..Self::new(Self::REVIEW_DOMAIN, asked, by, at)
        }
    }

    fn new(domain: &'static str, asked: &'a Submission, by: &'a PersonId, at: Timestamp) -> Self {
        Self {
            domain,
            request: &asked.id,
            asked_at: asked.at,
            requester: &asked.requester,
            action: asked.digest,
            binding: &asked.binding,
            by,
            reason: None,
            finding: None,
            at,
        }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\n", self.domain).into_bytes();
        crate::model::content::write_json(&mut bytes, self);
        bytes
    }
}
