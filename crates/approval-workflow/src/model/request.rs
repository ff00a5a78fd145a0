use std::fmt;
use std::sync::Arc;

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::content::write_json;
use crate::model::emergency::{Attestation, BrokenGlass};
use crate::model::event::{ChangeRequest, Review, Submission};
use crate::model::grant::{Claim, Receipt, ReceiptOutcome, Used};
use crate::model::names::{IdempotencyKey, PersonId, RequestId};

/// A request and everything that was decided about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// What was asked for.
    #[serde(flatten)]
    pub submission: Arc<Submission>,
    /// Its state.
    pub state: State,
    /// The decisions that were recorded, in their order.
    pub reviews: Vec<Review>,
    /// How often it was escalated. A number for those who look after what waits; what an approval
    /// takes does not depend on it.
    #[serde(skip_serializing_if = "is_zero")]
    pub level: u32,
    /// The last wish for changes, if there is one; all are in the audit trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeRequest>,
    /// Who approved alone, if someone did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glass: Option<BrokenGlass>,
    /// Who looked at that afterwards, once someone did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
    /// The uses before the newest, where the terms allow several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Arc<Used>>,
    /// Who took the approval to use it, once someone did: the newest claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// What came of the newest claim, once that was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// When the last event happened. Later events are never recorded as earlier ones.
    pub changed_at: Timestamp,
}

fn is_zero(level: &u32) -> bool {
    *level == 0
}

/// The state of a request after its events so far. [`Request::status`] also takes the time into
/// account.
///
#[doc = include_str!("../state/lifecycle.md")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not decided yet.
    Pending,
    /// It may run, within its time.
    Approved {
        /// Since when.
        at: Timestamp,
    },
    /// It may not run.
    Denied {
        /// Since when.
        at: Timestamp,
    },
    /// Not decided in time.
    Expired {
        /// When this was recorded.
        at: Timestamp,
    },
    /// The requester asks no longer.
    Withdrawn {
        /// Since when.
        at: Timestamp,
    },
    /// The requester asks for something else instead.
    Superseded {
        /// Since when.
        at: Timestamp,
    },
    /// The approval was taken back before it was used up.
    Revoked {
        /// Since when.
        at: Timestamp,
    },
    /// The approval, or the last use of it, was claimed: the claimant runs the action, or died doing
    /// so. No other caller may.
    Claimed {
        /// Since when.
        at: Timestamp,
    },
    /// The claimant reported; of several uses, all claimants did, and the worst outcome counts.
    Finished {
        /// When.
        at: Timestamp,
        /// What came of it.
        outcome: ReceiptOutcome,
    },
}

impl State {
    /// The status that the state alone implies; what the clock adds is in [`Request::status`].
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Approved { .. } => Status::Approved,
            Self::Denied { .. } => Status::Denied,
            Self::Expired { .. } => Status::Expired,
            Self::Withdrawn { .. } => Status::Withdrawn,
            Self::Superseded { .. } => Status::Superseded,
            Self::Revoked { .. } => Status::Revoked,
            Self::Claimed { .. } => Status::Claimed,
            Self::Finished { outcome, .. } => match outcome {
                ReceiptOutcome::Succeeded => Status::Succeeded,
                ReceiptOutcome::Failed => Status::Failed,
                ReceiptOutcome::Indeterminate => Status::Indeterminate,
            },
        }
    }
}

/// The status of a request at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a decision.
    Pending,
    /// It may run.
    Approved,
    /// It was refused.
    Denied,
    /// Not decided in time.
    Expired,
    /// It was approved, and not run in time.
    Lapsed,
    /// The requester asks no longer.
    Withdrawn,
    /// The requester asks for something else instead.
    Superseded,
    /// It was approved, and that was taken back.
    Revoked,
    /// It is being run, or its claimant never reported.
    Claimed,
    /// It was run.
    Succeeded,
    /// It was tried, and had no effect.
    Failed,
    /// It was tried, and the outcome is unknown.
    Indeterminate,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Pending,
        Self::Approved,
        Self::Denied,
        Self::Expired,
        Self::Lapsed,
        Self::Withdrawn,
        Self::Superseded,
        Self::Revoked,
        Self::Claimed,
        Self::Succeeded,
        Self::Failed,
        Self::Indeterminate,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Claimed => "claimed",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

