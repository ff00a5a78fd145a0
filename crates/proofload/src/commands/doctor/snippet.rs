//! What to put into a host's settings.

use serde_json::{Value, json};

use crate::arguments::Host;

pub(super) fn of(host: Host, server: &str) -> String {
    let text = serde_json::to_string_pretty(&settings(host, server)).expect("it is JSON");
    format!("{text}\n")
}

fn settings(host: Host, server: &str) -> Value {
    let server = server.trim_end_matches('/');
    let command = format!(
        "proofload hook --host {} --server {server} --wait 50s",
        host.name()
    );
    match host {
        Host::ClaudeCode => {
            let hook = |query: &str, timeout: u64| {
                json!({ "type": "http", "url": format!("{server}/hooks/claude-code{query}"), "timeout": timeout,
                    "onFailure": "block", "headers": { "Authorization": "Bearer $PROOFLOAD_TOKEN" },
                    "allowedEnvVars": ["PROOFLOAD_TOKEN"] })
            };
            let mut report = hook("", 15);
            // The call has run: a report that fails must not look like a refusal.
            report
                .as_object_mut()
                .map(|report| report.remove("onFailure"));
            json!({ "hooks": {
                "PreToolUse": [{ "hooks": [hook("?wait=590s", 605)] }],
                "PostToolUse": [{ "hooks": [report] }],
            } })
        }
        Host::Cursor => {
            let hook = json!({ "command": command, "timeout": 65, "failClosed": true });
            let mut writes = hook.clone();
            writes["matcher"] = json!("Write|Edit|StrReplace|Delete");
            json!({ "version": 1, "hooks": {
                "beforeShellExecution": [hook], "beforeMCPExecution": [hook], "preToolUse": [writes] } })
        }
        Host::Codex => json!({ "hooks": { "PreToolUse": [
            { "matcher": ".*", "hooks": [{ "type": "command", "command": command, "timeout": 65 }] }] } }),
        Host::Gemini => json!({ "hooks": { "BeforeTool": [
            { "matcher": ".*", "hooks": [{ "name": "proofload", "type": "command", "command": command, "timeout": 65000 }] }] } }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Findings, settings};
    use super::*;

    #[test]
    fn what_is_printed_is_what_the_doctor_finds_good() {
        for host in [Host::ClaudeCode, Host::Cursor, Host::Codex, Host::Gemini] {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("settings.json");
            std::fs::write(&file, of(host, "http://127.0.0.1:8787/")).unwrap();
            let mut found = Findings::default();
            settings::look(host, &file, &mut found);
            assert_eq!(found.faults, 0, "{:#?}", found.lines);
        }
    }
}
