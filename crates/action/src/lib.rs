//! Describes an action of a software agent, with a canonical form and a digest that approvals are
//! bound to.
//!
//! An [`Action`] names what it acts on ([`ActionPath`]), says in words what will be done, and carries
//! the parameters. Two things are derived from it:
//!
//! - its **canonical form**, the bytes of RFC 8785 (JSON Canonicalization Scheme), and the BLAKE3
//!   [`ActionDigest`] over them, so that an approval can be bound to exactly what will run;
//! - whether a [`PathPattern`] such as `payments/*` covers it, so that a rule can cover many actions.
//!
//! A [`PlanDigest`] stands for several actions in their order, and a [`StepProof`] shows that an action
//! is one of them. A [`Timestamp`] is a moment. [`digest_type!`] declares further kinds of digests.
//!
//! ```
//! use action::{Action, ActionPath, PathPattern};
//! use serde_json::json;
//!
//! let refund = Action::new(ActionPath::new("payments/refund")?, "Refund an order")
//!     .with_parameter("order", json!("A-17"))
//!     .with_parameter("amount_cents", json!(1250));
//!
//! assert!(PathPattern::new("payments/*")?.matches(&refund.path));
//!
//! // The order of the parameters does not matter, their values do.
//! let same = Action::new(ActionPath::new("payments/refund")?, "Refund an order")
//!     .with_parameter("amount_cents", json!(1250.0))
//!     .with_parameter("order", json!("A-17"));
//! let other = same.clone().with_parameter("amount_cents", json!(125_000));
//! assert_eq!(refund.digest()?, same.digest()?);
//! assert_ne!(refund.digest()?, other.digest()?);
//! # Ok::<(), action::Error>(())
//! ```

mod action;
mod canonical;
mod error;
mod path;
mod pattern;
mod plan;
mod timestamp;

// Public for what `digest_type!` expands to.
#[doc(hidden)]
pub mod digest;
#[doc(hidden)]
pub mod hex;

pub use crate::action::Action;
pub use crate::digest::{ActionDigest, EffectsDigest, ReportDigest};
pub use crate::error::Error;
pub use crate::path::ActionPath;
pub use crate::pattern::{PathPattern, Specificity};
pub use crate::plan::{PlanDigest, PlanNode, StepProof};
pub use crate::timestamp::Timestamp;
