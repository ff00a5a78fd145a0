//! The same proof over other protocols: programs that speak JSON lines, MCP, and Redis.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use harness::{Overrides, ScenarioFile};
use report::ScenarioResult;
use serde_json::json;

use crate::effects::run;
use crate::server::read_request;

fn proved(text: &str) -> (ScenarioResult, String) {
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(text, out.path());
    (result, crate::page(&report))
}

/// A program that keeps the lines it is told, but for those that `$1` matches, and lists them when asked.
const KEEPS_LINES: &str = r#"
while read -r line; do
  case "$line" in
    *'"list"'*) printf '{"rows":['; sed '$!s/$/,/' "$0" | tr -d '\n'; echo ']}' ;;
    *'"refuse"'*) echo '{"outcome":"refused","reason":"not this one"}' ;;
    $1) echo '{"ok":true}' ;;
    *) printf '%s\n' "$line" >> "$0"; echo '{"ok":true}' ;;
  esac
done
"#;

fn program(forgets: &str, line: &str) -> String {
    format!(
        r#"
name = "lines"
thresholds = ['error_rate < 90%']

[services.store]
kind = "exec"
command = ["sh", "-c", {script}, "${{dir}}/store", {forgets}]

[[setup]]
name = "make"
exec = '{{ "key": "first-${{run}}", "content": "none" }}'

[[flows.put]]
vars = {{ text = "${{text(20)}}" }}
exec = '{line}'
effect = {{ creates = "line", key = "${{id}}", content = "${{text}}" }}

[effects.line]
read.exec = '{{ "list": true }}'
read.rows = "$.rows[*]"

[model]
users = 3
iterations = 20
"#,
        script = json!(KEEPS_LINES),
        forgets = json!(forgets),
    )
}

const LINE: &str = r#"{ "key": "${id}", "content": "${text}" }"#;

#[test]
fn a_program_that_keeps_what_it_is_told_passes_but_for_what_others_put_there() {
    let (result, page) = proved(&program("nothing", LINE));
    let found = &result.verification;
    assert_eq!((found.verified, found.lost), (60, 0), "{page}");
    // The set-up's own line is of this run, and no step of the load has it.
    assert_eq!(found.unexpected, 1, "{page}");
}

#[test]
fn a_program_that_forgets_some_lines_is_found_out() {
    let (result, page) = proved(&program("*-7\\\"*", LINE));
    assert_eq!(result.verification.lost, 3, "{page}");
}

#[test]
fn what_a_program_refuses_must_not_be_there() {
    let (result, page) = proved(&program(
        "nothing",
        r#"{ "refuse": "${id}", "content": "${text}" }"#,
    ));
    let effect = &result.effects.as_ref().unwrap()[0];
    assert_eq!(
        (effect.refused, result.verification.lost),
        (60, 0),
        "{page}"
    );
    assert!(page.contains("refused: not this one"), "{page}");
}

/// An MCP server over standard streams in a few lines, which forgets what `$1` matches.
const MCP_SERVER: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  result() { echo '{"jsonrpc":"2.0","id":'"$id"',"result":'"$1"'}'; }
  case "$line" in
    *'"initialize"'*) result '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *notifications/*) ;;
    *tools/list*'"page":"2"'*) result '{"tools":[]}' ;;
    *tools/list*) result '{"tools":[{"name":"add"},{"name":"fail"},{"name":"list","annotations":{"readOnlyHint":true}}]}' ;;
    *'"name":"fail"'*) result '{"content":[{"type":"text","text":"out of order"}],"isError":true}' ;;
    *'"name":"list"'*) result '{"content":[],"rows":['"$(sed '$!s/$/,/' "$0" 2>/dev/null | tr -d '\n')"']}' ;;
    $1) result '{"content":[]}' ;;
    *) printf '%s' "$line" | sed 's/.*"arguments"://; s/}}$//' >> "$0"; echo >> "$0"; result '{"content":[]}' ;;
  esac
