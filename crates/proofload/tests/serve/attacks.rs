//! Callers who may not: on every route that the server describes.

use serde_json::{Value, json};

use crate::server::{Client, Team, of, refund, token};

/// Every operation as (method, path with an id, roles); no roles: any.
fn operations(client: &Client, id: &str) -> Vec<(String, String, Vec<String>)> {
    let description = client.get("/api/v1/openapi.json").ok(200);
    let mut all = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // Hooks answer otherwise: see `hooks`.
            let is_hook = path.starts_with("/hooks/");
            if is_hook || operation["security"].as_array().unwrap().is_empty() {
                continue;
            }
            let roles = operation["x-roles"].as_array().cloned().unwrap_or_default();
            let roles = roles
                .iter()
                .map(|role| role.as_str().unwrap().to_owned())
                .collect();
            all.push((
                method.to_uppercase(),
                path.replace("{id}", id)
                    .replace("{stream}", "build-bot")
                    .replace("{namespace}", "build-bot"),
                roles,
            ));
        }
    }
    assert!(all.len() > 20, "{all:?}");
    all
}

fn call(client: &Client, method: &str, path: &str, body: &Value) -> crate::server::Answer {
    let key = crate::server::new_key();
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", key.as_str()),
    ];
    let body = body.to_string();
    let body = matches!(method, "POST" | "PUT").then_some(body.as_bytes());
    client
        .send(method, path, &headers, body)
        .expect("it answers")
}

/// A body that the operation takes.
fn body_for(path: &str, asked: &Value) -> Value {
    match path.rsplit('/').next().unwrap() {
        "approvals" | "claims" => json!({ "action": refund() }),
        "check" => json!({ "digest": asked["digest"] }),
        "decisions" => json!({ "verdict": "approve", "shown": asked["digest"] }),
        "records" => json!({ "data": 1 }),
        "memories" => json!({ "text": "x" }),
        "recall" => json!({ "text": "x" }),
        "simulations" => json!({ "plan": {} }),
        "receipts" => json!({ "token": 1, "outcome": "succeeded" }),
        "tokens" => json!({ "name": "mallory", "role": "operator" }),
        "withdrawal" => json!({}),
        _ => json!({ "reason": "because" }),
    }
}

