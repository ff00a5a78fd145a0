//! A host's settings: what in them lets a call pass.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::arguments::Host;

use super::Findings;

/// How much longer than the wait a host's own time-out has to be.
const MARGIN_S: u64 = 10;
/// What the server waits where a hook does not say.
const USUAL_WAIT_S: u64 = 50;

pub(super) fn look(host: Host, file: &Path, found: &mut Findings) {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            found.fault(&format!(
                "the settings cannot be read: {error}; see `proofload doctor --host {} --print`",
                host.name()
            ));
            return;
        }
    };
    let settings: Value = match serde_json::from_str(&text) {
        Ok(settings) => settings,
        Err(error) => {
            found.fault(&format!(
                "the settings are no JSON, so the host reads none of them: {error}"
            ));
            return;
        }
    };
    secrets(file, &text, found);
    if settings["disableAllHooks"] == true {
        found.fault("disableAllHooks is true: no hook is asked");
    }
    match host {
        Host::ClaudeCode => claude_code(&settings, found),
        Host::Codex => one_event(host, "PreToolUse", 1, &settings, found),
        Host::Gemini => one_event(host, "BeforeTool", 1000, &settings, found),
        Host::Cursor => cursor(&settings, found),
    }
    if matches!(host, Host::Codex | Host::Gemini) {
        let name = host.name();
        found.note(&format!(
            "{name} lets a call pass when its hook is killed or runs into its time-out"
        ));
    }
}

/// A token in a file is a token for everybody who reads the file.
fn secrets(file: &Path, text: &str, found: &mut Findings) {
    if !text.contains("plt_") {
        return;
    }
    let mode = fs::metadata(file).map(|facts| facts.permissions().mode());
    found.check(
        mode.is_ok_and(|mode| mode & 0o077 == 0),
        "the token in the settings can be read by their owner alone",
        "the settings hold a token and others can read them: put it into PROOFLOAD_TOKEN, or chmod 600",
    );
}

/// The hooks of an event that are the gate's, each with its group.
fn ours<'a>(host: Host, settings: &'a Value, event: &str) -> Vec<(&'a Value, &'a Value)> {
    let groups = settings["hooks"][event].as_array().into_iter().flatten();
    let hooks = groups.flat_map(|group| {
        let hooks = group["hooks"].as_array().into_iter().flatten();
        hooks.map(move |hook| (group, hook))
    });
    hooks.filter(|(_, hook)| is_ours(host, hook)).collect()
}

fn is_ours(host: Host, hook: &Value) -> bool {
    let text = |name: &str| hook[name].as_str().unwrap_or_default().to_owned();
    let is_command = text("command").contains("proofload")
        && text("command").contains(&format!("--host {}", host.name()));
    is_command || text("url").contains(&format!("/hooks/{}", host.name()))
}

fn claude_code(settings: &Value, found: &mut Findings) {
    one_event(Host::ClaudeCode, "PreToolUse", 1, settings, found);
    for (_, hook) in ours(Host::ClaudeCode, settings, "PreToolUse") {
        if hook["type"] == "http" {
            found.check(
                hook["onFailure"] == "block",
                "a hook that fails blocks the call",
                "the hook has no \"onFailure\":\"block\": a call passes when the server is down",
            );
        }
    }
    if ours(Host::ClaudeCode, settings, "PostToolUse").is_empty() {
        found.note("no PostToolUse hook: what came of a call is not reported, and its claim waits for a person");
    }
}

/// One event for all tools, whose time-out is counted in so many parts of a second.
fn one_event(host: Host, event: &str, per_second: u64, settings: &Value, found: &mut Findings) {
    let hooks = ours(host, settings, event);
    if hooks.is_empty() {
        let name = host.name();
        found.fault(&format!(
            "no hook of {event} asks the gate: see `proofload doctor --host {name} --print`"
        ));
        return;
    }
    let for_all = hooks
        .iter()
        .filter(|(group, _)| is_for_all(&group["matcher"]));
    found.check(
        for_all.clone().count() > 0,
        &format!("{event} asks the gate about every tool"),
        &format!(
            "{event} asks the gate about some tools only: leave out \"matcher\", all others pass"
        ),
    );
    found.check(
        hooks.len() == 1,
        "each call is asked about once",
        &format!(
            "{} hooks of {event} ask about the same call: keep one",
            hooks.len()
        ),
    );
    for (_, hook) in hooks {
        time_out(hook, per_second, found);
    }
}

fn is_for_all(matcher: &Value) -> bool {
    matches!(matcher.as_str(), None | Some("" | "*" | ".*"))
}

fn time_out(hook: &Value, per_second: u64, found: &mut Findings) {
    let wait = wait_s(hook);
    let needed = wait + MARGIN_S;
    let limit = hook["timeout"].as_u64();
    found.check(
        limit.is_some_and(|limit| limit > needed * per_second),
        &format!("the host waits longer than the hook, which waits {wait} s"),
        &format!(
            "the host's time-out is not above {}: it gives up before the hook answers",
            needed * per_second
        ),
    );
}

/// How long a hook waits, by its command or its address.
fn wait_s(hook: &Value) -> u64 {
    let text = hook["command"]
        .as_str()
        .or(hook["url"].as_str())
        .unwrap_or_default();
    let after = ["--wait ", "--wait=", "wait="];
    let found = after.iter().find_map(|name| text.split_once(name));
    let digits = found.map(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
    });
    let wait = digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(USUAL_WAIT_S);
    match found.is_some_and(|(_, rest)| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
            .starts_with('m')
    }) {
        true => wait * 60,
        false => wait,
    }
}

