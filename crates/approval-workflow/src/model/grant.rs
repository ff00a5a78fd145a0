//! The use of an approval: taken once, or as often as its terms say, under a token that fences off everyone else, and reported.

use action::{ActionDigest, StepProof, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::binding::Binding;
use crate::model::names::{IdempotencyKey, PersonId, RequestId};
use crate::model::token::FencingToken;

/// An approval was taken to be used: no other caller can take it.
///
/// This holds for all who use this log. A copy of the log, opened elsewhere, does not know of
/// claims made after the copy; only the system that is acted on can tell, by the token. Open such a copy
/// with [`Options::restored`](crate::Options::restored).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The request.
    pub id: RequestId,
    /// When.
    pub at: Timestamp,
    /// Who runs the action.
    pub claimant: PersonId,
    /// The action that will be run.
    pub digest: ActionDigest,
    /// The claim's number.
    pub token: FencingToken,
    /// The caller's key for this claim, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// What the claimant said to be true, of what the approval is bound to.
    #[serde(default, skip_serializing_if = "Binding::is_empty")]
    pub seen: Binding,
    /// The proof that the action is a step of the plan that was approved, if it is not the action
    /// that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepProof>,
}

/// A use of an approval that was followed by another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Who took it.
    pub claim: Claim,
    /// What came of it, once that was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// What came of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptOutcome {
    /// It took effect.
    Succeeded,
    /// It took no effect.
    Failed,
    /// Unknown: the connection broke, or the executor died. A person should look.
    Indeterminate,
}

/// The report of the claimant, or of a person who found that the claimant will not report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The request.
    pub id: RequestId,
    /// When.
    pub at: Timestamp,
    /// The claim's token.
    pub token: FencingToken,
    /// What came of it.
    pub outcome: ReceiptOutcome,
    /// What was observed, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub observed: String,
}
