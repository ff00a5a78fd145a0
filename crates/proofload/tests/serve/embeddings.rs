//! Memories that a model embeds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::server::{Client, Server, token};

/// A model whose vectors say how many of some letters a text has; texts with "refuse" are refused. It
/// serves until the test's process ends.
fn model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let serve = move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut reader = BufReader::new(&stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length = length.lines().next().unwrap().trim().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let texts: Vec<&str> = body["input"]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap())
                .collect();
            let is_refused = texts.iter().any(|text| text.contains("refuse"));
            let data: Vec<Value> = texts
                .iter()
                .enumerate()
                .map(|(index, text)| {
                    let count = |letter| 1 + text.matches(letter).count();
                    json!({ "index": index, "embedding": [count('a'), count('e'), count('o')] })
                })
                .collect();
            let status = if is_refused {
                "400 Bad Request"
            } else {
                "200 OK"
            };
            let body = json!({ "data": data }).to_string();
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}",
                body.len()
            );
            (&stream)
                .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                .unwrap();
        }
    };
    thread::Builder::new()
        .name("model".into())
        .spawn(serve)
        .unwrap();
    base
}

fn start(dir: &std::path::Path, base: &str, model: &str) -> Server {
    let flags = ["--embeddings", base, "--embeddings-model", model];
    let more = ["--embeddings-dimension", "3", "--embed-anew"];
    Server::start_with(dir, &[flags.as_slice(), more.as_slice()].concat())
}

fn recall(agent: &Client, text: &str) -> Value {
    let body = json!({ "text": text, "limit": 2 });
    agent
        .post("/api/v1/namespaces/team:notes/recall", &body)
        .ok(200)
}

#[test]
fn a_model_finds_what_shares_no_word_with_the_question() {
    let (dir, base) = (tempfile::tempdir().unwrap(), model());
    let operator = token(dir.path(), "olga", "operator");
    let token = token(dir.path(), "build-bot", "agent");
    let server = start(dir.path(), &base, "letters-1");
    let agent = server.client(&token);
    let remember = |key: &str, text: &str| {
        agent.keyed(
            "/api/v1/namespaces/team:notes/memories",
            key,
            &json!({ "text": text }),
        )
    };
    remember("k1", "aa aaa aaaa").ok(201);
    remember("k2", "ee eee eeee").ok(201);
    let found = recall(&agent, "aaaaaaa");
    assert_eq!(found[0]["memory"]["text"], "aa aaa aaaa", "{found}");
    assert_eq!(
        remember("k3", "refuse this").problem(502),
        "embedding_failed"
    );
    let config = server.client(&operator).get("/api/v1/config").ok(200);
    assert_eq!(config["embeddings"], format!("letters-1 at {base}"));
    server.terminate();

    // Another model: all is embedded anew before it listens.
    let server = start(dir.path(), &base, "letters-2");
    let found = recall(&server.client(&token), "aaaaaaa");
    assert_eq!(found[0]["memory"]["text"], "aa aaa aaaa", "{found}");
    server.terminate();
    let server = Server::start(dir.path());
    let found = recall(&server.client(&token), "aaaaaaa");
    assert_eq!(found, json!([]), "without the model words alone count");
}
