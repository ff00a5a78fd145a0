//! Programs that speak JSON lines on their standard input and output.

mod exec;
mod mcp;
mod program;
mod server;

pub use exec::{Exec, ExecAction, ExecConnection, ExecOptions, ExecRequest};
pub use mcp::{CallAction, Mcp, McpConnection, McpOptions, McpRequest};