fn cursor(settings: &Value, found: &mut Findings) {
    let of = |event: &str| -> Vec<&Value> {
        let hooks = settings["hooks"][event].as_array().into_iter().flatten();
        hooks.filter(|hook| is_ours(Host::Cursor, hook)).collect()
    };
    for event in ["beforeShellExecution", "beforeMCPExecution", "preToolUse"] {
        let hooks = of(event);
        found.check(
            hooks.len() == 1,
            &format!("{event} asks the gate"),
            &format!(
                "{} hooks of {event} ask the gate, and one should: see --print",
                hooks.len()
            ),
        );
        for hook in hooks {
            found.check(
                hook["failClosed"] == true,
                &format!("{event} blocks the call if its hook fails"),
                &format!("{event} has no \"failClosed\":true: a call passes when its hook fails"),
            );
            time_out(hook, 1, found);
        }
    }
    for hook in of("preToolUse") {
        let matcher = hook["matcher"].as_str().unwrap_or("*");
        let twice = is_for_all(&hook["matcher"])
            || ["Shell", "MCP"].iter().any(|tool| matcher.contains(tool));
        found.check(
            !twice,
            "each call is asked about once",
            "preToolUse asks about what beforeShellExecution or beforeMCPExecution asks too: name the tools that write in \"matcher\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(host: Host, settings: &Value) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.json");
        fs::write(&file, settings.to_string()).unwrap();
        let mut found = Findings::default();
        look(host, &file, &mut found);
        let lines = found.lines.into_iter();
        lines.filter(|line| line.starts_with("FAIL")).collect()
    }

    fn one_fault(host: Host, settings: &Value, what: &str) {
        let faults = faults(host, settings);
        assert!(
            faults.len() == 1 && faults[0].contains(what),
            "{what}: {faults:#?}"
        );
    }

    #[test]
    fn settings_of_claude_code_that_let_calls_pass_are_named() {
        let good = json!({ "hooks": { "PreToolUse": [{ "hooks": [{ "type": "http",
            "url": "http://127.0.0.1:8787/hooks/claude-code?wait=590s", "timeout": 605, "onFailure": "block" }] }] } });
        assert!(faults(Host::ClaudeCode, &good).is_empty());
        let hook = |name: &str, value: Value| {
            let mut settings = good.clone();
            settings["hooks"]["PreToolUse"][0]["hooks"][0][name] = value;
            settings
        };
        one_fault(
            Host::ClaudeCode,
            &hook("onFailure", Value::Null),
            "onFailure",
        );
        one_fault(
            Host::ClaudeCode,
            &hook("timeout", json!(600)),
            "not above 600",
        );
        one_fault(
            Host::ClaudeCode,
            &hook("url", json!("http://elsewhere/")),
            "no hook of PreToolUse",
        );
        let mut narrow = good.clone();
        narrow["hooks"]["PreToolUse"][0]["matcher"] = json!("Bash");
        one_fault(Host::ClaudeCode, &narrow, "some tools only");
        let mut twice = good.clone();
        let group = twice["hooks"]["PreToolUse"][0].clone();
        twice["hooks"]["PreToolUse"]
            .as_array_mut()
            .unwrap()
            .push(group);
        one_fault(Host::ClaudeCode, &twice, "2 hooks");
        let mut off = good.clone();
        off["disableAllHooks"] = json!(true);
        one_fault(Host::ClaudeCode, &off, "disableAllHooks");
        let mut told = good;
        told["env"] = json!({ "PROOFLOAD_TOKEN": "plt_x" });
        one_fault(Host::ClaudeCode, &told, "others can read");
    }

    #[test]
    fn a_time_out_is_compared_in_the_units_of_its_host() {
        let gemini = |timeout: u64| {
            json!({ "hooks": { "BeforeTool": [{ "hooks": [{ "type": "command",
            "command": "proofload hook --host gemini --wait 1m", "timeout": timeout }] }] } })
        };
        assert!(faults(Host::Gemini, &gemini(75_000)).is_empty());
        one_fault(Host::Gemini, &gemini(75), "not above 70000");
    }

    #[test]
    fn settings_of_cursor_have_to_fail_closed_and_ask_once() {
        let hook = |closed: bool, matcher: &str| json!({ "command": "proofload hook --host cursor --wait 50s", "timeout": 65, "failClosed": closed, "matcher": matcher });
        let settings = |shell: Value, writes: Value| json!({ "hooks": { "beforeShellExecution": [shell], "beforeMCPExecution": [hook(true, "")], "preToolUse": [writes] } });
        assert!(faults(Host::Cursor, &settings(hook(true, ""), hook(true, "Write"))).is_empty());
        one_fault(
            Host::Cursor,
            &settings(hook(false, ""), hook(true, "Write")),
            "failClosed",
        );
        one_fault(
            Host::Cursor,
            &settings(hook(true, ""), hook(true, "Shell|Write")),
            "matcher",
        );
        one_fault(
            Host::Cursor,
            &settings(json!({}), hook(true, "Write")),
            "0 hooks of beforeShellExecution",
        );
    }
}
