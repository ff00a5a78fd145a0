//! Signed reviews: a reviewer whose public key the policy lists signs what is decided, so that
//! whoever may write the log, or speaks in the reviewer's name, cannot decide in the reviewer's place.

use std::collections::BTreeMap;
use std::fmt;

use action::ActionDigest;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use crate::{Binding, Decision, PersonId, RequestId, Review, Submission, Timestamp, Verdict};

action::digest_type! {
    /// The Ed25519 public key of a reviewer, as RFC 8032 writes it.
    PublicKey, 32
}

/// The public keys of a [`Policy`](crate::Policy).
pub type Signers = BTreeMap<PersonId, PublicKey>;

impl PublicKey {
    /// The key, if it is one that nobody else can sign for.
    pub(crate) fn decoded(&self) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(&self.0).ok()?;
        (!key.is_weak()).then_some(key)
    }

    /// Whether it is a point of the curve, and none of the few for which anybody can sign.
    pub(crate) fn is_sound(&self) -> bool {
        self.decoded().is_some()
    }
}

action::digest_type! {
    /// An Ed25519 signature, as RFC 8032 writes it.
    Signature, 64
}

/// The signature of a review as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewSignature {
    /// The moment that the reviewer signed; the review may have been recorded later.
    pub at: Timestamp,
    /// The signature of the [`ReviewStatement`].
    pub value: Signature,
}

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
    verdict: Verdict,
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
            on_behalf_of: None,
            verdict: decision.verdict,
            reason: decision.reason.as_deref(),
            at: decision.at,
        }
    }

    /// Names the person in whose place the decision is made.
    #[must_use]
    pub fn on_behalf_of(mut self, principal: &'a PersonId) -> Self {
        self.on_behalf_of = Some(principal);
        self
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

/// Why a signature does not do: a closed list, so that no answer hides in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignatureFault {
    /// The policy lists a key of the reviewer, or of the person in whose place the review is made,
    /// and the review is not signed.
    Missing,
    /// The policy lists no key of the reviewer, so that nobody can tell what the signature is worth.
    NoKey,
    /// The signature was not made with the reviewer's key, or not for this: another request, action,
    /// decision, reason or moment.
    Wrong,
}

impl SignatureFault {
    /// The words that stand for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "it is not signed",
            Self::NoKey => "the policy lists no key to verify its signature with",
            Self::Wrong => "its signature was made with another key, or for something else",
        }
    }
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_keys_are_not_sound() {
        assert!(!PublicKey::from_bytes([0; 32]).is_sound(), "a weak key");
        let mut off_the_curve = [0; 32];
        off_the_curve[0] = 2;
        assert!(!PublicKey::from_bytes(off_the_curve).is_sound());
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        assert!(PublicKey::from_bytes(key.verifying_key().to_bytes()).is_sound());
    }
}
