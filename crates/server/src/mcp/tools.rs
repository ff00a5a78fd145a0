//! The tools: which routes they are, and what they say about themselves.

use std::collections::BTreeMap;

use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::access::tokens::Role;
use crate::http::facts::{Access, Facts, Schemas};

/// What a tool says of itself; hosts ask people by it. No tool reaches beyond the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It changes nothing.
    Reads,
    /// It adds something, and nothing more when it is called again.
    Adds,
    /// It uses something up or removes it, once.
    Ends,
}

/// A tool as it is written down here.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    title: &'static str,
    what: &'static str,
    effect: Effect,
    route: Option<(&'static str, &'static str)>,
}

const fn spec(
    name: &'static str,
    title: &'static str,
    what: &'static str,
    effect: Effect,
    route: Option<(&'static str, &'static str)>,
) -> Spec {
    Spec {
        name,
        title,
        what,
        effect,
        route,
    }
}

const SPECS: &[Spec] = &[
    spec(
        "request_approval",
        "Ask for an approval",
        "Ask people to approve exactly one action before it runs. Send the action as it will run: path, name and \
         parameters; the approval is bound to all of it. With facts, the action is simulated first.",
        Effect::Adds,
        Some(("post", "/api/v1/approvals")),
    ),
    spec(
        "get_approval",
        "Look at an approval",
        "The state of an approval. With wait, such as 30s, answers once a pending one is decided, at the latest \
         after that time.",
        Effect::Reads,
        Some(("get", "/api/v1/approvals/{id}")),
    ),
    spec(
        "can_execute",
        "May it run",
        "Whether an action may run now under an approval, and if not, why. Give the action or its digest.",
        Effect::Reads,
        Some(("post", "/api/v1/approvals/{id}/check")),
    ),
    spec(
        "claim_approval",
        "Take an approval",
        "Take an approval to run its action, once: do this just before you run it. Hand the token to the system that \
         is acted on.",
        Effect::Ends,
        Some(("post", "/api/v1/approvals/{id}/claims")),
    ),
    spec(
        "finish_approval",
        "Report what came of it",
        "Report what came of a claimed action: succeeded, failed, or indeterminate if you do not know.",
        Effect::Adds,
        Some(("post", "/api/v1/approvals/{id}/receipts")),
    ),
    spec(
        "withdraw_approval",
        "Ask no longer",
        "Withdraw a request that you made and no longer need.",
        Effect::Adds,
        Some(("put", "/api/v1/approvals/{id}/withdrawal")),
    ),
    spec(
        "simulate_plan",
        "Simulate a plan",
        "What a plan would change, what cannot be undone and what is not modelled. Nothing is executed or kept.",
        Effect::Reads,
        Some(("post", "/api/v1/simulations")),
    ),
    spec(
        "create_workflow",
        "Ask for a plan",
        "Simulate a plan of several steps and ask people to approve it as a whole, bound to what is predicted.",
        Effect::Adds,
        Some(("post", "/api/v1/workflows")),
    ),
    spec(
        "get_workflow",
        "Look at a plan",
        "The state of a plan: pending, approved, denied, executing, reconciled, diverged, …",
        Effect::Reads,
        Some(("get", "/api/v1/workflows/{id}")),
    ),
    spec(
        "claim_workflow",
        "Take a plan",
        "Take an approved plan to execute it, once: it is simulated again with the facts of now, and refused if \
         anything else is predicted.",
        Effect::Ends,
        Some(("post", "/api/v1/workflows/{id}/claim")),
    ),
    spec(
        "report_workflow",
        "Report a plan",
        "Report what came of a claimed plan, with the changes that you observed: they are compared with those that \
         were predicted.",
        Effect::Adds,
        Some(("post", "/api/v1/workflows/{id}/receipt")),
    ),
    spec(
        "remember",
        "Remember a text",
        "Keep a text in a namespace: your own name, your name:topic, or team:topic, which all agents share.",
        Effect::Adds,
        Some(("post", "/api/v1/namespaces/{namespace}/memories")),
    ),
    spec(
        "recall",
        "Find memories",
        "Memories of a namespace by words, tags and attributes, the best first.",
        Effect::Reads,
        Some(("post", "/api/v1/namespaces/{namespace}/recall")),
    ),
    spec(
        "forget",
        "Forget a memory",
        "Remove a memory with its history.",
        Effect::Ends,
        Some(("delete", "/api/v1/namespaces/{namespace}/memories/{id}")),
    ),
    spec(
        "append_record",
        "Append a record",
        "Append a record to a log from which nothing is removed.",
        Effect::Adds,
        Some(("post", "/api/v1/streams/{stream}/records")),
    ),
    spec(
        "read_records",
        "Read records",
        "The records of a log, from a number on, or the newest below a number.",
        Effect::Reads,
        Some(("get", "/api/v1/streams/{stream}/records")),
    ),
    spec(
        "approve",
        "Ask whether a tool may run",
        "For Claude Code's --permission-prompt-tool: whether a call of a tool may run. A person decides, not this tool.",
        Effect::Adds,
        None,
    ),
];

