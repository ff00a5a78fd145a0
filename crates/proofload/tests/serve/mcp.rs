//! MCP: the tools of the server, over Streamable HTTP and over standard streams, in both eras.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::server::{Answer, Client, PROGRAM, Team, new_key, refund, token};

const VERSION: &str = "2026-07-28";

fn post(client: &Client, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ];
    all.extend(headers);
    client
        .send("POST", "/mcp", &all, Some(body.to_string().as_bytes()))
        .expect("it answers")
}

fn message(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// A call as clients of 2025-11-25 make it; the result.
fn call(client: &Client, tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let headers = [("MCP-Protocol-Version", "2025-11-25")];
    let answer = post(client, &headers, &message("tools/call", &params)).ok(200);
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&json!("2.0"), &json!(7)),
        "{answer}"
    );
    answer["result"].clone()
}

fn found(client: &Client, tool: &str, arguments: &Value) -> Value {
    let result = call(client, tool, arguments);
    assert_eq!(result["isError"], false, "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    let said: Value = serde_json::from_str(text).unwrap();
    assert_eq!(said, result["structuredContent"], "both say the same");
    let list = post(client, &[], &message("tools/list", &json!({}))).ok(200);
    let tools = list["result"]["tools"].as_array().unwrap();
    let listed = tools.iter().find(|listed| listed["name"] == tool).unwrap();
    if let Err(error) = jsonschema::validate(&listed["outputSchema"], &said) {
        panic!("{tool} answers as its schema says: {error}: {said}");
    }
    said
}

/// A call of 2026-07-28 with what the client can do; the whole answer.
fn stateless(client: &Client, method: &str, capabilities: &Value, mut params: Value) -> Answer {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    let mut headers = vec![("MCP-Protocol-Version", VERSION), ("Mcp-Method", method)];
    if !name.is_empty() {
        headers.push(("Mcp-Name", name.as_str()));
    }
    post(client, &headers, &message(method, &params))
}

#[test]
fn an_agent_asks_waits_claims_and_reports_by_tools() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let ask = json!({ "action": refund(), "key": new_key() });
    let asked = found(&agent, "request_approval", &ask);
    assert_eq!(asked["status"], "pending");
    assert_eq!(
        found(&agent, "request_approval", &ask)["id"],
        asked["id"],
        "it happens once"
    );
    let id = &asked["id"];
    let may = found(
        &agent,
        "can_execute",
        &json!({ "id": id, "action": refund() }),
    );
    assert_eq!(may, json!({ "allowed": false, "reason": "pending" }));
    let early = call(
        &agent,
        "claim_approval",
        &json!({ "id": id, "action": refund(), "key": new_key() }),
    );
    assert_eq!(early["isError"], true);
    let problem: Value =
        serde_json::from_str(early["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&problem["code"], &problem["reason"]),
        (&json!("not_executable"), &json!("pending"))
    );

    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| found(&agent, "get_approval", &json!({ "id": id, "wait": "60s" })));
        alice.approve(&asked).ok(201);
        assert_eq!(waiting.join().unwrap()["status"], "approved");
    });
    let claim = json!({ "id": id, "action": refund(), "key": new_key() });
    let token = found(&agent, "claim_approval", &claim)["token"].clone();
    assert_eq!(found(&agent, "claim_approval", &claim)["token"], token);
    let report = json!({ "id": id, "token": token, "outcome": "succeeded" });
    assert_eq!(
        found(&agent, "finish_approval", &report)["status"],
        "succeeded"
    );
    let other = found(
        &agent,
        "request_approval",
        &json!({ "action": refund(), "key": new_key() }),
    );
    let withdrawn = found(&agent, "withdraw_approval", &json!({ "id": other["id"] }));
    assert_eq!(withdrawn["status"], "withdrawn");
    let still = found(
        &agent,
        "get_approval",
        &json!({ "id": other["id"], "wait": "60s" }),
    );
    assert_eq!(
        still["status"], "withdrawn",
        "what is decided is told at once"
    );
}

