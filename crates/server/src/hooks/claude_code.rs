//! Claude Code's hooks: `PreToolUse` and `PermissionRequest` ask, `PostToolUse` and `PostToolUseFailure` report.

use std::time::Duration;

use action::Action;
use approval_workflow::{Receipt, ReceiptOutcome};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::access::guard::authenticate;
use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::clock;
use crate::hooks::call::Call;
use crate::hooks::decide::{Verdict, decide};
use crate::http::body;
use crate::http::json::json as as_json;
use crate::http::params::Params;
use crate::http::problem::{Code, Problem};
use crate::state::{App, AppState};

pub(crate) const USUAL_WAIT: Duration = Duration::from_secs(50);
const MOST_WAIT: Duration = Duration::from_secs(3600);

/// What Claude Code reads: `hookSpecificOutput` with the decision, or nothing after a report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Body {
    #[schemars(rename = "hookSpecificOutput")]
    hook_specific_output: Option<Map<String, Value>>,
}

/// What Claude Code sends; it sends more with each version.
#[derive(Debug, Deserialize)]
struct Payload {
    hook_event_name: String,
    session_id: String,
    tool_name: String,
    #[serde(default)]
    tool_input: Option<Box<RawValue>>,
    #[serde(default)]
    tool_use_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    #[serde(default)]
    wait: Option<String>,
}

pub(crate) async fn answer(
    State(app): State<App>,
    wait: Result<Params<Wait>, Problem>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    // First of all: a host that is cut off while it sends sees no refusal, and lets the call pass.
    let bytes = body::read(request.into_body()).await?;
    let Params(Wait { wait }) = wait?;
    let who = authenticate(&app, &headers)?;
    if !who.is(Role::Agent) {
        let detail = format!(
            "a hook asks with an agent's token, not one of the role {}",
            who.role
        );
        return Err(Problem::new(Code::InsufficientScope, detail));
    }
    let wait = wait.as_deref().map_or(Ok(USUAL_WAIT), parse_wait)?;
    let payload: Payload = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::InvalidJson, error.to_string()))?;
    let answer = match payload.hook_event_name.as_str() {
        event @ ("PreToolUse" | "PermissionRequest") => {
            let _place = app.wait()?;
            match decide(&app, &who, &payload.call()?, wait).await? {
                Verdict::Allow(reason) => allow(event, &reason),
                Verdict::Deny(reason) => deny(event, &reason),
            }
        }
        "PostToolUse" => report(&app, &who, &payload, ReceiptOutcome::Succeeded).await?,
        // A tool that failed may have done a part of its work.
        "PostToolUseFailure" => report(&app, &who, &payload, ReceiptOutcome::Indeterminate).await?,
        other => {
            let detail = format!("the event {other:?} is not one that this hook knows");
            return Err(Problem::new(Code::InvalidField, detail));
        }
    };
    Ok(as_json(StatusCode::OK, &answer))
}

fn parse_wait(text: &str) -> Result<Duration, Problem> {
    let seconds = text
        .strip_suffix('s')
        .and_then(|digits| digits.parse().ok());
    let wait = seconds
        .map(Duration::from_secs)
        .filter(|wait| *wait <= MOST_WAIT);
    wait.ok_or_else(|| {
        let detail = format!(
            "wait is a time such as 50s, at most {} s",
            MOST_WAIT.as_secs()
        );
        Problem::new(Code::InvalidField, detail)
    })
}

impl Payload {
    fn call(&self) -> Result<Call, Problem> {
        let arguments = self.tool_input.as_deref().map_or("{}", RawValue::get);
        let (session, id) = (self.session_id.clone(), self.tool_use_id.clone());
        call(&self.tool_name, arguments, session, id)
    }
}

/// The action that a call is: its arguments, as JSON, are the parameters, each name once.
pub(crate) fn call(
    tool: &str,
    arguments: &str,
    session: String,
    id: String,
) -> Result<Call, Problem> {
    let text = format!(
        r#"{{"path":{},"name":{},"parameters":{arguments}}}"#,
        json!(path(tool)),
        json!(tool),
    );
    let action: Action = serde_json::from_str(&text)
        .map_err(|error| Problem::new(Code::ActionInvalid, format!("{tool}: {error}")))?;
    Ok(Call {
        host: "claude-code",
        action,
        session,
        id,
    })
}

/// Tools of MCP servers have a place of their own, by server.
fn path(tool: &str) -> String {
    let parts = tool
        .strip_prefix("mcp__")
        .and_then(|rest| rest.split_once("__"));
    match parts {
        Some((server, tool)) => format!("mcp/{server}/{tool}"),
        None => format!("claude-code/{tool}"),
    }
}

/// Reports the call's claim; one that is not known, after a restart, stays for a person to look at.
async fn report(
    app: &AppState,
    who: &Principal,
    payload: &Payload,
    outcome: ReceiptOutcome,
) -> Result<Value, Problem> {
    let claim = app.calls.reported(
        who.person.as_str(),
        &payload.session_id,
        &payload.tool_use_id,
    );
    if let Some((id, token)) = claim {
        let receipt = Receipt {
            id,
            at: clock::now(),
            token,
            outcome,
            observed: String::new(),
        };
        app.gate
            .command(|gate| async move { gate.finish_async(receipt).await })
            .await?;
    }
    Ok(json!({}))
}

pub(crate) fn allow(event: &str, reason: &str) -> Value {
    output(event, "allow", reason)
}

pub(crate) fn deny(event: &str, reason: &str) -> Value {
    output(event, "deny", reason)
}

fn output(event: &str, behavior: &str, reason: &str) -> Value {
    let output = if event == "PermissionRequest" {
        let mut decision = json!({ "behavior": behavior });
        if behavior == "deny" {
            decision["message"] = reason.into();
        }
        json!({ "hookEventName": event, "decision": decision })
    } else {
        json!({ "hookEventName": event, "permissionDecision": behavior, "permissionDecisionReason": reason })
    };
    json!({ "hookSpecificOutput": output })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(tool: &str, input: &str) -> Result<Call, Problem> {
        let text = format!(
            r#"{{"hook_event_name":"PreToolUse","session_id":"s","tool_name":{},"tool_input":{input},"cwd":"/x"}}"#,
            json!(tool)
        );
        serde_json::from_str::<Payload>(&text).unwrap().call()
    }

    #[test]
    fn a_tool_has_one_path_and_its_arguments_are_the_parameters() {
        let path = |tool: &str| parsed(tool, "{}").map(|call| call.action.path.as_str().to_owned());
        assert_eq!(path("Bash").unwrap(), "claude-code/Bash");
        assert_eq!(
            path("mcp__shop__refund__all").unwrap(),
            "mcp/shop/refund__all"
        );
        for tool in ["", "..", "a/../b", "*", "mcp____x", "a//b"] {
            assert_eq!(
                path(tool).unwrap_err().code,
                Code::ActionInvalid,
                "{tool:?}"
            );
        }
        let call = parsed("Bash", r#"{"command":"ls"}"#).unwrap();
        assert_eq!(
            Value::from(call.action.parameters),
            json!({ "command": "ls" })
        );
        for input in [r#"{"command":"ls","command":"rm"}"#, "[]", "3"] {
            assert!(parsed("Bash", input).is_err(), "{input}");
        }
    }
}
