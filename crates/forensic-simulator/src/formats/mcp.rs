use std::collections::BTreeMap;

use action::{Action, ActionPath, PathPattern};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::plan::workflow::{Step, Workflow};
use crate::run::context::Context;
use crate::run::handler::Handler;
use crate::run::report::Reversibility;
use crate::run::simulator::SimulatorBuilder;
use crate::run::stop::Stop;

/// The tools of an MCP server, from its answer to `tools/list`.
///
/// A tool's effect is not modelled, so each call is an unknown outcome at best. What can be said in
/// advance is said: a call of a tool that does not exist, or without an argument that its
/// `inputSchema` requires, or of another type, would fail. The annotations are hints of a server
/// that may be wrong or hostile: they make a step look worse, never better.
///
/// The messages are described at <https://modelcontextprotocol.io/specification/2025-06-18/server/tools>.
///
/// ```
/// use forensic_simulator::{McpTools, PredictedOutcome, Simulator, Timestamp, World};
/// let tools = McpTools::parse(r#"{"tools": [{
///     "name": "remove_file",
///     "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
/// }]}"#)?;
/// let workflow = tools.workflow(r#"[{"name": "remove_file", "arguments": {}}]"#)?;
/// let simulator = tools.register(Simulator::builder()).build()?;
/// let report = simulator.simulate(&simulator.check(workflow)?, &World::new(), Timestamp::default());
/// assert_eq!(report.steps[0].outcome, PredictedOutcome::WouldFail);
/// # Ok::<(), forensic_simulator::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct McpTools {
    tools: BTreeMap<String, Tool>,
}

#[derive(Debug, Clone, Deserialize)]
struct Tool {
    name: String,
    #[serde(rename = "inputSchema")]
    input: InputSchema,
    #[serde(default)]
    annotations: Annotations,
}

/// The part of a JSON schema that is looked at.
#[derive(Debug, Clone, Deserialize)]
struct InputSchema {
    #[serde(default)]
    properties: BTreeMap<String, Value>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default, rename = "additionalProperties")]
    additional: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    read_only_hint: Option<bool>,
    destructive_hint: Option<bool>,
    open_world_hint: Option<bool>,
}

#[derive(Deserialize)]
struct ListText {
    tools: Vec<Tool>,
}

/// A call, with or without the JSON-RPC message around it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a `tools/call` request, or its `params`"
)]
enum CallText {
    Request { params: CallParams },
    Params(CallParams),
}

#[derive(Deserialize)]
struct CallParams {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

const LIST: &str = "MCP tools/list";
const CALLS: &str = "MCP tools/call";

impl McpTools {
    /// Reads the result of `tools/list`, or the whole JSON-RPC response around it.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column, or with the tool.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut json: Value =
            serde_json::from_str(text).map_err(|error| Error::json(LIST, &error))?;
        if let Some(result) = json.get_mut("result") {
            json = result.take();
        }
        let list: ListText =
            serde_json::from_value(json).map_err(|error| refuse(LIST, "tools", error))?;
        let mut tools = BTreeMap::new();
        for tool in list.tools {
            path_of(&tool.name).map_err(|error| refuse(LIST, &tool.name, error))?;
            let name = tool.name.clone();
            if tools.insert(name.clone(), tool).is_some() {
                return Err(refuse(LIST, name, "there are two tools of this name"));
            }
        }
        Ok(Self { tools })
    }

    /// As [`McpTools::calls`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn workflow(&self, text: &str) -> Result<Workflow, Error> {
        Self::calls(text)
    }

    /// Reads a list of `tools/call` requests as a workflow whose steps follow one another. Which
    /// tools there are need not be known for this; without a schema or a list of tools, nothing
    /// models them.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column, or with the number of the call.
    pub fn calls(text: &str) -> Result<Workflow, Error> {
        let calls: Vec<CallText> =
            serde_json::from_str(text).map_err(|error| Error::json(CALLS, &error))?;
        let mut workflow = Workflow::new("tool calls");
        for (index, call) in calls.into_iter().enumerate() {
            let (CallText::Request { params } | CallText::Params(params)) = call;
            let path = path_of(&params.name)
                .map_err(|error| refuse(CALLS, format!("call {}", index + 1), error))?;
            let mut action = Action::new(path, params.name);
            action.parameters = params.arguments;
            workflow.steps.push(Step {
                id: format!("call {}", index + 1).into(),
                action,
                depends_on: Vec::new(),
            });
        }
        Ok(workflow)
    }

    /// Adds the handler of all tools.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        let pattern = PathPattern::new("mcp/*").expect("a pattern without faults");
        builder.handler(pattern, self.clone())
    }
}

fn path_of(name: &str) -> Result<ActionPath, action::Error> {
    ActionPath::new(format!("mcp/{}", name.replace('/', "\u{2215}")))
}

fn refuse(format: &'static str, place: impl Into<String>, reason: impl ToString) -> Error {
    Error::Import {
        format,
        place: place.into(),
        reason: reason.to_string(),
    }
}

impl Handler for McpTools {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let name = &context.action().name;
        let Some(tool) = self.tools.get(name) else {
            return Err(Stop::would_fail(format!("the server has no tool {name:?}")));
        };
        tool.input.check(context.parameters())?;
        Err(tool.annotations.verdict(name))
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Opaque
    }
}

impl InputSchema {
    fn check(&self, arguments: &Map<String, Value>) -> Result<(), Stop> {
        if let Some(name) = self
            .required
            .iter()
            .find(|name| !arguments.contains_key(*name))
        {
            let stop = Stop::would_fail(format!("argument {name:?} is missing"));
            return Err(stop.with_remedy(format!("add argument {name:?}")));
        }
        for (name, value) in arguments {
            match self.properties.get(name) {
                Some(schema) if !admits(schema, value) => {
                    let wanted = &schema["type"];
                    let reason = format!("argument {name:?} is {value}, not of type {wanted}");
                    return Err(Stop::would_fail(crate::text::shorten(&reason)));
                }
                None if self.additional == Some(Value::Bool(false)) => {
                    let reason = format!("argument {name:?} is not one of this tool");
                    return Err(Stop::would_fail(reason));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a value is of the `type` of a JSON schema; anything is where it has none.
fn admits(schema: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        // As JSON schema has it, 1.0 is an integer.
        Some("integer") => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    }
}

impl Annotations {
    fn verdict(&self, name: &str) -> Stop {
        let reason = match (
            self.read_only_hint,
            self.destructive_hint,
            self.open_world_hint,
        ) {
            (Some(true), Some(true), _) => {
                return Stop::unsafe_because(format!(
                    "the server calls {name:?} both read-only and destructive"
                ));
            }
            (_, Some(true), _) => {
                return Stop::unsafe_because(format!("the server calls {name:?} destructive"));
            }
            (Some(true), ..) => {
                format!("the server calls {name:?} read-only, and nothing shows it")
            }
            (.., Some(true)) => {
                format!("{name:?} acts on the world outside, in a way not modelled")
            }
            _ => format!("what {name:?} does is not modelled"),
        };
        Stop::unknown(reason)
    }
}
