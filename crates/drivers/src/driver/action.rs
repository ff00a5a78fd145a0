//! What a step asks of its service.

use std::time::Duration;

use crate::file::FileAction;
use crate::http::HttpAction;
use crate::lines::{CallAction, ExecAction};
use crate::postgres::SqlAction;
use crate::redis::RedisAction;

/// One action, in its protocol's notation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// `http`.
    Http(HttpAction),
    /// `redis` and `scan`.
    Redis(RedisAction),
    /// `call`.
    Call(CallAction),
    /// `sql`.
    Sql(SqlAction),
    /// `exec`.
    Exec(ExecAction),
    /// `write_file`, `read_file`, `remove_file` and `list_files`.
    File(FileAction),
}

impl Action {
    /// The key that it stands under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Redis(RedisAction::Commands(_)) => "redis",
            Self::Redis(RedisAction::Scan(_)) => "scan",
            Self::Call(_) => "call",
            Self::Sql(_) => "sql",
            Self::Exec(_) => "exec",
            Self::File(FileAction::Write { .. }) => "write_file",
            Self::File(FileAction::Read(_)) => "read_file",
            Self::File(FileAction::Remove(_)) => "remove_file",
            Self::File(FileAction::List(_)) => "list_files",
        }
    }
}

/// Why a request is made, for the guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A step of a flow.
    #[default]
    Flow,
    /// A step of a set-up or a tear-down, or a `delete`.
    SetUp,
    /// A `read` or an invariant: it must not write.
    Read,
}

/// An action of a step.
#[derive(Clone, Debug)]
pub struct ActionSpec {
    /// The action.
    pub action: Action,
    /// Why it is done.
    pub purpose: Purpose,
    /// How long one attempt may take; the service's time if it does not say.
    pub timeout: Option<Duration>,
}

impl ActionSpec {
    /// An action of a flow's step.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            purpose: Purpose::Flow,
            timeout: None,
        }
    }
}
