//! Inputs on which the simulator once went wrong, found in public plans: each once as it was
//! published, where `PROOFLOAD_DATA` names the folder, and its kind once more in our own words.

use std::path::PathBuf;
use std::{env, fs};

use forensic_simulator::{
    ChangeKind, Examination, FailOn, FindingKind, GateResult, McpTools, PlanFile, PredictedOutcome,
    Request, Simulator, StripsDomain, Timestamp, World,
};
use serde_json::{Value, json};

/// A published input, or none where they are not there.
#[allow(clippy::print_stderr, reason = "a test that did not run has to say so")]
fn published(name: &str) -> Option<Vec<u8>> {
    let Some(data) = env::var_os("PROOFLOAD_DATA") else {
        eprintln!("not run: PROOFLOAD_DATA names no folder");
        return None;
    };
    let file = PathBuf::from(data).join("simulate-faults").join(name);
    Some(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn examine_with(
    plan: &[u8],
    tools: Option<&str>,
    world: World,
) -> Result<Examination, forensic_simulator::Error> {
    let file = PlanFile::read(plan, None)?;
    let mut builder = file.register(Simulator::builder().builtins());
    if let Some(tools) = tools {
        builder = McpTools::parse(tools)?.register(builder);
    }
    let mut all = file.world.clone();
    all.lay_over(world);
    let simulator = builder.build()?;
    simulator.examine_file(&file, &all, Timestamp::default(), 1)
}

fn examine(plan: &[u8]) -> Examination {
    examine_with(plan, None, World::new()).unwrap()
}

fn refused(plan: &[u8]) -> String {
    examine_with(plan, None, World::new())
        .unwrap_err()
        .to_string()
}

/// Runs a check on the published input and on one of our own.
fn both(name: &str, own: &Value, check: impl Fn(&Examination)) {
    check(&examine(own.to_string().as_bytes()));
    if let Some(plan) = published(name) {
        check(&examine(&plan));
    }
}

fn gate(examination: &Examination) -> GateResult {
    FailOn::default().judge(examination)
}

fn has(examination: &Examination, kind: FindingKind) -> bool {
    examination
        .findings
        .iter()
        .any(|finding| finding.kind == kind)
}

/// Every form in which an examination is shown.
fn forms(examination: &Examination) -> [String; 5] {
    [
        examination.to_text(),
        examination.to_markdown(),
        examination.to_html(),
        examination.to_json().unwrap(),
        examination.to_sarif("plan.json"),
    ]
}

/// A plan of one resource.
fn plan(address: &str, actions: &[&str], before: Value, after: Value) -> Value {
    json!({"format_version": "1.2", "terraform_version": "1.12.0", "resource_changes": [{
        "address": address, "mode": "managed", "type": address.split('.').next(), "name": "n",
        "change": {"actions": actions, "before": before, "after": after, "after_unknown": {},
            "before_sensitive": {}, "after_sensitive": {}},
    }]})
}

fn change(plan: &mut Value) -> &mut Value {
    &mut plan["resource_changes"][0]["change"]
}

#[test]
fn a_failed_plan_is_incomplete() {
    let own = json!({"format_version": "1.2", "errored": true, "resource_changes": []});
    both("01-errored.json", &own, |it| {
        assert_eq!(gate(it), GateResult::Incomplete);
        assert!(
            it.headline.starts_with("INCOMPLETE: the plan failed"),
            "{}",
            it.headline
        );
        assert!(!it.nothing_to_do);
    });
}

#[test]
fn what_is_put_off_is_named_and_incomplete() {
    let mut deferred = plan(
        "aws_kms_key.k",
        &["delete"],
        json!({"id": "k"}),
        Value::Null,
    );
    let resource = deferred["resource_changes"][0].take();
    let own = json!({"format_version": "1.2", "complete": false,
        "deferred_changes": [{"reason": "provider_config_unknown", "resource_change": resource}]});
    both("02-deferred-delete.json", &own, |it| {
        assert_eq!(gate(it), GateResult::Incomplete);
        assert!(has(it, FindingKind::Destroy));
    });
    let only = json!({"format_version": "1.2", "complete": false, "applyable": false});
    assert_eq!(
        gate(&examine(only.to_string().as_bytes())),
        GateResult::Incomplete
    );
}

#[test]
fn a_procedure_that_is_invoked_is_a_finding() {
    let own = json!({"format_version": "1.2", "complete": true, "applyable": true, "action_invocations": [
        {"address": "action.local_command.a", "type": "local_command", "name": "a",
         "config_values": {"command": "rm"},
         "lifecycle_action_trigger": {"triggering_resource_address": "x.y", "action_trigger_event": "AfterCreate"}}]});
    both("03-action-invocation.json", &own, |it| {
        assert_eq!(gate(it), GateResult::Findings);
        assert!(has(it, FindingKind::Invoke));
        assert_eq!(it.resources[0].kind, ChangeKind::Invoke);
    });
    let deferred = json!({"format_version": "1.2", "deferred_action_invocations": [
        {"reason": "absent_prereq", "action_invocation": {"address": "action.a.b", "type": "a"}}]});
    assert_eq!(
        gate(&examine(deferred.to_string().as_bytes())),
        GateResult::Incomplete
    );
}

#[test]
fn what_is_no_plan_is_refused_by_its_name() {
    for (name, own, what) in [
        (
            "04-state-not-plan.json",
            json!({"format_version": "1.0", "values": {"root_module": {}}}),
            "a state of terraform, no plan",
        ),
        (
            "05-validate-failed.json",
            json!({"format_version": "1.0", "valid": true, "diagnostics": []}),
            "`terraform validate -json`, no plan",
        ),
    ] {
        let plans = [Some(own.to_string().into_bytes()), published(name)];
        for plan in plans.into_iter().flatten() {
            let message = refused(&plan);
            assert!(
                message.contains(what) && message.contains("run `"),
                "{message}"
            );
        }
    }
    for (own, what) in [
        (json!({"format_version": "1.0"}), "nothing of a plan"),
        (
            json!({"version": 4, "lineage": "x", "serial": 1, "resources": []}),
            "a state file of terraform",
        ),
        (
            json!({"format_version": "1.0", "provider_schemas": {}}),
            "`terraform providers schema -json`",
        ),
        (
            json!({"terraform_version": "1.9.0", "platform": "linux_amd64"}),
            "`terraform version -json`",
        ),
        (
            json!({"ChangeSetId": "x", "Changes": []}),
            "a change set of CloudFormation",
        ),
        (
            json!({"version": 3, "deployment": {}}),
            "`pulumi stack export`",
        ),
    ] {
        let message = refused(own.to_string().as_bytes());
        assert!(message.contains(what), "{message}");
    }
    for (text, what) in [
        (
            "Terraform will perform the following actions:\n",
            "a plan of terraform as people read it",
        ),
        (
            "resource \"a\" \"b\" {\n}\n",
            "a configuration of terraform",
        ),
        ("apiVersion: v1\nkind: Pod\n", "run `kubectl diff"),
        ("(define (domain d))", "`--domain` and `--problem`"),
        (
            "PK\u{3}\u{4}",
            "a saved plan of terraform, in its binary form",
        ),
    ] {
        let message = refused(text.as_bytes());
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn what_is_known_of_a_partly_unknown_value_is_shown() {
    let mut own = plan(
        "aws_security_group.w",
        &["update"],
        json!({"ingress": [{"cidr_blocks": ["10.0.0.0/8"], "id": "a"}]}),
        json!({"ingress": [{"cidr_blocks": ["0.0.0.0/0"]}]}),
    );
    change(&mut own)["after_unknown"] = json!({"ingress": [{"id": true}]});
    both("06-partly-unknown.json", &own, |it| {
        for form in [it.to_text(), it.to_json().unwrap(), it.to_html()] {
            assert!(
                form.contains("10.0.0.0/8") && form.contains("0.0.0.0/0"),
                "{form}"
            );
        }
        assert!(has(it, FindingKind::Access) && has(it, FindingKind::Unknown));
        assert_eq!(gate(it), GateResult::Findings);
    });
}

#[test]
fn a_difference_far_within_a_text_is_shown() {
    let long = "x".repeat(200);
    let own = plan(
        "aws_iam_policy.a",
        &["update"],
        json!({"policy": format!("{long}GetObject")}),
        json!({"policy": format!("{long}Everything")}),
    );
    let text = examine(own.to_string().as_bytes()).to_text();
    assert!(
        text.contains("GetObject") && text.contains("Everything"),
        "{text}"
    );
    let policy = |action: &str| json!({"policy": json!({"Statement": [{"Effect": "Allow", "Resource": "*", "Action": [action]}]}).to_string()});
    let own = plan(
        "aws_iam_policy.a",
        &["update"],
        policy("ec2:RunInstances"),
        policy("ec2:*"),
    );
    both("07-cut-at-60.json", &own, |it| {
        let text = it.to_text();
        let line = text
            .lines()
            .find(|line| line.contains("Action") && line.contains(" -> "))
            .unwrap();
        let (before, after) = line.split_once(" -> ").unwrap();
        assert_ne!(before.split("Action").nth(1), Some(after), "{line}");
        assert!(has(it, FindingKind::Access), "{text}");
    });
}

#[test]
fn a_replacement_is_counted_with_its_cause_and_order() {
    let mut own = plan(
        "aws_rds_cluster.c",
        &["create", "delete"],
        json!({"engine": "a"}),
        json!({"engine": "b"}),
    );
    own["resource_changes"][0]["action_reason"] = json!("replace_because_cannot_update");
    change(&mut own)["replace_paths"] = json!([["engine"]]);
    both("08-replace.json", &own, |it| {
        assert_eq!(it.headline, "REVIEW: 1 replaced");
        assert!(it.analysis.risk.score >= 60, "{:?}", it.analysis.risk);
        let text = it.to_text();
        assert!(
            text.contains("because") && text.contains("the new one is created"),
            "{text}"
        );
        assert_eq!(gate(it), GateResult::Findings);
    });
}

#[test]
fn a_destroyed_database_outweighs_eleven_new_resources() {
    let own = plan(
        "google_sql_database_instance.d",
        &["delete"],
        json!({"name": "d"}),
        Value::Null,
    );
    let mut creates = plan("a.b", &["create"], Value::Null, json!({"k": 1}));
    let one = creates["resource_changes"][0].clone();
    let all = (0..11).map(|number| {
        let mut one = one.clone();
        one["address"] = json!(format!("a.b[{number}]"));
        one
    });
    creates["resource_changes"] = all.collect();
    let eleven = examine(creates.to_string().as_bytes());
    assert_eq!(
        (eleven.headline.as_str(), gate(&eleven)),
        ("OK: 11 created", GateResult::Clean)
    );
    let tag = plan(
        "google_sql_database_instance.d",
        &["update"],
        json!({"tags": {"a": "1"}}),
        json!({"tags": {"a": "2"}}),
    );
    let tag = examine(tag.to_string().as_bytes());
    both("09-destroy.json", &own, |it| {
        assert_eq!(it.headline, "REVIEW: 1 destroyed");
        assert!(has(it, FindingKind::Destroy) && !has(&tag, FindingKind::Destroy));
        let score = it.analysis.risk.score;
        assert!(
            score >= 60
                && score > 3 * eleven.analysis.risk.score
                && score > 3 * tag.analysis.risk.score
        );
        assert!(it.to_text().contains("with the data that it holds"));
    });
}

#[test]
fn addresses_may_be_long() {
    let long = format!("module.a[{:?}].aws_x.y", "k".repeat(3_000));
    let own = plan(&long, &["create"], Value::Null, json!({"a": 1}));
    both("10-long-address.json", &own, |it| {
        assert_eq!(gate(it), GateResult::Clean);
        assert_eq!(it.resources.len(), 1);
    });
}

#[test]
fn what_becomes_sensitive_is_not_shown() {
    let mut own = plan(
        "terraform_data.s",
        &["update"],
        json!({"input": {"a": {"x": "CANARY"}}}),
        json!({"input": {"a": {"x": "CANARY"}, "b": 1}}),
    );
    change(&mut own)["after_sensitive"] = json!({"input": {"a": {"x": true}}});
    both("11-becomes-sensitive.json", &own, |it| {
        for form in forms(it) {
            assert!(!form.contains("CANARY"), "{form}");
        }
        assert!(
            it.to_text().contains("becomes sensitive"),
            "{}",
            it.to_text()
        );
    });
    let mut output = json!({"format_version": "1.2", "applyable": true, "output_changes": {"o": {
        "actions": ["update"], "before": "CANARY", "after": "CANARY", "before_sensitive": false, "after_sensitive": true}}});
    for form in forms(&examine(output.to_string().as_bytes())) {
        assert!(!form.contains("CANARY"), "{form}");
    }
    output["output_changes"]["o"]["before_sensitive"] = json!(true);
    output["output_changes"]["o"]["after_sensitive"] = json!(false);
    for form in forms(&examine(output.to_string().as_bytes())) {
        assert!(!form.contains("CANARY"), "{form}");
    }
}

#[test]
fn a_change_of_outputs_is_a_change() {
    let own = json!({"format_version": "1.2", "applyable": true, "resource_changes": [],
        "output_changes": {"a": {"actions": ["delete"], "before": "x", "after": null}}});
    both("13-outputs-only.json", &own, |it| {
        assert!(!it.nothing_to_do && !it.outputs.is_empty());
        assert!(has(it, FindingKind::Output));
        assert!(it.to_text().contains("\nOutputs\n"), "{}", it.to_text());
    });
}

#[test]
fn there_is_nothing_to_do_only_where_the_plan_says_so() {
    let nothing = |more: Value| {
        let mut plan = json!({"format_version": "1.2", "resource_changes": []});
        plan.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        examine(plan.to_string().as_bytes())
    };
    assert!(nothing(json!({"applyable": false})).nothing_to_do);
    let odd = nothing(json!({"applyable": true}));
    assert!(!odd.nothing_to_do && gate(&odd) == GateResult::Findings);
    let unknown = nothing(json!({"applyable": false, "secret_changes": [{"a": 1}]}));
    assert!(has(&unknown, FindingKind::Unread) && !unknown.nothing_to_do);
    let newer = nothing(json!({"applyable": false, "format_version": "1.9"}));
    assert!(
        newer.notes.iter().any(|note| note.contains("format 1.9")),
        "{:?}",
        newer.notes
    );
}

#[test]
fn a_failed_check_is_a_finding() {
    let own = json!({"format_version": "1.2", "applyable": false, "checks": [
        {"address": {"kind": "resource", "to_display": "aws_lb.a"}, "status": "error", "instances": []}]});
    both("14-check-failed.json", &own, |it| {
        assert!(has(it, FindingKind::Check) && gate(it) == GateResult::Findings);
        assert!(!it.nothing_to_do);
    });
}

#[test]
fn imports_and_moves_are_findings() {
    let mut own = plan("a.new", &["no-op"], json!({"id": 1}), json!({"id": 1}));
    own["resource_changes"][0]["previous_address"] = json!("module.m.a.old");
    both("15-import-and-move.json", &own, |it| {
        assert!(has(it, FindingKind::Move) && gate(it) == GateResult::Findings);
        assert!(it.to_text().contains("old"), "{}", it.to_text());
    });
    change(&mut own)["importing"] = json!({"identity": {"arn": "x"}});
    assert!(has(
        &examine(own.to_string().as_bytes()),
        FindingKind::Import
    ));
}

#[test]
fn drift_is_told_and_passes() {
    let own = json!({"format_version": "1.2", "applyable": false, "resource_changes": [], "resource_drift": [
        {"address": "a.b", "change": {"actions": ["update"], "before": {"x": 1}, "after": {"x": 2}}}]});
    let it = examine(own.to_string().as_bytes());
    assert!(has(&it, FindingKind::Drift) && gate(&it) == GateResult::Clean && !it.nothing_to_do);
    assert_eq!(
        "any".parse::<FailOn>().unwrap().judge(&it),
        GateResult::Findings
    );
}

#[test]
fn what_is_printed_grows_with_the_plan_and_no_faster() {
    let of_size = |count: usize| {
        let mut all = plan("m.b", &["create"], Value::Null, Value::Null);
        let one = all["resource_changes"][0].clone();
        let resources = (0..count).map(|number| {
            let mut one = one.clone();
            one["address"] = json!(format!("m.b[{number}]"));
            one["change"]["after"] = (0..30)
                .map(|n| (format!("a{n}"), json!(n.to_string())))
                .collect::<serde_json::Map<_, _>>()
                .into();
            one
        });
        all["resource_changes"] = resources.collect();
        all.to_string().into_bytes()
    };
    both(
        "16-json-size-50x30.json",
        &serde_json::from_slice(&of_size(50)).unwrap(),
        |it| {
            assert!(it.to_json().unwrap().len() < 1_000_000);
        },
    );
    let sizes = [100, 400].map(|count| {
        let plan = of_size(count);
        let it = examine(&plan);
        assert!(it.to_markdown().len() <= 60_000);
        (plan.len(), it.to_json().unwrap().len())
    });
    let ratio = |(plan, json): (usize, usize)| json as f64 / plan as f64;
    assert!(
        ratio(sizes[1]) < 1.2 * ratio(sizes[0]) && ratio(sizes[1]) < 12.0,
        "{sizes:?}"
    );
}

#[test]
fn names_that_are_there_twice_are_refused() {
    let own = r#"{"name":"x","steps":[{"id":"d","action":{"path":"kv/delete","name":"d","parameters":{"key":"a","deep":{"k":1,"k":2}}}}]}"#;
    let plans = [
        Some(own.as_bytes().to_vec()),
        published("17-duplicate-names.json"),
    ];
    for plan in plans.into_iter().flatten() {
        assert!(refused(&plan).contains("is there twice"));
    }
    assert!(World::parse(r#"{"a": 1, "a": 2}"#).is_err());
    assert!(McpTools::parse(r#"{"tools": [], "tools": []}"#).is_err());
    assert!(
        refused(br#"{"format_version": "1.2", "resource_changes": [], "resource_changes": []}"#)
            .contains("twice")
    );
    let nested =
        r#"{"type": "function", "function": {"name": "f", "arguments": "{\"a\": 1, \"a\": 2}"}}"#;
    assert!(refused(nested.as_bytes()).contains("is there twice"));
}

#[test]
fn numbers_that_a_double_rounds_are_refused() {
    for number in [
        "9007199254740993",
        "18446744073709551616",
        "1e400",
        "0.12345678901234567890123",
    ] {
        let own = format!(r#"[{{"name": "pay", "arguments": {{"id": {number}}}}}]"#);
        assert!(
            examine_with(own.as_bytes(), None, World::new()).is_err(),
            "{number}"
        );
    }
    for name in ["18-calls-huge-a.json", "18-calls-huge-b.json"] {
        if let Some(plan) = published(name) {
            assert!(refused(&plan).contains("more digits than a double holds"));
        }
    }
}

/// The outcome of the only call, and why.
fn call(calls: &str, tools: &str) -> (PredictedOutcome, String) {
    let it = examine_with(calls.as_bytes(), Some(tools), World::new()).unwrap();
    let step = &it.analysis.report.steps[0];
    (step.outcome, step.reason.to_string())
}

fn published_call(calls: &str, tools: &str) -> Option<(PredictedOutcome, String)> {
    let text = |name| published(name).map(|bytes| String::from_utf8(bytes).unwrap());
    Some(call(&text(calls)?, &text(tools)?))
}

#[test]
fn a_tool_that_may_be_on_another_page_is_unknown() {
    let page = r#"{"tools": [{"name": "a", "inputSchema": {}}], "nextCursor": "x"}"#;
    let drop = r#"{"method": "tools/call", "params": {"name": "drop"}}"#;
    let found = [
        Some(call(drop, page)),
        published_call("19-calls.json", "19-tools-page-1.json"),
    ];
    for (outcome, reason) in found.into_iter().flatten() {
        assert_eq!(outcome, PredictedOutcome::Unknown);
        assert!(reason.contains("more pages"), "{reason}");
    }
    let last = r#"{"tools": [{"name": "b", "inputSchema": {}}]}"#;
    assert_eq!(
        call(drop, &format!("[{page}, {last}]")).0,
        PredictedOutcome::WouldFail
    );
}

#[test]
fn arguments_are_checked_by_the_whole_of_json_schema() {
    if let Some((outcome, _)) = published_call("20-calls.json", "20-tools-pattern.json") {
        assert_eq!(outcome, PredictedOutcome::Unknown);
    }
    let schema =
        |schema: Value| json!({"tools": [{"name": "f", "inputSchema": schema}]}).to_string();
    for (allowed, refused, of) in [
        (
            json!({"x-a": "b"}),
            json!({"y": 1}),
            json!({"patternProperties": {"^x-": {}}, "additionalProperties": false}),
        ),
        (
            json!({"n": 5}),
            json!({"n": 6}),
            json!({"properties": {"n": {"enum": [5]}}}),
        ),
        (
            json!({"a": 1, "b": 1}),
            json!({"a": 1}),
            json!({"dependentRequired": {"a": ["b"]}}),
        ),
        (
            json!({"o": {"p": 1}}),
            json!({"o": {"p": "x"}}),
            json!({"$defs": {"o": {"properties": {"p": {"type": "integer"}}}}, "properties": {"o": {"$ref": "#/$defs/o"}}}),
        ),
    ] {
        let with = |arguments: &Value| json!({"name": "f", "arguments": arguments}).to_string();
        let tools = schema(of);
        assert_eq!(
            call(&with(&allowed), &tools).0,
            PredictedOutcome::Unknown,
            "{allowed}"
        );
        assert_eq!(
            call(&with(&refused), &tools).0,
            PredictedOutcome::WouldFail,
            "{refused}"
        );
    }
}

#[test]
fn calls_of_every_maker_are_read_with_their_arguments() {
    let tools = r#"{"tools": [{"name": "f", "inputSchema": {"properties": {"p": {"const": "x"}}, "required": ["p"]}}]}"#;
    for calls in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "f", "arguments": {"p": "x"}}}),
        json!([{"type": "tool_use", "id": "t", "name": "f", "input": {"p": "x"}}]),
        json!({"role": "assistant", "content": [{"type": "text", "text": "ok"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"p": "x"}}]}),
        json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"p\": \"x\"}"}}]),
        json!({"choices": [{"message": {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"p\": \"x\"}"}}]}}]}),
        json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"p\": \"x\"}"}),
    ] {
        assert_eq!(
            call(&calls.to_string(), tools).0,
            PredictedOutcome::Unknown,
            "{calls}"
        );
    }
    if let Some(calls) = published("21-calls-tool-use.json") {
        let file = PlanFile::read(&calls, None).unwrap();
        assert_eq!(file.workflow.steps[0].action.parameters["path"], "/");
    }
    for other in [
        json!([{"name": "f", "args": {"p": 1}}]),
        json!([{"method": "resources/read", "params": {"name": "f"}}]),
        json!([{"jsonrpc": "2.0", "id": 1, "result": {}}]),
    ] {
        refused(other.to_string().as_bytes());
    }
    if let Some(calls) = published("22-calls-other-method.json") {
        assert!(refused(&calls).contains("prompts/get"));
    }
}

