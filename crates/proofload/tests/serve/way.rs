//! An action's way: asked for, decided, claimed, reported.

use std::thread;

use serde_json::{Value, json};

use crate::server::{Team, of, refund};

#[test]
fn an_action_is_asked_for_decided_claimed_and_reported() {
    let Team {
        agent,
        alice,
        bob,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let created = agent.post(
        "/api/v1/approvals",
        &json!({ "action": refund(), "context": { "environment": "prod" } }),
    );
    let asked = created.ok(201);
    assert_eq!(created.header("location"), of(&asked, ""));
    assert_eq!(
        (&asked["status"], &asked["requester"]),
        (&json!("pending"), &json!("build-bot"))
    );
    assert_eq!(
        asked["viewer"],
        json!({ "can_decide": false, "why_not": "insufficient_scope" })
    );
    assert_eq!(asked["missing"], json!([{ "people": 1 }]));
    let may = |action: Value| {
        agent
            .post(&of(&asked, "/check"), &json!({ "action": action }))
            .ok(200)
    };
    assert_eq!(
        may(refund()),
        json!({ "allowed": false, "reason": "pending" })
    );

    let waiting = alice.get("/api/v1/approvals?for=me");
    assert_eq!(waiting.header("total-count"), "1");
    assert_eq!(waiting.ok(200)[0]["viewer"], json!({ "can_decide": true }));
    let approved = alice.approve(&asked).ok(201);
    assert_eq!(approved["status"], "approved");
    assert_eq!(bob.approve(&asked).problem(409), "already_settled");

    assert_eq!(may(refund())["allowed"], true);
    let mut dearer = refund();
    dearer["parameters"]["cents"] = json!(9_999_999);
    assert_eq!(may(dearer.clone())["reason"], "action_changed");
    let claims = of(&asked, "/claims");
    let other = agent.post(&claims, &json!({ "action": dearer }));
    assert_eq!(other.problem(409), "not_executable");
    assert_eq!(other.json()["reason"], "action_changed");
    let claim = agent.claim(&asked).ok(201);
    assert_eq!(claim["claimant"], "build-bot");
    assert_eq!(
        agent.claim(&asked).problem(409),
        "not_executable",
        "it is used once"
    );

    let receipt = json!({ "token": claim["token"], "outcome": "succeeded", "observed": "1 row" });
    let receipts = of(&asked, "/receipts");
    assert_eq!(
        agent.post(&receipts, &receipt).ok(200)["status"],
        "succeeded"
    );
    assert_eq!(
        agent.post(&receipts, &receipt).ok(200)["status"],
        "succeeded",
        "said again, it stands"
    );
    let other = json!({ "token": claim["token"], "outcome": "failed" });
    assert_eq!(
        agent.post(&receipts, &other).problem(409),
        "already_finished"
    );

    let trail = agent.get(&of(&asked, "/audit")).ok(200);
    let kinds: Vec<&String> = trail
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|entry| entry["event"].as_object().unwrap().keys())
        .collect();
    assert_eq!(kinds, ["requested", "reviewed", "claimed", "finished"]);
    let newest = alice.get("/api/v1/audit?limit=1").ok(200);
    assert_eq!(newest[0], trail[3]);
    let bundle = alice.get(&of(&asked, "/bundle"));
    assert_eq!(bundle.status, 200);
    assert!(
        bundle.text.lines().count() > 4 && bundle.header("history-digest").len() == 64,
        "{bundle:?}"
    );
}

#[test]
fn a_repeated_request_happens_once_and_a_key_is_not_used_for_something_else() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let ask = |key: &str, body: &Value| agent.keyed("/api/v1/approvals", key, body);
    let body = json!({ "action": refund() });
    let asked = ask("k", &body).ok(201);
    assert_eq!(ask("k", &body).ok(201)["id"], asked["id"]);
    let other = json!({ "action": refund(), "context": { "environment": "prod" } });
    assert_eq!(ask("k", &other).problem(422), "idempotency_key_reused");
    let stranger = server.client(&crate::server::token(dir.path(), "pay-bot", "agent"));
    let theirs = stranger.keyed("/api/v1/approvals", "k", &body).ok(201);
    assert_ne!(theirs["id"], asked["id"], "keys are each caller's own");

    let vote = json!({ "verdict": "approve", "shown": asked["digest"] });
    for _ in 0..2 {
        let done = alice.keyed(&of(&asked, "/decisions"), "v", &vote).ok(201);
        assert_eq!(done["reviews"].as_array().unwrap().len(), 1);
    }
    let claim = || {
        agent
            .keyed(&of(&asked, "/claims"), "c", &json!({ "action": refund() }))
            .ok(201)
    };
    assert_eq!(claim()["token"], claim()["token"]);
    let headers = [("Content-Type", "application/json")];
    let bare = agent.send(
        "POST",
        "/api/v1/approvals",
        &headers,
        Some(body.to_string().as_bytes()),
    );
    assert_eq!(bare.unwrap().problem(400), "idempotency_key_missing");
}

