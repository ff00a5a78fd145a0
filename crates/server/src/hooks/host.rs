//! The contracts of agents' hosts: what each sends before it calls a tool, and what it takes for yes and for no.

use action::Action;
use approval_workflow::ReceiptOutcome;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::hooks::call::Call;
use crate::hooks::decide::Verdict;
use crate::http::problem::{Code, Problem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    ClaudeCode,
    Codex,
    Cursor,
    Gemini,
}

/// What a host tells by an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It is about to call a tool.
    Asks,
    /// It called one that it asked about.
    Reports(ReceiptOutcome),
}

/// What hosts send; they send more with each version.
#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    pub(super) hook_event_name: String,
    #[serde(default)]
    session_id: Option<String>,
    /// What a session is to Cursor.
    #[serde(default)]
    conversation_id: Option<String>,
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    tool_input: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) tool_use_id: String,
    /// Cursor's, of a command in a shell.
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    cwd: Option<String>,
    /// Cursor's, of a server of MCP.
    #[serde(default)]
    url: Option<String>,
}

impl Payload {
    pub(super) fn session(&self) -> Result<&str, Problem> {
        let session = self
            .session_id
            .as_deref()
            .or(self.conversation_id.as_deref());
        session.ok_or_else(|| Problem::new(Code::InvalidField, "the session is missing"))
    }
}

impl Host {
    pub(crate) const ALL: [Self; 4] = [Self::ClaudeCode, Self::Codex, Self::Cursor, Self::Gemini];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Cursor => "cursor",
            Self::Gemini => "gemini",
        }
    }

    /// What an event tells; none for one that the contract does not have here.
    pub(super) fn event(self, name: &str) -> Option<Event> {
        match (self, name) {
            (Self::ClaudeCode, "PreToolUse" | "PermissionRequest")
            | (Self::Codex, "PreToolUse")
            | (Self::Cursor, "beforeShellExecution" | "beforeMCPExecution" | "preToolUse")
            | (Self::Gemini, "BeforeTool") => Some(Event::Asks),
            (Self::ClaudeCode | Self::Codex, "PostToolUse") => {
                Some(Event::Reports(ReceiptOutcome::Succeeded))
            }
            // A tool that failed may have done a part of its work.
            (Self::ClaudeCode, "PostToolUseFailure") => {
                Some(Event::Reports(ReceiptOutcome::Indeterminate))
            }
            _ => None,
        }
    }

    /// A verdict as the host reads it.
    pub(super) fn answer(self, event: &str, verdict: &Verdict) -> Value {
        let (word, reason) = match verdict {
            Verdict::Allow(reason) => ("allow", reason),
            Verdict::Deny(reason) => ("deny", reason),
        };
        match self {
            Self::ClaudeCode if event == "PermissionRequest" => {
                let mut decision = json!({ "behavior": word });
                if word == "deny" {
                    decision["message"] = json!(reason);
                }
                json!({ "hookSpecificOutput": { "hookEventName": event, "decision": decision } })
            }
            // Any other field makes Codex go on as if there were no answer.
            Self::Codex if word == "allow" => json!({}),
            Self::ClaudeCode | Self::Codex => json!({ "hookSpecificOutput": {
                "hookEventName": event, "permissionDecision": word, "permissionDecisionReason": reason } }),
            Self::Cursor => {
                json!({ "permission": word, "user_message": reason, "agent_message": reason })
            }
            Self::Gemini => json!({ "decision": word, "reason": reason }),
        }
    }

    /// The refusal of a call of which nothing is known.
    pub(super) fn refusal(self, reason: String) -> Value {
        self.answer("PreToolUse", &Verdict::Deny(reason))
    }

    /// The call that a payload asks about.
    pub(super) fn call(self, payload: &Payload) -> Result<Call, Problem> {
        let (session, id) = (payload.session()?.to_owned(), payload.tool_use_id.clone());
        let input = payload.tool_input.as_deref().map_or("{}", RawValue::get);
        match (self, payload.hook_event_name.as_str()) {
            (Self::Cursor, "beforeShellExecution") => {
                let command = payload.command.as_deref();
                let command =
                    command.ok_or_else(|| invalid("the command of the shell is missing"))?;
                let cwd = payload.cwd.as_deref().unwrap_or_default();
                let input = json!({ "command": command, "cwd": cwd }).to_string();
                self.call_of("cursor/Shell", "Shell", "", &input, session, id)
            }
            (Self::Cursor, "beforeMCPExecution") => {
                let path = format!("cursor/mcp/{}", payload.tool_name);
                // Two servers may have a tool of one name: which one it is, is a part of what is approved.
                let server = payload.url.as_ref().or(payload.command.as_ref());
                let server = server.map(String::as_str).unwrap_or_default();
                self.call_of(
                    &path,
                    &payload.tool_name,
                    server,
                    &unpacked(input)?,
                    session,
                    id,
                )
            }
            (Self::Cursor, _) => {
                let path = format!("cursor/{}", payload.tool_name);
                self.call_of(
                    &path,
                    &payload.tool_name,
                    "",
                    &unpacked(input)?,
                    session,
                    id,
                )
            }
            _ => self.call_tool(&payload.tool_name, input, session, id),
        }
    }

    /// The call of a tool with its arguments, which are JSON.
    pub(crate) fn call_tool(
        self,
        tool: &str,
        input: &str,
        session: String,
        id: String,
    ) -> Result<Call, Problem> {
        self.call_of(&self.path(tool), tool, "", input, session, id)
    }

    fn call_of(
        self,
        path: &str,
        name: &str,
        description: &str,
        input: &str,
        session: String,
        id: String,
    ) -> Result<Call, Problem> {
        let text = format!(
            r#"{{"path":{},"name":{},"description":{},"parameters":{input}}}"#,
            json!(path),
            json!(name),
            json!(description),
        );
        let action: Action = serde_json::from_str(&text)
            .map_err(|error| Problem::new(Code::ActionInvalid, format!("{name}: {error}")))?;
        Ok(Call {
            host: self.name(),
            action,
            session,
            id,
        })
    }

    /// Tools of MCP servers have a place of their own, by server, whichever host calls them.
    fn path(self, tool: &str) -> String {
        let parts = tool
            .strip_prefix("mcp__")
            .and_then(|rest| rest.split_once("__"));
        match parts {
            Some((server, tool)) => format!("mcp/{server}/{tool}"),
            None => format!("{}/{tool}", self.name()),
        }
    }
}