#[test]
fn a_wait_that_is_over_tells_what_stands() {
    let Team {
        agent,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let still = found(
        &agent,
        "get_approval",
        &json!({ "id": asked["id"], "wait": "1s" }),
    );
    assert_eq!(still["status"], "pending");
}

#[test]
fn agents_simulate_record_and_remember_by_tools() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let plan = json!({ "name": "tidy", "steps": [{ "id": "a", "action": {
        "path": "kv/delete", "name": "Delete", "parameters": { "key": "orders/A-17" } } }] });
    let seen = found(
        &agent,
        "simulate_plan",
        &json!({ "plan": plan, "facts": { "orders/A-17": { "cents": 1 } } }),
    );
    assert!(seen.to_string().contains("orders/A-17"), "{seen}");

    let record = json!({ "stream": "build-bot", "data": { "n": 1 }, "key": "r" });
    let seq = found(&agent, "append_record", &record);
    assert_eq!(found(&agent, "append_record", &record), seq);
    let records = found(
        &agent,
        "read_records",
        &json!({ "stream": "build-bot", "from": 0, "limit": 10 }),
    );
    assert_eq!(records["items"].as_array().unwrap().len(), 1, "{records}");

    let text =
        json!({ "namespace": "team:builds", "text": "the linker ran out of memory", "key": "m" });
    let memory = found(&agent, "remember", &text);
    let hits = found(
        &agent,
        "recall",
        &json!({ "namespace": "team:builds", "text": "linker" }),
    );
    assert_eq!(hits["items"][0]["memory"]["id"], memory["id"]);
    let gone = json!({ "namespace": "team:builds", "id": memory["id"] });
    assert_eq!(found(&agent, "forget", &gone), json!({ "done": true }));
    assert_eq!(call(&agent, "forget", &gone)["isError"], true);
    let other = call(&agent, "read_records", &json!({ "stream": "pay-bot" }));
    assert!(
        other["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("not_found"),
        "{other}"
    );
    // A reviewer has no tool that asks or writes, nor one that decides.
    let list = post(&alice, &[], &message("tools/list", &json!({}))).ok(200);
    let names: Vec<&str> = list["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"recall") && !names.contains(&"remember") && !names.contains(&"approve"),
        "{names:?}"
    );
}

#[test]
fn a_list_says_what_each_tool_takes_gives_and_does() {
    let Team {
        agent,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let hello = post(&agent, &[], &message("initialize", &hello)).ok(200);
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(post(&agent, &[], &ready).ok(202), Value::Null);
    assert_eq!(
        post(&agent, &[], &message("ping", &json!({}))).ok(200)["result"],
        json!({})
    );
    let list = post(&agent, &[], &message("tools/list", &json!({}))).ok(200);
    let tools = list["result"]["tools"].as_array().unwrap();
    assert!(
        list["result"].get("ttlMs").is_none(),
        "it is of the other era"
    );
    let hints = |name: &str| {
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        let hints = &tool["annotations"];
        assert_eq!(hints["openWorldHint"], false);
        (
            hints["readOnlyHint"] == true,
            hints["destructiveHint"] == true,
        )
    };
    assert_eq!(hints("can_execute"), (true, false));
    assert_eq!(hints("request_approval"), (false, false));
    assert_eq!(hints("claim_approval"), (false, true));
    let claim = tools
        .iter()
        .find(|tool| tool["name"] == "claim_approval")
        .unwrap();
    assert_eq!(
        claim["inputSchema"]["required"],
        json!(["id", "key", "action"])
    );
    assert_eq!(claim["outputSchema"]["type"], "object");
}

#[test]
fn wrong_arguments_are_told_to_the_model_and_wrong_messages_to_its_host() {
    let Team {
        agent,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let code = |answer: Answer, status: u16| answer.ok(status)["error"]["code"].as_i64().unwrap();
    let refused = |tool: &str, arguments: &Value| {
        let result = call(&agent, tool, arguments);
        assert_eq!(result["isError"], true, "{arguments}");
        let text = result["content"][0]["text"].as_str().unwrap();
        let problem: Value = serde_json::from_str(text).unwrap();
        problem["code"].as_str().unwrap().to_owned()
    };
    for (arguments, why) in [
        (json!({}), "invalid_field"),
        (json!({ "action": refund() }), "invalid_field"),
        (
            json!({ "action": refund(), "key": "" }),
            "idempotency_key_missing",
        ),
        (
            json!({ "action": refund(), "key": "a\nb" }),
            "invalid_field",
        ),
        (json!({ "action": refund(), "key": {} }), "invalid_field"),
        (
            json!({ "action": refund(), "key": "k", "more": 1 }),
            "invalid_field",
        ),
        (
            json!({ "action": refund(), "key": "k", "facts": 3 }),
            "invalid_field",
        ),
        (
            json!({ "action": { "path": "a//b", "name": "n" }, "key": "k" }),
            "invalid_field",
        ),
    ] {
        assert_eq!(refused("request_approval", &arguments), why, "{arguments}");
    }
    assert_eq!(
        refused(
            "read_records",
            &json!({ "stream": "build-bot", "limit": 0 })
        ),
        "invalid_field"
    );
    let tool = |name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments });
        code(post(&agent, &[], &message("tools/call", &params)), 200)
    };
    assert_eq!(tool("decide", json!({})), -32602);
    assert_eq!(tool("request_approval", json!([])), -32602);
    let twice = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"can_execute","arguments":{"id":"r-1","id":"r-2"}}}"#;
    let headers = [("Content-Type", "application/json")];
    let send = |body: &[u8]| {
        agent
            .send("POST", "/mcp", &headers, Some(body))
            .expect("it answers")
    };
    assert_eq!(code(send(twice), 200), -32602);
    assert_eq!(
        code(post(&agent, &[], &message("prompts/list", &json!({}))), 200),
        -32601
    );
    assert_eq!(code(send(b"{"), 400), -32700);
    assert_eq!(code(send(b"[]"), 400), -32600);
    let odd = post(
        &agent,
        &[("MCP-Protocol-Version", "1900-01-01")],
        &message("ping", &json!({})),
    );
    assert_eq!(code(odd, 400), -32600);
    assert_eq!(
        post(&server.client(""), &[], &message("ping", &json!({}))).problem(401),
        "unauthenticated"
    );
    let foreign = post(
        &agent,
        &[("Origin", "https://evil.example")],
        &message("ping", &json!({})),
    );
    assert_eq!(foreign.problem(403), "origin_refused");
    assert_eq!(agent.get("/mcp").problem(405), "method_not_allowed");
}

