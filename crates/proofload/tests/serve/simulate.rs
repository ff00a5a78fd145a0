//! Actions that are simulated before anybody decides, and again before they are used.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::{PROGRAM, Server, Team, of, token};

const SCHEMA: &str = r#"
[[schema]]
path = "mail/send"
summary = "Sends a mail"
reversibility = "irreversible"
parameters.to = { type = "string" }
requires = [{ key = "people/{to}", test = "exists", because = "nobody has this address" }]
effects = [{ do = "set", key = "sent/{to}", value = true }]
"#;

fn delete() -> Value {
    json!({ "path": "kv/delete", "name": "Delete", "parameters": { "key": "orders/A-17" } })
}

#[test]
fn an_action_is_simulated_bound_and_simulated_again_at_its_claim() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let facts = json!({ "orders/A-17": { "cents": 1250 } });
    let ask = || {
        agent
            .post(
                "/api/v1/approvals",
                &json!({ "action": delete(), "facts": facts }),
            )
            .ok(201)
    };
    let asked = ask();
    let predicted = &asked["context"]["simulation"];
    assert_eq!(
        (&predicted["outcome"], &predicted["reversibility"]),
        (&json!("success"), &json!("reversible"))
    );
    assert_eq!(
        predicted["changes"],
        json!([{ "key": "orders/A-17", "before": { "cents": 1250 } }])
    );
    assert!(
        asked["binding"]["effects"].is_string()
            && asked["binding"]["reads"]["orders/A-17"].is_string()
    );
    alice.approve(&asked).ok(201);

    let claim = |body: Value| agent.post(&of(&asked, "/claims"), &body);
    let moved = json!({ "orders/A-17": { "cents": 9 } });
    let refused = claim(json!({ "action": delete(), "facts": moved }));
    assert_eq!(refused.problem(409), "not_executable");
    assert_eq!(refused.json()["reason"], "effects_changed");
    assert_eq!(
        claim(json!({ "action": delete() })).json()["reason"],
        "report_changed",
        "none were stated"
    );
    let gone = claim(json!({ "action": delete(), "facts": {} }));
    assert_eq!(gone.json()["reason"], "effects_changed");
    claim(json!({ "action": delete(), "facts": facts })).ok(201);
}

#[test]
fn what_a_simulation_says_comes_from_the_server_alone() {
    let Team {
        agent,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let ask = |body: Value| agent.post("/api/v1/approvals", &body);
    let forged = json!({ "action": delete(), "context": { "simulation": { "reversibility": "reversible" } } });
    let refused = ask(forged);
    assert_eq!(
        (refused.problem(400).as_str(), &refused.json()["pointer"]),
        ("invalid_field", &json!("/context/simulation"))
    );
    let hidden = json!({ "action": delete(), "facts": {}, "secrets": ["key"] });
    assert_eq!(ask(hidden).problem(400), "invalid_field");
    let bound =
        json!({ "action": delete(), "facts": {}, "binding": { "effects": "0".repeat(64) } });
    assert_eq!(ask(bound).problem(400), "invalid_field");
}

#[test]
fn a_plan_is_simulated_without_being_kept() {
    let Team {
        agent,
        operator,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let plan = json!({ "name": "clean up", "steps": [{ "id": "a", "action": delete() }] });
    let body = json!({ "plan": plan, "facts": { "orders/A-17": 1 } });
    let first = agent.post("/api/v1/simulations", &body);
    assert_eq!(first.ok(200)["findings"], json!([]));
    assert_eq!(
        agent.post("/api/v1/simulations", &body).text,
        first.text,
        "the same bytes"
    );
    let absent = agent
        .post("/api/v1/simulations", &json!({ "plan": plan }))
        .ok(200);
    assert_eq!(absent["findings"][0]["kind"], "fails");
    let circle = json!({ "plan": { "name": "x", "steps": [{ "id": "a", "action": delete(), "depends_on": ["a"] }] } });
    assert_eq!(
        agent.post("/api/v1/simulations", &circle).problem(422),
        "plan_invalid"
    );
    assert_eq!(operator.get("/api/v1/approvals").ok(200), json!([]));
}

#[test]
fn the_inbox_shows_what_would_change_and_what_cannot_be_undone_first() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("schemas")).unwrap();
    fs::write(dir.path().join("schemas/mail.toml"), SCHEMA).unwrap();
    let server = Server::start(dir.path());
    let agent = server.client(&token(dir.path(), "build-bot", "agent"));
    let alice = token(dir.path(), "alice", "reviewer");
    let ask = |action: Value, facts: Value| {
        agent
            .post(
                "/api/v1/approvals",
                &json!({ "action": action, "facts": facts }),
            )
            .ok(201)
    };
    let first = ask(delete(), json!({ "orders/A-17": "<b>old</b>" }));
    agent.ask();
    let mail = json!({ "path": "mail/send", "name": "Send", "parameters": { "to": "ops" } });
    let sent = ask(mail.clone(), json!({ "people/ops": true }));
    let fails = ask(mail, json!({}));

    let body = format!("token={alice}");
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let signed_in = server
        .client("")
        .send("POST", "/sign-in", &headers, Some(body.as_bytes()))
        .unwrap();
    let cookie = signed_in
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let page = |path: &str| {
        server
            .client("")
            .send("GET", path, &[("Cookie", &cookie)], None)
            .unwrap()
            .text
    };
    let list = page("/");
    let place = |text: &str| {
        list.find(text)
            .unwrap_or_else(|| panic!("no {text} in {list}"))
    };
    assert!(
        place("CANNOT BE UNDONE") < place("payments/refund"),
        "{list}"
    );
    assert!(place("payments/refund") < place("kv/delete"), "{list}");
    let request = page(&format!("/requests/{}", sent["id"].as_str().unwrap()));
    for text in ["CANNOT BE UNDONE", "sent/ops", "<em>absent</em>", "true"] {
        assert!(request.contains(text), "{text}: {request}");
    }
    assert!(
        request.find("sent/ops") < request.find("name=\"verdict\""),
        "what has to be read comes first"
    );
    let request = page(&format!("/requests/{}", fails["id"].as_str().unwrap()));
    assert!(request.contains("nobody has this address"), "{request}");
    let request = page(&format!("/requests/{}", first["id"].as_str().unwrap()));
    assert!(
        request.contains("&lt;b&gt;old") && !request.contains("<b>"),
        "{request}"
    );

    drop(server);
    fs::write(
        dir.path().join("schemas/mail.toml"),
        "[[schema]]\npath = 3\n",
    )
    .unwrap();
    let output = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("schemas/mail.toml"), "{told}");
}
