#![doc = include_str!("../README.md")]
//!
//! # Parts
//!
//! - [`Policy`] says which actions are sensitive and on what terms they are approved.
//! - [`ApprovalWorkflow`] takes requests and decisions, and answers
//!   [`can_execute`](ApprovalWorkflow::can_execute) with a [`Permission`].
//! - An approval is used once, or as often as its [`Terms`] say: [`claim`](ApprovalWorkflow::claim)
//!   gives it to one caller under a [`FencingToken`], and [`finish`](ApprovalWorkflow::finish) takes
//!   the report. The states of a request, and the events between them, are described at [`State`].
//! - A request may also name the plan, the simulation and the versions of what was read ([`Binding`]).
//!   A claim states what they are now, and is refused with the name of what differs.
//! - Values that are marked [secret](NewRequest::secrets) are bound like all others, and never written.
//! - [`list`](ApprovalWorkflow::list) answers a [`Query`] page by page, and
//!   [`statistics`](ApprovalWorkflow::statistics) are kept as events come. The time of neither depends
//!   on how many requests are settled.
//! - Every [`Event`] is one line of a log with a hash chain. The state is folded from it, and the audit
//!   trail is the log itself, so the two cannot disagree. Of a settled request, memory holds the places
//!   of its events; an opening reads what came after the last [snapshot](Options::snapshot_every).

mod commands;
mod options;
mod workflow;

// The terms: requests, policies, reviews.
mod model;
mod policy;
mod review;

// The record, and the state that is folded from it.
mod journal;
mod state;

// The questions.
mod export;
mod gate;
mod query;

mod clock;
mod error;
mod sync;

// Tests of what is private, and a fault that one of them plants.
#[cfg(test)]
#[path = "../tests/unit/explore/mod.rs"]
mod explore;
#[cfg(all(test, not(shuttle)))]
#[path = "../tests/unit/linear.rs"]
mod linear;
#[cfg(shuttle)]
#[doc(hidden)]
#[path = "../tests/unit/planted.rs"]
pub mod planted;

pub use crate::commands::awaited::Command;
pub use crate::error::Error;
pub use crate::export::bundle::{HistoryDigest, LogHash, VerifiedBundle, verify_bundle};
pub use crate::journal::comparison::{SnapshotComparison, compare_snapshot};
pub use crate::journal::snapshot::{Opening, SNAPSHOT_FILE, SnapshotUse};
pub use crate::journal::snapshot_format::SnapshotFault;
pub use crate::model::binding::{Binding, Use};
pub use crate::model::emergency::{Attestation, BrokenGlass};
pub use crate::model::event::{AuditEntry, ChangeRequest, Event, Review, Submission, Vote};
pub use crate::model::grant::{Claim, Receipt, ReceiptOutcome, Used};
pub use crate::model::input::{
    Decision, EmergencyApproval, EmergencyReview, NewRequest, OneTimeCode,
};
pub use crate::model::names::{GroupId, IdempotencyKey, PersonId, RequestId};
pub use crate::model::permission::{DenyReason, Permission};
pub use crate::model::request::{Request, RequestDigest, State, Status, request_digest};
pub use crate::model::requirement::Requirement;
pub use crate::model::restore::Restored;
pub use crate::model::secrets::{SecretDigest, secret_digest};
pub use crate::model::signature::{PublicKey, ReviewSignature, Signature, SignatureFault, Signers};
pub use crate::model::terms::{Disposition, PolicyDigest, Sensitivity, Terms};
pub use crate::model::token::FencingToken;
pub use crate::options::Options;
pub use crate::policy::condition::{Condition, Field};
pub use crate::policy::engine::PolicyEngine;
pub use crate::policy::rulebook::{PolicyDecision, Rulebook};
pub use crate::policy::{Policy, Rule};
pub use crate::query::insight::{Difference, Explanation, Missing, Said};
pub use crate::query::listing::{Cursor, Listing, Page, Query};
pub use crate::query::waiting::{DecisionOf, Subscription};
pub use crate::review::delegation::Delegation;
pub use crate::review::second_factor::{Directory, Reviewer, TotpSecret};
pub use crate::review::statement::{EmergencyStatement, ReviewStatement};
pub use crate::state::basis::CurrentRulebook;
pub use crate::state::statistics::{ReviewerCount, Statistics, TimeToDecision};
pub use crate::workflow::ApprovalWorkflow;
pub use action::{EffectsDigest, PlanDigest, PlanNode, ReportDigest, StepProof, Timestamp};
pub use jsonl_storage::{Checkpoint, Durability, Recovery, Seq};
