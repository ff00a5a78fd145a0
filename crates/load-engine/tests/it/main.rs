//! The engine as its users see it.

mod deadline;
mod early_end;
mod effects;
mod glance;
mod histograms;
mod intervals;
mod lifecycle;
mod open;
mod phases;
mod searches;
mod spill;
mod store;
mod tasks;
mod thresholds;
mod verification;
mod watch;
