//! Workflows and schemas that are wrong: the error says what, and at which step.

use action::{Action, ActionPath};
use forensic_simulator::{
    FaultDepth, Limits, Plan, PlanFile, PlanFormat, PredictedOutcome, Schema, Simulator, Timestamp,
    Workflow, World,
};
use serde_json::{Value, json};

fn read(key: &str) -> Action {
    Action::new(ActionPath::new("kv/read").unwrap(), "Read").with_parameter("key", key)
}

fn refused(workflow: Workflow) -> String {
    Plan::new(workflow, &Limits::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn cycles_are_spelled_out() {
    let workflow = Workflow::new("w")
        .step_after("free", read("a"), ["c"])
        .step_after("a", read("a"), ["b"])
        .step_after("b", read("a"), ["c"])
        .step_after("c", read("a"), ["a"]);
    assert_eq!(
        refused(workflow),
        r#"steps wait for one another: "c" -> "a" -> "b" -> "c""#
    );
    let own = Workflow::new("w").step_after("a", read("a"), ["a"]);
    assert_eq!(refused(own), r#"steps wait for one another: "a" -> "a""#);
}

#[test]
fn a_long_cycle_is_cut_in_the_message() {
    let steps = 5_000;
    let mut workflow = Workflow::new("w");
    for step in 0..steps {
        let next = ((step + 1) % steps).to_string();
        workflow = workflow.step_after(step.to_string(), read("a"), [next]);
    }
    let message = refused(workflow);
    assert!(
        message.ends_with(r#"-> "7" -> … 4992 more -> "0""#),
        "{message}"
    );
}

#[test]
fn ids_are_checked() {
    for (workflow, message) in [
        (Workflow::new("w"), r#"workflow "w" has no steps"#),
        (
            Workflow::new("w")
                .step("a", read("a"))
                .step("b", read("a"))
                .step("a", read("a")),
            r#"step id "a" is used twice, by step number 1 and step number 3"#,
        ),
        (
            Workflow::new("w").step_after("a", read("a"), ["zz"]),
            r#"step "a" depends on "zz", which is not in the workflow"#,
        ),
        (
            Workflow::new("w").step("", read("a")),
            r#"step number 1 has an invalid id "": it is empty"#,
        ),
        (
            Workflow::new("w").step("a\nb", read("a")),
            r#"step number 1 has an invalid id "a\nb": it contains a control character"#,
        ),
    ] {
        assert_eq!(refused(workflow), message);
    }
}

#[test]
fn huge_values_and_inexact_numbers_point_at_their_step() {
    let huge = Workflow::new("w").step("small", read("a")).step(
        "huge",
        read("a").with_parameter("value", "x".repeat(10 << 20)),
    );
    let message = refused(huge);
    assert!(
        message.starts_with(r#"step "huge" carries 104857"#)
            && message.ends_with("limit of 1048576"),
        "{message}"
    );
    let inexact = Workflow::new("w").step("n", read("a").with_parameter("n", u64::MAX));
    assert_eq!(
        refused(inexact),
        r#"step "n" has an action that cannot be digested"#
    );
    assert_eq!(
        json!(f64::NAN),
        Value::Null,
        "JSON has no NaN to be hostile with"
    );
}

#[test]
fn ten_thousand_steps_are_simulated_and_one_more_is_refused() {
    let mut workflow = Workflow::new("w").step("0", read("a"));
    for step in 1..10_000 {
        workflow = workflow.step_after(step.to_string(), read("a"), [(step - 1).to_string()]);
    }
    let simulator = Simulator::builder().builtins().build().unwrap();
    let plan = simulator.check(workflow.clone()).unwrap();
    let report = simulator.simulate(&plan, &World::new(), Timestamp::default());
    assert_eq!(report.steps.len(), 10_000);
    assert_eq!(report.steps[9_999].outcome, PredictedOutcome::Blocked);
    assert_eq!(
        refused(workflow.step("more", read("a"))),
        r#"workflow "w" has 10001 steps, more than the limit of 10000"#
    );
}

#[test]
fn too_many_dependencies_are_refused_at_the_step_that_brings_them() {
    let limits = Limits {
        dependencies: 2,
        ..Limits::default()
    };
    let workflow = Workflow::new("w")
        .step("a", read("a"))
        .step_after("b", read("a"), ["a", "a"])
        .step_after("c", read("a"), ["a"]);
    assert_eq!(
        Plan::new(workflow, &limits).unwrap_err().to_string(),
        r#"step "c" brings the dependencies of the workflow over the limit of 2"#
    );
}

#[test]
fn two_handlers_for_one_pattern_are_refused() {
    let error = Simulator::builder()
        .builtins()
        .builtins()
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "pattern kv/read has two handlers");
}

#[test]
fn errors_in_schemas_point_at_the_place() {
    let schema = |text: &str| {
        let head = "[[schema]]\npath = \"a/b\"\nreversibility = \"reversible\"\n";
        Schema::parse(&format!("{head}{text}"))
            .unwrap_err()
            .to_string()
    };
    for (text, message) in [
        (
            "effects = [{ do = \"set\", key = \"{x}\", value = 1 }]",
            r#"schema "a/b", effect 1, key: it names parameter "x", which is not declared"#,
        ),
        (
            "effects = [{ do = \"set\", key = \"x\" }]",
            r#"schema "a/b", effect 1, value: effect "set" needs a value"#,
        ),
        (
            "effects = [{ do = \"delete\", key = \"x\", value = 1 }]",
            r#"schema "a/b", effect 1, value: effect "delete" takes no value"#,
        ),
        (
            "requires = [{ key = \"{\", test = \"exists\" }]",
            r#"schema "a/b", requirement 1, key: "{" has a `{` that is no part of a {name}"#,
        ),
        (
            "requires = [{ key = \"k\", test = \"exists\", otherwise = \"success\" }]",
            r#"schema "a/b", requirement 1, otherwise: a violation cannot be a success"#,
        ),
        (
            "duration_us = { least = 5, likely = 1, most = 9 }",
            r#"schema "a/b", duration_us: 1 is likely, outside of the range from 5 to 9"#,
        ),
        (
            "parameters.n = { type = \"integer\", default = \"one\" }",
            r#"schema "a/b", parameter "n": the default is a string, not an integer"#,
        ),
        (
            "efects = []",
            "schema text, line 4, column 1: unknown field `efects`",
        ),
        (
            "effects = [\n  { do = \"explode\", key = \"x\" },\n]",
            "schema text, line 5, column 10: unknown variant `explode`",
        ),
        (
            "cost_micros = -1",
            "schema text, line 4, column 15: expected a number",
        ),
    ] {
        let found = schema(text);
        assert!(found.starts_with(message), "{found}\n{message}");
    }
}

fn many(steps: usize, waits: impl Fn(usize) -> Option<usize>) -> Workflow {
    (0..steps).fold(Workflow::new("many"), |workflow, n| {
        let path = ActionPath::new("kv/adjust").unwrap();
        let action = Action::new(path, "Adjust");
        let action = action.with_parameter("key", "a").with_parameter("by", 1);
        workflow.step_after(n.to_string(), action, waits(n).map(|n| n.to_string()))
    })
}

#[test]
fn every_analysis_of_ten_thousand_steps_on_one_key_ends() {
    let simulator = Simulator::builder().builtins().build().unwrap();
    let world = World::from_iter([("a", 0)]);
    let now = Timestamp::default();
    // In any order: every two of them are suspects, and no search could try all of that.
    let plan = simulator.check(many(10_000, |_| None)).unwrap();
    let analysis = simulator.analyse(&plan, &world, now);
    let end = &analysis.report.net_changes()[0].after;
    assert_eq!(*end, Some(10_000.into()));
    assert!(!analysis.conflicts.exhaustive);
    assert!(!analysis.conflicts.pairs.is_empty());
    let faults = simulator.fault_matrix(&plan, &world, now, FaultDepth::Two);
    assert!(!faults.complete);
    // One after the other: nothing is left to chance.
    let plan = simulator.check(many(10_000, |n| n.checked_sub(1))).unwrap();
    let conflicts = simulator.conflicts(&plan, &world, now);
    assert!(conflicts.exhaustive && conflicts.pairs.is_empty());
}

#[test]
fn hostile_files_are_refused_where_they_are_wrong() {
    let step = |parameters: &str| {
        format!(
            "{{\"name\": \"w\", \"steps\": [{{\"id\": \"s\",\n\"action\": {{\"path\": \"a/b\", \"name\": \"\", \"parameters\": {parameters}}}}}]}}"
        )
    };
    let deep = format!("{{\"x\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    for (parameters, reason) in [
        ("{\"x\": NaN}", "expected value"),
        ("{\"x\": -Infinity}", "invalid number"),
        ("{\"x\": 1e400}", "number out of range"),
        (deep.as_str(), "recursion limit exceeded"),
        ("[]", "invalid type: sequence, expected a map"),
    ] {
        let error = PlanFile::parse(&step(parameters), Some(PlanFormat::Workflow)).unwrap_err();
        let found = error.to_string();
        assert!(found.starts_with("workflow, line 2, column "), "{found}");
        assert!(found.ends_with(reason), "{found}");
    }
    let huge = step(&format!("{{\"x\": \"{}\"}}", "y".repeat(10 << 20)));
    let huge = PlanFile::parse(&huge, None).unwrap();
    let message = refused(huge.workflow);
    assert!(
        message.starts_with(r#"step "s" carries 104857"#),
        "{message}"
    );
}
