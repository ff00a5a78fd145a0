//! Where approvals are: one interface, so that a command does not know whether a server runs.

use std::env;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use server::Local;

use crate::arguments::PlaceArguments;

const API: &str = "/api/v1";
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) enum Place {
    Server {
        agent: ureq::Agent,
        url: String,
        token: String,
    },
    Directory(Box<Local>),
}

impl Place {
    pub(super) fn of(arguments: &PlaceArguments) -> anyhow::Result<Self> {
        if let (Some(dir), Some(person)) = (&arguments.dir, &arguments.person) {
            return Ok(Self::Directory(Box::new(Local::open(dir, person)?)));
        }
        let url = arguments.server.as_deref().unwrap_or_default();
        let (agent, token) = (agent(TIMEOUT), token()?);
        Ok(Self::Server {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call("POST", path, Some(body))
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let text = self.text(method, path, body)?;
        serde_json::from_str(&text).context("the answer is no JSON")
    }

    /// The answer as it is.
    pub(super) fn text(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<String> {
        let path = format!("{API}{path}");
        let (status, text) = match self {
            Self::Directory(local) => local.call(method, &path, body),
            Self::Server { agent, url, token } => {
                let url = format!("{url}{path}");
                send(agent, method, &url, token, body)
                    .with_context(|| format!("no answer from {url}"))?
            }
        };
        if !(200..300).contains(&status) {
            let found: Value = serde_json::from_str(&text)
                .with_context(|| format!("the answer, of status {status}, is no JSON"))?;
            let (code, detail) = (&found["code"], &found["detail"]);
            bail!(
                "{}: {}",
                code.as_str().unwrap_or("refused"),
                detail.as_str().unwrap_or(&text)
            );
        }
        Ok(text)
    }
}

/// A client that answers in time, whatever the status is.
pub(crate) fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    // No redirect: the token would go where nobody meant it to.
    let config = config
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(timeout));
    config.build().into()
}

pub(crate) fn token() -> anyhow::Result<String> {
    let token = env::var("PROOFLOAD_TOKEN")
        .ok()
        .filter(|token| !token.is_empty());
    token.context(
        "PROOFLOAD_TOKEN is not set: an operator makes a token by `proofload token create`",
    )
}

/// Sends a request; the status and the body.
pub(crate) fn send(
    agent: &ureq::Agent,
    method: &str,
    url: &str,
    token: &str,
    body: Option<&Value>,
) -> anyhow::Result<(u16, String)> {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("Authorization", format!("Bearer {token}"));
    let mut answer = match body {
        None => agent.run(request.body(())?)?,
        Some(body) => {
            let request = request
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", server::new_key());
            agent.run(request.body(body.to_string())?)?
        }
    };
    let text = answer.body_mut().read_to_string()?;
    Ok((answer.status().as_u16(), text))
}
