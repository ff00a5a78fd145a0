//! The keys of a Redis service and the actions of its steps.

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a Redis service that are this protocol's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisOptions {
    /// Where it is, with the number of a database, such as `redis://127.0.0.1:6379/9`; `rediss://` is TLS.
    pub url: String,
    /// A file with the authorities that may have issued its certificate; by default the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// Commands that reach beyond their keys, and databases, that are allowed all the same.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// What a step asks of Redis.
#[derive(Clone, Debug)]
pub enum RedisAction {
    /// One command, or several as a pipeline.
    Commands(Vec<Vec<String>>),
    /// The keys of a pattern, with their texts.
    Scan(String),
}
