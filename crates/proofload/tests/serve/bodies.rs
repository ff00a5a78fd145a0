//! What is not a request is refused, and the server goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::server::{Team, new_key, refund};

#[test]
fn a_body_that_is_wrong_is_refused_with_the_place() {
    let Team {
        agent,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let send = |body: &str, media_type: &str| {
        let key = new_key();
        let headers = [
            ("Content-Type", media_type),
            ("Idempotency-Key", key.as_str()),
        ];
        agent
            .send("POST", "/api/v1/approvals", &headers, Some(body.as_bytes()))
            .expect("it answers")
    };
    let json = "application/json";
    for (body, code, pointer) in [
        ("", "invalid_json", ""),
        ("{", "invalid_json", ""),
        ("[]", "invalid_field", ""),
        (
            r#"{"action":{"path":"a","name":"n"},"more":1}"#,
            "unknown_field",
            "/more",
        ),
        (
            r#"{"action":{"path":"a//b","name":"n"}}"#,
            "invalid_field",
            "/action/path",
        ),
        (
            r#"{"action":{"path":"a","name":"n","parameters":{"k":1,"k":2}}}"#,
            "invalid_field",
            "/action/parameters",
        ),
    ] {
        let answer = send(body, json);
        assert_eq!(answer.problem(400), code, "{body}");
        assert!(
            answer.json()["pointer"]
                .as_str()
                .unwrap()
                .starts_with(pointer),
            "{answer:?}"
        );
    }
    let exact = r#"{"action":{"path":"a","name":"n","parameters":{"n":9007199254740993}}}"#;
    assert_eq!(send(exact, json).problem(422), "action_invalid");
    assert_eq!(
        send("{}", "text/plain").problem(415),
        "unsupported_media_type"
    );
    let long =
        json!({ "action": refund(), "context": { "text": "x".repeat(70 << 10) } }).to_string();
    assert_eq!(send(&long, json).problem(413), "too_large");
    let hidden = r#"{"action":{"path":"a","name":"\u202e"}}"#;
    assert_eq!(send(hidden, json).problem(400), "invalid_text");
    assert_eq!(agent.get("/nowhere").problem(404), "not_found");
    assert_eq!(
        agent.delete("/api/v1/approvals").problem(405),
        "method_not_allowed"
    );
    agent.ask();
}

/// What a proxy and the server could read as two different requests is read as none.
#[test]
fn a_request_of_two_lengths_is_refused_and_the_connection_closed() {
    let Team {
        agent,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let address = server.url.strip_prefix("http://").unwrap();
    let smuggled = "GET /api/v1/approvals HTTP/1.1\r\nHost: x\r\n\r\n";
    let heads = [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: +5\r\n",
        "Content-Length : 5\r\n",
    ];
    for head in heads {
        let mut stream = TcpStream::connect(address).unwrap();
        let text = format!(
            "POST /api/v1/approvals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{head}\r\n0\r\n\r\n{smuggled}",
            agent.token
        );
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        // A reset is a refusal too.
        let _ = stream.read_to_string(&mut answer);
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(
            answers <= 2 && !answer.contains("HTTP/1.1 200"),
            "{head:?}: {answer}"
        );
    }
    agent.ask();
}
