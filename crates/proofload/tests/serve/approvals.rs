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
