//! Benchmarks that cross crates; see `benches/`.
