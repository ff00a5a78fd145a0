//! The schema of what a file says about services.

use drivers::AnyOptions;
use schemars::{JsonSchema as _, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::spec::{FlowsSpec, PhaseSpec, ServiceSpec};

/// What a file with services has besides.
pub(crate) struct Properties {
    /// `[services]` and the tables beside it.
    pub(crate) tables: Map<String, Value>,
    /// `mix` of the model.
    pub(crate) mix: Option<Value>,
    /// Of each phase.
    pub(crate) phases: Map<String, Value>,
}

/// The properties that a file with services has.
pub(crate) fn properties(generator: &mut SchemaGenerator) -> Properties {
    let common = ServiceSpec::json_schema(generator).to_value();
    let kinds = AnyOptions::schemas(generator).into_iter();
    let kinds: Vec<(&str, Value)> = kinds.map(|(kind, own)| (kind, own.to_value())).collect();
    let definitions = generator.definitions().clone();
    let kinds = kinds.into_iter().map(|(kind, own)| {
        let own = resolved(&own, &definitions);
        merged(&common, &own, kind)
    });
    let kinds: Vec<Value> = kinds.collect();
    let flows = FlowsSpec::json_schema(generator).to_value();
    let mut tables = flows["properties"].as_object().cloned().unwrap_or_default();
    let mix = tables.remove("mix");
    tables.insert(
        "services".to_owned(),
        json!({
            "description": "Services that others wrote, by name.",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": { "oneOf": kinds },
        }),
    );
    let phases = PhaseSpec::json_schema(generator).to_value();
    Properties {
        tables,
        mix,
        phases: phases["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default(),
    }
}

/// What a reference to a definition stands for.
fn resolved(schema: &Value, definitions: &Map<String, Value>) -> Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let found = name.and_then(|name| definitions.get(name));
    found.unwrap_or(schema).clone()
}

/// The keys that every kind has, and those of one.
fn merged(common: &Value, own: &Value, kind: &str) -> Value {
    let mut all = common["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    all.extend(own["properties"].as_object().cloned().unwrap_or_default());
    all.insert("kind".to_owned(), json!({ "const": kind }));
    let mut required = vec![json!("kind")];
    required.extend(own["required"].as_array().into_iter().flatten().cloned());
    json!({
        "type": "object",
        "properties": all,
        "required": required,
        "additionalProperties": false,
    })
}
