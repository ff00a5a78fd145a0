//! `proofload simulate` from the outside: what it prints, and its exit code.

use std::fs;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../forensic-simulator/samples");

fn simulate(arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::cargo_bin("proofload").unwrap();
    let command = command.arg("simulate").args(arguments);
    command
        .current_dir(SAMPLES)
        .write_stdin(stdin)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn ends(output: &Output, code: i32) -> String {
    let (out, err) = (stdout(output), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    out
}

/// Bad input: exit code 2, nothing on stdout, one line that says where.
fn refused(arguments: &[&str], stdin: &str) -> String {
    let output = simulate(arguments, stdin);
    assert_eq!(ends(&output, 2), "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    message.trim_end().to_owned()
}

const SHOP: [&str; 5] = [
    "shop/plan.json",
    "--world",
    "shop/world.json",
    "--schemas",
    "shop/schemas",
];

#[test]
fn a_plan_that_nothing_speaks_against_ends_with_zero() {
    let text = ends(&simulate(&SHOP, ""), 0);
    let wanted = "\
OK: 2 updated, 1 created
refund order 17: 3 steps, risk 1 of 100 (1 for 3 keys changed)

nothing speaks against it

refund (shop/refund): success
    every precondition holds
  ~ orders/17/paid_cents: 4900 -> 0

restock (shop/restock): success
    every precondition holds
  ~ stock/kettle: 3 -> 4

note (kv/create): success
    every precondition holds
  + orders/17/note: \"refunded\"

1 to create, 2 to change, 0 to remove; 220 ms (70 ms to 3 s)
reach: 3 keys in orders, stock
conflicts: none, in any order of the steps
rollback: everything is taken back
";
    assert!(text.starts_with(wanted), "{text}");
    assert!(!text.contains('\x1b'), "no terminal, no styles");
}

#[test]
fn findings_end_with_one_and_are_named() {
    let text = ends(
        &simulate(&["shop/plan.json", "--schemas", "shop/schemas"], ""),
        1,
    );
    assert!(text.contains("Findings: 3\n"), "{text}");
    assert!(
        text.contains(
            "fails step \"refund\": would_fail: more than was paid: orders/17/paid_cents does not exist"
        ),
        "{text}"
    );
    let clash = r#"{"name": "twice", "steps": [
        {"id": "one", "action": {"path": "kv/update", "name": "", "parameters": {"key": "stock/kettle", "value": 1}}},
        {"id": "two", "action": {"path": "kv/update", "name": "", "parameters": {"key": "stock/kettle", "value": 2}}}
    ]}"#;
    let text = ends(&simulate(&["-", "--world", "shop/world.json"], clash), 1);
    assert!(
        text.contains("conflict steps \"one\" and \"two\": their order decides, by stock/kettle"),
        "{text}"
    );
}

#[test]
fn json_markdown_and_the_drawing_say_the_same() {
    let out = TempDir::new().unwrap();
    let svg = out.path().join("plan.svg");
    let cases = out.path().join("cases.json");
    let more = [
        "--json",
        "--svg",
        svg.to_str().unwrap(),
        "--fault-cases",
        cases.to_str().unwrap(),
    ];
    let json: Value =
        serde_json::from_str(&ends(&simulate(&[&SHOP[..], &more].concat(), ""), 0)).unwrap();
    assert_eq!(json["report"]["outcome"], "success");
    assert_eq!(json["findings"], Value::Array(Vec::new()));
    assert_eq!(json["headline"], "OK: 2 updated, 1 created");
    let cases: Value = serde_json::from_str(&fs::read_to_string(cases).unwrap()).unwrap();
    let count = cases["cases"].as_array().unwrap().len();
    assert_eq!(
        json["faults"]["cases"], count,
        "numbers here, the cases in a file"
    );
    for part in [
        "conflicts",
        "rollback",
        "risk",
        "blast_radius",
        "faults",
        "forecast",
    ] {
        assert!(json[part].is_object(), "{part}");
    }
    assert_eq!(json["forecast"]["samples"], 10_000);
    let drawing = fs::read_to_string(svg).unwrap();
    assert!(drawing.starts_with("<svg ") && drawing.contains("stock/kettle"));
    let markdown = ends(&simulate(&[&SHOP[..], &["--markdown"]].concat(), ""), 0);
    assert!(
        markdown.starts_with("## OK: 2 updated, 1 created\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("```diff\n+ orders/17/note: \"refunded\"\n"),
        "{markdown}"
    );
}

#[test]
fn plans_of_other_tools_are_recognised() {
    let text = ends(&simulate(&["terraform-plan.json"], ""), 1);
    assert!(
        text.starts_with("REVIEW: 1 destroyed, 1 updated, 1 created\n"),
        "{text}"
    );
    assert!(
        text.contains("  - destroy aws_sqs_queue.old\n      - id: \"old\"\n"),
        "{text}"
    );
    let calls = ["mcp-calls.json", "--tools", "mcp-tools.json"];
    let text = ends(&simulate(&calls, ""), 1);
    assert!(
        text.contains("the server has no tool \"format_disk\""),
        "{text}"
    );
    let unknown = ends(&simulate(&["mcp-calls.json"], ""), 1);
    assert!(
        unknown.contains("no handler models mcp/format_disk"),
        "{unknown}"
    );
    let nothing = r#"{"format_version": "1.2", "resource_changes": []}"#;
    assert_eq!(
        ends(&simulate(&["-"], nothing), 0),
        "there is nothing to do\n"
    );
}

#[test]
fn schemas_of_a_folder_count_before_the_builtin_ones() {
    let folder = TempDir::new().unwrap();
    let schema =
        "[[schema]]\npath = \"kv/read\"\nreversibility = \"reversible\"\nother_parameters = true\n";
    fs::write(folder.path().join("own.toml"), schema).unwrap();
    let plan = r#"{"name": "", "steps": [{"id": "r", "action": {"path": "kv/read", "name": "", "parameters": {"key": "none"}}}]}"#;
    ends(&simulate(&["-"], plan), 1);
    let own = folder.path().to_str().unwrap();
    ends(&simulate(&["-", "--schemas", own], plan), 0);
}

#[test]
fn bad_input_is_refused_at_its_place() {
    let step = |step: &str| format!("{{\"name\": \"x\", \"steps\": [\n{step}\n]}}");
    let action = r#""action": {"path": "kv/read", "name": "n"}"#;
    for (text, message) in [
        (
            "".to_owned(),
            "error: stdin: plan, line 1, column 0: EOF while parsing a value",
        ),
        (
            "{}".to_owned(),
            "error: stdin: plan, line 1, column 1: it has neither `steps`",
        ),
        (
            step("{\"id\": NaN}"),
            "error: stdin: plan, line 2, column 8: expected value",
        ),
        (
            step("{\"id\": 1e999}"),
            "error: stdin: workflow, line 2, column 12: number out of range",
        ),
        (
            step(&format!("{{\"id\": \"a\", {action}, \"wait\": []}}")),
            "error: stdin: workflow, line 2, column 62: unknown field `wait`",
        ),
        (
            step(&format!(
                "{{\"id\": \"a\", {action}, \"depends_on\": [\"a\"]}}"
            )),
            r#"error: stdin: steps wait for one another: "a" -> "a""#,
        ),
        (
            step(&format!(
                "{{\"id\": \"a\", {action}}}, {{\"id\": \"a\", {action}}}"
            )),
            r#"error: stdin: step id "a" is used twice, by step number 1 and step number 2"#,
        ),
        (
            "[{\"nam\": 1}]".to_owned(),
            "error: stdin: MCP tools/call, line 1, column 12: expected a `tools/call`",
        ),
    ] {
        let found = refused(&["-"], &text);
        assert!(found.starts_with(message), "{found}\n{message}");
    }
}

#[test]
fn a_bad_world_schema_or_path_is_refused_with_its_file() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let world = file("world.json", "{\"a\": 1,\n \"b\": {\"$secret\": {}}}");
    let found = refused(&["shop/plan.json", "--world", &world], "");
    assert!(
        found.contains("world.json: world, line 2") && found.contains("missing field `label`"),
        "{found}"
    );
    file(
        "bad.toml",
        "[[schema]]\npath = \"a/b\"\nreversibility = \"reversible\"\neffects = 1\n",
    );
    let schemas = folder.path().to_str().unwrap();
    let found = refused(&["shop/plan.json", "--schemas", schemas], "");
    assert!(
        found.contains("bad.toml: schema text, line 4, column 11"),
        "{found}"
    );
    let found = refused(&["no-such-plan.json"], "");
    assert!(found.contains("cannot read no-such-plan.json"), "{found}");
    let found = refused(&["shop/plan.json", "--schemas", "shop"], "");
    assert!(found.contains("shop holds no file *.toml"), "{found}");
}

#[test]
fn the_gate_refuses_what_it_is_told_to() {
    let code = |arguments: &[&str]| simulate(arguments, "").status.code();
    let plan = "terraform-plan.json";
    for (kinds, wanted) in [
        ("none", 0),
        ("any", 1),
        ("destroy", 1),
        ("replace,access,half-done", 0),
        ("update", 1),
        ("read", 0),
    ] {
        assert_eq!(code(&[plan, "--fail-on", kinds]), Some(wanted), "{kinds}");
    }
    let output = simulate(&[plan, "--fail-on", "destory"], "");
    assert_eq!(ends(&output, 2), "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("\"destory\" is none of any, none"),
        "{message}"
    );
    let failed = r#"{"format_version": "1.2", "errored": true}"#;
    let text = ends(&simulate(&["-", "--fail-on", "none"], failed), 3);
    assert!(text.starts_with("INCOMPLETE: the plan failed"), "{text}");
}

#[test]
fn sarif_and_html_are_written_or_printed() {
    let out = TempDir::new().unwrap();
    let (sarif, html) = (out.path().join("a.sarif"), out.path().join("a.html"));
    let files = [sarif.to_str().unwrap(), html.to_str().unwrap()];
    let arguments = [
        "terraform-plan.json",
        "--sarif",
        files[0],
        "--html",
        files[1],
    ];
    let text = ends(&simulate(&arguments, ""), 1);
    assert!(text.starts_with("REVIEW: "), "{text}");
    let sarif: Value = serde_json::from_str(&fs::read_to_string(sarif).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"destroy".into(), &"error".into())
    );
    let rule = &sarif["runs"][0]["tool"]["driver"]["rules"]
        [result["ruleIndex"].as_u64().unwrap() as usize];
    assert_eq!(rule["id"], "destroy");
    let html = fs::read_to_string(html).unwrap();
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains("<svg ") && !html.contains("<script")
    );
    let printed = ends(&simulate(&["terraform-plan.json", "--sarif"], ""), 1);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), sarif);
}

#[test]
fn a_plan_of_pddl_is_read_with_its_domain_and_problem() {
    let out = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = out.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let domain = file(
        "domain.pddl",
        "(define (domain lamp) (:predicates (on ?x) (off ?x)) (:action switch :parameters (?x) :precondition (off ?x) :effect (and (on ?x) (not (off ?x)))))",
    );
    let problem = file(
        "problem.pddl",
        "(define (problem p) (:domain lamp) (:objects a) (:init (off a)) (:goal (on a)))",
    );
    let code = |plan: &str| {
        simulate(&["-", "--domain", &domain, "--problem", &problem], plan)
            .status
            .code()
    };
    assert_eq!(code("(switch a)"), Some(0));
    assert_eq!(code("(switch a) (switch a)"), Some(1));
    assert_eq!(code("(fly a)"), Some(2));
    let alone = refused(&["-"], "(switch a)");
    assert!(alone.contains("`--domain` and `--problem`"), "{alone}");
}

#[test]
fn the_schema_of_the_json_is_published_and_holds() {
    let published = include_str!("../../forensic-simulator/schemas/simulation.v1.json");
    let mut command = Command::cargo_bin("proofload").unwrap();
    let printed = command.args(["schema", "simulation"]).output().unwrap();
    assert_eq!(
        stdout(&printed),
        published,
        "run `proofload schema simulation`"
    );
}