/// Where an argument goes in the request to the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Key,
    /// How long to wait until it is decided.
    Wait,
    Body,
}

#[derive(Debug)]
pub(crate) struct Tool {
    pub(super) spec: &'static Spec,
    pub(super) route: Option<(&'static str, &'static str)>,
    pub(super) places: BTreeMap<String, Place>,
    pub(super) required: Vec<String>,
    /// An object is what every client takes, so a list stands in one.
    pub(super) is_list: bool,
    /// The tool as `tools/list` has it.
    pub(super) listing: Value,
    roles: Option<&'static [Role]>,
}

/// All tools, made once from the table of routes.
#[derive(Debug)]
pub(crate) struct Tools {
    all: Vec<Tool>,
    /// Marks what this process has asked of clients.
    pub(super) secret: [u8; 32],
}

impl Tools {
    /// # Panics
    ///
    /// If a tool's route is not in the table.
    pub(crate) fn of(routes: &[&Facts]) -> Self {
        let facts = |(method, path): (&str, &str)| {
            let mut found = routes.iter();
            let found = found.find(|facts| facts.method == method && facts.path == path);
            found.unwrap_or_else(|| panic!("no route {method} {path}"))
        };
        let all = SPECS.iter().map(|spec| match spec.route {
            Some(route) => of_route(spec, facts(route)),
            None => of_host(spec),
        });
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system has random numbers");
        Self {
            all: all.collect(),
            secret,
        }
    }

    /// Those that a token of a role may call.
    pub(super) fn of_role(&self, role: Role) -> impl Iterator<Item = &Tool> {
        let all = self.all.iter();
        all.filter(move |tool| tool.roles.is_none_or(|roles| roles.contains(&role)))
    }
}

fn of_route(spec: &'static Spec, facts: &Facts) -> Tool {
    let mut shape = Shape::default();
    let parts = facts.path.split('/');
    for name in parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let about = match name {
            "id" => "Its id.",
            "namespace" => "The namespace: your own name, your name:topic, or team:topic.",
            _ => "Its name: your own, your name:topic, or team:topic.",
        };
        shape.add(
            name,
            Place::Path,
            json!({ "type": kind(facts, name), "description": about }),
            true,
        );
    }
    for (name, about) in facts.query {
        let place = if *name == "wait" {
            Place::Wait
        } else {
            Place::Query
        };
        shape.add(
            name,
            place,
            json!({ "type": kind(facts, name), "description": about }),
            false,
        );
    }
    if facts.is_keyed {
        let about =
            "A text of your own, the same one when you repeat this call: it then happens once.";
        let key =
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "description": about });
        shape.add("key", Place::Key, key, true);
    }
    if let Some(takes) = facts.takes {
        let body = inline(takes, Contract::Deserialize);
        let needed = body["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in body["properties"].as_object().into_iter().flatten() {
            let is_needed = needed.iter().any(|needed| needed == name);
            // Not `true`, which some clients do not take for a schema.
            let schema = if schema.is_boolean() {
                json!({})
            } else {
                schema.clone()
            };
            shape.add(name, Place::Body, schema, is_needed);
        }
    }
    let gives = facts.gives.map_or_else(
        || json!({ "type": "object", "properties": { "done": { "type": "boolean" } } }),
        |gives| inline(gives, Contract::Serialize),
    );
    let is_list = gives["type"] == "array";
    let output = match is_list {
        true => {
            json!({ "type": "object", "properties": { "items": gives }, "required": ["items"] })
        }
        false => gives,
    };
    let roles = match facts.access {
        Access::Roles(roles) => Some(roles),
        _ => None,
    };
    let mut listing = listing(spec, &shape);
    listing["outputSchema"] = output;
    Tool {
        spec,
        route: spec.route,
        places: shape.places,
        required: shape.required,
        is_list,
        listing,
        roles,
    }
}

