//! forensic-simulator.
