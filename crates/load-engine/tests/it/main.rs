//! The engine as its users see it.

mod deadline;
mod early_end;
mod effects;
mod fairness;
mod glance;
mod histograms;
mod intervals;
mod lifecycle;
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
