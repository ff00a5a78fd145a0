//! Conversations: acknowledged when they are on disk, answered from what was said before.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::server::{Client, Server, Team, token};

fn begun(agent: &Client) -> String {
    let found = agent
        .post("/api/v1/chat/conversations", &json!({ "title": "builds" }))
        .ok(201);
    found["id"].as_str().unwrap().to_owned()
}

fn path(conversation: &str) -> String {
    format!("/api/v1/chat/conversations/{conversation}/messages")
}

fn say(agent: &Client, conversation: &str, key: &str, text: &str) -> Value {
    agent
        .keyed(&path(conversation), key, &json!({ "text": text }))
        .ok(201)
}

#[test]
fn what_was_said_is_found_after_a_kill_and_answers_quote_it() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let conversation = begun(&agent);
    let first = say(
        &agent,
        &conversation,
        "k1",
        "the linker ran out of memory in build seven",
    );
    assert_eq!(first["answer"]["text"], "Nothing is known about this.");
    let asked = say(&agent, &conversation, "k2", "why did the linker fail?");
    let quoted = &asked["answer"]["sources"][0]["text"];
    assert_eq!(
        quoted, "the linker ran out of memory in build seven",
        "{asked}"
    );
    assert_eq!(
        say(&agent, &conversation, "k2", "why did the linker fail?"),
        asked,
        "it is said once"
    );
    let other = agent.keyed(
        &path(&conversation),
        "k2",
        &json!({ "text": "something else" }),
    );
    assert_eq!(other.problem(422), "idempotency_key_reused");
    server.kill();
    let server = Server::start(dir.path());
    let agent = server.client(&agent.token);
    let messages = agent.get(&path(&conversation)).ok(200);
    let roles: Vec<&Value> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(messages[3]["answers"], messages[2]["seq"]);
    assert_eq!(
        say(&agent, &conversation, "k2", "why did the linker fail?"),
        asked,
        "also after the restart"
    );
    let last = messages[3]["seq"].as_u64().unwrap();
    let rest = agent
        .get(&format!("{}?from={last}&limit=1", path(&conversation)))
        .ok(200);
    assert_eq!(rest.as_array().unwrap().len(), 1);
}

#[test]
fn a_message_is_told_as_accepted_before_it_is_answered() {
    let Team {
        agent,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let conversation = begun(&agent);
    let body = json!({ "text": "hello" }).to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
        ("Accept", "text/event-stream"),
    ];
    let answer = agent
        .send(
            "POST",
            &path(&conversation),
            &headers,
            Some(body.as_bytes()),
        )
        .unwrap();
    assert_eq!(
        answer.header("content-type"),
        "text/event-stream",
        "{answer:?}"
    );
    let lines = BufReader::new(answer.text.as_bytes())
        .lines()
        .map_while(Result::ok);
    let names: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("event: ").map(str::to_owned))
        .collect();
    assert_eq!(
        names,
        ["message.accepted", "message.delta", "message.completed"]
    );
    let messages = agent.get(&path(&conversation)).ok(200);
    assert_eq!(messages.as_array().unwrap().len(), 2, "{messages}");
}

#[test]
fn a_conversation_is_its_agents_own() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let conversation = begun(&agent);
    say(&agent, &conversation, "k", "the key is under the mat");
    let stranger = server.client(&token(dir.path(), "pay-bot", "agent"));
    assert_eq!(stranger.get(&path(&conversation)).problem(404), "not_found");
    let post = stranger.post(
        &path(&conversation),
        &json!({ "text": "where is the key?" }),
    );
    assert_eq!(post.problem(404), "not_found");
    assert_eq!(
        stranger.get("/api/v1/chat/conversations").ok(200),
        json!([])
    );
    let own = begun(&stranger);
    let asked = say(&stranger, &own, "k", "where is the key?");
    assert_eq!(
        asked["answer"]["text"], "Nothing is known about this.",
        "memories are each agent's own"
    );
    assert_eq!(
        alice.get(&path(&conversation)).problem(403),
        "insufficient_scope"
    );
    let listed = agent.get("/api/v1/chat/conversations").ok(200);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["title"]),
        (&json!(conversation), &json!("builds"))
    );
    let long = "x".repeat(20 << 10);
    let long = agent.post(&path(&conversation), &json!({ "text": long }));
    assert_eq!(long.problem(413), "too_large");
}
