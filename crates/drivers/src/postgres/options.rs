//! The keys of a PostgreSQL service and the actions of its steps.

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a PostgreSQL service that are this protocol's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresOptions {
    /// Where it is, with user and database, such as `postgres://postgres@127.0.0.1/shop_test`; with
    /// `?host=/folder` the Unix socket in that folder.
    pub url: String,
    /// Databases whose names do not say that they are for tests, and that are allowed all the same.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// Statements of SQL.
#[derive(Clone, Debug)]
pub struct SqlAction {
    /// The statements.
    pub statements: Vec<String>,
    /// Whether they are one transaction, which a single statement need not be.
    pub is_transaction: bool,
    /// How far the transaction is kept apart from others; the server's default if it does not say.
    pub isolation: Option<Isolation>,
}

impl SqlAction {
    /// One statement, which is committed when it is done.
    #[must_use]
    pub fn one(statement: &str) -> Self {
        Self {
            statements: vec![statement.to_owned()],
            is_transaction: false,
            isolation: None,
        }
    }

    /// Several statements, of which all are done or none.
    #[must_use]
    pub fn transaction(statements: Vec<String>) -> Self {
        Self {
            statements,
            is_transaction: true,
            isolation: None,
        }
    }
}

/// The four levels of isolation of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// What others have not committed may be seen, where the server shows it.
    #[serde(rename = "read uncommitted")]
    ReadUncommitted,
    /// Each statement sees what was committed before it.
    #[serde(rename = "read committed")]
    ReadCommitted,
    /// All statements see what was committed before the first.
    #[serde(rename = "repeatable read")]
    RepeatableRead,
    /// As if transactions came one after the other.
    Serializable,
}

impl Isolation {
    /// The statement that begins a transaction.
    pub(super) fn begin(level: Option<Self>) -> &'static str {
        match level {
            None => "BEGIN",
            Some(Self::ReadUncommitted) => "BEGIN ISOLATION LEVEL READ UNCOMMITTED",
            Some(Self::ReadCommitted) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Some(Self::RepeatableRead) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Some(Self::Serializable) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        }
    }
}
