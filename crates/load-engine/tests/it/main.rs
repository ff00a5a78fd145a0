//! The engine as its users see it.

mod effects;
mod histograms;
mod lifecycle;
mod store;
mod verification;
