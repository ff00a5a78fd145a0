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
//! assert!(report.verdict.health.is_pass(), "{}", harness::render::markdown(&report));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
pub mod comparison;
pub mod conduct;
mod error;
mod finding;
pub mod findings;
pub mod history;
mod inspect;
mod journal;
mod machine;
mod manifest;
mod place;
mod progress;
mod proof;
pub mod render;
mod report;
mod saved;
mod scenario;
mod scenario_file;
mod settings;
mod statistics;
mod suite;
pub mod targets;
mod verdict;

pub use crate::error::Error;
pub use crate::finding::{
    Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Span, Strength, Unit,
};
pub use crate::inspect::{
    Inspection, LogInspection, MemoryInspection, Reread, inspect, inspect_against, reread,
};
pub use crate::journal::Journal;
pub use crate::machine::{Build, Machine};
pub use crate::progress::{NoProgress, Progress};
pub use crate::proof::{EffectsFound, Target, Trial, prove};
pub use crate::report::{Report, ScenarioResult, report_schema};
pub use crate::saved::{Saved, load, save};
pub use crate::scenario::Scenario;
pub use crate::scenario_file::{
    ArrivalKind, Course, DataSpec, Definition, Executor, ModelKind, ModelSpec, PhaseSpec, PoolSpec,
    ScenarioFile, ScenarioSpec, Size, StopSpec, TargetKind, TargetSpec, ThinkSpec, Time,
    scenario_schema,
};
pub use crate::settings::Settings;
pub use crate::suite::Suite;
pub use crate::verdict::{
    Check, Exceedance, Health, Limits, Measure, ScenarioVerdict, Verdict, describe_figure,
    describe_judgement, judge,
};
