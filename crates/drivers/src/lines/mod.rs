//! Programs that speak JSON lines on their standard input and output, and MCP, which is spoken over HTTP as well.

mod call;
mod exec;
mod mcp;
mod mcp_http;
mod program;
mod server;
mod tools;
mod version;

pub use call::{CallAction, McpRequest};
pub use exec::{Exec, ExecAction, ExecConnection, ExecOptions, ExecRequest};
pub use mcp::{Mcp, McpConnection, McpOptions};
pub use version::{McpVersion, McpVersions};

/// Makes a text of JSON one line: it has no line end in its texts, and between its parts any space will do.
fn make_one_line(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}