/// The tool of Claude Code's contract, which has no output schema there.
fn of_host(spec: &'static Spec) -> Tool {
    let mut shape = Shape::default();
    shape.add("tool_name", Place::Body, json!({ "type": "string" }), true);
    shape.add("input", Place::Body, json!({ "type": "object" }), true);
    shape.add(
        "tool_use_id",
        Place::Body,
        json!({ "type": "string" }),
        false,
    );
    Tool {
        spec,
        route: None,
        listing: listing(spec, &shape),
        places: shape.places,
        required: shape.required,
        is_list: false,
        roles: Some(&[Role::Agent]),
    }
}

/// The arguments of a tool, while they are gathered.
#[derive(Debug, Default)]
struct Shape {
    properties: Map<String, Value>,
    required: Vec<String>,
    places: BTreeMap<String, Place>,
}

impl Shape {
    fn add(&mut self, name: &str, place: Place, schema: Value, is_needed: bool) {
        let before = self.places.insert(name.to_owned(), place);
        assert_eq!(before, None, "two arguments {name}");
        self.properties.insert(name.to_owned(), schema);
        if is_needed {
            self.required.push(name.to_owned());
        }
    }
}

/// Numbers of pages and memories are numbers also where they stand in a path.
fn kind(facts: &Facts, name: &str) -> &'static str {
    let is_memory = name == "id" && facts.path.contains("/memories/");
    match name {
        "from" | "before" | "limit" => "integer",
        _ if is_memory => "integer",
        _ => "string",
    }
}

/// A schema in one piece, as every client reads it.
fn inline(schema: Schemas, contract: Contract) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.contract = contract;
    });
    schema(&mut settings.into_generator()).to_value()
}

fn listing(spec: &Spec, shape: &Shape) -> Value {
    json!({
        "name": spec.name,
        "title": spec.title,
        "description": spec.what,
        "inputSchema": {
            "type": "object",
            "properties": shape.properties,
            "required": shape.required,
            "additionalProperties": false,
        },
        "annotations": {
            "readOnlyHint": spec.effect == Effect::Reads,
            "destructiveHint": spec.effect == Effect::Ends,
            "idempotentHint": true,
            "openWorldHint": false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service;

    #[test]
    fn no_tool_decides_and_each_says_what_it_takes_and_gives() {
        let routes = service::routes();
        let facts: Vec<&Facts> = routes.iter().map(|route| &route.facts).collect();
        let tools = Tools::of(&facts);
        for tool in &tools.all {
            let name = tool.spec.name;
            assert!(
                tool.route
                    .is_none_or(|(_, path)| !path.contains("decisions")),
                "{name}"
            );
            let input = &tool.listing["inputSchema"];
            let properties = input["properties"].as_object().unwrap();
            assert_eq!(properties.len(), tool.places.len(), "{name}");
            assert!(
                tool.required
                    .iter()
                    .all(|needed| properties.contains_key(needed)),
                "{name}"
            );
            let whole = tool.listing.to_string();
            assert!(
                !whole.contains("$ref") && !whole.contains("$defs"),
                "{name}: {whole}"
            );
            let output = &tool.listing["outputSchema"];
            assert_eq!(
                output["type"] == "object",
                name != "approve",
                "{name}: {output}"
            );
        }
    }

    #[test]
    fn a_tool_that_says_it_only_reads_calls_a_route_that_does() {
        let routes = service::routes();
        let facts: Vec<&Facts> = routes.iter().map(|route| &route.facts).collect();
        let tools = Tools::of(&facts);
        let reading = ["/check", "/simulations", "/recall"];
        for tool in &tools.all {
            let reads = tool.route.is_some_and(|(method, path)| {
                method == "get" || reading.iter().any(|end| path.ends_with(end))
            });
            assert_eq!(
                tool.spec.effect == Effect::Reads,
                reads,
                "{}",
                tool.spec.name
            );
        }
    }
}
