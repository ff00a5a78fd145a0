//! What agents record and remember.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::server::{Client, Server, Team, token};

/// What was acknowledged to one client: keys and numbers of records, and memories.
type Acknowledged = (Vec<(String, Value)>, Vec<Value>);

fn append(client: &Client, stream: &str, key: &str, data: &Value) -> crate::server::Answer {
    client.keyed(
        &format!("/api/v1/streams/{stream}/records"),
        key,
        &json!({ "data": data }),
    )
}

fn remember(client: &Client, key: &str, text: &str) -> crate::server::Answer {
    let body = json!({ "text": text, "tags": ["build"], "attributes": { "red": true } });
    client.keyed("/api/v1/namespaces/team:builds/memories", key, &body)
}

fn data(records: &Value) -> Vec<Value> {
    records
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["data"].clone())
        .collect()
}

#[test]
fn records_are_appended_once_read_in_both_directions_and_verified() {
    let Team {
        agent,
        alice,
        operator,
        server,
        dir,
        ..
    } = Team::new();
    let numbers: Vec<Value> = (0..5)
        .map(|n| {
            append(&agent, "build-bot:log", &format!("k{n}"), &json!(n)).ok(201)["seq"].clone()
        })
        .collect();
    assert_eq!(
        append(&agent, "build-bot:log", "k0", &json!(0)).ok(201)["seq"],
        numbers[0],
        "said again, it stands"
    );
    assert_eq!(
        append(&agent, "build-bot:log", "k0", &json!("other")).problem(422),
        "idempotency_key_reused"
    );
    append(&agent, "build-bot", "k0", &json!("another stream")).ok(201);
    let read = |client: &Client, query: &str| {
        client.get(&format!("/api/v1/streams/build-bot:log/records{query}"))
    };
    assert_eq!(data(&read(&agent, "").ok(200)), [0, 1, 2, 3, 4]);
    assert_eq!(
        data(&read(&agent, &format!("?from={}&limit=2", numbers[2])).ok(200)),
        [2, 3]
    );
    assert_eq!(
        data(&read(&alice, &format!("?before={}", numbers[2])).ok(200)),
        [1, 0]
    );
    assert_eq!(read(&agent, "").ok(200)[0]["by"], "build-bot");
    assert_eq!(read(&agent, "?limit=0").problem(400), "invalid_field");
    assert_eq!(
        agent.get("/api/v1/streams").ok(200),
        json!(["build-bot", "build-bot:log"])
    );
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(
        append(&agent, "build-bot", "deep", &deep).status / 100,
        4,
        "what could not be read back is refused"
    );

    let verify =
        |client: &Client| client.post("/api/v1/streams/build-bot:log/verification", &json!({}));
    let verified = verify(&operator).ok(200);
    assert_eq!(
        (&verified["holds"], &verified["records"]),
        (&json!(true), &json!(5))
    );
    server.kill();
    let log = dir.path().join("streams/build-bot:log");
    let segment = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let segment = segment
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .unwrap();
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.replacen("\"data\":1", "\"data\":7", 1)).unwrap();
    let server = Server::start(dir.path());
    let verified = verify(&server.client(&operator.token));
    let told = verified.status != 200 || verified.json()["holds"] == false;
    assert!(told, "a changed record is told: {verified:?}");
}

#[test]
fn memories_are_stored_once_recalled_and_forgotten() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let stored = remember(&agent, "m1", "the linker ran out of memory").ok(201);
    assert_eq!(
        remember(&agent, "m1", "the linker ran out of memory").ok(201),
        stored
    );
    assert_eq!(
        remember(&agent, "m1", "something else").problem(422),
        "idempotency_key_reused"
    );
    remember(&agent, "m2", "the nightly build failed").ok(201);
    let recall =
        |client: &Client, body: Value| client.post("/api/v1/namespaces/team:builds/recall", &body);
    let found = recall(&agent, json!({ "text": "linker memory", "limit": 5 })).ok(200);
    assert_eq!(
        (&found[0]["memory"], &found[0]["reasons"][0]["signal"]),
        (&stored, &json!("text"))
    );
    let other = server.client(&token(dir.path(), "pay-bot", "agent"));
    assert_eq!(
        recall(&other, json!({ "tags": ["build"] }))
            .ok(200)
            .as_array()
            .unwrap()
            .len(),
        2,
        "shared"
    );
    assert_eq!(
        recall(&alice, json!({ "attributes": { "red": false } })).ok(200),
        json!([])
    );
    assert_eq!(
        recall(&alice, json!({ "limit": 0 })).problem(400),
        "invalid_field"
    );
    assert_eq!(
        agent.get("/api/v1/namespaces/team:builds").ok(200)["items"],
        2
    );
    let place = format!("/api/v1/namespaces/team:builds/memories/{}", stored["id"]);
    assert_eq!(alice.get(&place).ok(200), stored);
    assert_eq!(alice.delete(&place).problem(403), "insufficient_scope");
    other.delete(&place).ok(204);
    assert_eq!(agent.get(&place).problem(404), "not_found");
    assert_eq!(agent.delete(&place).problem(404), "not_found");
}

