//! The crate as its users see it.

mod agentdojo;
mod airline;
mod analysis;
mod common;
mod determinism;
mod explain;
mod faults;
mod flow;
mod formats;
mod hostile;
mod mcp;
mod reference;
mod replay;
mod request;
mod risk;
mod schema;
mod simulate;
mod store;
mod strips;
mod tau_bench;
mod terraform;
mod trace;
