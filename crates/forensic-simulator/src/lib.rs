//! Predicts what a plan would change, without executing it.
//!
//! - A [`Workflow`] lists [`Step`]s, each an [`action::Action`] that may wait for others;
//!   [`Plan::new`] checks it.
//!   A parameter `{"$ref": "a step before", "pointer": "/x"}` stands for a part of what that step
//!   answers, and makes its step wait for it.
//! - A [`World`] says what is known of the state that the plan would meet.
//! - A [`Simulator`] plays the plan against the world through [`Handler`]s, most of which are
//!   [`Schema`]s written as text. All that a handler writes stays in an overlay: no file, socket
//!   or clock can be reached. A step that nothing models is [`PredictedOutcome::Unknown`], never "no effect".
//! - The [`SimulationReport`] says for each step its outcome, the reason, what would change, how long it
//!   would take and what it would cost; for the whole its outcome, the safety issues and what to
//!   do about them. The same inputs give a report of the same bytes.
//! - A [`PlanFile`] is a plan of another tool, such as Terraform; an [`Examination`] says what a person
//!   should look at before it runs, as text, Markdown, SARIF, JSON or HTML.
//! - [`ForensicSimulator`] keeps every report on a log, with statistics that are always up to date.
//!
//! The README has a program that simulates a plan.

// What goes in: a plan, the world, the meaning of its actions.
mod plan;
mod schema;
mod world;

// What comes out.
mod assess;
mod run;

// Files of others, text for people, and the record.
mod formats;
mod input;
mod render;
mod store;

mod digest;
mod error;
mod text;

pub use crate::assess::analysis::Analysis;
pub use crate::assess::compare::{Comparison, KeyDifference, StepDifference};
pub use crate::assess::conflicts::{Conflict, Conflicts};
pub use crate::assess::examination::Examination;
pub use crate::assess::faults::{Fault, FaultCase, FaultDepth, FaultMatrix, FaultSummary};
pub use crate::assess::flow::{Flow, FlowPolicy, Label};
pub use crate::assess::forecast::{Forecast, Quantiles};
pub use crate::assess::gate::{FailOn, GateResult};
pub use crate::assess::kinds::{Finding, FindingKind, Severity};
pub use crate::assess::provenance::ProvenancePolicy;
pub use crate::assess::request::{Concern, ConcernKind, EffectRule, Request, RequestPolicy};
pub use crate::assess::risk::{BlastRadius, Risk, RiskFactor};
pub use crate::assess::rollback::{Rollback, Undo, UndoKind};
pub use crate::assess::statistics::{Statistics, Summary};
pub use crate::assess::summary::{Advice, Count};
pub use crate::digest::{Version, WorkflowDigest, WorldDigest};
pub use crate::error::Error;
pub use crate::formats::mcp::McpTools;
pub use crate::formats::mcp::shape::ToolShape;
pub use crate::formats::pddl::{StripsDomain, StripsProblem};
pub use crate::formats::plan_file::{PlanFile, PlanFormat};
pub use crate::formats::planned::{
    AttributeChange, ChangeKind, PlanRemark, PlannedChanges, PlannedResource,
};
pub use crate::formats::replay::{Counterfactual, Executed, KeyInBoth, Moment, Replay};
pub use crate::formats::terraform::TerraformPlan;
pub use crate::plan::step_id::StepId;
pub use crate::plan::workflow::{Step, Workflow};
pub use crate::plan::{Limits, Plan};
pub use crate::run::context::Context;
pub use crate::run::handler::{FailureMode, Guard, Handler};
pub use crate::run::report::issue::{IssueKind, Recommendation, SafetyIssue};
pub use crate::run::report::{
    Estimate, ExternalEffect, Precondition, PreconditionStatus, PredictedOutcome, Reversibility,
    SimulationReport, Spread, StepReport,
};
pub use crate::run::simulator::{Simulator, SimulatorBuilder};
pub use crate::run::stop::Stop;
pub use crate::schema::Schema;
pub use crate::schema::builtin::BUILTIN_SCHEMAS;
pub use crate::store::forensic::ForensicSimulator;
pub use crate::store::id::ReportId;
pub use crate::store::{SimulationStore, StoreOptions, Stored, StoredReports};
pub use crate::world::World;
pub use crate::world::change::{Change, Read};
pub use crate::world::fact::{Fact, Key, Secret, Unknown};
pub use action::{EffectsDigest, ReportDigest, Timestamp};
