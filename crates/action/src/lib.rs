//! The vocabulary that every room shares: what an agent wants to do, and the exact bytes that
//! stand for it.
//!
//! An [`Action`] names a place to act on ([`ActionPath`]), says what will be done in words, and
//! carries the parameters that decide what really happens. Two things are derived from it:
//!
//! - its **canonical form**, the bytes of RFC 8785 (JSON Canonicalization Scheme), and the BLAKE3
//!   [`ActionDigest`] over them, so that an approval can be bound to exactly what will run;
//! - whether a [`PathPattern`] such as `payments/*` covers it, so that rules can speak of many.
//!
//! A [`Timestamp`] says when.
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
mod digest;
mod error;
mod path;
mod pattern;
mod timestamp;

pub use crate::action::Action;
pub use crate::digest::ActionDigest;
pub use crate::error::Error;
pub use crate::path::ActionPath;
pub use crate::pattern::{PathPattern, Specificity};
pub use crate::timestamp::Timestamp;
