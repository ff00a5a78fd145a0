//! Which revision of MCP a client speaks: one with a handshake, or 2026-07-28, in which each request says it.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::message::{Fault, Params};

const STATELESS: &str = "2026-07-28";
/// Those with a handshake, oldest first.
const HANDSHAKE: [&str; 2] = ["2025-06-18", "2025-11-25"];
/// What a client speaks that sends no header after its handshake.
const UNSAID: &str = "2025-03-26";

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    Handshake,
    Stateless,
}

impl Era {
    /// A result as clients of this era read it.
    pub(super) fn complete(self, mut result: Value) -> Value {
        match self {
            Self::Stateless => {
                if result.get("resultType").is_none() {
                    result["resultType"] = "complete".into();
                }
            }
            Self::Handshake => {
                for name in ["ttlMs", "cacheScope"] {
                    result
                        .as_object_mut()
                        .and_then(|result| result.remove(name));
                }
            }
        }
        result
    }
}

/// The version of a handshake: the client's, or the newest.
pub(super) fn agreed(wanted: Option<&str>) -> &'static str {
    let known = HANDSHAKE.into_iter().find(|known| Some(*known) == wanted);
    known.unwrap_or(HANDSHAKE[HANDSHAKE.len() - 1])
}

pub(super) fn supported() -> Vec<&'static str> {
    let mut all = HANDSHAKE.to_vec();
    all.push(STATELESS);
    all
}

/// What the client can do, in a request of 2026-07-28.
pub(super) fn capabilities(params: &Params) -> &Value {
    params.meta.get(CAPABILITIES).unwrap_or(&Value::Null)
}

/// The era of a request; what is wrong where its headers and its body do not go together.
pub(super) fn of(method: &str, params: &Params, headers: &HeaderMap) -> Result<Era, Fault> {
    let stated = params.meta.get(VERSION);
    if method == "initialize" && stated.is_none() {
        return Ok(Era::Handshake);
    }
    let header = text(headers, "mcp-protocol-version")?;
    let is_stateless = stated.is_some()
        || method == "server/discover"
        || header.is_some_and(|version| version == STATELESS);
    if !is_stateless {
        let is_known =
            header.is_none_or(|version| version == UNSAID || HANDSHAKE.contains(&version));
        return match is_known {
            true => Ok(Era::Handshake),
            false => Err(unsupported(Fault::NO_REQUEST, header.unwrap_or_default())),
        };
    }
    let version = stated.and_then(Value::as_str);
    let (Some(version), true) = (version, capabilities(params).is_object()) else {
        let told = format!("each request has {VERSION} and {CAPABILITIES} in its _meta");
        return Err(Fault::new(Fault::PARAMS, told));
    };
    agrees("MCP-Protocol-Version", header, version)?;
    if version != STATELESS {
        return Err(unsupported(Fault::VERSION, version));
    }
    agrees("Mcp-Method", text(headers, "mcp-method")?, method)?;
    if let ("tools/call", Some(name)) = (method, &params.name) {
        let said = text(headers, "mcp-name")?.map(plain);
        agrees("Mcp-Name", said.as_deref(), name)?;
    }
    Ok(Era::Stateless)
}

fn unsupported(code: i64, version: &str) -> Fault {
    let data = json!({ "supported": supported(), "requested": version });
    Fault::new(code, format!("the version {version:?} is not spoken here")).with(data)
}

/// A header's one value.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str());
    match (first, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(Fault::new(
            Fault::HEADERS,
            format!("{name} has one value, of ASCII"),
        )),
    }
}

fn agrees(header: &str, said: Option<&str>, body: &str) -> Result<(), Fault> {
    if said == Some(body) {
        return Ok(());
    }
    let said = said.map_or("missing".to_owned(), |said| format!("{said:?}"));
    Err(Fault::new(
        Fault::HEADERS,
        format!("{header} is {said}, and the body says {body:?}"),
    ))
}

/// A header's text, which is base64 where plain text could not stand there.
fn plain(text: &str) -> String {
    let packed = text
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    let bytes = packed.and_then(|packed| STANDARD.decode(packed).ok());
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn era(
        method: &str,
        params: Value,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Era, i64> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let params = serde_json::from_value(params).unwrap();
        of(method, &params, &headers.collect()).map_err(|fault| fault.code)
    }

    fn stateless() -> Value {
        json!({ "_meta": { VERSION: STATELESS, CAPABILITIES: {} }, "name": "recall" })
    }

    #[test]
    fn a_request_without_headers_is_of_a_session_and_odd_versions_are_refused() {
        assert_eq!(era("initialize", json!({}), &[]), Ok(Era::Handshake));
        assert_eq!(era("tools/list", json!({}), &[]), Ok(Era::Handshake));
        let version = |version| {
            era(
                "tools/list",
                json!({}),
                &[("mcp-protocol-version", version)],
            )
        };
        assert_eq!(version("2025-11-25"), Ok(Era::Handshake));
        assert_eq!(version("1900-01-01"), Err(Fault::NO_REQUEST));
        assert_eq!(
            version(STATELESS),
            Err(Fault::PARAMS),
            "it says so in its body too"
        );
        assert_eq!(agreed(Some("2025-06-18")), "2025-06-18");
        assert_eq!(agreed(Some(STATELESS)), "2025-11-25");
    }

    #[test]
    fn what_headers_say_is_what_the_body_says() {
        let good = [
            ("mcp-protocol-version", STATELESS),
            ("mcp-method", "tools/call"),
            ("mcp-name", "recall"),
        ];
        assert_eq!(era("tools/call", stateless(), &good), Ok(Era::Stateless));
        for left_out in 0..good.len() {
            let mut headers = good.to_vec();
            headers.remove(left_out);
            let found = era("tools/call", stateless(), &headers);
            assert_eq!(found, Err(Fault::HEADERS), "{left_out}");
        }
        let packed = [good[0], good[1], ("mcp-name", "=?base64?cmVjYWxs?=")];
        assert_eq!(era("tools/call", stateless(), &packed), Ok(Era::Stateless));
        let twice = [good[0], good[1], good[2], ("mcp-name", "forget")];
        assert_eq!(era("tools/call", stateless(), &twice), Err(Fault::HEADERS));
        let other = [good[0], good[1], ("mcp-name", "forget")];
        assert_eq!(era("tools/call", stateless(), &other), Err(Fault::HEADERS));
        let mut old = stateless();
        old["_meta"][VERSION] = "2030-01-01".into();
        let headers = [("mcp-protocol-version", "2030-01-01"), good[1], good[2]];
        assert_eq!(era("tools/call", old, &headers), Err(Fault::VERSION));
    }
}
