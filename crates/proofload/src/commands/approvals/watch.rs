//! What happens at a server, as it happens.

use std::io::{BufRead as _, BufReader};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::place::token;
use super::text;
use crate::terminal::{print, print_own};

/// How long to wait before a stream that ended is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// A server says every 15 s that it lives.
const SILENCE: Duration = Duration::from_secs(45);

/// Goes on after the last event where a stream ended; ends when the server cannot be reached at first, or refuses.
pub(super) fn run(server: &str, json: bool) -> anyhow::Result<()> {
    let (token, url) = (
        token()?,
        format!("{}/api/v1/events", server.trim_end_matches('/')),
    );
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None);
    let agent: ureq::Agent = config
        .timeout_recv_body(None)
        .timeout_connect(Some(SILENCE))
        .build()
        .into();
    let (mut last, mut was_there) = (String::new(), false);
    loop {
        let mut request =
            ureq::http::Request::get(&url).header("Authorization", format!("Bearer {token}"));
        if !last.is_empty() {
            request = request.header("Last-Event-ID", &last);
        }
        match agent.run(request.body(())?) {
            Ok(answer) if answer.status() == 200 => {
                was_there = true;
                let lines = BufReader::new(answer.into_body().into_reader()).lines();
                // A stream that breaks off is asked for again.
                for line in lines.map_while(Result::ok) {
                    event(&line, &mut last, json)?;
                }
            }
            Ok(mut answer) => {
                let (status, told) = (
                    answer.status(),
                    answer.body_mut().read_to_string().unwrap_or_default(),
                );
                bail!("{url} answered with status {status}: {told}");
            }
            Err(error) if !was_there => {
                return Err(error).with_context(|| format!("no answer from {url}"));
            }
            Err(_) => {}
        }
        sleep(AGAIN);
    }
}

/// One line of the stream.
fn event(line: &str, last: &mut String, json: bool) -> anyhow::Result<()> {
    match line.split_once(": ") {
        Some(("id", id)) => id.clone_into(last),
        Some(("data", data)) => {
            let found: Value = serde_json::from_str(data).context("an event is no JSON")?;
            if found["event"].is_null() {
                return Ok(());
            }
            if json {
                print_own(format!("{found}\n").as_bytes())?;
            } else {
                print(&text::audit(&Value::Array(vec![found])))?;
            }
        }
        _ => {}
    }
    Ok(())
}
