//! Messages of JSON-RPC 2.0, as MCP uses them: one at a time, with an id that is a text or a whole number.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::http::problem::Code;

use super::whole;

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    jsonrpc: Option<String>,
    #[serde(default)]
    pub(super) id: Option<Value>,
    #[serde(default)]
    pub(super) method: Option<String>,
    #[serde(default)]
    params: Option<Box<RawValue>>,
}

/// What any of the methods takes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params {
    #[serde(rename = "_meta", default)]
    pub(super) meta: Map<String, Value>,
    #[serde(default)]
    pub(super) protocol_version: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    /// As they were sent: numbers keep their digits, and a name that is there twice is seen.
    #[serde(default)]
    pub(super) arguments: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) request_state: Option<String>,
}

/// Why a message is not answered by a result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) told: String,
    data: Option<Value>,
}

impl Fault {
    pub(super) const NO_JSON: i64 = -32700;
    pub(super) const NO_REQUEST: i64 = -32600;
    pub(super) const NO_METHOD: i64 = -32601;
    pub(super) const PARAMS: i64 = -32602;
    /// Headers that say something else than the body.
    pub(super) const HEADERS: i64 = -32020;
    pub(super) const VERSION: i64 = -32022;

    pub(super) fn new(code: i64, told: impl Into<String>) -> Self {
        let told = told.into();
        Self {
            code,
            told,
            data: None,
        }
    }

    pub(super) fn with(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// What is wrong with arguments, as a problem: the route's own, where it saw them.
    pub(super) fn problem(&self) -> Value {
        let own = || json!({ "code": Code::InvalidField.as_str(), "detail": self.told });
        self.data.clone().unwrap_or_else(own)
    }

    pub(super) fn response(&self, id: &Value, status: StatusCode) -> Response {
        let mut error = json!({ "code": self.code, "message": self.told });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        let mut message = json!({ "jsonrpc": "2.0", "error": error });
        // Left out where it could not be read.
        if !id.is_null() {
            message["id"] = id.clone();
        }
        whole(status, &message)
    }
}

pub(super) fn result(id: &Value, result: Value) -> Response {
    let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    whole(StatusCode::OK, &message)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Message, Fault> {
    let no_json = |error: serde_json::Error| Fault::new(Fault::NO_JSON, error.to_string());
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(no_json)?;
    let wrong = |told: String| Fault::new(Fault::NO_REQUEST, told);
    let message: Message =
        serde_json::from_str(raw.get()).map_err(|error| wrong(error.to_string()))?;
    if message.jsonrpc.as_deref() != Some("2.0") {
        return Err(wrong("\"jsonrpc\" is \"2.0\" in each message".to_owned()));
    }
    let is_id = |id: &Value| id.is_string() || id.is_i64() || id.is_u64();
    if message.id.as_ref().is_some_and(|id| !is_id(id)) {
        return Err(wrong("\"id\" is a text or a whole number".to_owned()));
    }
    Ok(message)
}

impl Message {
    pub(super) fn params(&self) -> Result<Params, Fault> {
        let Some(raw) = &self.params else {
            return Ok(Params::default());
        };
        let params = serde_json::from_str(raw.get());
        params.map_err(|error| Fault::new(Fault::PARAMS, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_told_by_its_code() {
        let code = |text: &str| {
            parse(text.as_bytes())
                .map(|_| ())
                .map_err(|fault| fault.code)
        };
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), Ok(()));
        for text in ["", "{", "\u{0}", "{} {}"] {
            assert_eq!(code(text), Err(Fault::NO_JSON), "{text:?}");
        }
        for text in [
            "[]",
            "3",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        ] {
            assert_eq!(code(text), Err(Fault::NO_REQUEST), "{text:?}");
        }
    }
}
