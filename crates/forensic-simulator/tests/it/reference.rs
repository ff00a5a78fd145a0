//! Parameters that stand for what an earlier step answers.

use action::PathPattern;
use forensic_simulator::{
    Context, Fact, Handler, Limits, Plan, PredictedOutcome, Schema, Simulator, Stop, Timestamp,
    Workflow, World,
};
use serde_json::{Value, json};

use crate::common::act;

/// Answers what the key holds, in an object.
struct LookUp;

impl Handler for LookUp {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let key = context.text("key")?;
        match context.read(key) {
            Some(Fact::Known(value)) => context.answer(json!({"found": *value})),
            Some(other) => context.answer(other),
            None => return Err(Stop::would_fail("nothing is there")),
        }
        Ok(())
    }
}

fn simulator() -> Simulator {
    let reserve = r#"
        [[schema]]
        path = "stock/reserve"
        reversibility = { compensated_by = "stock/release" }
        compensation = { item = "{item}" }
        parameters.item = { type = "string" }
        effects = [{ do = "set", key = "reserved/{item}", value = true }]

        [[schema]]
        path = "stock/release"
        reversibility = "reversible"
        parameters.item = { type = "string" }
        effects = [{ do = "delete", key = "reserved/{item}" }]
    "#;
    Simulator::builder()
        .builtins()
        .schemas(Schema::parse(reserve).unwrap())
        .handler(PathPattern::new("look/up").unwrap(), LookUp)
        .build()
        .unwrap()
}

fn found(step: &str) -> Value {
    json!({"$ref": step, "pointer": "/found"})
}

fn look_up_then(path: &str, parameters: &Value) -> Workflow {
    Workflow::new("w")
        .step("look", act("look/up", &json!({"key": "name"})))
        .step("use", act(path, parameters))
}

fn world() -> World {
    World::from_iter([("name", "screws")])
}

#[test]
fn a_reference_takes_its_value_from_the_answer_and_waits_for_it() {
    let simulator = simulator();
    let workflow = look_up_then("stock/reserve", &json!({"item": found("look")}));
    let plan = simulator.check(workflow).unwrap();
    assert_eq!(plan.dependencies(1), [0]);
    let now = Timestamp::default();
    let report = simulator.simulate(&plan, &world(), now);
    assert_eq!(report.outcome, PredictedOutcome::Success);
    assert_eq!(report.steps[1].changes[0].key.as_str(), "reserved/screws");
    // What makes up for it is told the value too.
    let rollback = simulator.rollback(&plan, &world(), now);
    assert!(
        rollback.is_complete() && rollback.residue.is_empty(),
        "{rollback:?}"
    );
}

#[test]
fn a_reference_to_an_answer_that_is_not_known_invents_nothing() {
    let simulator = simulator();
    let workflow = look_up_then("stock/reserve", &json!({"item": found("look")}));
    let plan = simulator.check(workflow).unwrap();
    let mut secret = World::new();
    secret.insert("name", Fact::secret("a name"));
    let report = simulator.simulate(&plan, &secret, Timestamp::default());
    let step = &report.steps[1];
    assert_eq!(
        (step.outcome, &*step.reason, step.changes.len()),
        (
            PredictedOutcome::Unknown,
            "parameter /item is not known before step \"look\" has answered",
            0
        )
    );
    assert_eq!(report.not_modelled, std::slice::from_ref(&step.id));
    // And where the step answers nothing at all.
    let mute = Workflow::new("w")
        .step("look", act("kv/create", &json!({"key": "x", "value": 1})))
        .step("use", act("stock/reserve", &json!({"item": found("look")})));
    let mute = simulator.check(mute).unwrap();
    let report = simulator.simulate(&mute, &world(), Timestamp::default());
    assert_eq!(report.outcome, PredictedOutcome::Unknown);
}

#[test]
fn a_reference_to_a_part_that_the_answer_lacks_fails() {
    let simulator = simulator();
    let nested = json!({"key": "k", "value": {"a/b": [1, {"$ref": "look", "pointer": "/no"}]}});
    let plan = simulator.check(look_up_then("kv/create", &nested)).unwrap();
    let report = simulator.simulate(&plan, &world(), Timestamp::default());
    assert_eq!(report.outcome, PredictedOutcome::WouldFail);
    assert_eq!(
        &*report.steps[1].reason,
        "parameter /value/a~1b/1 refers to \"/no\" of the answer of step \"look\", which has no such part"
    );
}

#[test]
fn an_object_that_is_not_exactly_a_reference_is_data() {
    let simulator = simulator();
    for data in [
        json!({"$ref": "#/definitions/x"}),
        json!({"$ref": "nobody", "pointer": 3}),
        json!({"$ref": "nobody", "pointer": "/x", "more": 1}),
    ] {
        let workflow = look_up_then("kv/create", &json!({"key": "k", "value": data}));
        let plan = simulator.check(workflow).unwrap();
        assert!(plan.dependencies(1).is_empty());
        let report = simulator.simulate(&plan, &world(), Timestamp::default());
        let after = report.steps[1].changes[0].after.as_ref().unwrap();
        assert_eq!(after.value(), Some(&data));
    }
}

#[test]
fn references_forward_or_to_nobody_are_refused_with_their_place() {
    let refused = |value: Value| {
        let workflow = Workflow::new("w")
            .step("a", act("kv/create", &json!({"key": "a", "value": 1})))
            .step(
                "b",
                act(
                    "kv/create",
                    &json!({"key": "b", "value": {"list": [value]}}),
                ),
            )
            .step("c", act("kv/create", &json!({"key": "c", "value": 1})));
        let error = Plan::new(workflow, &Limits::default()).unwrap_err();
        error.to_string()
    };
    let at = "step \"b\", parameter /value/list/0: it refers to";
    for (to, pointer, why) in [
        ("c", "/x", "step \"c\", which is not listed before it"),
        ("b", "/x", "step \"b\", which is not listed before it"),
        ("z", "/x", "step \"z\", which is not in the workflow"),
        ("a", "x", "\"x\", which does not begin with `/`"),
    ] {
        let reference = json!({"$ref": to, "pointer": pointer});
        assert_eq!(refused(reference), format!("{at} {why}"));
    }
}

#[test]
fn an_order_that_decides_what_a_reference_gets_is_a_conflict() {
    let simulator = simulator();
    let workflow = Workflow::new("w")
        .step(
            "rename",
            act("kv/update", &json!({"key": "name", "value": "nails"})),
        )
        .step("look", act("look/up", &json!({"key": "name"})))
        .step("use", act("stock/reserve", &json!({"item": found("look")})));
    let plan = simulator.check(workflow).unwrap();
    let conflicts = simulator.conflicts(&plan, &world(), Timestamp::default());
    let pairs = conflicts.pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|pair| (pair.first.as_str(), pair.second.as_str()))
        .collect();
    assert_eq!(pairs, [("rename", "look")]);
    assert!(conflicts.exhaustive && conflicts.pairs[0].proven);
}
