//! `proofload approvals`, over a server and over a directory.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::server::{PROGRAM, Team, of, refund};

fn approvals(arguments: &[&str], place: &[&str], token: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    let command = command
        .arg("approvals")
        .args(arguments)
        .args(place)
        .env("PROOFLOAD_TOKEN", token);
    command.output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_reviewer_lists_reads_and_decides_over_a_server_and_over_its_directory() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let mut odd = refund();
    odd["name"] = json!("Refund\u{1b}[2J");
    let odd = agent.post("/api/v1/approvals", &json!({ "action": odd }));
    assert_eq!(odd.problem(400), "invalid_text");
    let (first, second) = (agent.ask(), agent.ask());
    let (first_id, second_id) = (
        first["id"].as_str().unwrap(),
        second["id"].as_str().unwrap(),
    );
    let digest = first["digest"].as_str().unwrap();

    let url = ["--server", server.url.as_str()];
    let over_http = |arguments: &[&str]| approvals(arguments, &url, &alice.token);
    let list = printed(&over_http(&["list"]));
    assert!(
        list.contains(first_id) && list.contains("payments/refund") && list.lines().count() == 2,
        "{list}"
    );
    let shown = printed(&over_http(&["show", first_id]));
    for text in [
        digest,
        "order A-17",
        "\"cents\": 1250",
        "1 of anyone",
        "build-bot",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let told = refused(&over_http(&["approve", first_id, "--shown", "00000000"]));
    assert!(told.contains(digest), "{told}");
    let told = refused(&over_http(&["approve", "r-99", "--shown", digest]));
    assert!(told.contains("not_found"), "{told}");
    over_http(&[
        "approve",
        first_id,
        "--shown",
        &digest[..8],
        "--reason",
        "order came broken",
    ]);
    let done = agent.get(&of(&first, "")).ok(200);
    assert_eq!(
        (&done["status"], &done["reviews"][0]["reviewer"]),
        (&json!("approved"), &json!("alice"))
    );
    let told = refused(&over_http(&["deny", first_id, "--shown", digest]));
    assert!(told.contains("already_settled"), "{told}");
    assert!(refused(&approvals(&["list"], &url, "plt_x")).contains("unauthenticated"));
    assert!(refused(&approvals(&["list"], &url, "")).contains("PROOFLOAD_TOKEN"));

    let place = ["--dir", dir.path().to_str().unwrap(), "--as", "bob"];
    let over_dir = |arguments: &[&str]| approvals(arguments, &place, "");
    let told = refused(&over_dir(&["list"]));
    assert!(
        told.contains("already open for writing"),
        "a server has it: {told}"
    );
    assert!(server.terminate().success());
    over_dir(&["deny", second_id, "--shown", digest, "--reason", "twice"]);
    let json = printed(&over_dir(&["show", second_id, "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["status"], &json["reviews"][0]["reviewer"]),
        (&json!("denied"), &json!("bob"))
    );
    assert_eq!(printed(&over_dir(&["list"])), "nothing\n");
    assert!(printed(&over_dir(&["list", "--status", "denied"])).contains(second_id));
    let trail = printed(&over_dir(&["audit", first_id]));
    assert!(
        trail.lines().count() == 2 && trail.contains("reviewed approve alice"),
        "{trail}"
    );
    assert_eq!(printed(&over_dir(&["audit"])).lines().count(), 4);
    let nowhere = ["--dir", "/nowhere/at/all", "--as", "bob"];
    assert!(refused(&approvals(&["list"], &nowhere, "")).contains("/nowhere/at/all"));
    assert!(refused(&approvals(&["list"], &[], "")).contains("--server"));
}

#[test]
fn a_history_is_exported_and_verified_without_the_server() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    alice.approve(&asked).ok(201);
    let id = asked["id"].as_str().unwrap();
    let url = ["--server", server.url.as_str()];
    let export = approvals(&["export", id], &url, &alice.token);
    let bundle = printed(&export);
    let told = String::from_utf8(export.stderr).unwrap();
    let digest = told
        .split_whitespace()
        .nth(1)
        .unwrap()
        .trim_end_matches(':');
    server.terminate();
    let place = ["--dir", dir.path().to_str().unwrap(), "--as", "alice"];
    assert_eq!(
        printed(&approvals(&["export", id], &place, "")),
        bundle,
        "the same from the directory"
    );

    let file = dir.path().join("bundle.jsonl");
    let verify = |text: &str, noted: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let mut arguments = vec!["verify", file.to_str().unwrap()];
        arguments.extend(noted);
        approvals(&arguments, &[], "").status.code()
    };
    assert_eq!(verify(&bundle, &["--noted", digest]), Some(0));
    assert_eq!(verify(&bundle, &[]), Some(0));
    assert_eq!(
        verify(
            &bundle.replace("order came broken", "order came whole"),
            &[]
        ),
        Some(1)
    );
    let short: String = bundle
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(verify(&short, &[]), Some(1));
    let other = "0".repeat(digest.len());
    assert_eq!(verify(&bundle, &["--noted", &other]), Some(1));
}

#[test]
fn whoever_watches_sees_what_happens_and_waits_for_a_server_that_is_away() {
    use std::io::{BufRead as _, BufReader};
    let Team {
        agent,
        alice,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let mut child = Command::new(PROGRAM)
        .args(["approvals", "watch", "--json", "--server", &server.url])
        .env("PROOFLOAD_TOKEN", &alice.token)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It may not listen yet: what happens until it does is asked for again.
    let (agent_again, stop) = (agent.clone(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                agent_again.ask();
            }
        });
        let seen: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(
            seen["event"]["requested"]["requester"], "build-bot",
            "{seen}"
        );
    });
    let asked = agent.ask();
    let found = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains(asked["id"].as_str().unwrap()));
    assert!(found);
    let refused = approvals(&["watch"], &["--server", &server.url], "plt_wrong");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    server.terminate();
    let ended = child.try_wait().unwrap();
    assert!(
        ended.is_none(),
        "it waits for the server to come back: {ended:?}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
