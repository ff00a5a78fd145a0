//! The description of all routes in OpenAPI 3.1, made from the table that the router is made from.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::http::facts::{Access, Facts};
use crate::http::problem::{Code, MEDIA_TYPE};
use crate::http::route::Route;

/// What any route may answer.
const EVERYWHERE: [Code; 2] = [Code::Overloaded, Code::Internal];
const WITH_TOKEN: [Code; 3] = [
    Code::Unauthenticated,
    Code::InsufficientScope,
    Code::RateLimited,
];
const WITH_BODY: [Code; 6] = [
    Code::InvalidJson,
    Code::UnknownField,
    Code::InvalidField,
    Code::RequestTimeout,
    Code::TooLarge,
    Code::UnsupportedMediaType,
];
const AT_THE_GATE: [Code; 2] = [Code::StoreFailed, Code::StorageFull];

/// A problem as RFC 9457 has it; some codes have members besides.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes")]
struct ProblemBody {
    r#type: String,
    title: String,
    status: u16,
    code: String,
    detail: String,
    request_id: String,
    retry: String,
}

/// The description.
pub(crate) fn describe(routes: &[Route]) -> Value {
    let mut schemas = Schemas {
        taken: generator(Contract::Deserialize),
        given: generator(Contract::Serialize),
    };
    let problem = schemas.given.subschema_for::<ProblemBody>();
    let mut paths: Map<String, Value> = Map::new();
    for Route { facts, .. } in routes.iter().filter(|route| !route.facts.access.is_page()) {
        let operation = operation(facts, &mut schemas, &json!(problem));
        let path = paths.entry(facts.path).or_insert_with(|| json!({}));
        path[facts.method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Proofload", "version": env!("CARGO_PKG_VERSION"),
            "description": "Approvals for the actions of software agents.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// What is taken and what is given: a member that is left out when it is empty is always there in neither.
struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    fn definitions(&mut self) -> Map<String, Value> {
        let mut all = self.taken.take_definitions(true);
        all.extend(self.given.take_definitions(true));
        all
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = contract;
    });
    settings.into_generator()
}

fn operation(facts: &Facts, schemas: &mut Schemas, problem: &Value) -> Value {
    let mut operation = json!({
        "summary": facts.summary,
        "operationId": format!("{}{}", facts.method, facts.path.replace(['/', '{', '}', '-', '.'], "_")),
        "parameters": parameters(facts),
        "responses": responses(facts, schemas, problem),
    });
    match facts.access {
        Access::Public => operation["security"] = json!([]),
        Access::Anyone | Access::Handler | Access::Page | Access::Session => {
            operation["security"] = json!([{ "token": [] }]);
        }
        Access::Roles(roles) => {
            operation["security"] = json!([{ "token": [] }]);
            operation["x-roles"] = json!(roles);
        }
    }
    if let Some(takes) = facts.takes {
        let content = json!({ "application/json": { "schema": takes(&mut schemas.taken) } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

fn parameters(facts: &Facts) -> Vec<Value> {
    let names = facts
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let text = json!({ "type": "string" });
    let mut all: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }))
        .collect();
    all.extend(facts.query.iter().map(
        |(name, what)| json!({ "name": name, "in": "query", "description": what, "schema": text }),
    ));
    if facts.is_keyed {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": true, "schema": text,
            "description": "A text of the caller's own; a repeated request has the same one and happens once.",
        }));
    }
    all
}

fn responses(facts: &Facts, schemas: &mut Schemas, problem: &Value) -> Value {
    let mut responses = Map::new();
    let good = match facts.gives {
        Some(gives) => {
            let content = json!({ facts.media_type: { "schema": gives(&mut schemas.given) } });
            json!({ "description": "Done", "content": content })
        }
        None if facts.status == 204 => json!({ "description": "Done" }),
        None => json!({ "description": "Done", "content": { facts.media_type: {} } }),
    };
    responses.insert(facts.status.to_string(), good);
    for code in codes(facts) {
        let status = code.status().as_u16().to_string();
        let content = json!({ MEDIA_TYPE: { "schema": problem } });
        let entry = responses
            .entry(status)
            .or_insert_with(|| json!({ "description": "", "content": content }));
        let names = entry["description"].as_str().unwrap_or_default();
        let comma = if names.is_empty() { "" } else { ", " };
        entry["description"] = json!(format!("{names}{comma}{}", code.as_str()));
    }
    responses.into()
}

fn codes(facts: &Facts) -> Vec<Code> {
    let mut codes = EVERYWHERE.to_vec();
    if facts.access == Access::Handler {
        return Vec::new();
    }
    if facts.access != Access::Public {
        codes.extend(WITH_TOKEN);
    }
    if facts.takes.is_some() {
        codes.extend(WITH_BODY);
    }
    if facts.path.contains("/approvals") || facts.path.contains("/audit") {
        codes.extend(AT_THE_GATE);
    }
    if facts.path.contains('{') {
        codes.push(Code::NotFound);
    }
    if facts.is_keyed {
        codes.extend([Code::IdempotencyKeyMissing, Code::IdempotencyKeyReused]);
    }
    codes.extend(facts.problems);
    codes
}
