//! Every driver there is, behind one type.

use std::ops::ControlFlow;

use crate::answer::Answer;
use crate::driver::{ActionSpec, Driver, Row, ServiceContext};
use crate::error::SpecError;
use crate::file::Files;
use crate::http::Http;
use crate::lines::{Exec, Mcp};
use crate::net::Address;
use crate::outcome::{Failure, Outcome};
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::values::{Scope, Traits, Values};

/// A request, a connection and a session belong to the service that made them; to mix them is a mistake
/// of the caller.
const MIXED: &str = "a request, a connection and a session of one service";

drivers! {
    /// HTTP/1.1 and HTTP/2.
    Http(Http),
    /// Redis.
    Redis(Redis),
    /// PostgreSQL.
    Postgres(Postgres),
    /// MCP over standard streams and Streamable HTTP.
    Mcp(Mcp),
    /// Programs that speak JSON lines.
    Exec(Exec),
    /// Files.
    File(Files),
}
