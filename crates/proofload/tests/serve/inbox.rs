//! The reviewers' pages, as a browser without JavaScript sees them.

use serde_json::{Value, json};

use crate::server::{Answer, Client, Server, Team, of, refund, token};

/// Somebody who is signed in by a browser.
pub(crate) struct Browser {
    pub(crate) client: Client,
    pub(crate) cookie: String,
}

/// A page without the one script that is the server's own.
fn without_script(page: &str) -> String {
    let own = r#"<script src="/live.js" defer></script>"#;
    assert_eq!(page.matches(own).count(), 1, "{page}");
    page.replacen(own, "", 1)
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let part = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", part(name), part(value)))
        .collect();
    pairs.join("&")
}

fn form(client: &Client, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/x-www-form-urlencoded"));
    client
        .send("POST", path, &headers, Some(encoded(fields).as_bytes()))
        .expect("it answers")
}

/// The values of the hidden fields of a form in a page.
fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

impl Browser {
    pub(crate) fn sign_in(server: &Server, token: &str) -> Self {
        let client = server.client("");
        let answer = form(&client, "/sign-in", &[], &[("token", token)]);
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/"),
            "{answer:?}"
        );
        let cookie = answer.header("set-cookie");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { client, cookie }
    }

    fn get(&self, path: &str) -> Answer {
        self.client
            .send("GET", path, &[("Cookie", &self.cookie)], None)
            .expect("it answers")
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        let csp = answer.header("content-security-policy");
        assert!(
            csp.starts_with(
                "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'"
            ) && csp.contains("frame-ancestors 'none'")
                && !csp.contains("unsafe"),
            "{csp}"
        );
        let text = without_script(&answer.text);
        assert!(
            !text.contains("<script") && !text.contains("style="),
            "{text}"
        );
        text
    }

    fn decide(&self, asked: &Value, more: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let path = request(asked);
        let page = self.page(&path);
        let own: Vec<(String, String)> = ["secret", "shown", "key"]
            .map(|name| (name.to_owned(), hidden(&page, name)))
            .to_vec();
        let mut fields: Vec<(&str, &str)> = own
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        fields.extend(more);
        let mut headers = headers.to_vec();
        headers.push(("Cookie", &self.cookie));
        form(&self.client, &path, &headers, &fields)
    }
}

fn request(asked: &Value) -> String {
    format!("/requests/{}", asked["id"].as_str().unwrap())
}

