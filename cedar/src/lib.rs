//! The gate's policies, judged by [Cedar](https://www.cedarpolicy.com): another implementation of
//! [`PolicyEngine`] beside the one that ships, with which it shares the policy and nothing of how it is
//! judged. The tests hold the two against each other.
//!
//! Each rule becomes up to four Cedar policies that permit: that its pattern covers the action, that its
//! condition to grant is known to be true, and that its condition to deny is known to be true, or to be
//! false. One question to Cedar's authorizer names all that hold. Kleene's logic of three values, in which
//! a missing field is unknown, has no counterpart in Cedar, where it is an error: so every condition is
//! translated twice, as what makes it true and as what makes it false, with each field looked for first.
//!
//! Cedar has integers of 64 bits and no other numbers. A policy with another number is refused, as is a
//! pattern with more than one `**`; another number in a request is unknown to every condition.
//!
//! ```
//! use action::{Action, ActionPath};
//! use approval_workflow::{Disposition, Policy, PolicyEngine};
//! use proofload_cedar::CedarEngine;
//!
//! let policy = Policy::from_toml(r#"
//!     [[rules]]
//!     name = "no large refunds"
//!     pattern = "payments/*"
//!     sensitivity = "high"
//!     auto_deny.not.less_than = { field = "parameters.cents", value = 5000 }
//! "#)?;
//! let engine = CedarEngine::new(policy)?;
//! let refund = Action::new(ActionPath::new("payments/refund")?, "Refund");
//! let large = refund.clone().with_parameter("cents", 9000);
//! let decided = engine.judge(&large, &serde_json::Map::new());
//! assert_eq!(decided.need, Disposition::AutoDenied);
//! assert_eq!(decided.rule.map(|rule| rule.label()), Some("no large refunds"));
//! // Nobody knows how large.
//! assert_eq!(engine.judge(&refund, &serde_json::Map::new()).need, Disposition::Approval);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod encode;
mod engine;
mod formula;

pub use crate::engine::{CedarEngine, Error, Question};

#[cfg(doc)]
use approval_workflow::PolicyEngine;
