//! The crate as its users see it.

mod airline;
mod analysis;
mod common;
mod explain;
mod flow;
mod hostile;
mod mcp;
mod simulate;
mod store;
mod tau_bench;
mod terraform;
