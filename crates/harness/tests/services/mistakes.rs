//! Mistakes in files with services: each has its place, and says what to write.

use std::fs;
use std::path::Path;

use harness::{Overrides, ScenarioFile};

/// A file that is right.
const RIGHT: &str = r#"name = "orders"

[services.shop]
kind = "http"
url = "http://127.0.0.1:8000"

[[flows.order]]
name = "place"
vars = { quantity = "${int(1, 5)}" }
http = '''
POST /orders

{ "reference": "${id}", "quantity": ${quantity} }
'''
effect = { creates = "order", key = "${id}", content = "${quantity}" }

[effects.order]
read.http = "GET /orders?prefix=${run}"

[model]
users = 1
iterations = 1
"#;

fn mistake(text: &str) -> String {
    let read = ScenarioFile::parse("s.toml", text, &Overrides::default());
    read.err()
        .map_or_else(|| "there is none".to_owned(), |error| error.to_string())
}

#[test]
fn a_file_that_is_right_has_no_mistake() {
    assert_eq!(mistake(RIGHT), "there is none");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let cases: &[(&str, &str, &str)] = &[
        // What to replace, with what, and what is said then.
        (
            "kind = \"http\"",
            "kind = \"htpt\"",
            "4:8: there is no kind of service `htpt`, there is `http`, `redis`, `postgres`, `mcp`, `exec`, `file`; did you mean `http`?",
        ),
        (
            "url = ",
            "ulr = ",
            "5:1: unknown field `ulr`, expected one of ",
        ),
        (
            "url = \"http://127.0.0.1:8000\"",
            "",
            "3:1: `url` is missing, such as url = \"http://127.0.0.1:8000\"",
        ),
        (
            "http://127.0.0.1:8000",
            "redis://127.0.0.1",
            "5:7: `url` of an http service begins with http:// or https://",
        ),
        (
            "127.0.0.1",
            "shop.example.com",
            "5:7: `shop` is at shop.example.com: add --allow-host shop.example.com",
        ),
        (
            "[services.shop]",
            "[target]\nkind = \"storage\"\n[services.shop]",
            "3:2: a file has `[target]` or `[services]`: leave one out",
        ),
        (
            "[services.shop]",
            "[target]\nkind = \"services\"\n[other.shop]",
            "9:3: `flows` belongs to `[services]`",
        ),
        (
            "[services.shop]",
            "[service.shop]",
            "7:3: `flows` belongs to `[services]`, of which this file has none",
        ),
        (
            "[model]",
            "[modle]",
            "20:2: unknown field `modle`, expected one of ",
        ),
        (
            "[model]",
            "[model]\nexecutor = \"tokio\"",
            "21:1: `executor` is for embedded targets: leave it out",
        ),
        (
            "name = \"place\"",
            "nmae = \"place\"",
            "8:1: unknown field `nmae`, expected one of ",
        ),
        (
            "name = \"place\"",
            "name = \"a.b\"",
            "8:8: a name has letters, digits, spaces, `-` and `_`",
        ),
        (
            "vars = {",
            "vars = { id = \"1\",",
            "9:15: `id` is a value of Proofload: take another name",
        ),
        (
            "${int(1, 5)}",
            "${int(1)}",
            "9:28: `int` takes two whole numbers, such as int(1, 5)",
        ),
        (
            "${int(1, 5)}",
            "${itn(1, 5)}",
            "9:24: there is no function `itn`, there is ",
        ),
        (
            "\"quantity\": ${quantity}",
            "\"quantity\": ${quantiy}",
            "13:39: there is no value `quantiy` here, there is `id`, `run`, ",
        ),
        (
            "\"quantity\": ${quantity} }",
            "\"quantity\": ${quantity}",
            "13:48: the body is not JSON: expected `,` or `}`, not the end",
        ),
        (
            "POST /orders",
            "POST orders",
            "11:6: a path begins with `/`: the host stands in the service's `url`",
        ),
        (
            "POST /orders",
            "GET /orders",
            "15:1: a GET is not expected to write: name the effect `reads`, or use another method",
        ),
        (
            "creates = \"order\"",
            "creates = \"ordr\"",
            "15:22: there is no effect `ordr`, there is `order`; did you mean `order`?",
        ),
        (
            "creates = \"order\", ",
            "",
            "15:10: an effect has one verb: `creates`, `updates`, `removes`, `adds` or `reads`",
        ),
        (
            "key = \"${id}\", ",
            "",
            "15:10: `key` is missing, such as key = \"${id}\"",
        ),
        (
            "key = \"${id}\"",
            "key = \"one\"",
            "15:37: `key` is the same in every run: put ${id} or ${run} into it",
        ),
        (
            "key = \"${id}\"",
            "key = \"${key}\"",
            "15:40: `key` is known in `read` and `delete` only",
        ),
        (
            "key = \"${id}\"",
            "key = \"${id\"",
            "15:37: the placeholder is not closed: `}` is missing",
        ),
        (
            "read.http = \"GET /orders?prefix=${run}\"",
            "settle = \"1s\"",
            "17:10: nothing would be proved: `order` has no `read`. Add one, or run with --unverified",
        ),
        (
            "read.http = \"GET",
            "read.http = \"POST",
            "18:13: a `read` must not write, and POST may: GET, HEAD and OPTIONS do not",
        ),
        (
            "${run}",
            "${id}x${quantity}",
            "18:41: there is no value `quantity` here, there is ",
        ),
        (
            "read.http",
            "read.next = \"$.n\"\nread.http",
            "18:6: `next` needs ${cursor} in the request",
        ),
        (
            "read.http",
            "read.rows = \"$.items[\"\nread.http",
            "18:22: the JSONPath is not valid: `]` is missing",
        ),
        (
            "[model]",
            "delete.http = \"DELETE /orders\"\n[model]",
            "20:1: `delete` would remove what is not of this run: name ${key}, ${run} or a user's value",
        ),
        (
            "effect =",
            "expect = { stats = 201 }\neffect =",
            "15:12: `expect` has `status`, `exists` and JSONPaths such as \"$.id\", not `stats`",
        ),
        (
            "effect =",
            "expect = { status = 2010 }\neffect =",
            "15:21: `status` expects a status of HTTP, 100 to 599, or a list of them, not 2010",
        ),
        (
            "effect =",
            "capture = { order = \"id\" }\neffect =",
            "15:21: `capture` takes a JSONPath such as \"$.id\", not \"id\"",
        ),
        (
            "effect =",
            "poll = { every = \"1s\", timeout = \"5s\" }\neffect =",
            "15:1: a step that writes is not polled: put the effect into a step before it",
        ),
        (
            "effect =",
            "repeat = 0\neffect =",
            "15:10: `repeat` is 1 to 100",
        ),
        (
            "effect =",
            "per = \"user\"\neffect =",
            "15:1: `per` belongs to [[setup]]",
        ),
        (
            "effect =",
            "retry = { times = 1, rerun = \"logn\" }\neffect =",
            "15:30: there is no per-user set-up `logn`, nor any other",
        ),
        (
            "effect =",
            "outcomes = { 200 = \"refused\" }\neffect =",
            "15:14: `200` is judged by `expect`: leave it out",
        ),
        ("effect =", "timeout = 5\neffect =", "15:11: "),
        (
            "effect =",
            "redis = [\"PING\"]\neffect =",
            "7:1: a step has one action, and this one has `http` and `redis`: make two steps",
        ),
        (
            "effect =",
            "args = \"{}\"\neffect =",
            "15:1: `args` belongs to `call`",
        ),
        (
            "iterations = 1",
            "iterations = 1\nmix = { ordr = 1 }",
            "23:9: there is no flow `ordr`, there is `order`; did you mean `order`?",
        ),
        (
            "url = ",
            "stop_signal = \"SIGTERM\"\nurl = ",
            "5:1: `stop_signal` needs `start`",
        ),
        (
            "url = ",
            "start = []\nurl = ",
            "5:9: `start` is a list of a program and its arguments, without a shell",
        ),
        (
            "url = ",
            "headers = { authorization = \"${secret.PROOFLOAD_IS_NOT_SET}\" }\nurl = ",
            "5:32: the environment variable `PROOFLOAD_IS_NOT_SET` is not set, and has no default here",
        ),
        (
            "http = '''",
            "service = \"shpo\"\nhttp = '''",
            "10:11: there is no service `shpo`, there is `shop`; did you mean `shop`?",
        ),
    ];
    let mut wrong = String::new();
    for (from, to, expected) in cases {
        assert!(RIGHT.contains(from), "{from}");
        let told = mistake(&RIGHT.replacen(from, to, 1));
        if !told.starts_with(&format!("s.toml:{expected}")) {
            wrong.push_str(&format!(
                "{to}\n  is told:  {told}\n  expected: s.toml:{expected}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn faults_are_of_services_that_are_started_and_within_their_phase() {
    let (before, _) = RIGHT.split_once("[model]").unwrap();
    let told = |service: &str, fault: &str| {
        let text = format!(
            "{before}[[phases]]\nname = \"p\"\nfor = \"2s\"\nusers = 1\nfaults = [{{ {fault} }}]\n"
        );
        mistake(&text.replace("url = ", &format!("{service}\nurl = ")))
    };
    let start = "start = [\"true\"]";
    assert_eq!(
        told(start, "at = \"1s\", for = \"1s\", kind = \"kill\""),
        "there is none"
    );
    for (service, fault, expected) in [
        (
            "",
            "at = \"1s\", for = \"1s\", kind = \"kill\"",
            "`kill` needs `start` in the service",
        ),
        (
            "",
            "at = \"1s\", kind = \"restart\"",
            "`restart` needs `start` or `restart` in the service",
        ),
        (
            start,
            "at = \"1s\", for = \"2s\", kind = \"pause\"",
            "the fault ends after the phase: `at` and `for` are 3s of 2s",
        ),
        (
            start,
            "at = \"1s\", kind = \"kill\"",
            "say how long: for = \"2s\" is missing in a `kill`",
        ),
        (
            start,
            "at = \"1s\", for = \"1s\", kind = \"kill\", service = \"shpo\"",
            "there is no service `shpo`, there is `shop`; did you mean `shop`?",
        ),
    ] {
        let told = told(service, fault);
        assert!(told.ends_with(expected), "{told}");
    }
}

#[test]
fn services_are_no_target_that_a_file_names() {
    let text = "name = \"s\"\n[target]\nkind = \"services\"\n[model]\nusers = 1\niterations = 1\n";
    assert_eq!(
        mistake(text),
        "s.toml:3:8: services are no target: write [services.NAME] in place of [target]"
    );
}

#[test]
fn two_steps_of_one_name_and_two_services_of_one_action_are_refused() {
    let step = RIGHT
        .split_once("[[flows")
        .unwrap()
        .1
        .split_once("[effects")
        .unwrap()
        .0;
    let twice = RIGHT.replace("[effects.order]", &format!("[[flows{step}[effects.order]"));
    assert_eq!(
        mistake(&twice),
        "s.toml:18:8: there is another step `place`, at flows.order[0].name: step names are unique in a file"
    );
    let services = RIGHT.replace(
        "[[flows",
        "[services.other]\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\n[[flows",
    );
    assert_eq!(
        mistake(&services),
        "s.toml:13:1: `http` is understood by `other` and `shop`: say which, such as service = \"other\""
    );
}

#[test]
fn what_is_not_allowed_by_the_command_line_is_refused() {
    let text = RIGHT.replace("url = ", "start = [\"true\"]\nurl = ");
    let overrides = Overrides {
        no_commands: true,
        ..Overrides::default()
    };
    let told = ScenarioFile::parse("s.toml", &text, &overrides).unwrap_err();
    assert_eq!(
        told.to_string(),
        "s.toml:5:1: `start` starts a program, which --no-commands refuses"
    );
    let overrides = Overrides {
        allow_hosts: vec!["shop.example.com".to_owned()],
        unverified: true,
        ..Overrides::default()
    };
    let text = RIGHT
        .replace("127.0.0.1", "shop.example.com")
        .replace("read.http = \"GET /orders?prefix=${run}\"", "");
    ScenarioFile::parse("s.toml", &text, &overrides).unwrap();
}

#[test]
fn a_dry_run_shows_each_request_and_no_secret() {
    let text = RIGHT.replace(
        "url = ",
        "headers = { authorization = \"Bearer ${secret.CARGO_PKG_NAME}\" }\nurl = ",
    );
    let overrides = Overrides {
        run_id: Some("k3v9q2xz".to_owned()),
        ..Overrides::default()
    };
    let file = ScenarioFile::parse("s.toml", &text, &overrides).unwrap();
    let shown = file.dry_run().unwrap().unwrap();
    for part in [
        "# flow order, step place, to shop\nPOST /orders HTTP/1.1\n",
        "authorization: Bearer ***\n",
        "{ \"reference\": \"k3v9q2xz-0-0\", \"quantity\": ",
        "# effect order: read, to shop\nGET /orders?prefix=k3v9q2xz HTTP/1.1\n",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let storage =
        "name = \"s\"\n[target]\nkind = \"storage\"\n[model]\nusers = 1\niterations = 1\n";
    let storage = ScenarioFile::parse("s.toml", storage, &Overrides::default()).unwrap();
    assert_eq!(storage.dry_run().unwrap(), None);
}

/// The published schema is held to the program by the test of `golden`; here a file of ours is held to it.
#[test]
fn the_schema_takes_a_file_with_services() {
    let schema = harness::scenario_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = |text: &str| {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        validator
            .validate(&value)
            .map_err(|error| error.to_string())
    };
    check(RIGHT).unwrap();
    assert!(check(&RIGHT.replace("nmae", "name").replace("vars", "vasr")).is_err());
    assert!(check(&RIGHT.replace("url", "ulr")).is_err());
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/scenario.v1.json");
    let published: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(published).unwrap()).unwrap();
    let is_published = published == schema;
    assert!(
        is_published,
        "proofload schema scenario > crates/harness/schemas/scenario.v1.json"
    );
}
