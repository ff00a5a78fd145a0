//! How a server starts and ends, and what it says about itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::server::{PROGRAM, Server, Team, of};

#[test]
fn sigterm_answers_those_who_wait_and_closes_the_logs() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let asked = agent.ask();
    let tag = agent.get(&of(&asked, "")).header("etag").to_owned();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            agent.send(
                "GET",
                &of(&asked, "?wait=60s"),
                &[("If-None-Match", &tag)],
                None,
            )
        });
        let operator = server.client(&crate::server::token(dir.path(), "olga", "operator"));
        // The waiter and the call that asks.
        let waits = |text: &str| text.lines().any(|line| line == "proofload_in_flight 2");
        while !waits(&operator.get("/metrics").text) {
            thread::yield_now();
        }
        assert!(server.terminate().success());
        assert_eq!(waiter.join().unwrap().expect("it is answered").status, 304);
    });
    let server = Server::start(dir.path());
    assert_eq!(
        server.client(&agent.token).get(&of(&asked, "")).ok(200)["status"],
        "pending"
    );
}

#[test]
fn a_server_that_others_could_reach_does_not_start_nor_a_second_one() {
    let Team {
        dir,
        server: _server,
        ..
    } = Team::new();
    let start = |more: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["serve", "--dir"])
            .arg(dir.path())
            .args(more)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = start(&["--listen", "0.0.0.0:0"]);
    assert!(told.contains("TLS") && told.contains("127.0.0.1"), "{told}");
    let told = start(&["--listen", "127.0.0.1:0"]);
    assert!(
        told.contains("already open for writing by process"),
        "{told}"
    );
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let output = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    fs::write(
        dir.path().join("policy.toml"),
        "[[rules]]\npattern = \"a\"\nsensitivity = \"hihg\"\n",
    )
    .unwrap();
    let told = start();
    assert!(
        told.contains("policy.toml: policy, line 3, column 15"),
        "{told}"
    );
    fs::write(dir.path().join("policy.toml"), "").unwrap();
    fs::write(
        dir.path().join("directory.toml"),
        "[reviewers.alice]\ngroup = []\n",
    )
    .unwrap();
    let told = start();
    assert!(
        told.contains("directory.toml") && told.contains("line 2"),
        "{told}"
    );
}

#[test]
fn the_server_says_what_it_is_and_keeps_its_files_to_itself() {
    let Team {
        agent,
        alice,
        operator,
        server,
        dir,
        ..
    } = Team::new();
    let nobody = server.client("");
    for path in [
        "/api/v1/health",
        "/api/v1/health/live",
        "/api/v1/health/ready",
    ] {
        assert_eq!(nobody.get(path).ok(200), json!({ "status": "ok" }));
    }
    assert_eq!(
        operator.get("/api/v1/config").ok(200)["listen"],
        "127.0.0.1:0"
    );
    assert_eq!(agent.get("/api/v1/capabilities").ok(200)["max_wait_s"], 60);
    alice.approve(&agent.ask()).ok(201);
    let text = operator.get("/metrics").text;
    for line in [
        "proofload_approvals{status=\"approved\"} 1",
        "proofload_http_requests_total{method=\"post\",route=\"/api/v1/approvals\",status=\"201\"} 1",
        "proofload_oldest_pending_seconds 0",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}: {text}");
    }
    let samples = operator.get("/api/v1/metrics").ok(200);
    assert!(
        samples
            .as_array()
            .unwrap()
            .iter()
            .any(|sample| sample["name"] == "proofload_approvals")
    );
    let made = operator
        .post(
            "/api/v1/tokens",
            &json!({ "name": "new-bot", "role": "agent" }),
        )
        .ok(201);
    assert_eq!(
        server
            .client(made["token"].as_str().unwrap())
            .get("/api/v1/approvals")
            .ok(200),
        json!([])
    );
    for file in [
        "access/tokens.json",
        "secrets/approvals",
        "secrets",
        "access",
        "approvals",
    ] {
        let mode = fs::metadata(dir.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{file} is {mode:o}");
    }
}
