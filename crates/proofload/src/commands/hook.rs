//! The hook of an agent host: asks the server whether a call may run. Whatever goes wrong blocks the call.

use std::io::{self, Read as _};
use std::process::exit;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::arguments::{HookArguments, Host};
use crate::commands::approvals::place::{agent, send, token};
use crate::exit::Exit;
use crate::terminal::{print, tell};

/// The server answers within the wait; more than this above it is no answer.
const GRACE: Duration = Duration::from_secs(5);
/// The code by which a host blocks the call and shows the agent what stands on stderr.
const BLOCK: i32 = 2;
/// The largest call that is read.
const MOST_BYTES: u64 = 1 << 20;

/// Prints the server's answer, or ends with the code that blocks: an error of a command has the same one.
pub(crate) fn run(arguments: &HookArguments) -> anyhow::Result<Exit> {
    let limit = arguments.wait + GRACE;
    watch(limit)?;
    let Host::ClaudeCode = arguments.host;
    let mut call = String::new();
    io::stdin()
        .take(MOST_BYTES)
        .read_to_string(&mut call)
        .context("the call cannot be read; it is blocked")?;
    let call: Value = serde_json::from_str(&call).context("the call is no JSON; it is blocked")?;
    let url = format!(
        "{}/hooks/claude-code?wait={}s",
        arguments.server.trim_end_matches('/'),
        arguments.wait.as_secs()
    );
    let answer = send(&agent(limit), "POST", &url, &token()?, Some(&call));
    let (status, text) =
        answer.with_context(|| format!("no answer from {url}; the call is blocked"))?;
    ensure!(
        status == 200,
        "the server answered with status {status}; the call is blocked"
    );
    let answer: Value =
        serde_json::from_str(&text).context("the answer is no JSON; the call is blocked")?;
    check(&call, &answer)?;
    print(&format!("{answer}\n"))?;
    Ok(Exit::Held)
}

/// An answer that the host would take for no opinion, so that the call would run, is refused.
fn check(call: &Value, answer: &Value) -> anyhow::Result<()> {
    let event = call["hook_event_name"].as_str().unwrap_or_default();
    let output = &answer["hookSpecificOutput"];
    let said = match event {
        "PreToolUse" => &output["permissionDecision"],
        "PermissionRequest" => &output["decision"]["behavior"],
        "PostToolUse" | "PostToolUseFailure" => return Ok(()),
        other => bail!("the event {other:?} is not one that this hook knows; it is blocked"),
    };
    let is_known = matches!(said.as_str(), Some("allow" | "deny"));
    ensure!(
        is_known && output["hookEventName"] == event,
        "the answer is not one to {event}; the call is blocked"
    );
    Ok(())
}

/// Blocks the call should this process hang: a host may let it pass after a time-out of its own.
fn watch(limit: Duration) -> anyhow::Result<()> {
    let watcher = thread::Builder::new()
        .name("proofload:watch".to_owned())
        .spawn(move || {
            thread::sleep(limit);
            tell(&format!(
                "no decision within {} s; the call is blocked",
                limit.as_secs()
            ));
            exit(BLOCK);
        });
    watcher.context("the time cannot be watched; the call is blocked")?;
    Ok(())
}
