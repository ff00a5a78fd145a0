//! Every tool of an MCP server in turn, in both versions of the protocol, told apart in the report.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use load_engine::Ruling;
use serde_json::{Value, json};

use crate::effects::run;
use crate::server::{Request, read_request};

/// What a server was asked for: calls by version and tool, and mistakes.
#[derive(Default)]
struct Seen {
    calls: BTreeMap<(String, String), u64>,
    kept: Vec<Value>,
    mistakes: Vec<String>,
}

/// A server that speaks both versions, and takes note of requests that are of neither.
fn server() -> (String, Arc<Mutex<Seen>>) {
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let noted = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&noted);
            thread::spawn(move || serve(stream, &seen));
        }
    });
    (format!("http://{address}/mcp"), seen)
}

fn serve(mut to: TcpStream, seen: &Mutex<Seen>) {
    to.set_nodelay(true).unwrap();
    let mut from = BufReader::new(to.try_clone().unwrap());
    while let Ok(Some(request)) = read_request(&mut from) {
        let asked = request.json();
        let (status, message) = match version_of(&request, &asked) {
            Err(mistake) => {
                seen.lock().unwrap().mistakes.push(mistake.clone());
                (
                    "400 Bad",
                    json!({ "error": { "code": -32602, "message": mistake } }),
                )
            }
            Ok(version) => ("200 OK", result_of(&asked, version, seen)),
        };
        let mut message = message;
        (message["jsonrpc"], message["id"]) = (json!("2.0"), asked["id"].clone());
        let body = match asked["id"].is_null() {
            true => String::new(),
            false => message.to_string(),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nmcp-session-id: s-1\r\ncontent-length: {length}\r\n\r\n");
        if to.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The version that a request is in, by its head and its body.
fn version_of(request: &Request, asked: &Value) -> Result<&'static str, String> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let method = asked["method"].as_str().unwrap();
    let meta = &asked["params"]["_meta"];
    if header("mcp-protocol-version") == Some("2026-07-28") {
        let tool = asked["params"]["name"].as_str();
        let is_right = meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
            && meta["io.modelcontextprotocol/clientCapabilities"] == json!({})
            && header("mcp-method") == Some(method)
            && header("mcp-name") == tool
            && header("mcp-session-id").is_none()
            && method != "initialize";
        return match is_right {
            true => Ok("2026-07-28"),
            false => Err(format!(
                "not as of 2026-07-28: {:?} {asked}",
                request.headers
            )),
        };
    }
    let session = (method != "initialize").then_some("s-1");
    match header("mcp-session-id") == session && meta.is_null() {
        true => Ok("2025-11-25"),
        false => Err(format!(
            "not as of 2025-11-25: {:?} {asked}",
            request.headers
        )),
    }
}

fn tools() -> Value {
    let reads = json!({ "readOnlyHint": true });
    json!([
        { "name": "add", "inputSchema": { "type": "object" } },
        { "name": "echo", "annotations": reads, "inputSchema": {
            "type": "object", "required": ["text", "times"], "properties": {
                "text": { "type": "string", "minLength": 3 },
                "times": { "type": "integer", "minimum": 1, "maximum": 3 },
                "kind": { "enum": ["plain", "loud"] } } } },
        { "name": "fail", "annotations": reads, "inputSchema": { "type": "object" } },
        { "name": "list", "annotations": reads, "inputSchema": { "type": "object" } },
        { "name": "wipe", "inputSchema": { "type": "object" } },
    ])
}

fn result_of(asked: &Value, version: &str, seen: &Mutex<Seen>) -> Value {
    let mut seen = seen.lock().unwrap();
    let arguments = &asked["params"]["arguments"];
    let tool = match (asked["method"].as_str(), asked["params"]["name"].as_str()) {
        (Some("initialize"), _) => {
            return json!({ "result": { "protocolVersion": version, "capabilities": {} } });
        }
        (Some("tools/list"), _) => return json!({ "result": { "tools": tools() } }),
        (Some("tools/call"), Some(tool)) => tool.to_owned(),
        _ => return json!({ "result": {} }),
    };
    *seen
        .calls
        .entry((version.to_owned(), tool.clone()))
        .or_default() += 1;
    let schema = tools()
        .as_array()
        .unwrap()
        .iter()
        .find(|known| known["name"] == *tool)
        .cloned();
    let schema = schema.unwrap()["inputSchema"].clone();
    if let Err(error) = jsonschema::validator_for(&schema)
        .unwrap()
        .validate(arguments)
    {
        seen.mistakes.push(format!("{tool}: {error}"));
    }
    match &*tool {
        "add" => {
            seen.kept.push(arguments.clone());
            json!({ "result": { "content": [], "resultType": "complete" } })
        }
        "list" => json!({ "result": { "content": [], "rows": seen.kept } }),
        "fail" => json!({ "result": { "content": [{ "text": "out of order" }], "isError": true } }),
        _ => json!({ "result": { "content": [] } }),
    }
}

const TOOLS: &str = r#"
name = "tools"
thresholds = [
    'error_rate < 60%',
    'p50(everything.echo) < 10s',
    'failed(everything.fail) > 0',
    'failed(everything.list) == 0',
    'operations(everything.2025-11-25) > 0',
    'p50(everything.2026-07-28) < 10s',
    'operations(everything.nothing) > 0',
]

[services.tools]
kind = "mcp"
url = "URL"
version = ["2025-11-25", "2026-07-28"]
require = { tools = 5 }
allow = ["add"]

[[flows.everything]]
call = "*"
args = "${schema()}"

[[flows.add]]
call = "add"
args = '{ "key": "${id}" }'
effect = { creates = "entry", key = "${id}" }

[effects.entry]
read.call = "list"
read.rows = "$.rows[*]"

[model]
users = 4
iterations = 30
"#;

#[test]
fn each_tool_that_only_reads_is_called_in_turn_in_both_versions() {
    let (url, seen) = server();
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&TOOLS.replace("URL", &url), out.path());
    let page = crate::page(&report);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.mistakes, Vec::<String>::new(), "{page}");
    let called = |version: &str, tool: &str| {
        let key = (version.to_owned(), tool.to_owned());
        seen.calls.get(&key).copied().unwrap_or(0)
    };
    for version in ["2025-11-25", "2026-07-28"] {
        for tool in ["add", "echo", "fail", "list"] {
            assert!(called(version, tool) > 0, "{version} {tool}\n{page}");
        }
        assert_eq!(called(version, "wipe"), 0, "{page}");
    }
    let part = |name: &str| {
        let part = result.run.part(&format!("everything.{name}")).unwrap();
        (part.time.count, part.failed)
    };
    let everything = result.run.step("everything").unwrap();
    let (echo, fail, list) = (part("echo"), part("fail"), part("list"));
    assert_eq!((echo.1, fail.0, list.1), (0, 0, 0), "{page}");
    // The list is asked for once more, when the effects are read.
    assert_eq!(
        list.0 + 1,
        called("2025-11-25", "list") + called("2026-07-28", "list")
    );
    assert_eq!(echo.0 + fail.1 + list.0, everything.attempted, "{page}");
    let versions = [part("2025-11-25"), part("2026-07-28")];
    let both: u64 = versions.iter().map(|(good, failed)| good + failed).sum();
    assert_eq!(both, everything.attempted, "{page}");
    assert!(result.effects_hold(), "{page}");
    for judged in &result.judgements {
        let text = judged.threshold.to_string();
        if text.contains("nothing") {
            // A tool that is not there is no reason to pass.
            assert_eq!(
                (judged.ruling, judged.counts),
                (Ruling::Unknown, true),
                "{page}"
            );
        } else if text.contains("everything") {
            // On a busy machine it may not be judged.
            assert!(judged.observed.is_some(), "{text}\n{page}");
            assert_ne!(judged.ruling, Ruling::Violated, "{text}\n{page}");
        }
    }
}

