//! The hook of Claude Code: over HTTP, and as the command that a host starts.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::server::{Client, PROGRAM, Team, of};

/// A call as Claude Code 2.1 sends it.
fn call(event: &str, tool: &str, input: &Value, id: &str) -> Value {
    json!({
        "session_id": "7f3c", "transcript_path": "/srv/.claude/7f3c.jsonl", "cwd": "/srv/shop",
        "permission_mode": "default", "hook_event_name": event, "tool_name": tool, "tool_input": input,
        "tool_use_id": id,
    })
}

fn ask(client: &Client, wait: &str, body: &Value) -> Value {
    let answer = client
        .post(&format!("/hooks/claude-code?wait={wait}"), body)
        .ok(200);
    answer["hookSpecificOutput"].clone()
}

fn remove() -> Value {
    json!({ "command": "rm -r build" })
}

#[test]
fn a_call_that_the_policy_lets_pass_is_claimed_and_reported() {
    let Team {
        agent,
        alice,
        operator,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let read = json!({ "file_path": "/srv/shop/README.md" });
    for id in ["toolu_1", "toolu_2"] {
        let said = ask(&agent, "0s", &call("PreToolUse", "Read", &read, id));
        assert_eq!(
            (&said["hookEventName"], &said["permissionDecision"]),
            (&json!("PreToolUse"), &json!("allow"))
        );
    }
    let done = agent
        .post(
            "/hooks/claude-code",
            &call("PostToolUse", "Read", &read, "toolu_1"),
        )
        .ok(200);
    assert_eq!(done, json!({}));
    let failed = agent
        .post(
            "/hooks/claude-code",
            &call("PostToolUseFailure", "Read", &read, "toolu_2"),
        )
        .ok(200);
    assert_eq!(failed, json!({}));
    let count = |status: &str| {
        alice
            .get(&format!("/api/v1/approvals?status={status}"))
            .ok(200)
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((count("succeeded"), count("indeterminate")), (1, 1));
    let found = operator.get("/api/v1/analysis").ok(200);
    assert_eq!(found[0]["id"], "indeterminate_outcome", "{found}");
    assert_eq!(found[0]["evidence"]["indeterminate"], 1);
    let owed = alice.get("/api/v1/follow-ups").ok(200);
    assert_eq!(owed.as_array().unwrap().len(), 1, "{owed}");
    assert_eq!(owed[0]["status"], "indeterminate");
    assert_eq!(
        agent.get("/api/v1/analysis").problem(403),
        "insufficient_scope"
    );
}

#[test]
fn a_call_that_needs_a_person_runs_once_after_a_late_approval() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let said = ask(
        &agent,
        "0s",
        &call("PreToolUse", "Bash", &remove(), "toolu_1"),
    );
    assert_eq!(said["permissionDecision"], "deny");
    assert!(
        said["permissionDecisionReason"]
            .as_str()
            .unwrap()
            .contains("repeat this call"),
        "{said}"
    );
    let waiting = alice.get("/api/v1/approvals").ok(200);
    let asked = &waiting[0];
    assert_eq!(asked["action"]["path"], "claude-code/Bash");
    ask(
        &agent,
        "0s",
        &call("PreToolUse", "Bash", &remove(), "toolu_2"),
    );
    assert_eq!(
        alice
            .get("/api/v1/approvals")
            .ok(200)
            .as_array()
            .unwrap()
            .len(),
        1,
        "nobody is asked twice"
    );
    alice.approve(asked).ok(201);
    for _ in 0..2 {
        let said = ask(
            &agent,
            "0s",
            &call("PreToolUse", "Bash", &remove(), "toolu_3"),
        );
        assert_eq!(
            said["permissionDecision"], "allow",
            "the same call, also when the host asks twice"
        );
    }
    let said = ask(
        &agent,
        "0s",
        &call("PreToolUse", "Bash", &remove(), "toolu_4"),
    );
    assert_eq!(said["permissionDecision"], "deny", "another call asks anew");
    let other = json!({ "command": "rm -r /" });
    let said = ask(&agent, "0s", &call("PreToolUse", "Bash", &other, "toolu_3"));
    assert_eq!(
        said["permissionDecision"], "deny",
        "other arguments are another action"
    );
}

#[test]
fn a_call_waits_for_the_decision_and_learns_the_reason() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    thread::scope(|scope| {
        let said = scope.spawn(|| {
            ask(
                &agent,
                "60s",
                &call(
                    "PermissionRequest",
                    "mcp__shop__drop",
                    &json!({}),
                    "toolu_1",
                ),
            )
        });
        let asked = loop {
            let waiting = alice.get("/api/v1/approvals?under=mcp/shop/**").ok(200);
            if let Some(asked) = waiting.get(0) {
                break asked.clone();
            }
        };
        let no =
            json!({ "verdict": "deny", "shown": asked["digest"], "reason": "not on a Friday" });
        alice.post(&of(&asked, "/decisions"), &no).ok(201);
        let said = said.join().unwrap();
        assert_eq!(said["decision"]["behavior"], "deny");
        assert!(
            said["decision"]["message"]
                .as_str()
                .unwrap()
                .ends_with("denied by alice: not on a Friday"),
            "{said}"
        );
    });
}