/// Arguments that may be a text of JSON, as JSON.
fn unpacked(input: &str) -> Result<String, Problem> {
    if !input.starts_with('"') {
        return Ok(input.to_owned());
    }
    let text: String = serde_json::from_str(input).map_err(|error| invalid(&error.to_string()))?;
    let raw: Result<&RawValue, _> = serde_json::from_str(&text);
    raw.map(|raw| raw.get().to_owned())
        .map_err(|error| invalid(&format!("tool_input is no JSON: {error}")))
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Code::ActionInvalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(host: Host, payload: &Value) -> Result<Action, Problem> {
        let payload: Payload = serde_json::from_value(payload.clone()).unwrap();
        assert_eq!(host.event(&payload.hook_event_name), Some(Event::Asks));
        host.call(&payload).map(|call| call.action)
    }

    fn claude(tool: &str, input: &str) -> Result<Action, Problem> {
        let text = format!(
            r#"{{"hook_event_name":"PreToolUse","session_id":"s","tool_name":{},"tool_input":{input},"cwd":"/x"}}"#,
            json!(tool)
        );
        let payload: Payload = serde_json::from_str(&text).unwrap();
        Host::ClaudeCode.call(&payload).map(|call| call.action)
    }

    #[test]
    fn a_tool_has_one_path_and_its_arguments_are_the_parameters() {
        let path = |tool: &str| claude(tool, "{}").map(|action| action.path.as_str().to_owned());
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
        let action = claude("Bash", r#"{"command":"ls"}"#).unwrap();
        assert_eq!(Value::from(action.parameters), json!({ "command": "ls" }));
        for input in [r#"{"command":"ls","command":"rm"}"#, "[]", "3"] {
            assert!(claude("Bash", input).is_err(), "{input}");
        }
    }

    #[test]
    fn what_cursor_sends_becomes_the_action_that_will_run() {
        let shell = json!({ "hook_event_name": "beforeShellExecution", "conversation_id": "c",
            "generation_id": "g", "command": "rm -r build", "cwd": "/srv/shop", "workspace_roots": ["/srv/shop"] });
        let action = call(Host::Cursor, &shell).unwrap();
        assert_eq!(action.path.as_str(), "cursor/Shell");
        assert_eq!(
            Value::from(action.parameters),
            json!({ "command": "rm -r build", "cwd": "/srv/shop" })
        );
        let mcp = json!({ "hook_event_name": "beforeMCPExecution", "conversation_id": "c", "tool_name": "refund",
            "tool_input": "{\"cents\":1250}", "url": "https://pay.example/mcp" });
        let action = call(Host::Cursor, &mcp).unwrap();
        assert_eq!(
            (action.path.as_str(), action.description.as_str()),
            ("cursor/mcp/refund", "https://pay.example/mcp")
        );
        assert_eq!(Value::from(action.parameters), json!({ "cents": 1250 }));
        let mut odd = mcp.clone();
        for input in [
            json!("no"),
            json!("[]"),
            json!("{\"a\":1,\"a\":2}"),
            json!("{} {}"),
        ] {
            odd["tool_input"] = input.clone();
            assert!(call(Host::Cursor, &odd).is_err(), "{input}");
        }
        let write = json!({ "hook_event_name": "preToolUse", "conversation_id": "c", "tool_name": "Write",
            "tool_input": { "path": "a.txt" }, "tool_use_id": "t" });
        assert_eq!(
            call(Host::Cursor, &write).unwrap().path.as_str(),
            "cursor/Write"
        );
        let bare = json!({ "hook_event_name": "beforeShellExecution", "conversation_id": "c" });
        assert!(call(Host::Cursor, &bare).is_err());
    }

    #[test]
    fn each_host_reads_its_own_yes_and_no() {
        let (yes, no) = (
            Verdict::Allow("r-1".into()),
            Verdict::Deny("not now".into()),
        );
        assert_eq!(Host::Codex.answer("PreToolUse", &yes), json!({}));
        let denied = Host::Codex.answer("PreToolUse", &no);
        assert_eq!(denied["hookSpecificOutput"]["permissionDecision"], "deny");
        assert_eq!(
            Host::Cursor.answer("preToolUse", &yes)["permission"],
            "allow"
        );
        assert_eq!(Host::Cursor.refusal("x".into())["permission"], "deny");
        assert_eq!(
            Host::Gemini.answer("BeforeTool", &no),
            json!({ "decision": "deny", "reason": "not now" })
        );
        let asked = Host::ClaudeCode.answer("PermissionRequest", &yes);
        assert_eq!(
            asked["hookSpecificOutput"]["decision"],
            json!({ "behavior": "allow" })
        );
        assert_eq!(Host::Gemini.event("AfterTool"), None);
        assert_eq!(
            Host::Codex.event("PermissionRequest"),
            None,
            "one call, one question"
        );
    }
}
