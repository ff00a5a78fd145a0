//! MCP over standard streams: each line of stdin is a message to a server's `/mcp`, each line of stdout its answer.

use std::io::{self, BufRead, Read as _};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use server::{Local, Role};

use crate::arguments::McpArguments;
use crate::commands::approvals::place::{agent, token};
use crate::exit::Exit;
use crate::terminal::print_own;

/// A tool waits a minute for a person at most.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The longest message that is read. A server takes less, and says so.
const MOST_BYTES: u64 = 16 << 20;
/// Messages under way at a time; the next ones stay in the pipe.
const MOST_AT_ONCE: usize = 64;
/// The code of an error that is the server's own.
const INTERNAL: i64 = -32603;

type Header<'a> = (&'static str, &'a str);

pub(crate) fn run(arguments: &McpArguments) -> anyhow::Result<Exit> {
    let session = Session::default();
    if let (Some(dir), Some(name)) = (&arguments.dir, &arguments.name) {
        let local = Local::open_as(dir, name, Role::Agent)?;
        let send =
            |headers: &[Header<'_>], line: &str| Ok(local.send("POST", "/mcp", headers, line));
        let mut lines = io::stdin().lock();
        while let Some(line) = next(&mut lines)? {
            answer(&session, &line, &send)?;
        }
        return Ok(Exit::Held);
    }
    let (agent, token) = (agent(TIMEOUT), token()?);
    let url = format!("{}/mcp", arguments.server.trim_end_matches('/'));
    let send = |headers: &[Header<'_>], line: &str| {
        let mut request =
            ureq::http::Request::post(&url).header("Authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = agent.run(request.body(line.to_owned())?)?;
        let text = answer.body_mut().read_to_string()?;
        Ok((answer.status().as_u16(), text))
    };
    at_once(&session, &send)?;
    Ok(Exit::Held)
}

/// Answers each message on a thread of its own: one call may wait for a person while others go on.
fn at_once(
    session: &Session,
    send: &(impl Fn(&[Header<'_>], &str) -> anyhow::Result<(u16, String)> + Sync),
) -> anyhow::Result<()> {
    let (take, give) = sync_channel(MOST_AT_ONCE);
    let give = &Mutex::new(give);
    let mut lines = io::stdin().lock();
    thread::scope(|scope| {
        while let Some(line) = next(&mut lines)? {
            take.send(()).context("no message is answered any more")?;
            let answered = move || {
                let answered = answer(session, &line, send);
                let _ = give.lock().unwrap_or_else(PoisonError::into_inner).recv();
                answered
            };
            thread::Builder::new()
                .name("proofload:mcp".to_owned())
                .spawn_scoped(scope, answered)
                .context("a message cannot be answered")?;
        }
        Ok(())
    })
}

/// The next message; none at the end.
fn next(lines: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    let read = lines.take(MOST_BYTES).read_line(&mut line);
    let read = read.context("stdin cannot be read")?;
    ensure!(
        line.ends_with('\n') || (read as u64) < MOST_BYTES,
        "a message has more than {MOST_BYTES} bytes"
    );
    Ok((read > 0).then_some(line))
}

/// What a handshake agreed on, which each later message says in a header.
#[derive(Debug, Default)]
struct Session(Mutex<Option<String>>);

impl Session {
    fn version(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn agree(&self, answer: &Value) {
        if let Some(version) = answer["result"]["protocolVersion"].as_str() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(version.to_owned());
        }
    }
}

/// Sends a message and prints its answer; a notification has none.
fn answer(
    session: &Session,
    line: &str,
    send: &impl Fn(&[Header<'_>], &str) -> anyhow::Result<(u16, String)>,
) -> anyhow::Result<()> {
    if line.trim().is_empty() {
        return Ok(());
    }
    // Where it is no JSON, the server says so.
    let message: Value = serde_json::from_str(line).unwrap_or_default();
    let version = message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| session.version());
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("host", "localhost"),
    ];
    let method = message["method"].as_str().unwrap_or_default();
    let named = [
        (
            "mcp-protocol-version",
            version.as_deref().filter(|_| method != "initialize"),
        ),
        ("mcp-method", Some(method)),
        ("mcp-name", message["params"]["name"].as_str()),
    ];
    for (name, value) in named {
        headers.extend(
            value
                .filter(|value| is_plain(value))
                .map(|value| (name, value)),
        );
    }
    let said = match send(&headers, line) {
        Ok((202, _)) => return Ok(()),
        Ok((_, text)) => text,
        Err(error) => json!({ "detail": format!("{error:#}") }).to_string(),
    };
    let found: Value = serde_json::from_str(&said).unwrap_or_default();
    if method == "initialize" {
        session.agree(&found);
    }
    if found["jsonrpc"] == "2.0" && !said.contains('\n') {
        return print_own(format!("{said}\n").as_bytes());
    }
    let id = &message["id"];
    if id.is_null() {
        return Ok(());
    }
    let told = found["detail"]
        .as_str()
        .unwrap_or("the server's answer is no message");
    let error = json!({ "code": INTERNAL, "message": told, "data": found });
    let message = json!({ "jsonrpc": "2.0", "id": id, "error": error });
    print_own(format!("{message}\n").as_bytes())
}

/// Whether a text can be a header as it is. What cannot names nothing that the server has.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
