//! `load` and files with services from the outside: what is printed, written and refused.

#![expect(
    clippy::disallowed_methods,
    reason = "the threads of a server end with the test's process"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A service that keeps what is posted to it, and lists it when it is asked; gives its address.
fn service() -> String {
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            thread::spawn(move || serve(&stream, &kept));
        }
    });
    format!("http://{address}")
}

fn serve(stream: &TcpStream, kept: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).unwrap();
    let (mut from, mut to) = (BufReader::new(stream), stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if from.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut header = String::new();
            from.read_line(&mut header).unwrap();
            match header.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body).unwrap();
        let answer = match line.starts_with("POST") {
            true if line.contains("/mcp") => mcp_answer(&body),
            true => {
                kept.lock().unwrap().push(String::from_utf8(body).unwrap());
                "{}".to_owned()
            }
            false => format!("[{}]", kept.lock().unwrap().join(",")),
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if to.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The answer of an MCP server with a tool that reads and one that may write.
fn mcp_answer(body: &[u8]) -> String {
    let asked: Value = serde_json::from_slice(body).unwrap();
    let result = match asked["method"].as_str().unwrap() {
        "initialize" => json!({ "protocolVersion": "2025-11-25", "capabilities": {} }),
        "tools/list" => json!({ "tools": [
            { "name": "look", "annotations": { "readOnlyHint": true }, "inputSchema": {
                "type": "object", "required": ["what"], "properties": { "what": { "type": "string" } } } },
            { "name": "make", "inputSchema": { "type": "object" } },
        ] }),
        "tools/call" if asked["params"]["name"] == "look" => {
            let is_right = asked["params"]["arguments"]["what"].is_string();
            json!({ "content": [], "isError": !is_right })
        }
        _ => json!({ "content": [] }),
    };
    json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string()
}

fn proofload(dir: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("proofload")
        .unwrap()
        .current_dir(dir)
        .args(arguments)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{stdout}{stderr}")
}

fn report(dir: &Path) -> Value {
    let json = fs::read(dir.join("proofload-out/latest/report.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_url_is_put_under_load_and_the_file_beside_the_report_does_the_same() {
    let dir = TempDir::new().unwrap();
    let url = format!("{}/items?a=1", service());
    let secret = "authorization: Bearer hunter2";
    let arguments = [
        "load",
        &url,
        "-u",
        "3",
        "-n",
        "30",
        "-H",
        secret,
        "--json",
        "{ \"key\": \"${id}\" }",
    ];
    let output = proofload(dir.path(), &arguments);
    let summary = told(&output);
    // On a busy machine the generator may be the limit, which is no failure.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{summary}");
    assert!(summary.contains("POST /items"), "{summary}");
    assert!(
        summary.contains("no effect was verified: the file names none"),
        "{summary}"
    );
    assert!(
        summary.contains("scenario: proofload-out/latest/load.toml"),
        "{summary}"
    );
    assert!(!summary.contains("hunter2"), "{summary}");
    let saved = report(dir.path());
    assert_eq!(saved["scenarios"][0]["run"]["steps"][0]["succeeded"], 30);
    assert!(!saved.to_string().contains("hunter2"));
    let command = saved["command"].as_str().unwrap();
    assert!(
        command.starts_with("proofload load 'http://127.0.0.1:"),
        "{command}"
    );
    assert!(command.contains("-H 'authorization: ***'"), "{command}");

    let again = Command::cargo_bin("proofload")
        .unwrap()
        .current_dir(dir.path())
        .env("AUTHORIZATION", "Bearer hunter2")
        .args(["run", "proofload-out/latest/load.toml", "--dry-run"])
        .output()
        .unwrap();
    let shown = told(&again);
    assert_eq!(again.status.code(), Some(0), "{shown}");
    assert!(shown.contains("POST /items?a=1 HTTP/1.1"), "{shown}");
    assert!(shown.contains("authorization: ***"), "{shown}");
    assert!(shown.contains("content-type: application/json"), "{shown}");
}

#[test]
fn the_tools_of_an_mcp_server_are_called_in_turn_and_told_apart() {
    let dir = TempDir::new().unwrap();
    let url = format!("{}/mcp", service());
    let counted = ["-u", "2", "-n", "20"];
    let run = |more: &[&str]| {
        let arguments = [&["load", &*url, "--mcp"], &counted[..], more].concat();
        let output = proofload(dir.path(), &arguments);
        let summary = told(&output);
        // On a busy machine the generator may be the limit, which is no failure.
        assert!(matches!(output.status.code(), Some(0 | 3)), "{summary}");
        summary
    };
    let summary = run(&["-H", "authorization: Bearer hunter2"]);
    assert!(summary.contains("each tool in turn"), "{summary}");
    assert!(summary.contains("request.look"), "{summary}");
    assert!(!summary.contains("request.make"), "{summary}");
    assert!(!summary.contains("hunter2"), "{summary}");
    let summary = run(&["--allow", "*"]);
    assert!(summary.contains("request.make"), "{summary}");
    run(&["--call", "look", "--args", "{ \"what\": \"${id}\" }"]);
    let again = proofload(
        dir.path(),
        &["run", "proofload-out/latest/load.toml", "--dry-run"],
    );
    assert!(
        told(&again).contains("\"name\":\"look\",\"arguments\":{ \"what\": "),
        "{}",
        told(&again)
    );
    let refused = proofload(
        dir.path(),
        &["load", &url, "--mcp", "--call", "make", "-n", "1"],
    );
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        told(&refused).contains("`make` may write: add it to `allow`"),
        "{}",
        told(&refused)
    );
}

/// A document as servers write them, of the service at this address.
fn openapi(url: &str) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Orders ${x} & more", "version": "1" },
        "servers": [{ "url": url }],
        "paths": {
            "/orders": {
                "get": { "operationId": "list_orders", "summary": "List orders", "parameters": [
                    { "name": "limit", "in": "query", "required": true, "schema": { "type": "integer", "minimum": 1, "maximum": 9 } },
                    { "name": "after", "in": "query", "schema": { "type": "string" } },
                    { "$ref": "#/components/parameters/Tenant" },
                ] },
                "post": { "operationId": "place", "requestBody": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Order" } } } } },
            },
            "/orders/{id}": { "parameters": [{ "name": "id", "in": "path", "schema": { "type": "string", "example": "a/b" } }],
                "get": {}, "delete": { "operationId": "list_orders" } },
        },
        "components": {
            "parameters": { "Tenant": { "name": "X-Tenant", "in": "header", "required": true, "example": "t1" } },
            "schemas": { "Order": { "type": "object", "required": ["reference"], "properties": {
                "reference": { "type": "string" }, "next": { "$ref": "#/components/schemas/Order" } } } },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// Writes a scenario from a document, and gives its text and what running it told.
fn made_of(flag: &str, document: &Value) -> (String, String) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("document.json"), document.to_string()).unwrap();
    let output = proofload(dir.path(), &["init", flag, "document.json", "made.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let text = fs::read_to_string(dir.path().join("made.toml")).unwrap();
    let output = proofload(dir.path(), &["run", "made.toml", "--duration", "400ms"]);
    let summary = told(&output);
    // On a busy machine the generator may be the limit, which is no failure.
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{text}\n{summary}"
    );
    let steps = report(dir.path())["scenarios"][0]["run"]["steps"].clone();
    for step in steps.as_array().unwrap() {
        assert!(step["succeeded"].as_u64().unwrap() > 0, "{step}");
        assert_eq!(step["failed"], 0, "{step}");
    }
    (text, summary)
}

#[test]
fn a_scenario_is_made_of_an_openapi_document_and_runs() {
    let (text, summary) = made_of("--from-openapi", &openapi(&service()));
    for part in [
        "name = \"Orders-x-more\"",
        "headers = { authorization = \"Bearer ${secret.API_TOKEN:-none}\" }",
        "# GET /orders: List orders\n[[flows.list_orders]]\nhttp = '''\nGET /orders?limit=",
        "x-tenant: t1",
        "GET /orders/a%2Fb",
        "expect = { status = [200, 204, 404] }",
        "# [[flows.place]]\n# http = '''\n# POST /orders\n# content-type: application/json\n#\n# {\n#   \"reference\": \"",
        "# [[flows.list_orders-2]]",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(summary.contains("list_orders"), "{summary}");
    // What is a comment is right as well, once it is none.
    let dir = TempDir::new().unwrap();
    let writes = text.split("# [[flows.place]]\n").nth(1).unwrap();
    let writes = writes.lines().map_while(|line| line.strip_prefix('#'));
    let writes: Vec<&str> = writes
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let writes = format!("[[flows.place]]\n{}\n[model]", writes.join("\n"));
    let all = text.replace("[model]", &writes);
    fs::write(dir.path().join("all.toml"), all).unwrap();
    let output = proofload(dir.path(), &["run", "all.toml", "--dry-run"]);
    assert!(
        told(&output).contains("POST /orders HTTP/1.1"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_scenario_is_made_of_a_recording_and_runs() {
    let url = service();
    let entry = |at: &str, method: &str, url: &str, kind: &str, body: Value| {
        json!({
            "startedDateTime": format!("2026-01-01T00:00:0{at}Z"),
            "request": { "method": method, "url": url, "postData": body, "headers": [
                { "name": "Accept", "value": "application/json" }, { "name": "Authorization", "value": "Bearer hunter2" },
                { "name": "Cookie", "value": "a=b" }, { "name": ":path", "value": "/" }, { "name": "sec-ch-ua", "value": "x" },
            ] },
            "response": { "status": 200, "content": { "mimeType": kind } },
        })
    };
    let orders = format!("{url}/orders?a=${{b}}");
    let document = json!({ "log": { "entries": [
        entry("0.000", "GET", &orders, "application/json", json!(null)),
        entry("0.100", "GET", &format!("{url}/logo.png"), "image/png", json!(null)),
        entry("0.150", "GET", "http://elsewhere.example/x", "text/html", json!(null)),
        entry("0.350", "POST", &format!("{url}/orders"), "application/json", json!({ "text": "{ \"a\": \"it's '''\" }" })),
        entry("0.400", "GET", &orders, "application/json", json!(null)),
    ] } });
    let (text, summary) = made_of("--from-har", &document);
    for part in [
        "# Recorded by a browser: 3 requests in their order; 2 to other services",
        "name = \"GET-orders\"",
        "name = \"POST-orders\"",
        "name = \"GET-orders-2\"",
        "GET /orders?a=$%7Bb%7D\naccept: application/json\nauthorization: ${secret.AUTHORIZATION:-none}",
        "think_time = \"350ms\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for part in ["hunter2", "cookie", "logo.png", "elsewhere", "sec-ch"] {
        assert!(!text.contains(part), "{part}\n{text}");
    }
    assert!(summary.contains("POST-orders"), "{summary}");
}

/// The entries of a Hurl file for the service at `{{host}}`.
const HURL: &str = r#"
# Places an order and looks at it.
POST {{host}}/orders
Content-Type: application/json
{
  "reference": "{{reference}}",
  "price": "${5}"
}
HTTP 200
[Captures]
body: jsonpath "$"
length: header "content-length"
size: body

GET {{host}}/orders
Accept: application/json
X-Length: {{length}}
[QueryStringParams]
after: a b
HTTP/1.1 200
[Asserts]
jsonpath "$[0].reference" == "r-1"
jsonpath "$" exists
jsonpath "$" count > 3
"#;

#[test]
fn a_scenario_is_made_of_a_hurl_file_and_runs() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("orders.hurl"), HURL).unwrap();
    let output = proofload(
        dir.path(),
        &["init", "--from-hurl", "orders.hurl", "made.toml"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let text = fs::read_to_string(dir.path().join("made.toml")).unwrap();
    for part in [
        "url = \"${env.HOST:-http://127.0.0.1:8000}\"",
        "\"reference\": \"${env.REFERENCE}\",\n  \"price\": \"$${5}\"",
        "capture = { body = \"$\", length = { header = \"content-length\" } }",
        "# Not taken over: size: body",
        "GET /orders?after=a%20b\nAccept: application/json\nX-Length: ${length}",
        "expect = { status = 200, \"$[0].reference\" = \"r-1\", exists = [\"$\"] }",
        "# Not taken over: jsonpath \"$\" count > 3",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let output = Command::cargo_bin("proofload")
        .unwrap()
        .current_dir(dir.path())
        .env("HOST", service())
        .env("REFERENCE", "r-1")
        .args(["run", "made.toml", "--set", "model.for=300ms"])
        .output()
        .unwrap();
    let summary = told(&output);
    // On a busy machine the generator may be the limit, which is no failure.
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{text}\n{summary}"
    );
    for step in report(dir.path())["scenarios"][0]["run"]["steps"]
        .as_array()
        .unwrap()
    {
        assert!(step["succeeded"].as_u64().unwrap() > 0, "{step}\n{summary}");
        assert_eq!(step["failed"], 0, "{step}\n{summary}");
    }
}

#[test]
fn what_no_scenario_can_be_made_of_is_told() {
    let dir = TempDir::new().unwrap();
    for (flag, document, wanted) in [
        ("--from-openapi", "openapi: 3.0.0", "document is no JSON: "),
        (
            "--from-openapi",
            "{ \"swagger\": \"2.0\" }",
            "this is no document of OpenAPI 3: its `openapi` is \"\"",
        ),
        (
            "--from-openapi",
            "{ \"openapi\": \"3.0.0\" }",
            "the document has no operation under `paths`",
        ),
        (
            "--from-har",
            "{}",
            "this is no HAR: `log.entries` is missing",
        ),
        (
            "--from-har",
            "{ \"log\": { \"entries\": [] } }",
            "the recording has no request over HTTP",
        ),
    ] {
        fs::write(dir.path().join("document"), document).unwrap();
        let output = proofload(dir.path(), &["init", flag, "document", "made.toml"]);
        assert_eq!(output.status.code(), Some(2), "{document}");
        assert!(
            told(&output).contains(wanted),
            "{document}\n{}",
            told(&output)
        );
        assert!(!dir.path().join("made.toml").exists());
    }
}

#[test]
fn other_protocols_have_flags_and_their_mistakes_name_them() {
    let dir = TempDir::new().unwrap();
    let redis = "redis://127.0.0.1:6379/9";
    let command = "SET pl:${id} ${pick('a b', 'c')}";
    let output = proofload(
        dir.path(),
        &["load", redis, "--redis", command, "--dry-run"],
    );
    let shown = told(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("SET pl:"), "{shown}");
    let sql = "select * from note where id = ${user}";
    let postgres = "postgres://postgres@127.0.0.1/shop_test";
    let output = proofload(dir.path(), &["load", postgres, "--sql", sql, "--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    for (arguments, wanted) in [
        (
            vec![redis, "--redis", "FLUSHALL"],
            "error: --redis: FLUSHALL",
        ),
        (
            vec![redis, "--redis", " "],
            "error: --redis: a command is missing",
        ),
        (
            vec![redis, "--redis", "GET ${nope}"],
            "error: --redis: there is no value `nope`",
        ),
        (
            vec!["http://127.0.0.1:1", "--redis", "PING"],
            "error: http://127.0.0.1:1: `url` of a redis service",
        ),
        (
            vec![postgres, "--sql", "delete from note"],
            "error: --sql: a DELETE without WHERE",
        ),
        (
            vec!["postgres://postgres@127.0.0.1/shop", "--sql", sql],
            "is the database `shop`",
        ),
        (
            vec![
                "http://127.0.0.1:1/mcp",
                "--mcp",
                "--call",
                "x",
                "--args",
                "{",
            ],
            "error: --args: `args` is not JSON",
        ),
        (
            vec!["http://127.0.0.1:1/mcp", "--mcp", "--json", "{}"],
            "cannot be used with",
        ),
    ] {
        let arguments = [vec!["load"], arguments, vec!["--dry-run"]].concat();
        let output = proofload(dir.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            told(&output).contains(wanted),
            "{arguments:?}\n{}",
            told(&output)
        );
    }
}

#[test]
fn a_mistake_in_a_load_of_a_url_names_the_argument_and_not_a_file_that_nobody_wrote() {
    let dir = TempDir::new().unwrap();
    let at = "http://127.0.0.1:9/";
    for (arguments, told_as) in [
        (
            vec!["http://127.0.0.1:99999/"],
            "http://127.0.0.1:99999/: the URL",
        ),
        (
            vec!["http://127.0.0.1:9/${nope}"],
            "http://127.0.0.1:9/${nope}: there is no value `nope`",
        ),
        (
            vec!["http://example.org/"],
            "http://example.org/: `target` is at example.org",
        ),
        (
            vec![at, "-X", "G@T"],
            "-X G@T: a request begins with a method",
        ),
        (
            vec![at, "-H", "accept: */*", "-H", "x-a: ${row.x}"],
            "-H x-a: there is no value `row.x`",
        ),
        (vec![at, "--json", "{a"], "--json: the body is not JSON"),
        (
            vec![at, "--json", "{\n\n\"a\": ${x}}"],
            "--json: there is no value `x`",
        ),
        (vec![at, "--body", "${x}"], "--body: there is no value `x`"),
    ] {
        let arguments = [vec!["load"], arguments, vec!["--dry-run"]].concat();
        let output = proofload(dir.path(), &arguments);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("error: {told_as}")), "{told}");
        assert!(!told.contains("load.toml"), "{told}");
    }
}

#[test]
fn the_template_for_services_runs_as_it_is() {
    let dir = TempDir::new().unwrap();
    let output = proofload(dir.path(), &["init", "--from", "services", "mine.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let output = proofload(dir.path(), &["run", "mine.toml"]);
    let summary = told(&output);
    // On a busy machine the generator may be the limit, which is no failure.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{summary}");
    assert!(summary.contains("200 effects verified"), "{summary}");
}

#[test]
fn a_rate_is_an_open_model_and_a_mistake_says_what_to_write() {
    let dir = TempDir::new().unwrap();
    let url = service();
    let output = proofload(dir.path(), &["load", &url, "-r", "50/s", "-d", "400ms"]);
    let summary = told(&output);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{summary}");
    assert!(summary.contains("20 arrivals at 50/s"), "{summary}");
    for (arguments, expected) in [
        (
            &["load", "http://shop.example.com"][..],
            "`target` is at shop.example.com: add --allow-host shop.example.com",
        ),
        (
            &["load", "orders.toml"],
            "a URL begins with http:// or https://",
        ),
        (&["load", &url, "-H", "accept"], "expected NAME: VALUE"),
        (
            &["load", &url, "--json", "{ \"a\": }"],
            "the body is not JSON",
        ),
        (
            &["run", "storage", "--dry-run"],
            "--dry-run is for files with [services]",
        ),
        (
            &["run", "storage", "--run-id", "A"],
            "expected 4 to 16 small letters and digits",
        ),
    ] {
        let output = proofload(dir.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}\n{}",
            told(&output)
        );
        assert!(
            told(&output).contains(expected),
            "{arguments:?}\n{}",
            told(&output)
        );
    }
}

#[test]
fn a_service_that_is_not_there_is_told_before_the_load() {
    let dir = TempDir::new().unwrap();
    // Port 1, of a service that nobody has run for decades.
    let url = "http://127.0.0.1:1";
    let output = proofload(dir.path(), &["load", url, "-n", "10"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(
        told(&output).contains("connection refused"),
        "{}",
        told(&output)
    );
}

#[test]
fn effects_of_a_file_are_proved_and_the_page_says_how() {
    let dir = TempDir::new().unwrap();
    let text = format!(
        r#"
name = "items"
thresholds = ['error_rate < 1%']

[services.items]
kind = "http"
url = "{}"

[[flows.add]]
http = '''
POST /items

{{ "key": "${{id}}", "content": "${{run}}" }}
'''
effect = {{ creates = "item", key = "${{id}}", content = "${{run}}" }}

[effects.item]
read.http = "GET /items"

[model]
users = 2
iterations = 10
"#,
        service()
    );
    fs::write(dir.path().join("items.toml"), &text).unwrap();
    let output = proofload(dir.path(), &["run", "items.toml"]);
    let summary = told(&output);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{summary}");
    // Lines end where the terminal does.
    let summary = summary.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        summary
            .contains("20 acknowledged effects, 20 final states verified, read without a restart"),
        "{summary}"
    );
    assert!(
        summary.contains(
            "item: 20 acknowledged, 0 refused, 0 unknown; end: 20 found; not proved over a restart"
        ),
        "{summary}"
    );
    assert_eq!(
        report(dir.path())["scenarios"][0]["effects"][0]["readings"][0]["verification"]["verified"],
        20
    );
    let page = fs::read_to_string(dir.path().join("proofload-out/latest/report.md")).unwrap();
    assert!(page.contains("Effects: item: 20 acknowledged"), "{page}");
    assert!(!page.contains("closed and opened again"), "{page}");

    fs::write(
        dir.path().join("items.toml"),
        text.replace("read.http = \"GET", "read.http = \"GTE"),
    )
    .unwrap();
    let output = proofload(dir.path(), &["run", "items.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).starts_with("error: items.toml:18:13: "),
        "{}",
        told(&output)
    );
}

#[test]
fn a_set_up_that_fails_is_told_and_its_report_is_written() {
    let dir = TempDir::new().unwrap();
    let text = format!(
        "name = \"orders\"\n[services.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [[setup]]\nname = \"create\"\nhttp = \"GET /\"\nexpect = {{ status = 201 }}\n\
         [[flows.read]]\nhttp = \"GET /\"\n[model]\nusers = 1\niterations = 1\n",
        service()
    );
    fs::write(dir.path().join("orders.toml"), text).unwrap();
    let output = proofload(dir.path(), &["run", "orders.toml"]);
    let summary = told(&output);
    assert_eq!(output.status.code(), Some(2), "{summary}");
    let problem = "scenario orders cannot set up its target: `create`: unknown: HTTP 200, and 201 is expected";
    assert!(summary.contains(problem), "{summary}");
    let saved = report(dir.path());
    assert_eq!(saved["scenarios"][0]["incomplete"], problem);
    assert_eq!(saved["verdict"]["conclusion"], "inconclusive");
}