#[test]
fn annotations_count_as_the_specification_has_it() {
    let with = |annotations: Value| {
        let tools = json!({"tools": [{"name": "drop", "inputSchema": {"type": "object"}, "annotations": annotations}]});
        call(r#"[{"name": "drop"}]"#, &tools.to_string()).0
    };
    assert_eq!(with(Value::Null), PredictedOutcome::Unknown);
    assert_eq!(
        with(json!({"readOnlyHint": false})),
        PredictedOutcome::Unsafe
    );
    assert_eq!(
        with(json!({"readOnlyHint": true})),
        PredictedOutcome::Unknown
    );
    assert_eq!(
        with(json!({"readOnlyHint": false, "destructiveHint": false})),
        PredictedOutcome::Unknown
    );
    for (tools, wanted) in [
        ("23-tools-null.json", PredictedOutcome::Unknown),
        ("24-tools-default.json", PredictedOutcome::Unsafe),
    ] {
        if let Some((outcome, reason)) = published_call("19-calls.json", tools) {
            assert_eq!(outcome, wanted, "{reason}");
        }
    }
}

#[test]
fn a_schema_of_the_user_does_not_switch_the_list_of_tools_off() {
    let tools = McpTools::parse(r#"{"tools": [{"name": "f", "inputSchema": {"required": ["p"]}, "annotations": {"destructiveHint": true}}]}"#).unwrap();
    let schema =
        "[[schema]]\npath = \"mcp/f\"\nreversibility = \"reversible\"\nother_parameters = true\n";
    let schemas = forensic_simulator::Schema::parse(schema).unwrap();
    let simulator = tools
        .register(Simulator::builder())
        .schemas(schemas)
        .build()
        .unwrap();
    let outcome = |calls: &str| {
        let plan = simulator.check(McpTools::calls(calls).unwrap()).unwrap();
        simulator
            .simulate(&plan, &World::new(), Timestamp::default())
            .outcome
    };
    assert_eq!(
        outcome(r#"[{"name": "f", "arguments": {}}]"#),
        PredictedOutcome::WouldFail
    );
    assert_eq!(
        outcome(r#"[{"name": "f", "arguments": {"p": 1}}]"#),
        PredictedOutcome::Unsafe
    );
}

#[test]
fn an_index_with_a_slash_is_a_part_of_its_address() {
    let own = plan("x.r[\"a/b]c\"]", &["create"], Value::Null, json!({"c": 1}));
    let it = examine(own.to_string().as_bytes());
    assert!(
        it.blast_radius.areas.contains("x.r[\"a/b]c\"]"),
        "{:?}",
        it.blast_radius
    );
    if let Some(plan) = published("25-area.json") {
        let areas = examine(&plan).blast_radius.areas;
        assert!(
            areas.contains("aws_route.r[\"10.0.0.0/16\"]") && areas.len() == 2,
            "{areas:?}"
        );
    }
}

#[test]
fn characters_that_deceive_are_escaped_wherever_they_are_shown() {
    let bad = "a\u{202e}b\u{2066}\u{1b}[31m\u{200b}";
    let own = plan(
        &format!("a.b[\"{}\"]", "x\u{202e}y"),
        &["update"],
        json!({"owner": "a", "o": bad}),
        json!({"owner": bad, "o": "c"}),
    );
    both("26-bidi.json", &own, |it| {
        for form in forms(it) {
            assert!(
                !form.contains(['\u{202e}', '\u{2066}', '\u{1b}', '\u{200b}']),
                "{form}"
            );
        }
        assert!(it.to_text().contains("\\u{202e}"), "{}", it.to_text());
    });
    let message = refused("{\"format_version\": \"1.2\", \"resource_changes\": [{\"address\": \"a\u{202e}\", \"change\": {\"actions\": [\"fly\"]}}]}".as_bytes());
    assert!(!message.contains('\u{202e}'));
}

#[test]
fn numbers_that_a_double_cannot_hold_are_compared_by_their_digits() {
    let own = r#"{"format_version": "1.2", "resource_changes": [{"address": "a.b", "mode": "managed", "type": "a",
        "change": {"actions": ["update"], "before": {"n": [0.10000000000000000001]}, "after": {"n": [0.10000000000000000002]}}}]}"#;
    let text = examine(own.as_bytes()).to_text();
    assert!(
        text.contains("0.10000000000000000001 -> 0.10000000000000000002"),
        "{text}"
    );
    if let Some(plan) = published("27-big-number.json") {
        let text = examine(&plan).to_text();
        assert!(
            text.contains("18446744073709551616 -> 18446744073709551617"),
            "{text}"
        );
    }
}

#[test]
fn reading_is_no_finding() {
    let mut own = plan("data.aws_ami.a", &["read"], Value::Null, json!({"x": 1}));
    own["resource_changes"][0]["mode"] = json!("data");
    change(&mut own)["after_unknown"] = json!({"id": true});
    both("28-data-read.json", &own, |it| {
        assert_eq!(it.headline, "OK: 1 read");
        assert!(it.findings.is_empty() && gate(it) == GateResult::Clean);
    });
}

#[test]
fn every_combination_of_actions_is_read() {
    let own = plan(
        "a.b",
        &["create", "forget"],
        json!({"id": 1}),
        json!({"id": 2}),
    );
    both("29-create-then-forget.json", &own, |it| {
        assert!(has(it, FindingKind::Forget) && gate(it) == GateResult::Findings);
    });
    let forget = plan(
        "aws_s3_bucket.b",
        &["forget"],
        json!({"id": 1}),
        Value::Null,
    );
    assert!(has(
        &examine(forget.to_string().as_bytes()),
        FindingKind::Forget
    ));
}

#[test]
fn encodings_and_wrappers_do_not_hide_a_plan() {
    let own = plan("a.b", &["create"], Value::Null, json!({"k": "é"})).to_string();
    let utf16: Vec<u8> = own.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let wrapped = format!(
        "Initializing...\n[command]/bin/terraform show -json\n{own}\n::debug::exited with code 0\n"
    );
    let all = [
        Some([b"\xfe\xff".to_vec(), utf16].concat()),
        Some(["\u{feff}", &own].concat().into_bytes()),
        Some(wrapped.into_bytes()),
        published("30-utf16.json"),
        published("31-bom.json"),
        published("32-wrapper.json"),
    ];
    for plan in all.into_iter().flatten() {
        let it = examine(&plan);
        assert_eq!(
            (it.headline.as_str(), gate(&it)),
            ("OK: 1 created", GateResult::Clean)
        );
    }
    assert!(
        refused(&own.as_bytes()[..own.len() / 2]).contains("EOF"),
        "a plan that was cut off"
    );
    assert!(refused(format!("{own}\n{own}").as_bytes()).contains("goes on after its end"));
}

fn message(kind: &str, more: Value) -> String {
    let mut message =
        json!({"@level": "info", "@message": "m", "@module": "terraform.ui", "type": kind});
    message
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    format!("{message}\n")
}

#[test]
fn the_stream_of_a_plan_is_read() {
    let version = message("version", json!({"tofu": "1.9.0"}));
    let change = |action: &str| {
        message(
            "planned_change",
            json!({"change": {"resource": {"addr": "aws_db_instance.d"}, "action": action}}),
        )
    };
    let summary = message(
        "change_summary",
        json!({"changes": {"add": 0, "change": 0, "remove": 1, "operation": "plan"}}),
    );
    let whole = format!("{version}{}{summary}", change("delete"));
    let it = examine(whole.as_bytes());
    assert_eq!(
        (it.headline.as_str(), gate(&it)),
        ("REVIEW: 1 destroyed", GateResult::Findings)
    );
    let cut = format!("{version}{}", change("delete"));
    assert_eq!(gate(&examine(cut.as_bytes())), GateResult::Incomplete);
    let failed = format!(
        "{version}{}",
        message(
            "diagnostic",
            json!({"diagnostic": {"severity": "error", "summary": "no"}})
        )
    );
    assert_eq!(gate(&examine(failed.as_bytes())), GateResult::Incomplete);
    let hidden = format!("{version}{summary}");
    assert!(has(&examine(hidden.as_bytes()), FindingKind::Unread));
    assert!(
        refused(format!("{version}{}", message("apply_start", json!({}))).as_bytes())
            .contains("apply")
    );
    if let Some(stream) = published("34-stream.ndjson") {
        let it = examine(&stream);
        assert_eq!(
            (it.headline.as_str(), gate(&it)),
            ("REVIEW: 1 replaced", GateResult::Findings)
        );
    }
}

#[test]
fn sections_of_pddl_that_are_there_twice_are_refused() {
    for text in [
        "(define (domain d) (:predicates (p) (q)) (:action a :precondition (p) :effect (q) :effect (p)))",
        "(define (domain d) (:predicates (p)) (:predicates (q)))",
        "(define (domain d) (:predicates (p)) (:action a :effect (q)))",
    ] {
        assert!(StripsDomain::parse(text).is_err(), "{text}");
    }
    if let Some(domain) = published("35-domain.pddl") {
        let error = StripsDomain::parse(&String::from_utf8(domain).unwrap()).unwrap_err();
        assert!(error.to_string().contains("two :precondition"), "{error}");
    }
}

#[test]
fn a_part_of_an_identifier_is_not_named() {
    for (request, other) in [
        ("Delete /srv/app/tmp please", "/srv"),
        ("Delete the bucket prod-logs-tmp", "prod"),
        ("Send it to mary.ann@bank.com", "ann@bank.com"),
        ("See https://a.example/x?y=1", "a.example"),
        ("Use report_v2", "report"),
    ] {
        assert!(!Request::new(request).names(other), "{other} in {request}");
    }
    for (request, named) in [
        ("Delete /srv/app/tmp, please.", "/srv/app/tmp"),
        ("Delete 'prod'.", "prod"),
        ("Send it to ann@bank.com.", "ann@bank.com"),
        ("Visit www.x.example.", "www.x.example"),
        ("(See https://a.example/x)", "https://a.example/x"),
    ] {
        assert!(Request::new(request).names(named), "{named} in {request}");
    }
}
