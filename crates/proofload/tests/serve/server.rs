//! A running server and its clients.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::{HeaderMap, Request};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_proofload");

/// A server of a directory; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    pub(crate) fn start_with(dir: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(dir)
            .args(more);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line
            .trim_end()
            .strip_prefix("listening on ")
            .expect("it says where it listens");
        let url = url.to_owned();
        Self { child, url }
    }

    pub(crate) fn client(&self, token: &str) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(90)))
            .build();
        Client {
            agent: config.into(),
            url: self.url.clone(),
            token: token.to_owned(),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a token by the command line.
pub(crate) fn token(dir: &Path, name: &str, role: &str) -> String {
    let mut command = Command::new(PROGRAM);
    let output = command
        .args(["token", "create", name, "--role", role, "--dir"])
        .arg(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A server of a new directory, with an agent, two reviewers and an operator.
pub(crate) struct Team {
    pub(crate) dir: TempDir,
    pub(crate) server: Server,
    pub(crate) agent: Client,
    pub(crate) alice: Client,
    pub(crate) bob: Client,
    pub(crate) operator: Client,
}

impl Team {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path());
        let client = |name, role| server.client(&token(dir.path(), name, role));
        Self {
            agent: client("build-bot", "agent"),
            alice: client("alice", "reviewer"),
            bob: client("bob", "reviewer"),
            operator: client("olga", "operator"),
            dir,
            server,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    pub(crate) url: String,
    pub(crate) token: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Its body, given that it has this status.
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The code of the problem, given that it has this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], self.header("request-id"));
        body["code"].as_str().unwrap().to_owned()
    }
}

/// A key that was not used before.
pub(crate) fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Client {
    /// None if the connection broke.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body.to_vec()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Some(Answer {
            status,
            headers,
            text,
        })
    }

    /// The body of an answer that goes on.
    pub(crate) fn open(&self, path: &str, headers: &[(&str, &str)]) -> impl Read + use<> {
        let mut request = Request::get(format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.agent.run(request.body(()).unwrap()).unwrap();
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        answer.into_body().into_reader()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).expect("it answers")
    }

    pub(crate) fn try_keyed(&self, path: &str, key: &str, body: &Value) -> Option<Answer> {
        let headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", key),
        ];
        self.send("POST", path, &headers, Some(body.to_string().as_bytes()))
    }

    pub(crate) fn keyed(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.try_keyed(path, key, body).expect("it answers")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.keyed(path, &new_key(), body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.send("PUT", path, &headers, Some(body.to_string().as_bytes()))
            .expect("it answers")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None).expect("it answers")
    }

    /// Asks for an approval of a refund; the answer.
    pub(crate) fn ask(&self) -> Value {
        self.post("/api/v1/approvals", &json!({ "action": refund() }))
            .ok(201)
    }

    pub(crate) fn approve(&self, asked: &Value) -> Answer {
        let body = json!({ "verdict": "approve", "shown": asked["digest"], "reason": "order came broken" });
        self.post(&of(asked, "/decisions"), &body)
    }

    pub(crate) fn claim(&self, asked: &Value) -> Answer {
        self.post(&of(asked, "/claims"), &json!({ "action": refund() }))
    }
}

pub(crate) fn refund() -> Value {
    json!({ "path": "payments/refund", "name": "Refund", "description": "order A-17", "parameters": { "cents": 1250 } })
}

/// A path below an approval.
pub(crate) fn of(asked: &Value, rest: &str) -> String {
    format!("/api/v1/approvals/{}{rest}", asked["id"].as_str().unwrap())
}
