//! The engine as its users see it.

mod effects;
mod histograms;
mod lifecycle;
mod open;
mod store;
mod verification;
