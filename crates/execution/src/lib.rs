//! One way from a plan to its effects, with a check at each turn.
//!
//! ```text
//! rehearse ─► propose ─► (people or policy decide) ─► clear ─► execute ─► reconcile
//!  report      request, bound to plan,                 rehearsed again     what was seen against
//!              report, effects and reads               on the world of     what was foretold
//!                                                      now, then claimed
//! ```
//!
//! An approval holds for a world, and worlds move. [`Conduct::clear`] therefore rehearses again at
//! the moment of use and shows the workflow what it saw; and since the world can also move between
//! that and the execution, a [`System`] executes only if everything that the rehearsal read is
//! still as it was, in one indivisible step.
//!
//! The steps are types: what was not cleared cannot be executed, and what was cleared can be
//! executed once.

mod executor;
mod result;

pub use crate::executor::{Cleared, Conduct, ConductError, NotDone, Proposal, System};
pub use crate::result::{Conducted, Difference, Fidelity};