done
"#;

fn mcp(forgets: &str, tool: &str) -> String {
    format!(
        r#"
name = "mcp"
thresholds = ['error_rate < 90%']

[services.memory]
kind = "mcp"
command = ["sh", "-c", {script}, "${{dir}}/graph", {forgets}]
allow = ["{tool}"]

[[flows.remember]]
call = "{tool}"
args = '''
{{ "key": "${{id}}",
  "content": "note" }}
'''
effect = {{ creates = "entity", key = "${{id}}", content = "note" }}

[effects.entity]
read.call = "list"
read.rows = "$.rows[*]"

[model]
users = 3
iterations = 10
"#,
        script = json!(MCP_SERVER),
        forgets = json!(forgets),
    )
}

#[test]
fn an_mcp_server_that_keeps_everything_passes_also_after_it_was_started_again() {
    let (result, page) = proved(&mcp("nothing", "add"));
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 30, "{page}");
    assert!(page.contains("verified, read after a restart"), "{page}");
}

#[test]
fn an_mcp_server_that_forgets_is_found_out() {
    let (result, page) = proved(&mcp("*-7\\\"*", "add"));
    assert_eq!(result.verification.lost, 3, "{page}");
}

#[test]
fn a_tool_that_fails_leaves_what_nobody_knows() {
    let (result, page) = proved(&mcp("nothing", "fail"));
    let effect = &result.effects.as_ref().unwrap()[0];
    assert_eq!(
        (effect.unknown, result.verification.indeterminate),
        (30, 30),
        "{page}"
    );
    assert!(page.contains("the tool failed: out of order"), "{page}");
}

/// An MCP server over HTTP, which answers by JSON and by events in turn, and forgets each tenth entity if it
/// lies.
fn mcp_over_http(lies: bool) -> String {
    let kept: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            thread::spawn(move || serve_mcp(stream, &kept, lies));
        }
    });
    format!("http://{address}/mcp")
}

