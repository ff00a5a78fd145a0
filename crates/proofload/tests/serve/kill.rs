//! The server is killed under load: what it acknowledged is there afterwards, once.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::server::{Server, Team, of, refund, token};

/// What was acknowledged to one client, in its order.
#[derive(Default)]
struct Acknowledged {
    asked: Vec<Value>,
    approved: Vec<Value>,
    claimed: Vec<(Value, Value, String)>,
}

#[test]
fn kill_9_under_load_loses_no_acknowledged_effect() {
    const CLIENTS: usize = 6;
    const BEFORE_THE_KILL: usize = 60;
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let claims = AtomicUsize::new(0);
    let acknowledged: Vec<Acknowledged> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (agent, alice, claims) = (&agent, &alice, &claims);
                scope.spawn(move || {
                    let mut known = Acknowledged::default();
                    for turn in 0.. {
                        let key = format!("{client}-{turn}");
                        let body = json!({ "action": refund() });
                        let Some(asked) = agent.try_keyed("/api/v1/approvals", &key, &body) else {
                            break;
                        };
                        let asked = asked.ok(201);
                        known.asked.push(asked.clone());
                        let vote = json!({ "verdict": "approve", "shown": asked["digest"] });
                        let Some(vote) = alice.try_keyed(&of(&asked, "/decisions"), &key, &vote)
                        else {
                            break;
                        };
                        vote.ok(201);
                        known.approved.push(asked.clone());
                        let Some(claim) = agent.try_keyed(&of(&asked, "/claims"), &key, &body)
                        else {
                            break;
                        };
                        known.claimed.push((asked, claim.ok(201), key));
                        claims.fetch_add(1, Ordering::Relaxed);
                    }
                    known
                })
            })
            .collect();
        while claims.load(Ordering::Relaxed) < BEFORE_THE_KILL {
            thread::yield_now();
        }
        server.kill();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });

    let server = Server::start(dir.path());
    let (agent, alice) = (server.client(&agent.token), server.client(&alice.token));
    let mut tokens = Vec::new();
    for known in &acknowledged {
        for asked in &known.asked {
            assert_eq!(agent.get(&of(asked, "")).ok(200)["digest"], asked["digest"]);
        }
        for asked in &known.approved {
            assert_eq!(
                alice.get(&of(asked, "")).ok(200)["reviews"][0]["reviewer"],
                "alice"
            );
        }
        for (asked, claim, key) in &known.claimed {
            let there = agent.get(&of(asked, "")).ok(200);
            assert_eq!(there["uses"][0]["token"], claim["token"]);
            assert_eq!(there["uses"].as_array().unwrap().len(), 1);
            let repeated = agent.keyed(&of(asked, "/claims"), key, &json!({ "action": refund() }));
            assert_eq!(
                repeated.ok(201)["token"],
                claim["token"],
                "repeated after the restart"
            );
            assert_eq!(agent.claim(asked).problem(409), "not_executable");
            tokens.push(claim["token"].as_u64().unwrap());
        }
    }
    assert!(tokens.len() >= BEFORE_THE_KILL);
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(
        tokens.len(),
        acknowledged
            .iter()
            .map(|known| known.claimed.len())
            .sum::<usize>()
    );
}

/// A copy knows neither what was used nor which tokens were given out after it was made.
#[test]
fn a_restored_copy_uses_no_approval_again_and_repeats_no_token() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    alice.approve(&asked).ok(201);
    assert!(server.terminate().success());
    let copy = tempfile::tempdir().unwrap();
    for below in ["", "approvals", "access", "secrets"] {
        let (from, to) = (dir.path().join(below), copy.path().join(below));
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    let server = Server::start(dir.path());
    let used = server.client(&agent.token).claim(&asked).ok(201);
    server.kill();

    let restored = ["--restored-by", "olga", "--highest-token", "7"];
    let server = Server::start_with(copy.path(), &restored);
    let (agent, alice) = (server.client(&agent.token), server.client(&alice.token));
    assert_eq!(agent.claim(&asked).json()["reason"], "restored");
    let anew = agent.ask();
    alice.approve(&anew).ok(201);
    let claim = agent.claim(&anew).ok(201);
    assert!(claim["token"].as_u64() > used["token"].as_u64().max(Some(7)));
    server.kill();
    let server = Server::start(copy.path());
    assert_eq!(
        server.client(&agent.token).claim(&asked).json()["reason"],
        "restored",
        "for good"
    );
    token(copy.path(), "new-bot", "agent");
}
