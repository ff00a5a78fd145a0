//! Judges, compares and renders the results of load tests.
//!
//! A [`Report`] is plain data: what scenarios measured, what was found when their targets were opened
//! again, and the [`Verdict`]. Everything here works on a saved report, without running any load:
//! [judge](Report::judged_by) it under other thresholds, look for [`findings`], make a [`comparison`] of runs, follow a figure
//! through the [`history`], and [`render`] for a terminal, a browser or another program.

mod clock;
mod effects;
mod evidence;
mod machine;
mod renamed;
mod report;
mod saved;
mod scenario_result;
mod sums;
mod units;
mod v1;

pub mod comparison;
pub mod findings;
pub mod history;
pub mod line_sum;
pub mod picture;
mod plot;
pub mod render;
mod verdict;

mod error;

pub use crate::effects::{EffectReading, EffectReport, FaultReport, InvariantReport};
pub use crate::error::Error;
pub use crate::findings::finding::{
    Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Span, Strength, Unit,
};
pub use crate::machine::{Build, Machine};
pub use crate::report::{Report, report_schema};
pub use crate::saved::{Draft, Saved, load, save, save_draft};
pub use crate::scenario_result::{Definition, ScenarioResult};
pub use crate::sums::check_sums;
pub use crate::verdict::{
    ALWAYS, ALWAYS_OPEN, Conclusion, DEFAULT_ADVICE, DEFAULTS, EFFECTS, EFFECTS_OF_SERVICES,
    Verdict, Violation, advice, describe_figure, describe_judgement, figure_of, judge, limited_by,
};
