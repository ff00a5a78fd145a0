//! The JSON schema of scenario files, by which editors complete and check them.

use schemars::{JsonSchema as _, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::spec::ScenarioSpec;
use crate::services::schema as services;
use crate::targets::{TARGETS, TargetEntry};

/// Where the schema is published.
const ID: &str = "https://raw.githubusercontent.com/proofload/proofload/main/crates/harness/schemas/scenario.v1.json";

/// The JSON schema of a scenario file, as published in `schemas/scenario.v1.json`.
#[must_use]
pub fn scenario_schema() -> Value {
    scenario_schema_of(TARGETS)
}

/// The JSON schema of a file that may name these targets.
#[must_use]
pub fn scenario_schema_of(targets: &[TargetEntry]) -> Value {
    let mut generator = SchemaGenerator::default();
    let mut root = ScenarioSpec::json_schema(&mut generator).to_value();
    let mut kinds = Vec::new();
    let mut of_phases = Map::new();
    let own_targets = targets.iter().filter(|entry| !entry.has_tasks());
    let services = targets.iter().any(TargetEntry::has_tasks);
    for entry in own_targets {
        let [options, phases] = entry
            .schemas(&mut generator)
            .map(schemars::Schema::to_value);
        kinds.push(with_kind(options, entry.name()));
        of_phases.extend(properties(&phases));
    }
    let of_services = services.then(|| services::properties(&mut generator));
    let mut definitions = generator.take_definitions(true);
    definitions.remove("TargetSpec");
    if let Some(phase) = definitions.get_mut("PhaseSpec")
        && let Some(Value::Object(known)) = phase.get_mut("properties")
    {
        known.extend(of_phases);
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["$id"] = json!(ID);
    root["title"] = json!("A scenario of proofload");
    root["$defs"] = Value::Object(definitions);
    root["properties"]["target"] = json!({
        "description": "What the load is put on.",
        "oneOf": kinds,
    });
    if let Some(properties) = of_services {
        add_services(&mut root, properties);
    }
    root["properties"]["quick"] = json!({
        "description": "What `--quick` sets over the other values, such as quick.model.users = 5.",
        "type": "object",
    });
    root
}

/// Adds what a file says that puts the load on services: it names no target then.
fn add_services(root: &mut Value, properties: services::Properties) {
    for (name, table) in properties.tables {
        root["properties"][name] = table;
    }
    if let Some(mix) = properties.mix {
        root["$defs"]["ModelSpec"]["properties"]["mix"] = mix;
    }
    for (name, property) in properties.phases {
        root["$defs"]["PhaseSpec"]["properties"][name] = property;
    }
    root["required"] = json!(["name"]);
    root["oneOf"] = json!([{ "required": ["target"] }, { "required": ["services", "flows"] }]);
}

/// The schema of `[target]` for one target.
fn with_kind(mut options: Value, name: &str) -> Value {
    let mut all = properties(&options);
    all.insert("kind".to_owned(), json!({ "const": name }));
    options["properties"] = Value::Object(all);
    let mut required = vec![json!("kind")];
    if let Some(Value::Array(others)) = options.get("required") {
        required.extend(others.iter().cloned());
    }
    options["required"] = Value::Array(required);
    options
}

fn properties(schema: &Value) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default()
}
