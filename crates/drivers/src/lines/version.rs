//! The versions of MCP: sessions that begin with a handshake, and requests that say all themselves.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// A version of MCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum McpVersion {
    /// A session, which `initialize` begins.
    #[default]
    #[serde(rename = "2025-11-25")]
    Sessions,
    /// No session: each request says who asks, and in which version.
    #[serde(rename = "2026-07-28")]
    Stateless,
}

/// Versions of MCP, none for the first of those that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "OneOrMany")]
#[schemars(with = "OneOrMany")]
pub struct McpVersions(pub Vec<McpVersion>);

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a version is \"2025-11-25\" or \"2026-07-28\", or a list of both"
)]
enum OneOrMany {
    One(McpVersion),
    Many(Vec<McpVersion>),
}

impl From<OneOrMany> for McpVersions {
    fn from(versions: OneOrMany) -> Self {
        match versions {
            OneOrMany::One(version) => Self(vec![version]),
            OneOrMany::Many(versions) => Self(versions),
        }
    }
}

/// What a request of 2026-07-28 says about whoever sends it.
static ENVELOPE: LazyLock<String> = LazyLock::new(|| {
    json!({
        "io.modelcontextprotocol/protocolVersion": McpVersion::Stateless.date(),
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": client(),
    })
    .to_string()
});

fn client() -> Json {
    json!({ "name": "proofload", "version": env!("CARGO_PKG_VERSION") })
}

impl McpVersion {
    /// Its date, which is its name.
    #[must_use]
    pub fn date(self) -> &'static str {
        match self {
            Self::Sessions => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }

    /// What a client says first in a session.
    pub(super) fn hello(self) -> Json {
        json!({
            "protocolVersion": self.date(),
            "capabilities": {},
            "clientInfo": client(),
        })
    }

    /// What each request carries besides, as JSON.
    pub(super) fn envelope(self) -> Option<&'static str> {
        match self {
            Self::Sessions => None,
            Self::Stateless => Some(&ENVELOPE),
        }
    }

    /// Parameters with what each request carries besides.
    pub(super) fn enveloped(self, mut params: Json) -> Json {
        if let Some(envelope) = self.envelope() {
            let meta = serde_json::from_str(envelope).unwrap_or_default();
            params["_meta"] = meta;
        }
        params
    }

    /// The lines of an HTTP request's head that say what is in its body.
    pub(super) fn headers(self, method: &str, tool: Option<&str>) -> Option<String> {
        let version = match self {
            Self::Sessions => return None,
            Self::Stateless => self.date(),
        };
        let mut lines = format!("mcp-protocol-version: {version}\r\nmcp-method: {method}\r\n");
        if let Some(tool) = tool {
            lines.push_str(&format!("mcp-name: {}\r\n", header_value(tool)));
        }
        Some(lines)
    }
}

/// A name as a header carries it: as it is, or in Base64 where that could not be told apart.
fn header_value(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match is_plain && name == name.trim() && !name.starts_with("=?") {
        true => name.to_owned(),
        false => format!("=?base64?{}?=", STANDARD.encode(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reaches_a_server_through_a_header() {
        assert_eq!(header_value("read graph"), "read graph");
        assert_eq!(header_value("é"), "=?base64?w6k=?=");
        assert_eq!(header_value(" a"), "=?base64?IGE=?=");
        assert_eq!(header_value("=?x"), "=?base64?PT94?=");
    }
}