#[test]
fn a_client_without_a_session_says_in_each_request_who_it_is() {
    let Team {
        agent,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let none = json!({});
    let found = stateless(&agent, "server/discover", &none, json!({})).ok(200)["result"].clone();
    assert_eq!(found["resultType"], "complete");
    assert!(
        found["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!(VERSION)),
        "{found}"
    );
    let list = stateless(&agent, "tools/list", &none, json!({})).ok(200);
    assert_eq!(
        (&list["result"]["cacheScope"], &list["result"]["resultType"]),
        (&json!("private"), &json!("complete"))
    );
    for method in ["ping", "initialize"] {
        let gone = stateless(&agent, method, &none, json!({})).ok(404);
        assert_eq!(
            gone["error"]["code"], -32601,
            "{method} is of the other era"
        );
    }
    let mut bare = message("tools/list", &json!({}));
    let headers = [
        ("MCP-Protocol-Version", VERSION),
        ("Mcp-Method", "tools/list"),
    ];
    assert_eq!(
        post(&agent, &headers, &bare).ok(400)["error"]["code"],
        -32602
    );
    bare["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {} });
    assert_eq!(
        post(&agent, &headers[..1], &bare).ok(400)["error"]["code"],
        -32020
    );
}

#[test]
fn a_client_that_can_show_a_page_brings_the_person_to_the_inbox_once() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let can_show = json!({ "elicitation": { "url": {} } });
    let mut params =
        json!({ "name": "request_approval", "arguments": { "action": refund(), "key": "k" } });
    let ask = |capabilities: &Value, params: &Value| {
        stateless(&agent, "tools/call", capabilities, params.clone()).ok(200)["result"].clone()
    };
    let asked = ask(&can_show, &params);
    assert_eq!(asked["resultType"], "input_required");
    let shown = &asked["inputRequests"]["inbox"];
    assert_eq!(
        (&shown["method"], &shown["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    let waiting = alice.get("/api/v1/approvals").ok(200);
    assert_eq!(
        waiting.as_array().unwrap().len(),
        1,
        "the request exists before anybody is asked"
    );
    let page = format!(
        "{}/requests/{}",
        agent.url,
        waiting[0]["id"].as_str().unwrap()
    );
    assert_eq!(shown["params"]["url"], page);
    params["requestState"] = json!("made up");
    assert_eq!(ask(&can_show, &params)["resultType"], "input_required");
    params["requestState"] = asked["requestState"].clone();
    params["inputResponses"] = json!({ "inbox": { "action": "accept" } });
    let done = ask(&can_show, &params);
    assert_eq!(
        (&done["resultType"], &done["structuredContent"]["status"]),
        (&json!("complete"), &json!("pending"))
    );
    params["arguments"]["key"] = json!("other");
    assert_eq!(
        ask(&can_show, &params)["resultType"],
        "input_required",
        "another request, another question"
    );
    let polls = ask(&json!({}), &params);
    assert_eq!(polls["resultType"], "complete");
    assert!(
        polls["content"][1]["text"]
            .as_str()
            .unwrap()
            .contains("/requests/"),
        "{polls}"
    );
}

/// `claude -p --permission-prompt-tool mcp__gate__approve`
#[test]
fn a_host_without_hooks_asks_by_a_tool() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let ask = |tool: &str, input: &Value, id: &str| -> Value {
        let arguments = json!({ "tool_name": tool, "input": input, "tool_use_id": id });
        let result = call(&agent, "approve", &arguments);
        assert_eq!(result["content"].as_array().unwrap().len(), 1, "{result}");
        serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
    };
    let input = json!({ "file_path": "/srv/shop/README.md" });
    assert_eq!(
        ask("Read", &input, "toolu_1"),
        json!({ "behavior": "allow", "updatedInput": input })
    );
    assert_eq!(ask("../Read", &input, "toolu_2")["behavior"], "deny");
    std::thread::scope(|scope| {
        let said = scope.spawn(|| ask("Bash", &json!({ "command": "rm -r build" }), "toolu_3"));
        let asked = loop {
            if let Some(asked) = alice.get("/api/v1/approvals").ok(200).get(0) {
                break asked.clone();
            }
        };
        let no =
            json!({ "verdict": "deny", "shown": asked["digest"], "reason": "not on a Friday" });
        alice
            .post(&crate::server::of(&asked, "/decisions"), &no)
            .ok(201);
        let said = said.join().unwrap();
        assert_eq!(said["behavior"], "deny");
        assert!(
            said["message"]
                .as_str()
                .unwrap()
                .ends_with("not on a Friday"),
            "{said}"
        );
    });
}

/// What a host writes to `proofload mcp`, and what it reads.
fn over_streams(arguments: &[&str], token: &str, lines: &[Value]) -> Vec<Value> {
    let mut child = Command::new(PROGRAM)
        .arg("mcp")
        .args(arguments)
        .env("PROOFLOAD_TOKEN", token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = BufReader::new(stdout).lines();
    let mut found = Vec::new();
    for line in lines {
        writeln!(stdin, "{line}").unwrap();
        if line.get("id").is_some() {
            let answer = answers.next().expect("it answers").unwrap();
            found.push(serde_json::from_str(&answer).unwrap());
        }
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.count(), 0, "a notification has no answer");
    found
}

#[test]
fn a_host_that_speaks_over_streams_has_the_same_tools() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let lines = [
        message("initialize", &hello),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        message("tools/list", &json!({})),
        message(
            "tools/call",
            &json!({ "name": "append_record", "arguments": { "stream": "build-bot", "data": 1, "key": "k" } }),
        ),
        message(
            "tools/call",
            &json!({ "name": "read_records", "arguments": { "stream": "build-bot" } }),
        ),
        message(
            "tools/call",
            &json!({ "name": "no\u{fc}", "arguments": {} }),
        ),
    ];
    let seen = |found: &[Value]| {
        assert_eq!(found.len(), 5, "{found:?}");
        assert_eq!(found[0]["result"]["protocolVersion"], "2025-11-25");
        assert!(found[1]["result"]["tools"].as_array().unwrap().len() > 10);
        assert_eq!(
            found[3]["result"]["structuredContent"]["items"][0]["data"], 1,
            "{}",
            found[3]
        );
        assert_eq!(found[4]["error"]["code"], -32602);
    };
    seen(&over_streams(
        &["--server", &server.url],
        &agent.token,
        &lines,
    ));
    let stateless = json!({ "jsonrpc": "2.0", "id": "s", "method": "server/discover", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {} } } });
    let found = over_streams(&["--server", &server.url], &agent.token, &[stateless]);
    assert_eq!(found[0]["result"]["resultType"], "complete", "{found:?}");
    let refused = over_streams(&["--server", &server.url], "plt_wrong", &lines[..1]);
    assert_eq!(refused[0]["error"]["data"]["code"], "unauthenticated");
    server.terminate();
    let away = over_streams(&["--server", &agent.url], &agent.token, &lines[..1]);
    assert_eq!(away[0]["error"]["code"], -32603);
    let place = dir.path().to_str().unwrap();
    seen(&over_streams(
        &["--dir", place, "--as", "build-bot"],
        "",
        &lines,
    ));
}

/// The load tester's own client of MCP, over HTTP and over streams: what was acknowledged is found again.
#[test]
fn a_load_over_mcp_finds_every_record_that_was_acknowledged() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let program = |url: &str| format!("command = {}", json!([PROGRAM, "mcp", "--server", url]));
    let http = format!(
        "url = \"{}/mcp\"\nheaders = {{ authorization = \"Bearer ${{secret.PROOFLOAD_TOKEN}}\" }}",
        server.url
    );
    for (name, service) in [("http", http), ("streams", program(&server.url))] {
        let out = dir.path().join(format!("out-{name}"));
        let file = dir.path().join(format!("{name}.toml"));
        std::fs::write(&file, scenario(name, &service)).unwrap();
        prove(&file, &out, &agent.token);
    }
}

fn scenario(name: &str, service: &str) -> String {
    format!(
        r#"
name = "mcp-{name}"
thresholds = ['error_rate < 50%']

[services.gate]
kind = "mcp"
{service}
allow = ["append_record"]

[[flows.record]]
call = "append_record"
args = '{{ "stream": "team:{name}", "data": {{ "id": "${{id}}" }}, "key": "${{id}}" }}'
effect = {{ creates = "record", key = "${{id}}", content = "build-bot" }}

[effects.record]
read.call = "read_records"
read.args = '{{ "stream": "team:{name}", "limit": 200 }}'
read.rows = "$.structuredContent.items[*]"
read.key = "$.data.id"
read.content = "$.by"

[model]
users = 4
total_iterations = 120
"#
    )
}

fn prove(scenario: &Path, out: &Path, token: &str) {
    let output = Command::new(PROGRAM)
        .arg("run")
        .arg(scenario)
        .arg("--out")
        .arg(out)
        .env("PROOFLOAD_TOKEN", token)
        .output()
        .unwrap();
    let report =
        std::fs::read(out.join("latest/report.json")).unwrap_or_else(|_| panic!("{output:?}"));
    let report: Value = serde_json::from_slice(&report).unwrap();
    let found = &report["scenarios"][0]["effects"][0]["readings"][0]["verification"];
    assert_eq!(found["verified"], 120, "{output:?}");
    for wrong in ["lost", "altered", "duplicated", "unexpected", "unreadable"] {
        assert_eq!(found[wrong], 0, "{wrong}: {found}");
    }
}

#[test]
fn an_agents_tools_cannot_be_called_for_another_agent() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let stranger = server.client(&token(dir.path(), "pay-bot", "agent"));
    let asked = agent.ask();
    for tool in ["get_approval", "withdraw_approval"] {
        let result = call(&stranger, tool, &json!({ "id": asked["id"] }));
        assert!(
            result["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains("not_found"),
            "{result}"
        );
    }
}
