//! Reads scenario files, runs them against targets and verifies the effects.
//!
//! A [`Suite`] runs [scenarios](ScenarioFile) one after another. Each one puts a load on a [`Target`] in a
//! fresh directory, closes it, opens it again, and compares the ledger of acknowledged effects with the
//! effects that are read back. The result is a [`Report`](report::Report): plain data that can be saved,
//! loaded, judged again, and drawn as text, as Markdown or as JSON.
//!
//! ```
//! use harness::{NoProgress, Overrides, ScenarioFile, Suite};
//!
//! let out = tempfile::tempdir()?;
//! let small = Overrides {
//!     quick: true,
//!     records: std::num::NonZeroU64::new(20),
//!     ..Overrides::default()
//! };
//! let storage = ScenarioFile::embedded("storage", &small)?;
//! let report = Suite::new([storage]).run(out.path(), &mut NoProgress)?;
//! assert!(report.verdict.conclusion.is_pass(), "{}", report::render::markdown(&report));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod data_dir;
mod error;
mod journal;
mod manifest;
mod progress;
mod prove;
mod scenario;
mod services;
mod suite;
pub mod targets;
mod verify_directory;

pub use crate::error::Error;
pub use crate::journal::Journal;
pub use crate::progress::{NoProgress, Progress};
pub use crate::prove::{EffectsFound, ScenarioRun, Target, prove};
pub use crate::scenario::{
    AbortSpec, ArrivalKind, Course, DataSpec, Executor, FlagThreshold, Inside, KeyPath, ModelKind,
    ModelSpec, Overrides, PhaseSpec, ScenarioFile, ScenarioSpec, Segment, Size, SpecError,
    TargetSpec, ThinkSpec, Time, quoted, scenario_schema, scenario_schema_of,
};
pub use crate::suite::{Suite, SuiteRun};
pub use crate::verify_directory::{
    Inspection, LogInspection, MemoryInspection, Reread, SnapshotInspection, data_directories,
    inspect, inspect_against, reread, verify_directory,
};
