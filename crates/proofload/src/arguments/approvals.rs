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
    /// Print what happens, as it happens, until it is interrupted
    Watch {
        /// A running server; the token is read from PROOFLOAD_TOKEN
        #[arg(long, value_name = "URL")]
        server: String,
        /// Print each event as a line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Print one request's history as a bundle that can be verified anywhere, and tell its digest
    Export {
        /// The request's id
        id: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Verify a bundle that was exported
    Verify {
        /// The bundle
        file: PathBuf,
        /// The digest that was noted when it was exported
        #[arg(long, value_name = "HEX")]
        noted: Option<String>,
    },
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
    /// Codex
    Codex,
    /// Cursor
    Cursor,
    /// Gemini CLI
    Gemini,
}

impl Host {
    /// Its name, here and in the server's paths.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Cursor => "cursor",
            Self::Gemini => "gemini",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// The host
    #[arg(long, value_enum)]
    pub(crate) host: Host,
    /// The server; the token of an agent is read from PROOFLOAD_TOKEN
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    pub(crate) server: String,
    /// The host's settings, if they are not where it usually has them
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Print what to put into the settings, and check nothing
    #[arg(long)]
    pub(crate) print: bool,
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
