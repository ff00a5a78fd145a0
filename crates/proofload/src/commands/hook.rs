//! The hook of an agent host: asks the server whether a call may run. Whatever goes wrong blocks the call.

use std::io::{self, Read as _};
use std::process::exit;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::arguments::{HookArguments, Host};
use crate::commands::approvals::place::{agent, token};
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
    let mut call = String::new();
    io::stdin()
        .take(MOST_BYTES)
        .read_to_string(&mut call)
        .context("the call cannot be read; it is blocked")?;
    let event =
        serde_json::from_str::<Value>(&call).context("the call is no JSON; it is blocked")?;
    let event = event["hook_event_name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let url = format!(
        "{}/hooks/{}?wait={}s",
        arguments.server.trim_end_matches('/'),
        arguments.host.name(),
        arguments.wait.as_secs()
    );
    let answer = ask(&agent(limit), &url, &token()?, call);
    let (decision, text) =
        answer.with_context(|| format!("no answer from {url}; the call is blocked"))?;
    let answer: Value =
        serde_json::from_str(&text).context("the answer is no JSON; the call is blocked")?;
    check(arguments.host, &event, &decision, &answer)?;
    print(&format!("{answer}\n"))?;
    Ok(Exit::Held)
}

/// Asks a server's hook with the call as the host wrote it: its decision in one word, and the body.
pub(crate) fn ask(
    agent: &ureq::Agent,
    url: &str,
    token: &str,
    call: String,
) -> anyhow::Result<(String, String)> {
    let request = ureq::http::Request::post(url)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json");
    let mut answer = agent.run(request.body(call)?)?;
    let status = answer.status().as_u16();
    ensure!(status == 200, "the server answered with status {status}");
    let decision = answer.headers().get("proofload-decision");
    let decision = decision
        .and_then(|word| word.to_str().ok())
        .unwrap_or_default();
    let decision = decision.to_owned();
    Ok((decision, answer.body_mut().read_to_string()?))
}

/// An answer that the host would take for no opinion, so that the call would run, is refused.
fn check(host: Host, event: &str, decision: &str, answer: &Value) -> anyhow::Result<()> {
    let output = &answer["hookSpecificOutput"];
    let is_named = output["hookEventName"] == event;
    let is_right = match (host, event, decision) {
        (Host::ClaudeCode, "PreToolUse", "allow" | "deny") => {
            is_named && output["permissionDecision"] == decision
        }
        (Host::ClaudeCode, "PermissionRequest", "allow" | "deny") => {
            is_named && output["decision"]["behavior"] == decision
        }
        (Host::ClaudeCode, "PostToolUse" | "PostToolUseFailure", "reported") => {
            *answer == json!({})
        }
        // A report that failed blocks nothing, since the call ran.
        (Host::ClaudeCode, "PostToolUse" | "PostToolUseFailure", "deny") => true,
        (Host::Codex, "PreToolUse", "allow") => *answer == json!({}),
        (Host::Codex, "PreToolUse", "deny") => is_named && output["permissionDecision"] == decision,
        (Host::Codex, "PostToolUse", "reported" | "deny") => true,
        (
            Host::Cursor,
            "beforeShellExecution" | "beforeMCPExecution" | "preToolUse",
            "allow" | "deny",
        ) => answer["permission"] == decision,
        (Host::Gemini, "BeforeTool", "allow" | "deny") => answer["decision"] == decision,
        (_, _, "allow" | "deny" | "reported") => {
            bail!("the event {event:?} is not one that this hook knows; it is blocked")
        }
        _ => false,
    };
    ensure!(
        is_right,
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
