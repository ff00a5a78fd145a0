//! The crate as its users see it.

mod agentdojo;
mod airline;
mod analysis;
mod common;
mod explain;
mod flow;
mod hostile;
mod mcp;
mod reference;
mod request;
mod schema;
mod simulate;
mod store;
mod tau_bench;
mod terraform;
