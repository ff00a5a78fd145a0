//! Arguments of `load`: one request at a URL, without a file.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use clap::Args;

use super::values::{per_second, threads, time};
use super::{OutputArguments, ServiceArguments};
use crate::arguments::LimitArguments;

/// Put a load on a URL
///
/// The answers are expected to be 2xx; the URL may also be of an MCP server, Redis or PostgreSQL. Beside the report lies the same load as a scenario file, to which
/// effects can be added: then what was acknowledged is read back.
#[derive(Debug, Args)]
pub(crate) struct LoadUrlArguments {
    /// Where the requests go, such as http://127.0.0.1:8000/orders; placeholders such as ${id} are filled in
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Users, each with a connection of its own, who send the next request when the last one was answered
    #[arg(short = 'u', long, value_name = "N", default_value = "50", value_parser = threads, conflicts_with = "rate")]
    pub(crate) users: NonZeroU32,
    /// Requests a second, such as 500/s, whether or not the service keeps up
    #[arg(short = 'r', long, value_name = "RATE", value_parser = per_second)]
    pub(crate) rate: Option<f64>,
    /// How many requests of a rate may be under way at once
    #[arg(long, value_name = "N", default_value = "1000", value_parser = threads, requires = "rate")]
    pub(crate) max_in_flight: NonZeroU32,
    /// How long the load goes on
    #[arg(short = 'd', long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) duration: Duration,
    /// How many requests there are together, in place of a time
    #[arg(short = 'n', long, value_name = "N", conflicts_with_all = ["duration", "rate"])]
    pub(crate) requests: Option<NonZeroU64>,
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// A header, such as 'accept: text/html'; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// A JSON body
    #[arg(long, value_name = "JSON", conflicts_with = "body")]
    pub(crate) json: Option<String>,
    /// A body of any kind
    #[arg(long, value_name = "TEXT")]
    pub(crate) body: Option<String>,
    /// Call the tools of the MCP server at the URL: each in turn that says that it only reads, with arguments that its
    /// schema allows
    #[arg(long, conflicts_with_all = ["method", "json", "body", "redis", "sql"])]
    pub(crate) mcp: bool,
    /// Call this tool alone
    #[arg(long, value_name = "TOOL", requires = "mcp")]
    pub(crate) call: Option<String>,
    /// The arguments of that tool, in place of some that its schema allows
    #[arg(long, value_name = "JSON", requires = "call")]
    pub(crate) args: Option<String>,
    /// Send a command to the Redis at the URL, such as 'SET key:${id} value'
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["method", "headers", "json", "body", "sql"])]
    pub(crate) redis: Option<String>,
    /// Have the PostgreSQL at the URL execute a statement
    #[arg(long, value_name = "STATEMENT", conflicts_with_all = ["method", "headers", "json", "body"])]
    pub(crate) sql: Option<String>,
    /// Allow what the guard refuses: a tool that may write (* for all), a command or the number of a database of Redis, or
    /// a database by its name; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) allow: Vec<String>,
    /// How long a request may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) timeout: Duration,
    /// Where every random number comes from
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Print the request once, filled in, and connect to nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
    #[command(flatten)]
    pub(crate) services: ServiceArguments,
}
