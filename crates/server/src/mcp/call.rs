//! A call of a tool: the request to its route, and the route's answer.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::access::principal::Principal;
use crate::approvals::view::percent;

use super::arguments::{Arguments, plain};
use super::message::Fault;
use super::tools::{Place, Tool};

/// What came of a call.
pub(super) enum Outcome {
    Done(Value),
    /// A text for a host that reads no other answer.
    Said(String),
    /// The problem with which the route refused.
    Refused(Value),
    /// The arguments are not the tool's.
    Wrong(Fault),
    /// Nothing was done, and the client comes again.
    Overloaded(String),
}

/// Calls a tool's route as the caller.
pub(super) async fn through(
    api: &Router,
    who: &Principal,
    tool: &Tool,
    arguments: Arguments,
) -> Outcome {
    let mut asked = match Asked::of(tool, arguments) {
        Ok(asked) => asked,
        Err(fault) => return Outcome::Wrong(fault),
    };
    let wait = asked.wait.take();
    let first = send(api, who, &asked).await;
    let (Some(wait), Outcome::Done(found)) = (wait, &first.outcome) else {
        return first.outcome;
    };
    // A decision is what is waited for; all else is told at once.
    if found["status"] != "pending" {
        return first.outcome;
    }
    asked.known = first.tag;
    asked.query.push(format!("wait={}", percent(&wait)));
    match send(api, who, &asked).await {
        Sent {
            status: StatusCode::NOT_MODIFIED,
            ..
        } => first.outcome,
        changed => changed.outcome,
    }
}

/// A request to a route.
struct Asked {
    method: String,
    path: String,
    query: Vec<String>,
    key: Option<String>,
    wait: Option<String>,
    known: Option<HeaderValue>,
    body: String,
    is_list: bool,
}

struct Sent {
    status: StatusCode,
    tag: Option<HeaderValue>,
    outcome: Outcome,
}

impl Asked {
    fn of(tool: &Tool, arguments: Arguments) -> Result<Self, Fault> {
        let (method, path) = tool.route.expect("the caller looked");
        let mut asked = Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: Vec::new(),
            key: None,
            wait: None,
            known: None,
            body: String::new(),
            is_list: tool.is_list,
        };
        for name in &tool.required {
            if !arguments.contains_key(name) {
                return Err(Fault::new(
                    Fault::PARAMS,
                    format!("{} needs {name}", tool.spec.name),
                ));
            }
        }
        let mut members = Vec::new();
        for (name, raw) in &arguments {
            let Some(place) = tool.places.get(name) else {
                let known: Vec<&str> = tool.places.keys().map(String::as_str).collect();
                let told = format!(
                    "{} has no argument {name:?}: {}",
                    tool.spec.name,
                    known.join(", ")
                );
                return Err(Fault::new(Fault::PARAMS, told));
            };
            match place {
                Place::Body => members.push(format!("{}:{}", json!(name), raw.get())),
                place => asked.put(*place, name, raw)?,
            }
        }
        asked.body = format!("{{{}}}", members.join(","));
        Ok(asked)
    }

    fn put(&mut self, place: Place, name: &str, raw: &RawValue) -> Result<(), Fault> {
        let text = plain(name, raw)?;
        match place {
            Place::Path => {
                self.path = self.path.replace(&format!("{{{name}}}"), &percent(&text));
            }
            Place::Query => self.query.push(format!("{name}={}", percent(&text))),
            Place::Key => self.key = Some(text),
            Place::Wait => self.wait = Some(text),
            Place::Body => unreachable!("it stands in the body as it is"),
        }
        Ok(())
    }

    fn request(&self, who: &Principal) -> Result<Request<Body>, Fault> {
        let uri = match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query.join("&")),
        };
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .extension(who.clone());
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key.as_str());
        }
        if let Some(known) = &self.known {
            request = request.header(header::IF_NONE_MATCH, known.clone());
        }
        let wrong = |error: axum::http::Error| Fault::new(Fault::PARAMS, error.to_string());
        request.body(Body::from(self.body.clone())).map_err(wrong)
    }
}

async fn send(api: &Router, who: &Principal, asked: &Asked) -> Sent {
    let request = match asked.request(who) {
        Ok(request) => request,
        Err(fault) => {
            return Sent {
                status: StatusCode::BAD_REQUEST,
                tag: None,
                outcome: Outcome::Wrong(fault),
            };
        }
    };
    let Ok(answer) = api.clone().oneshot(request).await;
    let (status, tag) = (answer.status(), answer.headers().get(header::ETAG).cloned());
    // The server's own answer, whose size its routes bound.
    let bytes = to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap_or_default();
    let outcome = outcome(status, &bytes, asked.is_list);
    Sent {
        status,
        tag,
        outcome,
    }
}

fn outcome(status: StatusCode, bytes: &[u8], is_list: bool) -> Outcome {
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Outcome::Done(json!({ "done": true }));
    }
    let found: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let told = || found["detail"].as_str().unwrap_or_default().to_owned();
    if status.is_success() {
        return Outcome::Done(if is_list {
            json!({ "items": found })
        } else {
            found
        });
    }
    if status == StatusCode::BAD_REQUEST {
        return Outcome::Wrong(Fault::new(Fault::PARAMS, told()).with(found));
    }
    if found["code"] == "overloaded" {
        return Outcome::Overloaded(told());
    }
    Outcome::Refused(found)
}