/// Claude Code lets a call pass after any other status than 200.
#[test]
fn whatever_is_wrong_is_answered_by_200_and_a_refusal() {
    let Team {
        agent,
        alice,
        operator,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let good = call("PreToolUse", "Read", &json!({}), "toolu_1");
    let denied = |client: &Client, method: &str, path: &str, body: &str| {
        let headers = [("Content-Type", "application/json")];
        let body = (method != "GET").then_some(body.as_bytes());
        let answer = client
            .send(method, path, &headers, body)
            .expect("it answers")
            .ok(200);
        let output = &answer["hookSpecificOutput"];
        assert_eq!(
            output["permissionDecision"], "deny",
            "{method} {path} {answer}"
        );
        output["permissionDecisionReason"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let path = "/hooks/claude-code";
    for client in [server.client(""), server.client("plt_x"), alice, operator] {
        denied(&client, "POST", path, &good.to_string());
    }
    let twice = r#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls","command":"rm"}}"#;
    let no_event = json!({ "session_id": "s", "tool_name": "Read" }).to_string();
    let odd_event = call("Stop", "Read", &json!({}), "").to_string();
    let odd_tool = call("PreToolUse", "../Read", &json!({}), "").to_string();
    let long = call(
        "PreToolUse",
        "Write",
        &json!({ "content": "x".repeat(300 << 10) }),
        "",
    )
    .to_string();
    let huge = "x".repeat(2 << 20);
    for body in [
        "", "{", "[]", twice, &no_event, &odd_event, &odd_tool, &long, &huge,
    ] {
        denied(&agent, "POST", path, body);
    }
    // Also where nothing of it would have to be read.
    for path in [path, "/hooks/claude-code?wait=1d"] {
        denied(&server.client(""), "POST", path, &huge);
    }
    for path in [
        "/hooks/claude-code?wait=1d",
        "/hooks/claude-code?colour=red",
        "/hooks/nobody",
        "/hooks/",
    ] {
        denied(&agent, "POST", path, &good.to_string());
    }
    denied(&agent, "GET", path, "");
    denied(&agent, "PUT", path, "{}");
}

fn hook(url: &str, token: &str, wait: &str, body: &str) -> Output {
    hook_of("claude-code", url, token, wait, body)
}

fn hook_of(host: &str, url: &str, token: &str, wait: &str, body: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["hook", "--host", host, "--server", url, "--wait", wait]);
    command
        .env("PROOFLOAD_TOKEN", token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that ends before it reads its input has decided too.
    let _ = child.stdin.take().unwrap().write_all(body.as_bytes());
    child.wait_with_output().unwrap()
}

/// Code 2 blocks the call and shows the agent why.
fn blocked(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_command_prints_the_answer_or_blocks() {
    let Team {
        agent,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let url = server.url.clone();
    let good = call("PreToolUse", "Read", &json!({}), "toolu_1").to_string();
    let output = hook(&url, &agent.token, "1s", &good);
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "allow");
    let output = hook(
        &url,
        &agent.token,
        "1s",
        &call("PreToolUse", "Bash", &remove(), "toolu_2").to_string(),
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "deny");
    let output = hook(&url, "plt_wrong", "1s", &good);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["hookSpecificOutput"]["permissionDecision"], "deny");

    assert!(blocked(&hook(&url, "", "1s", &good)).contains("PROOFLOAD_TOKEN is not set"));
    assert!(blocked(&hook(&url, &agent.token, "1s", "{")).contains("the call is no JSON"));
    let stop = call("Stop", "Read", &json!({}), "").to_string();
    assert!(blocked(&hook(&url, &agent.token, "1s", &stop)).contains("\"Stop\""));
    assert!(blocked(&hook(&url, &agent.token, "soon", &good)).contains("--wait"));
    server.kill();
    assert!(blocked(&hook(&url, &agent.token, "1s", &good)).contains("the call is blocked"));
}

/// A call, and what the host reads for yes, for no and for no at once.
type Check = fn(&Value) -> bool;

fn calls_of_hosts() -> [(&'static str, Value, Check, Check); 5] {
    let cursor = |event: &str, more: Value| {
        let mut call =
            json!({ "hook_event_name": event, "conversation_id": "c-1", "generation_id": "g-1" });
        call.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call
    };
    let codex = json!({ "session_id": "x-1", "turn_id": "t-1", "cwd": "/srv", "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": remove(), "tool_use_id": "call-1" });
    let gemini = json!({ "session_id": "g-1", "cwd": "/srv", "hook_event_name": "BeforeTool", "timestamp": "2026-11-29T13:00:00Z",
        "tool_name": "run_shell_command", "tool_input": remove() });
    let of_cursor: (Check, Check) = (
        |said| said["permission"] == "allow",
        |said| said["permission"] == "deny",
    );
    [
        (
            "codex",
            codex,
            |said| *said == json!({}),
            |said| said["hookSpecificOutput"]["permissionDecision"] == "deny",
        ),
        (
            "gemini",
            gemini,
            |said| said["decision"] == "allow",
            |said| said["decision"] == "deny",
        ),
        (
            "cursor",
            cursor(
                "beforeShellExecution",
                json!({ "command": "rm -r build", "cwd": "/srv" }),
            ),
            of_cursor.0,
            of_cursor.1,
        ),
        (
            "cursor",
            cursor(
                "beforeMCPExecution",
                json!({ "tool_name": "refund", "tool_input": "{\"cents\":1250}", "url": "http://pay/mcp" }),
            ),
            of_cursor.0,
            of_cursor.1,
        ),
        (
            "cursor",
            cursor(
                "preToolUse",
                json!({ "tool_name": "Write", "tool_input": { "path": "a" }, "tool_use_id": "w-1" }),
            ),
            of_cursor.0,
            of_cursor.1,
        ),
    ]
}

#[test]
fn each_host_is_told_yes_and_no_in_its_own_words_and_blocked_by_silence() {
    let Team {
        agent,
        alice,
        server,
        dir: _dir,
        ..
    } = Team::new();
    for (host, call, is_yes, is_no) in calls_of_hosts() {
        let said = |token: &str| -> Value {
            let output = hook_of(host, &server.url, token, "1s", &call.to_string());
            assert!(output.status.success(), "{host}: {output:?}");
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let waits = said(&agent.token);
        assert!(
            is_no(&waits) && waits.to_string().contains("repeat this call"),
            "{host}: {waits}"
        );
        assert!(is_no(&said("plt_wrong")), "{host}");
        let waiting = alice.get("/api/v1/approvals").ok(200);
        assert_eq!(waiting.as_array().unwrap().len(), 1, "{host}: {waiting}");
        alice.approve(&waiting[0]).ok(201);
        let yes = said(&agent.token);
        assert!(is_yes(&yes), "{host}: {yes}");
        let mut other = call.clone();
        other["hook_event_name"] = json!("Stop");
        assert!(
            blocked(&hook_of(
                host,
                &server.url,
                &agent.token,
                "1s",
                &other.to_string()
            ))
            .contains("Stop")
        );
    }
    server.kill();
    for (host, call, ..) in calls_of_hosts() {
        blocked(&hook_of(
            host,
            &agent.url,
            &agent.token,
            "1s",
            &call.to_string(),
        ));
    }
}

#[test]
fn a_call_that_ran_while_the_server_was_away_is_reported_after_the_restart() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let read = json!({ "file_path": "/srv/shop/README.md" });
    let said = ask(&agent, "0s", &call("PreToolUse", "Read", &read, "toolu_1"));
    assert_eq!(said["permissionDecision"], "allow");
    server.kill();
    let server = crate::server::Server::start(dir.path());
    let agent = server.client(&agent.token);
    let other = call("PostToolUse", "Read", &read, "toolu_9");
    agent.post("/hooks/claude-code", &other).ok(200);
    let count = |status: &str| {
        let found = agent
            .get(&format!("/api/v1/approvals?status={status}"))
            .ok(200);
        found.as_array().unwrap().len()
    };
    assert_eq!(
        (count("claimed"), count("succeeded")),
        (1, 0),
        "another call is not this one"
    );
    for _ in 0..2 {
        agent
            .post(
                "/hooks/claude-code",
                &call("PostToolUse", "Read", &read, "toolu_1"),
            )
            .ok(200);
        assert_eq!((count("claimed"), count("succeeded")), (0, 1));
    }
}

fn doctor(host: &str, url: &str, token: &str, settings: &std::path::Path) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command
        .args(["doctor", "--host", host, "--server", url, "--settings"])
        .arg(settings);
    // No program of a host is looked for: its version would be this machine's.
    let output = command
        .env("PROOFLOAD_TOKEN", token)
        .env("PATH", "")
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn a_doctor_finds_what_would_let_a_call_pass() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let file = dir.path().join("settings.json");
    for host in ["claude-code", "codex", "cursor", "gemini"] {
        let mut command = Command::new(PROGRAM);
        let printed = command
            .args(["doctor", "--host", host, "--print", "--server", &server.url])
            .output()
            .unwrap();
        std::fs::write(&file, &printed.stdout).unwrap();
        let (code, text) = doctor(host, &server.url, &agent.token, &file);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("ok    the hook takes the token"), "{text}");
    }
    let fails = |url: &str, token: &str, file: &std::path::Path, what: &str| {
        let (code, text) = doctor("gemini", url, token, file);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.lines()
                .any(|line| line.starts_with("FAIL") && line.contains(what)),
            "{what}: {text}"
        );
    };
    fails(&server.url, "plt_wrong", &file, "refuses the token");
    fails(&server.url, &alice.token, &file, "refuses the token");
    fails(&server.url, "", &file, "PROOFLOAD_TOKEN");
    fails(
        &server.url,
        &agent.token,
        &dir.path().join("none.json"),
        "cannot be read",
    );
    std::fs::write(&file, "{").unwrap();
    fails(&server.url, &agent.token, &file, "no JSON");
    server.kill();
    fails(&agent.url, &agent.token, &file, "no answer");
}

#[test]
fn the_command_blocks_on_answers_that_are_none() {
    use std::io::Read as _;
    let good = call("PreToolUse", "Bash", &remove(), "toolu_1").to_string();
    let answers = [
        "HTTP/1.1 200 OK\r\nproofload-decision: allow\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        "HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n{\"hookSpecificOutput\":{\"hookEventName\":\"PreToolUse\",\"permissionDecision\":1}}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        "",
    ];
    let both = answers
        .iter()
        .flat_map(|answer| ["claude-code", "codex"].map(|host| (answer, host)));
    // Codex takes an empty object for consent, so the word of the header has to be there too.
    for (answer, host) in
        both.filter(|(answer, host)| *host != "codex" || !answer.contains("allow"))
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 8192];
                let _ = stream.read(&mut head).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            });
            blocked(&hook_of(host, &url, "plt_x", "1s", &good));
        });
    }
    // A server that takes the call and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    blocked(&hook(&url, "plt_x", "0s", &good));
}
