//! The keys of an HTTP service and of an HTTP step.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of an HTTP service that are this protocol's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOptions {
    /// Where it is, such as `http://127.0.0.1:8000`; `unix:/run/app.sock` is a Unix socket.
    pub url: String,
    /// Headers of every request. One is left out while a value in it is empty or not captured yet.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `1.1`, `2`, or both, which connections take in turn. By default 1.1, and over TLS what the
    /// service prefers.
    #[serde(default)]
    pub version: Versions,
    /// A file with the authorities that may have issued its certificate; by default the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// Whether each user keeps cookies.
    #[serde(default = "yes")]
    pub cookies: bool,
    /// How many redirects are followed, on the same host.
    #[serde(default)]
    pub redirects: u8,
}

fn yes() -> bool {
    true
}

impl HttpOptions {
    /// A service at a URL, with every other key as it is by default.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            headers: BTreeMap::new(),
            version: Versions::default(),
            ca: None,
            cookies: true,
            redirects: 0,
        }
    }
}

/// Versions of HTTP, none for the service's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "OneOrMany")]
#[schemars(with = "OneOrMany")]
pub struct Versions(pub Vec<Version>);

/// One version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Version {
    /// HTTP/1.1.
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "2")]
    Http2,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(Version),
    Many(Vec<Version>),
}

impl From<OneOrMany> for Versions {
    fn from(versions: OneOrMany) -> Self {
        match versions {
            OneOrMany::One(version) => Self(vec![version]),
            OneOrMany::Many(versions) => Self(versions),
        }
    }
}

/// An HTTP request of a step.
#[derive(Clone, Debug)]
pub struct HttpAction {
    /// The request as an HTTP message: the request line, headers, an empty line, the body.
    pub request: String,
    /// The parts of a `multipart/form-data` body.
    pub multipart: Option<BTreeMap<String, PartSpec>>,
    /// Whether the answer is a stream of server-sent events.
    pub stream: Option<StreamKind>,
}

impl HttpAction {
    /// A request whose answer is no stream.
    #[must_use]
    pub fn new(request: &str) -> Self {
        Self {
            request: request.to_owned(),
            multipart: None,
            stream: None,
        }
    }
}

/// One part of a `multipart/form-data` body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PartSpec {
    /// A field.
    Text(String),
    /// The content of a file, under its name.
    File {
        /// Its path, relative to the scenario file.
        file: String,
    },
}

/// How an answer is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Server-sent events.
    Sse,
}