#[test]
fn another_agents_streams_and_namespaces_look_like_none() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    append(&agent, "build-bot:log", "k", &json!(1)).ok(201);
    agent
        .post(
            "/api/v1/namespaces/build-bot/memories",
            &json!({ "text": "mine" }),
        )
        .ok(201);
    let other = server.client(&token(dir.path(), "pay-bot", "agent"));
    assert_eq!(other.get("/api/v1/streams").ok(200), json!([]));
    for stream in [
        "build-bot:log",
        "build-bot",
        "nobody",
        "..%2Fapprovals",
        "pay-bot%2F..%2Fbuild-bot",
        "team",
        "%00",
    ] {
        let path = format!("/api/v1/streams/{stream}/records");
        assert_eq!(other.get(&path).problem(404), "not_found", "{stream}");
        assert_eq!(
            other.post(&path, &json!({ "data": 1 })).problem(404),
            "not_found",
            "{stream}"
        );
    }
    for path in [
        "/api/v1/namespaces/build-bot",
        "/api/v1/namespaces/build-bot/memories/1",
    ] {
        assert_eq!(other.get(path).problem(404), "not_found", "{path}");
    }
    for rest in ["memories", "recall"] {
        let path = format!("/api/v1/namespaces/build-bot/{rest}");
        assert_eq!(
            other.post(&path, &json!({ "text": "x" })).problem(404),
            "not_found"
        );
    }
}

#[test]
fn kill_9_loses_no_acknowledged_record_or_memory() {
    const CLIENTS: usize = 4;
    const BEFORE_THE_KILL: usize = 40;
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let done = AtomicUsize::new(0);
    let acknowledged: Vec<Acknowledged> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (agent, done) = (&agent, &done);
                scope.spawn(move || {
                    let (mut records, mut memories) = (Vec::new(), Vec::new());
                    for turn in 0.. {
                        let key = format!("{client}-{turn}");
                        let record = agent.try_keyed(
                            "/api/v1/streams/team:log/records",
                            &key,
                            &json!({ "data": key }),
                        );
                        let Some(record) = record else { break };
                        records.push((key.clone(), record.ok(201)["seq"].clone()));
                        let memory = json!({ "text": format!("memory {key}") });
                        let memory =
                            agent.try_keyed("/api/v1/namespaces/team:log/memories", &key, &memory);
                        let Some(memory) = memory else { break };
                        memories.push(memory.ok(201));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    (records, memories)
                })
            })
            .collect();
        while done.load(Ordering::Relaxed) < BEFORE_THE_KILL {
            thread::yield_now();
        }
        server.kill();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    let server = Server::start(dir.path());
    let agent = server.client(&agent.token);
    for (records, memories) in &acknowledged {
        for (key, seq) in records {
            let again = append(&agent, "team:log", key, &json!(key)).ok(201);
            assert_eq!(
                again["seq"], *seq,
                "it is there, under its key and its number"
            );
        }
        for memory in memories {
            let path = format!("/api/v1/namespaces/team:log/memories/{}", memory["id"]);
            assert_eq!(agent.get(&path).ok(200), *memory);
        }
    }
    let last = agent
        .get("/api/v1/streams/team:log/records?before=18446744073709551615&limit=1")
        .ok(200);
    let all: usize = acknowledged.iter().map(|(records, _)| records.len()).sum();
    // One for each client may be there whose answer the kill cut off.
    assert!(
        last[0]["seq"].as_u64().unwrap() <= (all + CLIENTS) as u64,
        "none was appended twice"
    );
}
