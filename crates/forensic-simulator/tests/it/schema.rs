//! The text of schemas: its published shape, and what it says of answers.

use forensic_simulator::{
    BUILTIN_SCHEMAS, Fact, PredictedOutcome, Schema, SimulationReport, Simulator, Timestamp,
    Workflow, World,
};
use serde_json::{Value, json};

use crate::common::act;

const PUBLISHED: &str = include_str!("../../schemas/action-schemas.v1.json");
const SHOP: &str = include_str!("../../samples/shop/schemas/shop.toml");

fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[test]
fn the_published_json_schema_is_the_one_of_the_code() {
    let published: Value = serde_json::from_str(PUBLISHED).unwrap();
    assert_eq!(
        published,
        Schema::json_schema(),
        "run `cargo run -p proofload -- schema actions > crates/forensic-simulator/schemas/action-schemas.v1.json`"
    );
}

#[test]
fn the_json_schema_takes_what_the_parser_takes_and_refuses_slips() {
    let validator = jsonschema::validator_for(&Schema::json_schema()).unwrap();
    for text in [BUILTIN_SCHEMAS, SHOP] {
        let errors: Vec<_> = validator
            .iter_errors(&as_json(text))
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(Schema::parse(text).is_ok());
    }
    let head = "[[schema]]\npath = \"a/b\"\n";
    for slip in [
        "",
        "reversibility = \"maybe\"",
        "reversibility = \"opaque\"\nefects = []",
        "reversibility = \"opaque\"\neffects = [{ do = \"explode\", key = \"x\" }]",
        "reversibility = \"opaque\"\nparameters.n = { type = \"float\" }",
        "reversibility = \"opaque\"\nrequires = [{ test = \"exists\" }]",
        "reversibility = \"opaque\"\nduration_us = { least = 1 }",
        "reversibility = { undone_by = \"a/c\" }",
    ] {
        let text = format!("{head}{slip}");
        assert!(!validator.is_valid(&as_json(&text)), "{slip}");
        assert!(Schema::parse(&text).is_err(), "{slip}");
    }
}

const CARTS: &str = r#"
    [[schema]]
    path = "cart/open"
    reversibility = "reversible"
    parameters.user = { type = "string" }
    effects = [{ do = "set", key = "carts/{user}", value = { owner = "{user}", items = 0 } }]
    answer = { cart = "carts/{user}", content = { "$read" = "carts/{user}" }, price = [{ "$read" = "price" }] }

    [[schema]]
    path = "cart/look"
    reversibility = "reversible"
    parameters.cart = { type = "string" }
    requires = [{ key = "{cart}", test = "exists" }]
    answer = { "$read" = "{cart}" }
"#;

fn look(world: &World) -> SimulationReport {
    let simulator = Simulator::builder().schemas(Schema::parse(CARTS).unwrap());
    let simulator = simulator.build().unwrap();
    let reference = json!({"cart": {"$ref": "open", "pointer": "/cart"}});
    let workflow = Workflow::new("w")
        .step("open", act("cart/open", &json!({"user": "ann"})))
        .step("look", act("cart/look", &reference));
    let plan = simulator.check(workflow).unwrap();
    simulator.simulate(&plan, world, Timestamp::default())
}

#[test]
fn an_answer_shows_the_keys_after_the_effects_and_later_steps_refer_to_it() {
    let report = look(&World::from_iter([("price", 7)]));
    let content = json!({"owner": "ann", "items": 0});
    let whole = json!({"cart": "carts/ann", "content": content, "price": [7]});
    assert_eq!(report.steps[0].answer, Some(whole.into()));
    assert_eq!(report.steps[1].answer, Some(content.into()));
    // What an answer shows was read: the report depends on it, and information flows along it.
    assert_eq!(report.reads.last().unwrap().key.as_str(), "price");
    let nothing = look(&World::new());
    let answer = nothing.steps[0].answer.as_ref().unwrap();
    assert_eq!(answer.value().unwrap()["price"], json!([null]));
}

#[test]
fn an_answer_with_a_part_that_is_not_known_is_not_known() {
    let mut world = World::new();
    world.insert("price", Fact::unknown("the market"));
    let report = look(&world);
    assert_eq!(report.steps[0].answer, Some(Fact::unknown("the market")));
    assert_eq!(report.steps[1].outcome, PredictedOutcome::Unknown);
    world.insert("price", Fact::secret("margin"));
    assert_eq!(look(&world).steps[0].answer, Some(Fact::secret("margin")));
}

#[test]
fn an_answer_that_says_something_impossible_is_refused() {
    for (answer, message) in [
        (
            "\"{x}\"",
            r#"it names parameter "x", which is not declared"#,
        ),
        (
            "{ \"$read\" = \"k/{x}\" }",
            r#"it names parameter "x", which is not declared"#,
        ),
        ("{ \"$read\" = 1 }", "`$read` takes the text of a key"),
        ("[\"{\"]", r#""{" has a `{` that is no part of a {name}"#),
    ] {
        let text =
            format!("[[schema]]\npath = \"a/b\"\nreversibility = \"opaque\"\nanswer = {answer}\n");
        let error = Schema::parse(&text).unwrap_err().to_string();
        assert_eq!(error, format!("schema \"a/b\", answer: {message}"));
    }
}
