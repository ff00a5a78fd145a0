//! The load tests that prove the subsystems: targets, scenarios, verdicts and reports.
//!
//! A [`Suite`] runs scenarios one after another. Each one puts a load on a [`Target`] in a fresh
//! directory, closes it, opens it again, and holds the ledger of acknowledged effects against what
//! is really there. The result is a [`Report`]: plain data that can be saved, loaded, judged again
//! under other [`Limits`], and drawn as text, as Markdown or as JSON.
//!
//! ```
//! use harness::{NoProgress, Scenario, Settings, Suite};
//!
//! let out = tempfile::tempdir()?;
//! let mut settings = Settings::quick();
//! settings.records = std::num::NonZeroU64::new(20);
//! let report = Suite::new(settings, [Scenario::Storage]).run(out.path(), &mut NoProgress)?;
//! assert!(report.verdict.health.is_pass(), "{}", report::render::markdown(&report));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod error;
mod inspect;
mod journal;
mod manifest;
mod place;
mod progress;
mod proof;
mod scenario;
mod scenario_file;
mod sizes;
mod suite;
pub mod targets;

pub use crate::error::Error;
pub use crate::inspect::{
    Inspection, LogInspection, MemoryInspection, Reread, inspect, inspect_against, reread,
};
pub use crate::journal::Journal;
pub use crate::progress::{NoProgress, Progress};
pub use crate::proof::{EffectsFound, Target, Trial, prove};
pub use crate::scenario::Scenario;
pub use crate::scenario_file::{
    AbortSpec, ArrivalKind, Course, DataSpec, Executor, ModelKind, ModelSpec, PhaseSpec, PoolSpec,
    ScenarioFile, ScenarioSpec, Size, TargetKind, TargetSpec, ThinkSpec, Time, scenario_schema,
};
pub use crate::suite::Suite;
