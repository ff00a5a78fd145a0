//! `proofload serve` from the outside: the real program, over real sockets.

mod approvals;
mod attacks;
mod bodies;
mod chat;
mod chromium;
mod embeddings;
mod events;
mod guide;
mod hook;
mod inbox;
mod kill;
mod life;
mod mcp;
mod memory;
mod packaging;
mod scenario;
mod server;
mod simulate;
mod tls;
mod way;
mod workflow;
