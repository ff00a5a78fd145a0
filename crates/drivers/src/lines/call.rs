//! A call of a tool: which tool, and its arguments.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value as Json;

use super::make_one_line;
use super::tools::Known;
use super::version::McpVersion;
use crate::error::SpecError;
use crate::json::generate;
use crate::outcome::Failure;
use crate::template::Template;
use crate::values::{Random, Scope, Slot, Traits, Value, Values};

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct CallAction {
    /// The tool, or `*` for each one that may be called, in turn.
    pub tool: String,
    /// Its arguments, as JSON.
    pub args: Option<String>,
}

/// A compiled call.
pub struct McpRequest {
    tool: Called,
    args: Template,
    /// Where the arguments are made by the tool's schema: from this value.
    seed: Option<Slot>,
    pub(super) timeout: Duration,
}

enum Called {
    One(Box<str>),
    /// Each tool in turn; the number of the next one.
    Each(AtomicUsize),
}

/// A call as it is sent.
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    pub(super) tool: Box<str>,
    /// Which of the tools that are called in turn.
    pub(super) turn: Option<usize>,
}

/// Every tool in turn.
const EACH: &str = "*";

/// Arguments by the tool's schema.
const BY_SCHEMA: &str = "${schema()}";

impl McpRequest {
    pub(super) fn compile(
        call: &CallAction,
        timeout: Duration,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        if call.tool.is_empty() {
            return Err(SpecError::new(0, "`call` names a tool").under("call"));
        }
        let tool = match &*call.tool {
            EACH => Called::Each(AtomicUsize::new(0)),
            name => Called::One(name.into()),
        };
        let written = match (&call.args, &tool) {
            (Some(args), _) => args,
            (None, Called::Each(_)) => BY_SCHEMA,
            (None, Called::One(_)) => "{}",
        };
        scope.take_schema(true);
        let args = Template::json(written, "`args`", scope);
        scope.take_schema(false);
        let args = args.map_err(|error| error.under("args"))?;
        let is_by_schema = |part: &str| part.trim_start().starts_with("schema(");
        let seed = match written.split("${").skip(1).any(is_by_schema) {
            false => None,
            true => Some(args.single().ok_or_else(|| {
                let told = "`schema()` makes all of the arguments: leave the rest out";
                SpecError::new(0, told).under("args")
            })?),
        };
        Ok(Self {
            tool,
            args,
            seed,
            timeout,
        })
    }

    /// The tool that is called by its name.
    pub(super) fn named(&self) -> Option<&str> {
        match &self.tool {
            Called::One(name) => Some(name),
            Called::Each(_) => None,
        }
    }

    pub(super) fn traits(&self) -> Traits {
        self.args.traits()
    }

    /// The call for people to read, before the tools are known.
    pub(super) fn show(&self, values: &Values) -> Result<String, Failure> {
        let name = self.named().unwrap_or(EACH);
        let mut args = Vec::new();
        match self.seed {
            None => self.args.render(values, &mut args)?,
            Some(_) => args.extend_from_slice(b"\"<by the tool's inputSchema>\""),
        }
        let text = message(1, name, &args, None);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The next call, without the end of its line.
    pub(super) fn line(
        &self,
        number: u64,
        version: McpVersion,
        known: &Known,
        values: &Values,
    ) -> Result<Line, Failure> {
        let (name, turn) = match &self.tool {
            Called::One(name) => (&**name, None),
            Called::Each(next) => {
                let turn = next.fetch_add(1, Ordering::Relaxed) % known.each.len().max(1);
                let name = known.each.get(turn);
                let name = name.ok_or_else(|| Failure::new("there is no tool to call"))?;
                (name.as_str(), Some(turn))
            }
        };
        let mut args = Vec::new();
        match self.seed {
            None => self.args.render(values, &mut args)?,
            Some(slot) => {
                let seed = match values.get(slot) {
                    Some(Value::Int(seed)) => seed as u64,
                    _ => 0,
                };
                let schema = known.tools.get(name).map(|tool| &tool.input);
                let schema = schema.unwrap_or(&Json::Null);
                args = generate(schema, &mut Random::of(&[seed]))
                    .to_string()
                    .into();
            }
        }
        let mut text = message(number, name, &args, version.envelope());
        make_one_line(&mut text);
        Ok(Line {
            text,
            tool: name.into(),
            turn,
        })
    }
}

fn message(number: u64, name: &str, args: &[u8], envelope: Option<&str>) -> Vec<u8> {
    let mut message = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{number},\"method\":\"tools/call\",\"params\":{{\"name\":{},\"arguments\":",
        Json::from(name)
    )
    .into_bytes();
    message.extend_from_slice(args);
    if let Some(envelope) = envelope {
        message.extend_from_slice(b",\"_meta\":");
        message.extend_from_slice(envelope.as_bytes());
    }
    message.extend_from_slice(b"}}");
    message
}
