//! The configuration as operators read it back.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;
use crate::http::body;

/// The configuration in effect. It holds no secrets.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Effective {
    dir: String,
    listen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// What embeds the texts of memories: a model, and where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<String>,
    tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_agent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_person: Option<u32>,
    connections: usize,
    shutdown_deadline_s: u64,
    max_body_bytes: usize,
}

impl Effective {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            dir: config.dir.display().to_string(),
            listen: config.listen.to_string(),
            public_url: config.public_url.clone(),
            embeddings: config
                .embeddings
                .as_ref()
                .map(|model| format!("{} at {}", model.model, model.url)),
            tls: config.tls.is_some(),
            rate_agent: config.rates.agent.map(NonZeroU32::get),
            rate_person: config.rates.person.map(NonZeroU32::get),
            connections: config.connections,
            shutdown_deadline_s: config.shutdown_deadline.as_secs(),
            max_body_bytes: body::MAX_BYTES,
        }
    }
}