#[test]
fn mistakes_about_versions_and_tools_are_told() {
    let right = TOOLS.replace("URL", "http://127.0.0.1:1/mcp");
    let told = |from: &str, to: &str| {
        assert!(right.contains(from), "{from}");
        let text = right.replacen(from, to, 1);
        let read = ScenarioFile::parse("s.toml", &text, &Overrides::default());
        read.map_or_else(|error| error.to_string(), |_| "it is right".to_owned())
    };
    assert_eq!(told("allow", "allow"), "it is right");
    let version = told("[\"2025-11-25\", \"2026-07-28\"]", "\"2024-11-05\"");
    assert!(
        version.ends_with("a version is \"2025-11-25\" or \"2026-07-28\", or a list of both"),
        "{version}"
    );
    let program = told("url = \"http://127.0.0.1:1/mcp\"", "command = [\"true\"]");
    assert!(
        program
            .ends_with("a program speaks one version with its only client: leave the others out"),
        "{program}"
    );
    let more = told("args = \"${schema()}\"", "args = '{ \"a\": ${schema()} }'");
    assert_eq!(
        more,
        "s.toml:22:8: `schema()` makes all of the arguments: leave the rest out"
    );
    let unknown = told("everything.echo", "add.echo");
    assert!(
        unknown.contains("there is no part `add.echo`; there is"),
        "{unknown}"
    );
    let early = told(
        "[model]",
        "[[abort_on_fail]]\nthreshold = 'p50(everything.echo) < 1s'\n[model]",
    );
    assert!(
        early.ends_with(
            "times beside steps are known only when the load is over, so they cannot end it"
        ),
        "{early}"
    );
}

#[test]
fn a_server_without_a_tool_that_may_be_called_is_told_before_the_load() {
    let (url, _) = server();
    let only = TOOLS
        .replace("URL", &url)
        .replace("allow = [\"add\"]", "allow = [\"wipe\", \"ad\"]");
    let file = ScenarioFile::parse("s.toml", &only, &Overrides::default()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let told = Suite::new([file]).run(out.path(), &mut NoProgress);
    let told = told.unwrap_err().to_string();
    assert!(
        told.contains("there is no tool `ad`") || told.contains("`add` may write"),
        "{told}"
    );
}