#[test]
fn a_reviewer_signs_in_reads_and_decides() {
    let Team {
        agent,
        alice,
        bob,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let (first, second) = (agent.ask(), agent.ask());
    let browser = Browser::sign_in(&server, &alice.token);
    let list = browser.page("/");
    assert!(
        list.contains(&request(&first))
            && list.contains("payments/refund")
            && list.contains("asked by build-bot"),
        "{list}"
    );
    let page = browser.page(&request(&first));
    for text in [
        "order A-17",
        "&quot;cents&quot;: 1250",
        first["digest"].as_str().unwrap(),
        "missing: 1 of anyone",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let done = browser.decide(
        &first,
        &[("verdict", "approve"), ("reason", "order came broken")],
        &[],
    );
    assert_eq!(
        (done.status, done.header("location")),
        (303, request(&first).as_str()),
        "{done:?}"
    );
    let now = agent.get(&of(&first, "")).ok(200);
    assert_eq!(
        (&now["status"], &now["reviews"][0]["reason"]),
        (&json!("approved"), &json!("order came broken"))
    );
    assert!(
        browser
            .page(&request(&first))
            .contains("waiting for the agent")
    );
    assert!(browser.page("/?show=approved").contains(&request(&first)));

    let done = browser.decide(
        &second,
        &[("verdict", "request_changes"), ("reason", "half of it")],
        &[],
    );
    assert_eq!(done.status, 303);
    assert!(
        browser
            .page(&request(&second))
            .contains("alice asked for changes: ")
    );
    // While the page is open, somebody else decides.
    let bob = Browser::sign_in(&server, &bob.token);
    let page = browser.page(&request(&second));
    assert_eq!(
        bob.decide(&second, &[("verdict", "deny"), ("reason", "no")], &[])
            .status,
        303
    );
    let late = [
        ("secret", hidden(&page, "secret")),
        ("shown", hidden(&page, "shown")),
        ("key", hidden(&page, "key")),
    ];
    let mut fields: Vec<(&str, &str)> = late
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    fields.push(("verdict", "approve"));
    let answer = form(
        &browser.client,
        &request(&second),
        &[("Cookie", &browser.cookie)],
        &fields,
    );
    assert!(
        answer.status == 409 && answer.text.contains("already denied by bob"),
        "{answer:?}"
    );
    assert!(browser.page("/audit").contains("reviewed (deny)"));
}

#[test]
fn a_form_that_is_sent_twice_counts_once_and_a_missing_reason_keeps_nothing_from_being_sent_again()
{
    let dir = tempfile::tempdir().unwrap();
    let policy = "[default]\nsensitivity = \"high\"\nrequires_reason = true\n";
    std::fs::write(dir.path().join("policy.toml"), policy).unwrap();
    let server = Server::start(dir.path());
    let agent = server.client(&token(dir.path(), "build-bot", "agent"));
    let browser = Browser::sign_in(&server, &token(dir.path(), "alice", "reviewer"));
    let asked = agent.ask();
    let answer = browser.decide(&asked, &[("verdict", "approve"), ("reason", "  ")], &[]);
    assert!(
        answer.status == 422 && answer.text.contains("is to be decided with a reason"),
        "{answer:?}"
    );
    for _ in 0..2 {
        let again = [
            ("verdict", "approve"),
            ("reason", "fine"),
            ("key", "the same"),
            ("secret", &hidden(&browser.page("/"), "secret")),
            ("shown", asked["digest"].as_str().unwrap()),
        ];
        let answer = form(
            &browser.client,
            &request(&asked),
            &[("Cookie", &browser.cookie)],
            &again,
        );
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    let done = agent.get(&of(&asked, "")).ok(200);
    assert_eq!(done["reviews"].as_array().unwrap().len(), 1);
}

#[test]
fn forged_forms_and_foreign_names_are_refused() {
    let Team {
        agent,
        alice,
        server,
        dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let browser = Browser::sign_in(&server, &alice.token);
    let approve = [("verdict", "approve"), ("reason", "x")];
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Host", "evil.example"),
    ] {
        let answer = browser.decide(&asked, &approve, &[(name, value)]);
        assert_eq!(answer.problem(403), "origin_refused", "{name}: {value}");
    }
    let other = Browser::sign_in(&server, &token(dir.path(), "bob", "reviewer"));
    let theirs = hidden(&other.page("/"), "secret");
    for secret in ["", "x", theirs.as_str()] {
        let answer = browser.decide(&asked, &[approve[0], approve[1], ("secret", secret)], &[]);
        assert_eq!(answer.problem(403), "csrf_failed", "{secret:?}");
    }
    let wrong = browser.decide(
        &asked,
        &[approve[0], approve[1], ("shown", &"0".repeat(64))],
        &[],
    );
    assert_eq!(wrong.status, 412, "{wrong:?}");
    assert_eq!(agent.get(&of(&asked, "")).ok(200)["status"], "pending");
}

#[test]
fn pages_are_for_those_who_are_signed_in_with_a_reviewers_live_token() {
    let Team {
        agent,
        alice,
        operator,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    let nobody = server.client("");
    for path in ["/", "/audit", &request(&asked)] {
        for cookie in ["", "proofload_session=", "proofload_session=x", "other=1"] {
            let answer = nobody
                .send("GET", path, &[("Cookie", cookie)], None)
                .unwrap();
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, "/sign-in"),
                "{path} {cookie}"
            );
        }
        let with_token = alice.send("GET", path, &[], None).unwrap();
        assert_eq!(with_token.status, 303, "a token is not a session");
    }
    for token in ["", "plt_x", agent.token.as_str(), operator.token.as_str()] {
        let answer = form(&nobody, "/sign-in", &[], &[("token", token)]);
        assert!(
            answer.status == 401 && answer.header("set-cookie").is_empty(),
            "{answer:?}"
        );
    }
    let browser = Browser::sign_in(&server, &alice.token);
    let with_cookie = browser.get("/api/v1/approvals");
    assert_eq!(
        with_cookie.problem(401),
        "unauthenticated",
        "a session is not a token"
    );
    let second = Browser::sign_in(&server, &alice.token);
    let secret = hidden(&second.page("/"), "secret");
    let out = form(
        &second.client,
        "/sign-out",
        &[("Cookie", &second.cookie)],
        &[("secret", &secret)],
    );
    assert_eq!(out.status, 303);
    assert_eq!(second.get("/").status, 303);
    browser.page("/");
    let tokens = operator.get("/api/v1/tokens").ok(200);
    let hers = tokens
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["name"] == "alice")
        .unwrap();
    operator
        .delete(&format!("/api/v1/tokens/{}", hers["id"].as_str().unwrap()))
        .ok(204);
    assert_eq!(
        browser.get("/").status,
        303,
        "the session ends with its token"
    );
}

#[test]
fn what_agents_write_is_text_on_every_page() {
    let Team {
        agent,
        alice,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;b&gt; [x](javascript:alert(1)) https://evil.example";
    let mut action = refund();
    action["name"] = json!(attack);
    action["description"] = json!(attack);
    action["path"] = json!(format!("a/{}", attack.replace(['/', '*'], "_")));
    action["parameters"] =
        json!({ attack: [attack, { attack: attack }], "hidden": "safe\u{202e}gpj.exe\u{200b}" });
    let body = json!({ "action": action, "context": { attack: attack }, "binding": { "reads": { attack: attack } } });
    let asked = agent.post("/api/v1/approvals", &body).ok(201);
    let browser = Browser::sign_in(&server, &alice.token);
    browser.decide(
        &asked,
        &[("verdict", "request_changes"), ("reason", attack)],
        &[],
    );
    for path in ["/", "/?show=all", "/audit", &request(&asked)] {
        let page = browser.page(path);
        for markup in [
            "<script",
            "<img",
            "<b>",
            "onerror=alert(1)>\"",
            "href=\"https",
            "href=\"javascript",
            "\u{202e}",
            "\u{200b}",
        ] {
            assert!(!page.contains(markup), "{path} has {markup}: {page}");
        }
    }
    let page = browser.page(&request(&asked));
    assert!(
        page.contains("&lt;script&gt;") && page.contains("\\u202e"),
        "{page}"
    );
    let denied = browser.decide(
        &asked,
        &[
            ("verdict", "deny"),
            ("reason", attack),
            ("shown", &"0".repeat(64)),
        ],
        &[],
    );
    assert!(
        denied.status == 412 && !without_script(&denied.text).contains("<script"),
        "the reason comes back as text"
    );
}
