//! Tools of an MCP server and calls of them.

pub(crate) mod calls;
pub(crate) mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use action::{ActionPath, PathPattern};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::formats::mcp::shape::{ToolShape, is_target};
use crate::input::json;
use crate::plan::workflow::Workflow;
use crate::run::context::Context;
use crate::run::handler::{Guard, Handler};
use crate::run::report::Reversibility;
use crate::run::simulator::SimulatorBuilder;
use crate::run::stop::Stop;
use crate::text::shorten;

/// The tools of an MCP server, from its answer to `tools/list`.
///
/// A tool's effect is not modelled, so each call is an unknown outcome at best. What can be said in
/// advance is said: a call of a tool that does not exist, or whose arguments the tool's
/// `inputSchema` refuses (JSON Schema 2020-12), would fail. The annotations are hints of a server
/// that may be wrong or hostile: they make a step look worse, never better. As the specification
/// has it, a tool is destructive unless it says that it only reads or is not destructive.
///
/// A schema of the user for a tool says what the tool does; the checks of this list come before it
/// all the same.
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
    tools: Arc<BTreeMap<String, Tool>>,
    /// Whether there are pages that were not read.
    partial: bool,
}

struct Tool {
    input: Result<Validator, String>,
    targets: BTreeSet<String>,
    annotations: Annotations,
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.annotations.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    read_only_hint: Option<bool>,
    destructive_hint: Option<bool>,
    open_world_hint: Option<bool>,
}

#[derive(Deserialize)]
struct ToolText {
    name: String,
    #[serde(rename = "inputSchema", alias = "input_schema")]
    input: Value,
    #[serde(default)]
    annotations: Option<Annotations>,
}

const LIST: &str = "MCP tools/list";

impl McpTools {
    /// Reads the result of `tools/list`, the whole JSON-RPC response around it, or a list of such
    /// pages.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column, or with the tool.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let pages = match json::strict(LIST, text)? {
            Value::Array(pages) => pages,
            page => vec![page],
        };
        let mut tools = BTreeMap::new();
        let (mut cursors, count) = (0, pages.len());
        for mut page in pages {
            if let Some(error) = page.get("error") {
                return Err(refuse(LIST, "error", shorten(&error.to_string())));
            }
            if let Some(result) = page.get_mut("result") {
                page = result.take();
            }
            cursors += usize::from(
                page.get("nextCursor")
                    .is_some_and(|cursor| !cursor.is_null()),
            );
            let list = page.get_mut("tools").map(Value::take);
            let list = list.ok_or_else(|| refuse(LIST, "tools", "missing field `tools`"))?;
            let Value::Array(list) = list else {
                return Err(refuse(LIST, "tools", "it is no list"));
            };
            for tool in list {
                add(tool, &mut tools)?;
            }
        }
        Ok(Self {
            tools: Arc::new(tools),
            partial: cursors >= count && count > 0,
        })
    }

    /// As [`McpTools::calls`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn workflow(&self, text: &str) -> Result<Workflow, Error> {
        Self::calls(text)
    }

    /// Reads calls of tools as a workflow whose steps are simulated one after the other: `tools/call` requests of MCP or
    /// their `params`, `tool_use` blocks of Anthropic, tool calls of OpenAI, or the messages around
    /// these; a single one or a list. Which tools there are need not be known for this; without a
    /// schema or a list of tools, nothing models them.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column, or with the number of the call.
    pub fn calls(text: &str) -> Result<Workflow, Error> {
        calls::read(text)
    }

    /// What the schemas and annotations say of each tool.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (String, ToolShape)> {
        self.tools.iter().map(|(name, tool)| {
            let shape = ToolShape {
                read_only: tool.annotations.read_only_hint == Some(true),
                destructive: tool.annotations.destructive_hint == Some(true),
                targets: tool.targets.clone(),
            };
            (name.clone(), shape)
        })
    }

    /// Adds the handler of all tools, for those that no schema is about, and the check of all calls.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        let pattern = PathPattern::new("mcp/*").expect("a pattern without faults");
        builder
            .fallback(pattern.clone(), self.clone())
            .guard(pattern, self.clone())
    }
}

fn add(tool: Value, tools: &mut BTreeMap<String, Tool>) -> Result<(), Error> {
    let name = tool["name"].as_str().unwrap_or("tools").to_owned();
    let tool: ToolText =
        serde_json::from_value(tool).map_err(|error| refuse(LIST, &*name, error))?;
    path_of(&tool.name).map_err(|error| refuse(LIST, &tool.name, error))?;
    let input = jsonschema::validator_for(&tool.input);
    let properties = tool.input["properties"].as_object().into_iter().flatten();
    let targets = properties.filter(|(name, schema)| is_target(name, schema));
    let known = Tool {
        targets: targets.map(|(name, _)| name.clone()).collect(),
        input: input.map_err(|error| shorten(&error.to_string())),
        annotations: tool.annotations.unwrap_or_default(),
    };
    match tools.insert(tool.name.clone(), known) {
        Some(_) => Err(refuse(LIST, tool.name, "there are two tools of this name")),
        None => Ok(()),
    }
}

