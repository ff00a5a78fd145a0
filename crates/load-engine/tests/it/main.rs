//! The engine as its users see it.

mod abort;
mod deadline;
mod effects;
mod fairness;
mod histograms;
mod intervals;
mod lifecycle;
mod live_record;
mod open;
mod phases;
mod pooled;
mod searches;
mod spill;
mod store;
mod tasks;
mod thresholds;
mod verification;
mod watch;
mod windows;
