#![doc = include_str!("../README.md")]
//!
//! # Parts
//!
//! - [`Action`], with its [canonical form](Action::canonical) and its [`ActionDigest`]
//! - [`ActionPath`] and [`PathPattern`]: what an action acts on, and a rule that covers many paths
//! - [`PlanDigest`] and [`StepProof`]: several actions in their order under one digest
//! - [`ReportDigest`] and [`EffectsDigest`]: what a simulation of a plan predicted
//! - [`Timestamp`]: a moment in microseconds
//! - [`unique_names`]: reads JSON in which no object has a name twice
//! - [`visible`]: text of others, made harmless for a terminal and a reader
//! - [`digest_type!`]: declares further kinds of digests

mod action;
mod canonical;
mod error;
mod path;
mod pattern;
mod plan;
mod timestamp;
mod unique;
mod visible;

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
pub use crate::unique::unique_names;
pub use crate::visible::{is_deceptive, visible, visible_json, visible_lines, visible_styled};
