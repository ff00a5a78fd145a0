//! Executes an approved plan once, and compares the result with the prediction.
//!
//! ```text
//! simulate ─► propose ─► (people or policy decide) ─► authorize ─► execute ─► reconcile
//!  report      request, bound to plan,                 simulated again          observed changes
//!              report, effects and reads               in the present state,    against the
//!                                                      then claimed             predicted ones
//! ```
//!
//! An approval holds for a state of the world, and the world changes. [`PlanExecutor::authorize`]
//! therefore simulates again at the moment of use and shows the workflow what it found; and since the
//! world can also change between that and the execution, a [`System`] executes only if everything
//! that the simulation read is unchanged, in one atomic step.
//!
//! The steps are types: a plan that was not authorized cannot be executed, and an authorized plan can
//! be executed once.

mod error;
mod executor;
mod result;

pub use crate::error::{ExecutionError, NotExecuted};
pub use crate::executor::{AuthorizedPlan, PlanExecutor, Proposal, System};
pub use crate::result::{Difference, ExecutionResult, Fidelity};
