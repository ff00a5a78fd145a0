//! A plan's safe way: simulated, asked for, decided, simulated again and claimed, reported and compared.

use serde_json::{Value, json};

use crate::server::{Client, Server, Team, token};

fn plan() -> Value {
    let delete =
        |key: &str| json!({ "path": "kv/delete", "name": "Delete", "parameters": { "key": key } });
    json!({ "name": "tidy", "steps": [
        { "id": "a", "action": delete("orders/A-17") },
        { "id": "b", "action": delete("orders/A-18"), "depends_on": ["a"] },
    ] })
}

fn facts() -> Value {
    json!({ "orders/A-17": { "cents": 1250 }, "orders/A-18": { "cents": 300 } })
}

fn asked(agent: &Client) -> Value {
    let body = json!({ "path": "orders/tidy", "plan": plan(), "facts": facts() });
    agent.post("/api/v1/workflows", &body).ok(201)
}

fn of(workflow: &Value, rest: &str) -> String {
    format!(
        "/api/v1/workflows/{}{rest}",
        workflow["id"].as_str().unwrap()
    )
}

fn state(client: &Client, workflow: &Value) -> String {
    let found = client.get(&of(workflow, "")).ok(200);
    found["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_plan_is_asked_for_executed_once_and_compared_with_its_prediction() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let body = json!({ "path": "orders/tidy", "plan": plan(), "facts": facts() });
    let workflow = agent.keyed("/api/v1/workflows", "w", &body).ok(201);
    assert_eq!(
        agent.keyed("/api/v1/workflows", "w", &body).ok(201)["id"],
        workflow["id"]
    );
    assert_eq!(workflow["state"], "pending");
    let predicted = &workflow["approval"]["context"]["simulation"];
    assert_eq!(predicted["change_count"], 2, "{predicted}");
    let listed = alice.get("/api/v1/workflows").ok(200);
    assert_eq!(listed[0]["id"], workflow["id"]);
    agent.ask();
    assert_eq!(
        alice
            .get("/api/v1/workflows")
            .ok(200)
            .as_array()
            .unwrap()
            .len(),
        1,
        "an action is no plan"
    );

    let claim = |key: &str, facts: Value| {
        agent.keyed(&of(&workflow, "/claim"), key, &json!({ "facts": facts }))
    };
    assert_eq!(claim("c0", facts()).problem(409), "not_executable");
    alice.approve(&workflow["approval"]).ok(201);
    let mut moved = facts();
    moved["orders/A-17"]["cents"] = json!(9_999);
    assert_eq!(claim("c1", moved).problem(409), "not_executable");
    let claimed = claim("c2", facts()).ok(201);
    assert_eq!(claimed["steps"][1]["id"], "b");
    assert_eq!(claim("c2", facts()).ok(201)["token"], claimed["token"]);
    assert_eq!(
        claim("c3", facts()).problem(409),
        "not_executable",
        "it is executed once"
    );

    server.kill();
    let server = Server::start(dir.path());
    let agent = server.client(&agent.token);
    assert_eq!(state(&agent, &workflow), "executing");
    let report = json!({ "token": claimed["token"], "outcome": "succeeded", "observed": claimed["changes"] });
    let plain = json!({ "token": claimed["token"], "outcome": "succeeded", "observed": "2 keys changed as predicted" });
    let receipts = format!(
        "/api/v1/approvals/{}/receipts",
        workflow["id"].as_str().unwrap()
    );
    assert_eq!(
        agent.post(&receipts, &plain).problem(409),
        "workflow_state",
        "nobody reports without comparing"
    );
    for _ in 0..2 {
        let done = agent.post(&of(&workflow, "/receipt"), &report).ok(200);
        assert_eq!(
            (&done["state"], &done["differences"]),
            (&json!("reconciled"), &json!([]))
        );
    }
}

#[test]
fn what_was_changed_otherwise_is_told_key_by_key() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let workflow = asked(&agent);
    alice.approve(&workflow["approval"]).ok(201);
    let claimed = agent
        .post(&of(&workflow, "/claim"), &json!({ "facts": facts() }))
        .ok(201);
    let mut observed = claimed["changes"].clone();
    observed[1]["after"] = json!({ "cents": 300 });
    let report = json!({ "token": claimed["token"], "outcome": "succeeded", "observed": observed });
    let done = agent.post(&of(&workflow, "/receipt"), &report).ok(200);
    assert_eq!(done["state"], "diverged", "{done}");
    assert_eq!(done["differences"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["differences"][0]["key"], "orders/A-18");
    let other = json!({ "token": claimed["token"], "outcome": "failed", "reason": "no" });
    assert_eq!(
        agent.post(&of(&workflow, "/receipt"), &other).problem(409),
        "already_finished"
    );

    let failed = asked(&agent);
    alice.approve(&failed["approval"]).ok(201);
    let claimed = agent
        .post(&of(&failed, "/claim"), &json!({ "facts": facts() }))
        .ok(201);
    let report =
        json!({ "token": claimed["token"], "outcome": "failed", "reason": "the shop was closed" });
    assert_eq!(
        agent.post(&of(&failed, "/receipt"), &report).ok(200)["state"],
        "failed"
    );
}

#[test]
fn a_plan_is_cancelled_while_it_waits_and_while_it_is_approved() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let cancel = |workflow: &Value| {
        agent
            .post(&of(workflow, "/cancellation"), &json!({}))
            .ok(200)["state"]
            .clone()
    };
    let waiting = asked(&agent);
    assert_eq!(
        (cancel(&waiting), cancel(&waiting)),
        (json!("cancelled"), json!("cancelled"))
    );
    let approved = asked(&agent);
    alice.approve(&approved["approval"]).ok(201);
    assert_eq!(
        (cancel(&approved), cancel(&approved)),
        (json!("revoked"), json!("revoked"))
    );
    let claim = agent.post(&of(&approved, "/claim"), &json!({ "facts": facts() }));
    assert_eq!(claim.problem(409), "not_executable");

    let stranger = server.client(&token(dir.path(), "pay-bot", "agent"));
    assert_eq!(stranger.get(&of(&approved, "")).problem(404), "not_found");
    assert_eq!(
        stranger.get("/api/v1/workflows?status=revoked").ok(200),
        json!([])
    );
    let action = agent.ask();
    assert_eq!(
        agent.get(&of(&action, "")).problem(404),
        "not_found",
        "an action is no plan"
    );
}

#[test]
fn a_plan_that_is_none_is_refused() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let post = |body: &Value| agent.post("/api/v1/workflows", body);
    for wrong in [
        json!({}),
        json!({ "name": "x", "steps": 3 }),
        json!({ "name": "x", "steps": [{ "id": "a" }] }),
    ] {
        assert_eq!(
            post(&json!({ "path": "a/b", "plan": wrong })).problem(422),
            "plan_invalid",
            "{wrong}"
        );
    }
    let mut circle = plan();
    circle["steps"][0]["depends_on"] = json!(["b"]);
    assert_eq!(
        post(&json!({ "path": "a/b", "plan": circle })).problem(422),
        "plan_invalid"
    );
    assert_eq!(
        post(&json!({ "path": "a//b", "plan": plan() })).problem(422),
        "action_invalid"
    );
    assert_eq!(
        alice.post("/api/v1/workflows", &json!({})).problem(403),
        "insufficient_scope"
    );
    let marked = json!({ "action": crate::server::refund(), "context": { "workflow": true } });
    assert_eq!(
        agent.post("/api/v1/approvals", &marked).problem(400),
        "invalid_field"
    );
}
