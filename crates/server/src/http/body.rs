//! JSON bodies: bounded in size and time, and refused with the field that is wrong.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::http::problem::{Code, Problem};

/// The largest body. An action and its context have smaller limits of their own.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// What is read of a body above that, and thrown away: a connection that is closed while the client still sends is
/// reset, and the client may never see why.
const MOST_DRAINED: usize = 16 << 20;
/// How long a body may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(10);

/// A body of JSON, as `T`.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "send the body as application/json";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        parse(&read(request.into_body()).await?).map(Self)
    }
}

/// Whether a body is said to be JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = text.split(';').next().unwrap_or("");
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// Reads a whole body within the limits.
pub(crate) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let read = tokio::time::timeout(MAX_TIME, collect(body)).await;
    read.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {} s", MAX_TIME.as_secs());
        Err(Problem::new(Code::RequestTimeout, detail))
    })
}

async fn collect(body: Body) -> Result<Vec<u8>, Problem> {
    let mut body = pin!(body);
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|error| {
            Problem::new(Code::InvalidJson, format!("the body ended early: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length <= MAX_BYTES {
            bytes.extend_from_slice(&data);
        } else if length > MOST_DRAINED {
            break;
        }
    }
    if length > MAX_BYTES {
        let detail = format!("the body has more than {MAX_BYTES} bytes");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    Ok(bytes)
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        let code = match inner.classify() {
            Category::Data if inner.to_string().starts_with("unknown field") => Code::UnknownField,
            Category::Data => Code::InvalidField,
            _ => Code::InvalidJson,
        };
        Problem::new(code, inner.to_string()).with("pointer", pointer)
    })?;
    let end = reader.end();
    end.map_err(|error| Problem::new(Code::InvalidJson, error.to_string()).with("pointer", ""))?;
    Ok(value)
}

/// A place in the body as RFC 6901 writes it.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let text = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&text);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn refused(text: &str) -> (Code, String) {
        let parsed = parse::<BTreeMap<String, Vec<u8>>>(text.as_bytes());
        let problem = parsed.expect_err("it is wrong");
        let pointer = problem.body("q")["pointer"].as_str().unwrap().to_owned();
        (problem.code, pointer)
    }

    #[test]
    fn a_wrong_body_is_refused_with_the_place() {
        assert_eq!(
            refused(r#"{"a/b":[1,300]}"#),
            (Code::InvalidField, "/a~1b/1".into())
        );
        assert_eq!(refused("{").0, Code::InvalidJson);
        assert_eq!(refused("{} {}").0, Code::InvalidJson, "two bodies are none");
        assert_eq!(refused("\u{0}").0, Code::InvalidJson);
    }
}
