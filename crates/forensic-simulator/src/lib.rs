//! What would this plan do? Simulates workflows of actions without doing any of them.
//!
//! - A [`Workflow`] lists [`Step`]s, each an [`action::Action`] that may wait for others;
//!   [`Plan::new`] checks it.
//!   A parameter `{"$ref": "a step before", "pointer": "/x"}` stands for a part of what that step
//!   answers, and makes its step wait for it.
//! - A [`World`] says what is known of the state that the plan would meet.
//! - A [`Simulator`] plays the plan against the world through [`Handler`]s, most of which are
//!   [`Schema`]s written as text. All that a handler writes stays in an overlay: no file, socket
//!   or clock can be reached. A step that nothing models is [`Outcome::Unknown`], never "no effect".
//! - The [`Report`] says for each step its outcome, the reason, what would change, how long it
//!   would take and what it would cost; for the whole its outcome, the safety issues and what to
//!   do about them. The same inputs give a report of the same bytes.
//! - [`ForensicSimulator`] keeps every report on a log, with statistics that are always up to date.
//!
//! ```
//! use action::{Action, ActionPath};
//! use forensic_simulator::{Outcome, Simulator, Timestamp, Workflow, World};
//!
//! let simulator = Simulator::builder().builtins().build()?;
//! let world = World::from_iter([("accounts/ann", 20), ("accounts/bob", 0)]);
//! let transfer = |amount: u32| -> Result<Action, action::Error> {
//!     Ok(Action::new(ActionPath::new("kv/transfer")?, "Transfer")
//!         .with_parameter("from", "accounts/ann")
//!         .with_parameter("to", "accounts/bob")
//!         .with_parameter("amount", amount))
//! };
//! let workflow = Workflow::new("pay twice")
//!     .step("first", transfer(15)?)
//!     .step_after("second", transfer(15)?, ["first"]);
//!
//! let report = simulator.simulate(&simulator.check(workflow)?, &world, Timestamp::default());
//! assert_eq!(report.outcome, Outcome::WouldFail);
//! let second = report.step("second").unwrap();
//! assert_eq!(&*second.reason, "there is not enough: accounts/ann is 5");
//! assert_eq!(report.recommendations[0].remedy, "move less, or add to it before");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advice;
mod analysis;
mod builtin;
mod compare;
mod conflicts;
mod context;
mod digest;
mod error;
mod examination;
mod explain;
mod fact;
mod faults;
mod flow;
mod forecast;
mod forensic;
mod handler;
mod mcp;
mod number;
mod overlay;
mod plan;
mod plan_file;
mod reference;
mod replay;
mod report;
mod request;
mod risk;
mod rollback;
mod run;
mod schema;
mod simulator;
mod statistics;
mod store;
mod strips;
mod template;
mod terraform;
mod workflow;
mod world;

pub use crate::advice::{IssueKind, Recommendation, SafetyIssue};
pub use crate::analysis::Analysis;
pub use crate::builtin::BUILTIN_SCHEMAS;
pub use crate::compare::{Comparison, KeyDifference, StepDifference};
pub use crate::conflicts::{Conflict, Conflicts};
pub use crate::context::Context;
pub use crate::digest::{EffectsDigest, PlanDigest, ReportDigest, Version, WorldDigest};
pub use crate::error::Error;
pub use crate::examination::{Examination, Finding, FindingKind};
pub use crate::fact::{Fact, Key, Secret, Unknown};
pub use crate::faults::{Fault, FaultCase, FaultDepth, FaultMatrix};
pub use crate::flow::{Flow, FlowPolicy, Label};
pub use crate::forecast::{Forecast, Quantiles};
pub use crate::forensic::ForensicSimulator;
pub use crate::handler::{FailureMode, Handler, Stop};
pub use crate::mcp::McpTools;
pub use crate::plan::{Limits, Plan};
pub use crate::plan_file::{PlanFile, PlanFormat};
pub use crate::replay::{Counterfactual, Executed, KeyInBoth, Moment, Replay};
pub use crate::report::{
    Change, Estimate, ExternalEffect, Outcome, Precondition, Read, Report, Reversibility, Spread,
    StepReport, Verdict,
};
pub use crate::request::{Concern, ConcernKind, EffectRule, Request, RequestPolicy};
pub use crate::risk::{BlastRadius, Risk, RiskFactor};
pub use crate::rollback::{Rollback, Undo, UndoKind};
pub use crate::schema::Schema;
pub use crate::simulator::{Simulator, SimulatorBuilder};
pub use crate::statistics::{Statistics, Summary};
pub use crate::store::{ReportId, SimulationStore, StoreOptions, Stored, StoredReports};
pub use crate::strips::{StripsDomain, StripsProblem};
pub use crate::terraform::TerraformPlan;
pub use crate::workflow::{Step, StepId, Workflow};
pub use crate::world::World;
pub use action::Timestamp;
