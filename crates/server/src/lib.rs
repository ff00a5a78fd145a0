#![doc = include_str!("../README.md")]
//!
//! # Parts
//!
//! - [`Config`] says where the data is and where to listen; [`run`] opens and serves it until it is told to stop.
//! - `http` is what all routes share: a route with its access and schema, problems, bodies, the accept loop.
//! - `access` says who calls: [`Tokens`] holds their hashes, a guard in front of each route asks it.
//! - `gate` holds the approval workflow and wakes those who wait for it.
//! - `approvals`, `workflows`, `records`, `chat`, `memories`, `operations`, `simulations`, `hooks`, `mcp`, `events`, `inbox`: the routes. Each has a table of routes, from which both the router and the
//!   description in OpenAPI are made, so that neither can lack what the other has.
//!
//! # A request's way
//!
//! ```text
//! socket ─► accept loop ─► request id ─► guard ────────────────► handler ─► view or problem
//!           time-outs,                   lane, token, role,      command on  as JSON
//!           connections                  figures                 the gate
//! ```
//!
//! Nothing is answered before it is on disk. A command is awaited in a task of its own, so that a caller who
//! hangs up neither stops it nor makes a thread of the runtime wait for the disk.

mod access;
mod approvals;
mod chat;
mod clock;
mod config;
mod data;
mod effective;
mod embeddings;
mod error;
mod events;
mod gate;
mod hooks;
mod http;
mod inbox;
mod local;
mod mcp;
mod memories;
mod operations;
mod records;
mod service;
mod simulations;
mod state;
mod workflows;

pub use crate::access::tokens::{NewToken, Role, TokenInfo, Tokens};
pub use crate::config::{Config, DEFAULT_ADDRESS, Rates, Restored, Tls};
pub use crate::data::DataDir;
pub use crate::embeddings::Embeddings;
pub use crate::error::Error;
pub use crate::local::{Local, new_key};
pub use crate::service::{Ending, run};