#[test]
fn of_many_who_claim_one_succeeds() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    alice.approve(&asked).ok(201);
    let won = thread::scope(|scope| {
        let racers: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| agent.claim(&asked).status))
            .collect();
        racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .filter(|status| *status == 201)
            .count()
    });
    assert_eq!(won, 1);
}

#[test]
fn a_call_waits_until_the_request_changes() {
    let Team {
        agent,
        alice,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let first = agent.get(&of(&asked, ""));
    let tag = first.header("etag").to_owned();
    let wait = |limit: &str| {
        agent
            .send(
                "GET",
                &of(&asked, &format!("?wait={limit}")),
                &[("If-None-Match", &tag)],
                None,
            )
            .unwrap()
    };
    assert_eq!(wait("0s").status, 304);
    assert_eq!(wait("1h").problem(400), "invalid_field");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wait("60s"));
        alice.approve(&asked).ok(201);
        assert_eq!(waiter.join().unwrap().ok(200)["status"], "approved");
    });
    assert_eq!(
        wait("60s").ok(200)["status"],
        "approved",
        "at once, since it is known to have changed"
    );
}

#[test]
fn a_request_is_changed_withdrawn_superseded_or_its_approval_revoked() {
    let Team {
        agent,
        alice,
        operator,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let wish =
        json!({ "verdict": "request_changes", "shown": asked["digest"], "reason": "half of it" });
    let changed = alice.post(&of(&asked, "/decisions"), &wish).ok(201);
    assert_eq!(
        (&changed["status"], &changed["changes"]["by"]),
        (&json!("pending"), &json!("alice"))
    );
    let more = agent
        .post(
            &of(&asked, "/escalations"),
            &json!({ "reason": "shop is closing" }),
        )
        .ok(201);
    assert_eq!(more["level"], 1);
    let successor = json!({ "action": refund(), "supersedes": asked["id"] });
    let successor = agent.post("/api/v1/approvals", &successor).ok(201);
    assert_eq!(agent.get(&of(&asked, "")).ok(200)["status"], "superseded");

    for _ in 0..2 {
        let gone = agent
            .put(&of(&successor, "/withdrawal"), &json!({}))
            .ok(200);
        assert_eq!(gone["status"], "withdrawn");
    }
    assert_eq!(alice.approve(&successor).problem(409), "already_settled");

    let third = agent.ask();
    alice.approve(&third).ok(201);
    for _ in 0..2 {
        let gone = alice
            .put(
                &of(&third, "/revocation"),
                &json!({ "reason": "wrong order" }),
            )
            .ok(200);
        assert_eq!(gone["status"], "revoked");
    }
    assert_eq!(agent.claim(&third).json()["reason"], "revoked");
    let counts = operator.get("/api/v1/approvals/statistics").ok(200);
    assert_eq!(counts["requests"], 3);
}

#[test]
fn lists_come_page_by_page_and_an_agent_sees_its_own() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let other = server.client(&crate::server::token(dir.path(), "pay-bot", "agent"));
    let mine: Vec<Value> = (0..5)
        .map(|_| {
            other.ask();
            agent.ask()["id"].clone()
        })
        .collect();
    let mut path = "/api/v1/approvals?limit=2".to_owned();
    let mut found = Vec::new();
    loop {
        let page = agent.get(&path);
        let items = page.ok(200);
        assert_eq!(
            page.header("total-count"),
            "",
            "how many others have is not told"
        );
        found.extend(
            items
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].clone()),
        );
        let Some(next) = page.header("link").strip_prefix('<') else {
            break;
        };
        path = next.split('>').next().unwrap().to_owned();
    }
    assert_eq!(found, mine);
    let all = alice.get("/api/v1/approvals?under=payments/**&sort=newest");
    assert_eq!(
        (
            all.ok(200).as_array().unwrap().len(),
            all.header("total-count")
        ),
        (10, "10")
    );
    assert_eq!(
        alice
            .get("/api/v1/approvals?sort=risk&for=me&limit=3")
            .ok(200)
            .as_array()
            .unwrap()
            .len(),
        3
    );
    for (query, code) in [
        ("limit=0", "invalid_field"),
        ("under=a//b", "invalid_field"),
        ("colour=red", "unknown_field"),
        ("status=lost", "invalid_field"),
    ] {
        assert_eq!(
            alice
                .get(&format!("/api/v1/approvals?{query}"))
                .problem(400),
            code,
            "{query}"
        );
    }
}