#[test]
fn without_a_valid_token_no_route_answers_and_why_is_not_told() {
    let Team {
        agent,
        operator,
        server,
        dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let revoked = server.client(&token(dir.path(), "former-bot", "agent"));
    assert_eq!(revoked.get("/api/v1/approvals").status, 200);
    let tokens = operator.get("/api/v1/tokens").ok(200);
    let former = tokens
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["name"] == "former-bot")
        .unwrap();
    operator
        .delete(&format!(
            "/api/v1/tokens/{}",
            former["id"].as_str().unwrap()
        ))
        .ok(204);

    let mut wrong = agent.token.clone();
    wrong.truncate(wrong.len() - 1);
    let other_secret = format!("{}{}", &agent.token[..17], &operator.token[17..]);
    let bad = [
        "",
        "plt_",
        wrong.as_str(),
        other_secret.as_str(),
        revoked.token.as_str(),
        "Bearer",
    ];
    let operations = operations(&agent, asked["id"].as_str().unwrap());
    for (method, path, _) in &operations {
        let mut details = Vec::new();
        for token in bad {
            let answer = call(&server.client(token), method, path, &body_for(path, &asked));
            assert_eq!(
                answer.problem(401),
                "unauthenticated",
                "{method} {path} {token:?}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            details.push(answer.json()["detail"].clone());
        }
        details.dedup();
        assert_eq!(details.len(), 1, "{method} {path}");
    }
    assert_eq!(
        agent.get(&of(&asked, "")).ok(200)["status"],
        "pending",
        "nothing of it happened"
    );
}

#[test]
fn a_token_of_another_role_is_refused_on_every_route() {
    let Team {
        agent,
        alice,
        operator,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let mut refused = 0;
    for (method, path, roles) in operations(&agent, asked["id"].as_str().unwrap()) {
        for (client, role) in [
            (&agent, "agent"),
            (&alice, "reviewer"),
            (&operator, "operator"),
        ] {
            if roles.is_empty() || roles.iter().any(|allowed| allowed == role) {
                continue;
            }
            let answer = call(client, &method, &path, &body_for(&path, &asked));
            assert_eq!(
                answer.problem(403),
                "insufficient_scope",
                "{method} {path} {role}"
            );
            refused += 1;
        }
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(agent.get(&of(&asked, "")).ok(200)["status"], "pending");
}

#[test]
fn another_agents_approval_looks_like_none_on_every_route() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    alice.approve(&asked).ok(201);
    let stranger = server.client(&token(dir.path(), "pay-bot", "agent"));
    let mut tried = 0;
    for (id, is_there) in [
        (asked["id"].as_str().unwrap(), true),
        ("r-999", false),
        ("%0A", false),
    ] {
        for (method, path, roles) in operations(&agent, id) {
            let allowed = roles.is_empty() || roles.iter().any(|role| role == "agent");
            if !path.contains("/approvals/") || !path.contains(id) || !allowed {
                continue;
            }
            let answer = call(&stranger, &method, &path, &body_for(&path, &asked));
            assert_eq!(
                answer.problem(404),
                "not_found",
                "{method} {path} {is_there}"
            );
            tried += 1;
        }
    }
    assert!(tried >= 18, "{tried}");
    let takes_over = json!({ "action": refund(), "supersedes": asked["id"] });
    assert_eq!(
        stranger.post("/api/v1/approvals", &takes_over).problem(404),
        "not_found"
    );
    assert_eq!(agent.get(&of(&asked, "")).ok(200)["status"], "approved");
}

#[test]
fn nobody_approves_what_they_asked_for() {
    let Team {
        alice,
        bob,
        agent,
        server,
        dir,
        ..
    } = Team::new();
    let asked = alice.ask();
    assert_eq!(
        alice.get(&of(&asked, "")).ok(200)["viewer"]["why_not"],
        "self_review"
    );
    assert_eq!(alice.approve(&asked).problem(403), "self_review");
    let second = server.client(&token(dir.path(), "alice", "reviewer"));
    assert_eq!(
        second.approve(&asked).problem(403),
        "self_review",
        "a second token is the same person"
    );
    let stand_in = json!({ "verdict": "approve", "shown": asked["digest"], "on_behalf_of": "bob" });
    let refused = alice.post(&of(&asked, "/decisions"), &stand_in);
    assert_eq!(refused.problem(403), "not_delegate");
    // The body cannot say who decides.
    let as_bob = json!({ "verdict": "approve", "shown": asked["digest"], "reviewer": "bob" });
    assert_eq!(
        alice.post(&of(&asked, "/decisions"), &as_bob).problem(400),
        "unknown_field"
    );
    for name in [
        "alice ",
        "Alice",
        "a1ice",
        "al\u{456}ce",
        "alice\u{200b}",
        "build-bot",
        "bui1d-bot",
        "bui\u{200d}ld-bot",
    ] {
        let output = std::process::Command::new(crate::server::PROGRAM)
            .args(["token", "create", name, "--role", "reviewer", "--dir"])
            .arg(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(bob.approve(&asked).ok(201)["status"], "approved");
    let asked = agent.ask();
    assert_eq!(agent.approve(&asked).problem(403), "insufficient_scope");
}

#[test]
fn a_decision_counts_only_for_what_was_shown() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let (asked, other) = (agent.ask(), {
        let mut action = refund();
        action["parameters"]["cents"] = json!(1);
        agent
            .post("/api/v1/approvals", &json!({ "action": action }))
            .ok(201)
    });
    let vote = json!({ "verdict": "approve", "shown": other["digest"] });
    assert_eq!(
        alice.post(&of(&asked, "/decisions"), &vote).problem(412),
        "changed_since_shown"
    );
    let unseen = json!({ "verdict": "approve" });
    assert_eq!(
        alice.post(&of(&asked, "/decisions"), &unseen).problem(400),
        "invalid_field"
    );
}
