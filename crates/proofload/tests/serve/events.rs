//! Events as they happen: for programs, and for open pages.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::inbox::Browser;
use crate::server::{Client, Server, Team, of, token};

/// An event: its id, its name, its data.
type Event = (String, String, Value);

/// The stream of a path, event by event. It ends where the server ends it.
fn stream(
    client: &Client,
    path: &str,
    headers: &[(&str, &str)],
) -> impl Iterator<Item = Event> + use<> {
    let body = client.open(path, headers);
    let mut lines = BufReader::new(body).lines().map_while(Result::ok);
    std::iter::from_fn(move || {
        let mut event = (String::new(), String::new(), Value::Null);
        for line in lines.by_ref() {
            match line.split_once(": ") {
                Some(("id", id)) => event.0 = id.to_owned(),
                Some(("event", name)) => event.1 = name.to_owned(),
                Some(("data", data)) => event.2 = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !event.1.is_empty() => return Some(event),
                _ => {}
            }
        }
        None
    })
}

fn kinds(events: &mut impl Iterator<Item = Event>, count: usize) -> Vec<String> {
    events
        .by_ref()
        .take(count)
        .map(|(_, kind, _)| kind)
        .collect()
}

#[test]
fn events_come_as_they_happen_go_on_where_they_ended_and_end_with_the_server() {
    let Team {
        agent,
        alice,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let mut events = stream(&alice, "/api/v1/events", &[]);
    let asked = agent.ask();
    alice.approve(&asked).ok(201);
    let (first, kind, data) = events.next().unwrap();
    assert_eq!(
        (kind.as_str(), &data["event"]["requested"]["id"]),
        ("requested", &asked["id"])
    );
    assert_eq!(kinds(&mut events, 1), ["reviewed"]);
    drop(events);
    agent.claim(&asked).ok(201);
    let mut again = stream(&alice, "/api/v1/events", &[("Last-Event-ID", &first)]);
    assert_eq!(kinds(&mut again, 2), ["reviewed", "claimed"]);
    let odd = alice.send("GET", "/api/v1/events", &[("Last-Event-ID", "seven")], None);
    assert_eq!(odd.unwrap().problem(400), "invalid_cursor");
    assert!(server.terminate().success());
    assert_eq!(kinds(&mut again, 2), ["shutdown"]);
}

#[test]
fn an_agent_hears_of_its_own_requests_alone() {
    let Team {
        agent, server, dir, ..
    } = Team::new();
    let stranger = server.client(&token(dir.path(), "pay-bot", "agent"));
    let mut events = stream(&stranger, "/api/v1/events", &[]);
    agent.ask();
    let own = stranger.ask();
    let (_, _, data) = events.next().unwrap();
    assert_eq!(data["event"]["requested"]["id"], own["id"]);
}

#[test]
fn whoever_takes_all_streams_takes_only_their_own_and_a_revoked_token_ends_one() {
    let Team {
        agent,
        alice,
        operator,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let open: Vec<_> = (0..16).map(|_| agent.open("/api/v1/events", &[])).collect();
    assert_eq!(agent.get("/api/v1/events").problem(429), "too_many_waits");
    let mut mine = stream(&alice, "/api/v1/events", &[]);
    drop(open);
    let tokens = operator.get("/api/v1/tokens").ok(200);
    let tokens = tokens.as_array().unwrap().iter();
    let own = tokens
        .clone()
        .find(|token| token["name"] == "alice")
        .unwrap();
    operator
        .delete(&format!("/api/v1/tokens/{}", own["id"].as_str().unwrap()))
        .ok(204);
    agent.ask();
    // The stream may tell what happened before the token was looked at, and ends.
    assert!(mine.by_ref().take(2).count() < 2);
    drop(server);
}

/// Streams that nobody reads, and connections that send nothing: others are served meanwhile.
#[test]
fn slow_clients_do_not_hold_up_others() {
    let Team {
        agent,
        alice,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let address = server.url.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for count in 0..60 {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = match count % 3 {
            0 => String::new(),
            1 => "GET /api/v1/approvals HTTP/1.1\r\nHost: x\r\nX-Slow: ".to_owned(),
            _ => format!(
                "POST /api/v1/approvals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                          Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 1000\r\n\r\n{{",
                agent.token
            ),
        };
        stream.write_all(head.as_bytes()).unwrap();
        idle.push(stream);
    }
    let unread: Vec<_> = (0..16).map(|_| alice.open("/api/v1/events", &[])).collect();
    let started = Instant::now();
    for _ in 0..20 {
        let asked = agent.ask();
        alice.approve(&asked).ok(201);
    }
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    drop((idle, unread));
}

#[test]
fn an_open_page_hears_which_request_changed_and_only_while_it_is_signed_in() {
    let Team {
        agent,
        alice,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let Browser {
        client: browser,
        cookie,
    } = Browser::sign_in(&server, &alice.token);
    let mut changes = stream(&browser, "/live", &[("Cookie", &cookie)]);
    let asked = agent.ask();
    let (_, kind, data) = changes.next().unwrap();
    assert_eq!((kind.as_str(), &data["id"]), ("changed", &asked["id"]));
    assert_eq!(
        data.as_object().unwrap().len(),
        1,
        "what an agent wrote is read on the page"
    );
    let page = browser
        .send("GET", "/", &[("Cookie", &cookie)], None)
        .unwrap();
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self'; connect-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        page.text.contains(r#"<script src="/live.js" defer"#),
        "{}",
        page.text
    );
    let script = browser.get("/live.js");
    assert_eq!(
        script.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(browser.get("/live").status, 303, "to sign in");
    let foreign = [("Cookie", cookie.as_str()), ("Host", "evil.example")];
    assert_eq!(
        browser.send("GET", "/live", &foreign, None).unwrap().status,
        403
    );
}

#[test]
fn who_waits_for_a_person_is_no_work_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let agent = server.client(&token(dir.path(), "build-bot", "agent"));
    let asked = agent.ask();
    let tag = agent.get(&of(&asked, "")).header("etag").to_owned();
    let address = server.url.strip_prefix("http://").unwrap();
    let wait = format!(
        "GET {}?wait=60s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIf-None-Match: {tag}\r\n\r\n",
        of(&asked, ""),
        agent.token,
    );
    let waiting: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(wait.as_bytes()).unwrap();
            stream
        })
        .collect();
    let operator = server.client(&token(dir.path(), "olga", "operator"));
    let in_flight = || {
        let text = operator.get("/metrics").text;
        let line = text
            .lines()
            .find(|line| line.starts_with("proofload_in_flight "))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let until = Instant::now() + Duration::from_secs(30);
    while in_flight() > 10 {
        assert!(Instant::now() < until, "{} in flight", in_flight());
    }
    drop(waiting);
}
