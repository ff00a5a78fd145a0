//! MCP over Streamable HTTP: a session for each user, whose requests are posted one after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};

use super::tools::{ToolList, Tools};
use super::version::McpVersion;
use crate::answer::{Answer, Wanted};
use crate::driver::{Action, ActionSpec, Driver as _, ServiceContext};
use crate::error::SpecError;
use crate::http::{
    Http, HttpAction, HttpConnection, HttpOptions, HttpRequest, HttpSession, Version, Versions,
};
use crate::net::Address;
use crate::outcome::{Code, Failure, Outcome, Reason};
use crate::template::Template;
use crate::values::{Scope, Traits, Values};

/// The most bytes of one answer.
const LARGEST_ANSWER: usize = 64 << 20;

/// A server over HTTP.
pub(super) struct McpHttp {
    http: Http,
    /// A request without its body.
    post: HttpRequest,
    /// Whether the guard has been asked about the server's tools, of sessions and without.
    is_checked: [AtomicBool; 2],
}

/// A session of one user.
pub(super) struct McpSession {
    connection: HttpConnection,
    session: HttpSession,
    answer: Answer,
    next: u64,
    version: McpVersion,
    is_open: bool,
}

impl McpSession {
    /// The number of the next request.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Forgets the connection, on which an answer may still come.
    pub(super) fn give_up(&mut self) {
        self.is_open = false;
    }
}

impl McpHttp {
    pub(super) fn new(
        url: &str,
        headers: BTreeMap<String, String>,
        ca: Option<String>,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let filled = Template::constant(url, scope).map_err(|error| error.under("url"))?;
        let (service, target) = split(&filled);
        let options = HttpOptions {
            headers,
            ca,
            version: Versions(vec![Version::Http1]),
            ..HttpOptions::new(service)
        };
        let http = Http::new(options, context, scope)?;
        let message = format!(
            "POST {target}\naccept: application/json, text/event-stream\ncontent-type: application/json\n"
        );
        let action = ActionSpec::new(Action::Http(HttpAction::new(&message)));
        let in_url = |mut error: SpecError| {
            error.at.clear();
            error.under("url")
        };
        Ok(Self {
            post: http.compile(&action, scope).map_err(in_url)?,
            http,
            is_checked: [AtomicBool::new(false), AtomicBool::new(false)],
        })
    }

    pub(super) fn traits(&self) -> Traits {
        self.http.traits(&self.post)
    }

    pub(super) fn is_unchecked(&self, version: McpVersion) -> bool {
        !self.is_checked[version as usize].load(Ordering::Acquire)
    }

    pub(super) fn set_checked(&self, version: McpVersion) {
        self.is_checked[version as usize].store(true, Ordering::Release);
    }

    /// Where it connects to.
    pub(super) fn address(&self) -> Option<&Address> {
        self.http.address()
    }

    pub(super) fn is_open(&self, session: &mut McpSession) -> bool {
        session.is_open && self.http.is_open(&mut session.connection)
    }

