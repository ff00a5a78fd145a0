//! Programs that speak JSON lines on their standard input and output, and MCP, which is spoken over HTTP as well.

mod exec;
mod mcp;
mod mcp_http;
mod program;
mod server;
mod tools;

pub use exec::{Exec, ExecAction, ExecConnection, ExecOptions, ExecRequest};
pub use mcp::{CallAction, Mcp, McpConnection, McpOptions, McpRequest};
