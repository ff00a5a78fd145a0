//! The crate as its users see it.

mod agentdojo;
mod airline;
mod analysis;
mod common;
mod determinism;
mod explain;
mod flow;
mod hostile;
mod mcp;
mod reference;
mod replay;
mod request;
mod schema;
mod simulate;
mod store;
mod strips;
mod tau_bench;
mod terraform;
mod trace;
