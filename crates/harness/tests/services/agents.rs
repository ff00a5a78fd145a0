//! The scenario files for agents' servers, run against servers of a few lines that answer as such servers do.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::ScenarioResult;
use serde_json::{Value, json};

use crate::server::{Request, read_request};

/// Runs a file of `scenarios/services` for so long, with what is set over it.
fn run(name: &str, seconds: u64, set: &[String]) -> (ScenarioResult, String) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/services");
    let overrides = Overrides {
        duration: Some(Duration::from_secs(seconds)),
        ..Overrides::set(set)
    };
    let file = ScenarioFile::read(format!("{folder}/{name}.toml").as_ref(), &overrides);
    let file = file.unwrap_or_else(|error| panic!("{error}"));
    let out = tempfile::tempdir().unwrap();
    let report = Suite::new([file]).run(out.path(), &mut NoProgress);
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    let page = crate::page(&report);
    (report.scenarios[0].clone(), page)
}

/// A server that answers each request by a status and JSON; gives its address.
fn server(answer: impl Fn(&Request) -> (u16, Value) + Send + Sync + 'static) -> String {
    let answer = Arc::new(answer);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream, &*answer));
        }
    });
    format!("http://{address}")
}

fn serve(mut to: TcpStream, answer: &dyn Fn(&Request) -> (u16, Value)) {
    to.set_nodelay(true).unwrap();
    let mut from = BufReader::new(to.try_clone().unwrap());
    while let Ok(Some(request)) = read_request(&mut from) {
        let (status, body) = answer(&request);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} It\r\ncontent-length: {length}\r\n\r\n{body}");
        if to.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn none_failed(result: &ScenarioResult, page: &str) {
    for step in &result.run.steps {
        assert!(
            step.succeeded > 0 && step.failed == 0,
            "{}\n{page}",
            step.name
        );
    }
}

#[test]
fn the_file_for_an_agents_api_runs_through_its_levels() {
    let url = server(|request| match &*request.path {
        "/api/v1/health" => (200, json!({ "status": "healthy" })),
        "/api/v1/config" => (200, json!({ "agent_id": "a" })),
        "/api/v1/capabilities" => (200, json!({ "capabilities": [] })),
        _ => (404, json!({})),
    });
    let fewer = ["500 users", "1000 users"].map(|phase| format!("phases.{phase}.users=40"));
    let mut set = vec![
        format!("services.api.url={url}"),
        "model.think_time=20ms".to_owned(),
    ];
    set.extend(fewer);
    let (result, page) = run("api-mix", 3, &set);
    none_failed(&result, &page);
    assert_eq!(result.run.phases.len(), 7, "{page}");
}

#[test]
fn the_file_for_health_checks_asks_each_of_six_hosts() {
    let hosts = ["one", "two", "three", "four", "five", "six"];
    let mut set = vec!["model.think_time=10ms".to_owned()];
    set.extend(hosts.map(|host| {
        let url = server(|_| (200, json!({})));
        format!("services.{host}.url={url}")
    }));
    let (result, page) = run("health-checks", 1, &set);
    none_failed(&result, &page);
    assert_eq!(result.run.steps.len(), 6, "{page}");
}

/// A server of 126 tools, of which one writes entities, one removes them and one lists them.
fn entities(kept: &Mutex<Vec<Value>>, request: &Request) -> (u16, Value) {
    let asked = request.json();
    let arguments = &asked["params"]["arguments"];
    let mut kept = kept.lock().unwrap();
    let result = match (asked["method"].as_str(), asked["params"]["name"].as_str()) {
        (Some("initialize"), _) => json!({ "protocolVersion": "2025-11-25", "capabilities": {} }),
        (Some("tools/list"), _) => {
            let reads = |name: String| {
                json!({ "name": name, "annotations": { "readOnlyHint": true }, "inputSchema": {
                "type": "object", "required": ["query"], "properties": { "query": { "type": "string" } } } })
            };
            let mut tools: Vec<Value> = (0..123)
                .map(|number| reads(format!("look-{number}")))
                .collect();
            tools.push(json!({ "name": "read_graph", "annotations": { "readOnlyHint": true } }));
            tools
                .extend(["create_entities", "delete_entities"].map(|name| json!({ "name": name })));
            json!({ "tools": tools })
        }
        (_, Some("create_entities")) => {
            kept.extend(arguments["entities"].as_array().unwrap().iter().cloned());
            json!({ "content": [] })
        }
        (_, Some("delete_entities")) => {
            let names = arguments["entityNames"].as_array().unwrap();
            kept.retain(|entity| !names.contains(&entity["name"]));
            json!({ "content": [] })
        }
        (_, Some("read_graph")) => json!({ "structuredContent": { "entities": *kept } }),
        (_, Some(_)) => json!({ "content": [], "isError": !arguments["query"].is_string() }),
        // A notification.
        _ => return (202, Value::Null),
    };
    (
        200,
        json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }),
    )
}

#[test]
fn the_file_for_126_tools_calls_them_all_and_finds_what_two_of_them_wrote() {
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    let shared = Arc::clone(&kept);
    let url = server(move |request| entities(&shared, request));
    let set = [
        format!("services.tools.url={url}/mcp"),
        "model.think_time=20ms".to_owned(),
    ];
    let (result, page) = run("mcp-tools", 3, &set);
    none_failed(&result, &page);
    assert!(result.effects_hold(), "{page}");
    let tools = result
        .run
        .parts
        .iter()
        .filter(|part| part.name.starts_with("everything."));
    assert_eq!(tools.clone().count(), 124, "{page}");
    let called: u64 = tools.map(|part| part.time.count).sum();
    assert_eq!(
        called,
        result.run.step("everything").unwrap().attempted,
        "{page}"
    );
    // What was found was removed again.
    assert!(kept.lock().unwrap().is_empty(), "{page}");
}
