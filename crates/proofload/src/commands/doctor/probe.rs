//! The host's version, and the server's answers.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::arguments::{DoctorArguments, Host};
use crate::commands::approvals::place::{agent, token};
use crate::commands::hook::ask;

use super::Findings;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The first version whose hooks can be relied on, with what it brought.
fn first(host: Host) -> Option<(&'static str, [u64; 3], &'static str)> {
    match host {
        Host::ClaudeCode => Some(("claude", [2, 1, 295], "onFailure of hooks over HTTP")),
        Host::Codex => Some(("codex", [0, 124, 0], "hooks that block")),
        Host::Cursor | Host::Gemini => None,
    }
}

pub(super) fn version(host: Host, found: &mut Findings) {
    let Some((program, needed, brought)) = first(host) else {
        return;
    };
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let Some(version) = text.ok().as_deref().and_then(parse) else {
        found.note(&format!(
            "the version was not looked at: `{program} --version` tells none"
        ));
        return;
    };
    let dotted = |version: [u64; 3]| format!("{}.{}.{}", version[0], version[1], version[2]);
    found.check(
        version >= needed,
        &format!("{program} {} has {brought}", dotted(version)),
        &format!(
            "{program} {} lets calls pass: {} brought {brought}",
            dotted(version),
            dotted(needed)
        ),
    );
}

/// The first three numbers with dots between them.
fn parse(text: &str) -> Option<[u64; 3]> {
    let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.find_map(|word| {
        let parts: Vec<u64> = word
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        parts.get(..3)?.try_into().ok()
    })
}

/// Whether the server is ready, takes the token, and refuses what it does not know.
pub(super) fn server(arguments: &DoctorArguments, found: &mut Findings) {
    let (agent, server) = (agent(TIMEOUT), arguments.server.trim_end_matches('/'));
    let ready = ureq::http::Request::get(format!("{server}/api/v1/health/ready")).body(());
    let ready = ready.ok().and_then(|request| agent.run(request).ok());
    let Some(mut ready) = ready else {
        found.fault(&format!(
            "no answer from {server}: start it by `proofload serve`"
        ));
        return;
    };
    let status = ready.status().as_u16();
    let told = ready.body_mut().read_to_string().unwrap_or_default();
    found.check(
        status == 200,
        "the server is ready",
        &format!("the server is not ready: {told}"),
    );
    let token = match token() {
        Ok(token) => token,
        Err(error) => return found.fault(&error.to_string()),
    };
    let url = format!("{server}/hooks/{}?wait=0s", arguments.host.name());
    // No host sends this event: a server that allows it would allow anything.
    let call = json!({ "hook_event_name": "ProofloadDoctor", "session_id": "doctor", "tool_name": "doctor" });
    match ask(&agent, &url, &token, call.to_string()) {
        Ok((decision, text)) => {
            found.check(
                decision == "deny",
                "the hook refuses what it does not know",
                "the hook does not refuse what it does not know: is it the server of Proofload?",
            );
            found.check(
                text.contains("ProofloadDoctor"),
                "the hook takes the token",
                &format!("the hook refuses the token, so it refuses every call: {text}"),
            );
        }
        Err(error) => found.fault(&format!("no answer from {url}: {error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_a_program_says_of_itself() {
        assert_eq!(parse("2.1.300 (Claude Code)\n"), Some([2, 1, 300]));
        assert_eq!(parse("codex-cli 0.124.0-alpha.1"), Some([0, 124, 0]));
        assert_eq!(parse("v1.2"), None);
        assert!([2, 1, 300] > [2, 1, 295] && [2, 2, 0] > [2, 1, 295]);
    }
}