    /// Opens a connection, and begins a session in a version that has them.
    pub(super) async fn begin(
        &self,
        values: &Values,
        version: McpVersion,
    ) -> Result<McpSession, Failure> {
        let mut session = McpSession {
            connection: self.http.connect(values).await?,
            session: HttpSession::default(),
            answer: Answer {
                wanted: Wanted::Whole {
                    limit: LARGEST_ANSWER,
                },
                wants_headers: true,
                ..Answer::default()
            },
            next: 0,
            version,
            is_open: true,
        };
        if version != McpVersion::Sessions {
            return Ok(session);
        }
        let hello = version.hello();
        let result = self
            .call(&mut session, "initialize", &hello, values)
            .await?;
        let version = result["protocolVersion"].as_str().unwrap_or_default();
        let mut headers = format!("mcp-protocol-version: {}\r\n", plain(version));
        if let Some(id) = session.answer.header("mcp-session-id") {
            headers.push_str(&format!(
                "mcp-session-id: {}\r\n",
                plain(&String::from_utf8_lossy(id))
            ));
        }
        session.session.carried.headers = headers.into_bytes();
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&mut session, ready.to_string().into_bytes(), values)
            .await
            .map_err(|(outcome, code)| Failure::with_code(&outcome.to_string(), code))?;
        Ok(session)
    }

    /// The tools of the server.
    pub(super) async fn tools(
        &self,
        session: &mut McpSession,
        values: &Values,
    ) -> Result<Tools, Failure> {
        let mut list = ToolList::default();
        while let Some(params) = list.next_page()? {
            let params = session.version.enveloped(params);
            let page = self.call(session, "tools/list", &params, values).await?;
            list.add(&page);
        }
        Ok(list.tools)
    }

    async fn call(
        &self,
        session: &mut McpSession,
        method: &str,
        params: &Json,
        values: &Values,
    ) -> Result<Json, Failure> {
        let number = session.number();
        let request = json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": params });
        let line = self
            .ask(
                session,
                method,
                None,
                request.to_string().into_bytes(),
                values,
            )
            .await;
        let line = line.map_err(|(outcome, code)| {
            Failure::with_code(&format!("`{method}` was answered by {outcome}"), code)
        })?;
        let answer: Json = serde_json::from_slice(&line).unwrap_or_default();
        answer.get("result").cloned().ok_or_else(|| {
            let told = format!("`{method}` was answered by {}", answer["error"]["message"]);
            Failure::new(&told)
        })
    }

    /// Posts a request, and gives the message that answers it.
    pub(super) async fn ask(
        &self,
        session: &mut McpSession,
        method: &str,
        tool: Option<&str>,
        line: Vec<u8>,
        values: &Values,
    ) -> Result<Vec<u8>, (Outcome, Code)> {
        if let Some(headers) = session.version.headers(method, tool) {
            session.session.carried.headers = headers.into_bytes();
        }
        self.post(session, line, values).await?;
        let message = message(&session.answer.body);
        match message.is_empty() {
            false => Ok(message),
            true => {
                let told = Reason::new("the answer has no message");
                Err((Outcome::Unknown(told), Code::None))
            }
        }
    }

    async fn post(
        &self,
        session: &mut McpSession,
        line: Vec<u8>,
        values: &Values,
    ) -> Result<(), (Outcome, Code)> {
        let McpSession {
            connection,
            session,
            answer,
            ..
        } = session;
        session.carried.body = Some(line);
        let outcome = self
            .http
            .exchange(connection, session, &self.post, values, answer)
            .await;
        match outcome {
            Outcome::Acknowledged => Ok(()),
            outcome => Err((told(outcome, &answer.body), answer.code)),
        }
    }
}

/// An outcome with the server's own words, where it said some.
fn told(outcome: Outcome, body: &[u8]) -> Outcome {
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let Some(message) = body["error"]["message"].as_str() else {
        return outcome;
    };
    let with = |reason: Reason| Reason::new(&format!("{reason}: {message}"));
    match outcome {
        Outcome::Acknowledged => outcome,
        Outcome::Refused(reason) => Outcome::Refused(with(reason)),
        Outcome::Unknown(reason) => Outcome::Unknown(with(reason)),
    }
}

/// A text of the server as it may stand in a header.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The service that a URL names, and what is asked of it.
fn split(url: &str) -> (&str, &str) {
    let begin = url.find("://").map_or(0, |at| at + 3);
    match url[begin..].find('/') {
        Some(path) => url.split_at(begin + path),
        None => (url, "/"),
    }
}

/// The message in an answer: the whole, or the last event's data.
fn message(body: &[u8]) -> Vec<u8> {
    if body.trim_ascii_start().first() == Some(&b'{') {
        return body.to_vec();
    }
    let (mut last, mut event) = (Vec::new(), Vec::new());
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(data) = line.strip_prefix(b"data:") {
            event.extend_from_slice(data.trim_ascii());
        } else if line.is_empty() && !event.is_empty() {
            last = std::mem::take(&mut event);
        }
    }
    match event.is_empty() {
        true => last,
        false => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_whole_answer_or_its_last_event() {
        let text = |body: &str| String::from_utf8(message(body.as_bytes())).unwrap();
        assert_eq!(text("{\"id\":1}"), "{\"id\":1}");
        let events = "event: message\r\ndata: {\"method\":\"progress\"}\r\n\r\nid: 7\ndata: {\"id\":\ndata: 1}\n\n";
        assert_eq!(text(events), "{\"id\":1}");
        assert_eq!(text(": nothing\n\n"), "");
    }

    #[test]
    fn a_url_is_a_service_and_a_target() {
        assert_eq!(split("http://a:1/mcp?x=1"), ("http://a:1", "/mcp?x=1"));
        assert_eq!(split("http://a:1"), ("http://a:1", "/"));
    }
}