pub(crate) fn path_of(name: &str) -> Result<ActionPath, action::Error> {
    ActionPath::new(format!("mcp/{}", name.replace('/', "\u{2215}")))
}

pub(crate) fn refuse(
    format: &'static str,
    place: impl Into<String>,
    reason: impl ToString,
) -> Error {
    Error::Import {
        format,
        place: place.into(),
        reason: reason.to_string(),
    }
}

impl Guard for McpTools {
    /// What the list of tools says against a call, whoever models it.
    fn check(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let name = &context.action().name;
        let Some(tool) = self.tools.get(name) else {
            return Err(match self.partial {
                true => Stop::unknown(format!(
                    "the list of tools has more pages, and {name:?} may be on one of them"
                ))
                .with_remedy("fetch the pages behind `nextCursor`, and pass them too"),
                false => Stop::would_fail(format!("the server has no tool {name:?}")),
            });
        };
        match &tool.input {
            Ok(schema) => check(schema, context.parameters())?,
            Err(why) => {
                return Err(Stop::unknown(format!(
                    "the arguments of {name:?} cannot be checked, as its inputSchema is none: {why}"
                )));
            }
        }
        if let Some(reason) = tool.annotations.danger(name) {
            context.mark_unsafe(reason, None);
        }
        Ok(())
    }
}

impl Handler for McpTools {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let name = &context.action().name;
        let annotations = self.tools.get(name).map(|tool| tool.annotations);
        Err(annotations.unwrap_or_default().verdict(name))
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Opaque
    }
}

/// The first thing that a schema refuses in the arguments.
fn check(schema: &Validator, arguments: &Map<String, Value>) -> Result<(), Stop> {
    let arguments = Value::Object(arguments.clone());
    match schema.iter_errors(&arguments).next() {
        None => Ok(()),
        Some(error) => Err(stop_for(&error)),
    }
}

fn stop_for(error: &ValidationError<'_>) -> Stop {
    let place = error.instance_path().to_string();
    let name = place.trim_start_matches('/');
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            let of = if name.is_empty() {
                String::new()
            } else {
                format!(" of {name:?}")
            };
            let stop = Stop::would_fail(format!("argument {property:?}{of} is missing"));
            stop.with_remedy(format!("add argument {property:?}"))
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let first = unexpected.first().map_or("", String::as_str);
            Stop::would_fail(format!("argument {first:?} is not one of this tool"))
        }
        ValidationErrorKind::Type { .. } => {
            let text = error.to_string();
            let reason = match text.rsplit_once(" is not of type") {
                Some((_, wanted)) => {
                    let value = shorten(&error.instance().to_string());
                    format!("argument {name:?} is {value}, not of type{wanted}")
                }
                None => format!("argument {name:?}: {text}"),
            };
            Stop::would_fail(shorten(&reason))
        }
        _ => Stop::would_fail(shorten(&format!("argument {name:?}: {error}"))),
    }
}

impl Annotations {
    /// Why a call is dangerous, by what the server says.
    fn danger(self, name: &str) -> Option<String> {
        match (self.read_only_hint, self.destructive_hint) {
            (Some(true), Some(true)) => Some(format!(
                "the server calls {name:?} both read-only and destructive"
            )),
            (_, Some(true)) => Some(format!("the server calls {name:?} destructive")),
            (Some(false), None) => Some(format!(
                "the server says that {name:?} does not only read, and not that it is not destructive"
            )),
            _ => None,
        }
    }

    fn verdict(self, name: &str) -> Stop {
        if let Some(reason) = self.danger(name) {
            return Stop::unsafe_because(reason);
        }
        Stop::unknown(
            match (
                self.read_only_hint,
                self.destructive_hint,
                self.open_world_hint,
            ) {
                (Some(true), ..) => {
                    format!("the server calls {name:?} read-only, and nothing shows it")
                }
                (.., Some(true)) => {
                    format!("{name:?} acts on the world outside, in a way not modelled")
                }
                (None, None, _) => format!(
                    "what {name:?} does is not modelled; its server does not say that it is not destructive"
                ),
                _ => format!("what {name:?} does is not modelled"),
            },
        )
    }
}
