use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::values::time;

#[derive(Debug, Args)]
pub(crate) struct ApprovalsArguments {
    #[command(subcommand)]
    pub(crate) command: ApprovalsCommand,
}

/// Where the approvals are, and who looks at them.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// A running server, such as http://127.0.0.1:8787; the token is read from PROOFLOAD_TOKEN
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "dir",
        required_unless_present = "dir"
    )]
    pub(crate) server: Option<String>,
    /// The directory of a server that is not running
    #[arg(long, value_name = "DIR", requires = "person")]
    pub(crate) dir: Option<PathBuf>,
    /// Who looks and decides, with --dir
    #[arg(long = "as", value_name = "NAME", requires = "dir")]
    pub(crate) person: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List what waits, what could do most harm first
    List {
        #[command(flatten)]
        place: PlaceArguments,
        /// List these instead, by age: approved, denied, expired, claimed, succeeded, …
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
    },
    /// Show one request with everything that a decision rests on
    Show {
        /// The request's id
        id: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Approve a request
    Approve(DecideArguments),
    /// Deny a request
    Deny(DecideArguments),
    /// Print the audit log, newest first, or what happened to one request
    Audit {
        /// The request's id
        id: Option<String>,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DecideArguments {
    /// The request's id
    pub(crate) id: String,
    /// The digest of the action, from `approvals show`, or its first characters, at least eight
    #[arg(long, value_name = "HEX")]
    pub(crate) shown: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The one-time code, where the rule demands one
    #[arg(long, value_name = "DIGITS")]
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    /// Claude Code
    ClaudeCode,
}

#[derive(Debug, Args)]
pub(crate) struct HookArguments {
    /// The host whose hook it is
    #[arg(long, value_enum)]
    pub(crate) host: Host,
    /// The server; the token of an agent is read from PROOFLOAD_TOKEN
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    pub(crate) server: String,
    /// How long to wait for a person's decision; the host's own time-out must be 10 s longer
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "50s")]
    pub(crate) wait: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct McpArguments {
    /// The server; the token of an agent is read from PROOFLOAD_TOKEN
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    pub(crate) server: String,
    /// The directory of a server that is not running, in place of a server
    #[arg(long, value_name = "DIR", requires = "name", conflicts_with = "server")]
    pub(crate) dir: Option<PathBuf>,
    /// Which agent calls, with --dir
    #[arg(long = "as", value_name = "NAME", requires = "dir")]
    pub(crate) name: Option<String>,
}
