//! Replaced by the crate's benchmarks.
fn main() {}