action::digest_type! {
    /// The BLAKE3 digest of a whole request: what was asked, its state, and every review.
    RequestDigest, 32, "proofload 2026-11 approval request v1"
}

/// Digests a request, over its JSON, in `derive_key` mode.
///
/// A caller that keeps the digest of what it was given back can tell after a restart whether the
/// request on disk still says the same.
#[must_use]
pub fn request_digest(request: &Request) -> RequestDigest {
    let mut hasher = RequestDigest::hasher();
    write_json(&mut hasher, request);
    RequestDigest(hasher.finalize().into())
}

impl Request {
    /// The status of the request at a moment.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| now >= end);
        match self.state.status() {
            Status::Pending if self.is_overdue(now) => Status::Expired,
            Status::Approved if is_over(self.execute_by()) => Status::Lapsed,
            status => status,
        }
    }

    /// The moment from which on an approval can no longer be used; none without an approval.
    #[must_use]
    pub fn execute_by(&self) -> Option<Timestamp> {
        match self.state {
            State::Approved { at } => Some(at.after(self.submission.terms.execute_within)),
            _ => None,
        }
    }

    /// The review that settled the request; none if a rule or an emergency settled it, or nothing did.
    #[must_use]
    pub fn decision(&self) -> Option<&Review> {
        match self.state {
            State::Pending
            | State::Expired { .. }
            | State::Withdrawn { .. }
            | State::Superseded { .. } => None,
            _ if self.glass.is_some() => None,
            _ => self.reviews.last(),
        }
    }

    /// Every claim with its report, if there is one, in order.
    pub fn uses(&self) -> impl Iterator<Item = (&Claim, Option<&Receipt>)> {
        let earlier = self.earlier.iter();
        let earlier = earlier.map(|used| (&used.claim, used.receipt.as_ref()));
        let newest = self.claim.iter();
        earlier.chain(newest.map(|claim| (claim, self.receipt.as_ref())))
    }

    /// How often the approval may still be used; 0 without an approval. Whether its time is over is
    /// not looked at.
    #[must_use]
    pub fn uses_left(&self) -> u32 {
        match self.state {
            State::Approved { .. } => self.submission.terms.uses.get() - self.uses().count() as u32,
            _ => 0,
        }
    }

    /// Whether one person approved alone and that was not attested yet.
    #[must_use]
    pub fn owes_review(&self) -> bool {
        let counts = |done: &Attestation| {
            done.signature.is_some() || !self.submission.demands_signature_of(&done.by)
        };
        self.glass.is_some() && !self.attestation.as_ref().is_some_and(counts)
    }

    /// The claim that a command made, under its key if it had one: repeated, it may not be the newest any
    /// more.
    pub(crate) fn claim_made(&self, key: Option<&IdempotencyKey>) -> Claim {
        let mut uses = self.uses().map(|(claim, _)| claim);
        let made = match key {
            Some(_) => uses.find(|claim| claim.key.as_ref() == key),
            None => uses.last(),
        };
        made.cloned().expect("a claimed request has its claim")
    }

    /// The claim of a person, if there is one.
    pub(crate) fn claim_by(&self, claimant: &PersonId) -> Option<Claim> {
        let mut uses = self.uses().map(|(claim, _)| claim);
        uses.find(|claim| claim.claimant == *claimant).cloned()
    }

    /// Whether the time to decide is over.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        now >= self.submission.decide_by()
    }
}

/// The request as it is, or the answer that there is none.
pub(crate) fn known<'a>(
    current: Option<&'a Request>,
    id: &RequestId,
) -> Result<&'a Request, Error> {
    current.ok_or_else(|| Error::UnknownRequest { id: id.clone() })
}