fn serve_mcp(mut to: TcpStream, kept: &Mutex<Vec<serde_json::Value>>, lies: bool) {
    to.set_nodelay(true).unwrap();
    let mut from = BufReader::new(to.try_clone().unwrap());
    let mut adds = 0;
    while let Ok(Some(request)) = read_request(&mut from) {
        let asked = request.json();
        let method = asked["method"].as_str().unwrap();
        let session = request.headers.get("mcp-session-id").map(String::as_str);
        assert_eq!(session, (method != "initialize").then_some("s-1"));
        let arguments = &asked["params"]["arguments"];
        let result = match (method, asked["params"]["name"].as_str()) {
            ("initialize", _) => json!({ "protocolVersion": "2025-11-25", "capabilities": {} }),
            ("tools/list", _) => json!({ "tools": [
                { "name": "add" },
                { "name": "list", "annotations": { "readOnlyHint": true } },
            ] }),
            ("tools/call", Some("add")) => {
                adds += 1;
                if !(lies && adds % 10 == 0) {
                    kept.lock().unwrap().push(arguments.clone());
                }
                json!({ "content": [] })
            }
            ("tools/call", _) => json!({ "content": [], "rows": *kept.lock().unwrap() }),
            _ => json!(null),
        };
        let message = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
        let body = match (asked["id"].as_u64(), adds % 2) {
            (None, _) => String::new(),
            (_, 0) => message.to_string(),
            _ => format!("event: message\ndata: {message}\n\n"),
        };
        let head = format!(
            "HTTP/1.1 200 It\r\nmcp-session-id: s-1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if to.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn an_mcp_server_over_http_is_proved_in_sessions() {
    let text = |lies| {
        let text = mcp("nothing", "add");
        let (before, after) = text.split_once("command = ").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        format!("{before}url = \"{}\"\n{after}", mcp_over_http(lies))
    };
    let (result, page) = proved(&text(false));
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 30, "{page}");
    assert!(page.contains("not proved over a restart"), "{page}");
    let (result, page) = proved(&text(true));
    assert_eq!(result.verification.lost, 3, "{page}");
}

#[test]
fn a_tool_that_may_write_has_to_be_allowed() {
    let text = mcp("nothing", "add").replace("allow = [\"add\"]\n", "");
    let file = ScenarioFile::parse("mcp.toml", &text, &Overrides::default()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let told = harness::Suite::new([file]).run(out.path(), &mut harness::NoProgress);
    let told = told.unwrap_err().to_string();
    assert!(
        told.ends_with("service `memory`: `add` may write: add it to `allow`"),
        "{told}"
    );
}

#[test]
fn a_service_has_to_have_the_settings_that_are_required() {
    let told = |text: &str| {
        let file = ScenarioFile::parse("s.toml", text, &Overrides::default()).unwrap();
        let out = tempfile::tempdir().unwrap();
        let ran = harness::Suite::new([file]).run(out.path(), &mut harness::NoProgress);
        ran.map_or_else(|error| error.to_string(), |_| "it ran".to_owned())
    };
    let scan = r#"read.scan = "pl:${run}:*""#;
    let requires = |what: &str| {
        let service = "kind = \"redis\"";
        redis(false, scan).replace(service, &format!("{service}\nrequire = {{ {what} }}"))
    };
    assert_eq!(told(&requires("appendonly = \"no\"")), "it ran");
    let other = told(&requires("appendonly = \"yes\""));
    assert!(
        other.ends_with("service `cache`: it has appendonly = no, and the file requires yes"),
        "{other}"
    );
    let tools = |number: u32| {
        let service = "kind = \"mcp\"";
        mcp("nothing", "add").replace(
            service,
            &format!("{service}\nrequire = {{ tools = {number} }}"),
        )
    };
    assert_eq!(told(&tools(3)), "it ran");
    let other = told(&tools(126));
    assert!(
        other.ends_with("it has tools = 3, and the file requires 126"),
        "{other}"
    );
}

/// A Redis in a few lines, whose each tenth SET is forgotten if it lies.
#[derive(Default)]
struct Store {
    texts: Mutex<BTreeMap<String, String>>,
    lies: bool,
}

impl Store {
    fn listen(lies: bool) -> String {
        let store = Arc::new(Self {
            lies,
            ..Self::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let store = Arc::clone(&store);
                thread::spawn(move || store.serve(stream));
            }
        });
        format!("redis://{address}/9")
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut from = BufReader::new(stream.try_clone().unwrap());
        let mut to = stream;
        let mut sets = 0;
        while let Some(words) = command(&mut from) {
            let reply = self.reply(&words, &mut sets);
            if to.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn reply(&self, words: &[String], sets: &mut u32) -> String {
        let text = |text: Option<&String>| match text {
            Some(text) => format!("${}\r\n{text}\r\n", text.len()),
            None => "$-1\r\n".to_owned(),
        };
        let list = |items: Vec<String>| format!("*{}\r\n{}", items.len(), items.concat());
        let mut texts = self.texts.lock().unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words {
            ["PING"] | ["SELECT", "9"] => "+OK\r\n".to_owned(),
            ["SET", key, value] => {
                *sets += 1;
                if !(self.lies && sets.is_multiple_of(10)) {
                    texts.insert(key.to_owned(), value.to_owned());
                }
                "+OK\r\n".to_owned()
            }
            ["CONFIG", "GET", "appendonly"] => "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n".to_owned(),
            ["INCR", _] => "-OOM command not allowed\r\n".to_owned(),
            ["GET", key] => text(texts.get(key)),
            ["MGET", ref keys @ ..] => list(keys.iter().map(|key| text(texts.get(*key))).collect()),
            ["UNLINK", key] => format!(":{}\r\n", u8::from(texts.remove(key).is_some())),
            ["SCAN", _, "MATCH", pattern, "COUNT", _] => {
                let prefix = pattern.trim_end_matches('*');
                let keys = texts.keys().filter(|key| key.starts_with(prefix));
                let keys = keys.map(|key| text(Some(key))).collect();
                list(vec![text(Some(&"0".to_owned())), list(keys)])
            }
            _ => "-ERR unknown command\r\n".to_owned(),
        }
    }
}

fn command(from: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let number = |from: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.trim_end().get(1..)?.parse::<usize>().ok()
    };
    let count = number(from)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = number(from)?;
        let mut word = vec![0; length + 2];
        from.read_exact(&mut word).ok()?;
        word.truncate(length);
        words.push(String::from_utf8(word).unwrap());
    }
    Some(words)
}

fn redis(lies: bool, read: &str) -> String {
    format!(
        r#"
name = "redis"
thresholds = ['error_rate < 90%']

[services.cache]
kind = "redis"
url = "{}"

[[flows.write]]
name = "set"
vars = {{ text = "${{text(20)}}" }}
redis = ["SET", "pl:${{run}}:${{id}}", "${{text}}"]
expect = {{ "$" = "OK" }}
effect = {{ creates = "entry", key = "pl:${{run}}:${{id}}", content = "${{text}}" }}

[[flows.write]]
name = "get"
redis = [["GET", "pl:${{run}}:${{id}}"], ["PING"]]
capture = {{ found = "$[0]" }}

[effects.entry]
{read}
delete.redis = ["UNLINK", "${{key}}"]

[model]
users = 3
iterations = 20
"#,
        Store::listen(lies)
    )
}

#[test]
fn redis_keeps_what_it_acknowledged_read_by_a_listing_and_by_key() {
    for read in [
        r#"read.scan = "pl:${run}:*""#,
        r#"read.redis = ["GET", "${key}"]"#,
    ] {
        let (result, page) = proved(&redis(false, read));
        assert!(result.effects_hold(), "{page}");
        assert_eq!(result.verification.verified, 60, "{page}");
        assert_eq!(result.run.step("get").unwrap().failed, 0, "{page}");
        assert_eq!(result.effects.as_ref().unwrap()[0].left, Some(0), "{page}");
    }
}

#[test]
fn a_redis_that_forgets_each_tenth_text_is_found_out() {
    for read in [
        r#"read.scan = "pl:${run}:*""#,
        r#"read.redis = ["GET", "${key}"]"#,
    ] {
        let (result, page) = proved(&redis(true, read));
        assert_eq!(result.verification.lost, 6, "{page}");
    }
}

#[test]
fn an_error_of_redis_is_a_refusal_and_the_guard_knows_its_commands() {
    let scan = r#"read.scan = "pl:${run}:*""#;
    let (result, page) = proved(&redis(false, scan).replace(
        "\"SET\", \"pl:${run}:${id}\", \"${text}\"",
        "\"INCR\", \"a\"",
    ));
    assert_eq!(result.effects.as_ref().unwrap()[0].refused, 60, "{page}");
    assert!(page.contains("refused: OOM command not allowed"), "{page}");
    let told = |from: &str, to: &str| {
        let text = redis(false, scan).replace(from, to);
        let read = ScenarioFile::parse("s.toml", &text, &Overrides::default());
        read.unwrap_err().to_string()
    };
    let mistake = told("\"SET\", \"pl:${run}:${id}\", \"${text}\"", "\"FLUSHALL\"");
    assert!(
        mistake.ends_with("FLUSHALL reaches beyond its keys: add it to `allow` = [\"FLUSHALL\"]"),
        "{mistake}"
    );
    let mistake = told("/9\"", "\"");
    assert!(
        mistake.contains("`cache` is the database 0: take another"),
        "{mistake}"
    );
    let mistake = told(scan, "read.redis = [\"SET\", \"a\", \"b\"]");
    assert!(
        mistake.contains("a `read` must not write, and SET may"),
        "{mistake}"
    );
}
