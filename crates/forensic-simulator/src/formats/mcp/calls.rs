//! Calls of tools, in the shapes of MCP, Anthropic and OpenAI.

use action::Action;
use serde_json::{Map, Value};

use super::{path_of, refuse};
use crate::error::Error;
use crate::input::json;
use crate::plan::workflow::{Step, Workflow};

const CALLS: &str = "MCP tools/call";

/// A call: which tool, with which arguments.
type Call = (String, Map<String, Value>);

/// Whether an object looks like one of these calls or messages, by the names of its fields.
pub(crate) fn looks_like_calls<'a>(fields: impl Iterator<Item = &'a str>) -> bool {
    let names: Vec<&str> = fields.collect();
    let has = |name: &str| names.contains(&name);
    has("jsonrpc")
        || has("method")
        || has("tool_calls")
        || has("choices")
        || (has("role") && has("content"))
        || (has("type") && has("content") && has("model"))
        || (has("output") && has("model"))
        || (has("name") && (has("arguments") || has("input")))
        || (has("function") && has("type"))
}

pub(crate) fn read(text: &str) -> Result<Workflow, Error> {
    let mut calls = Vec::new();
    match json::strict(CALLS, text)? {
        Value::Array(items) => {
            for (index, item) in items.into_iter().enumerate() {
                collect(item, &mut calls)
                    .map_err(|reason| refuse(CALLS, place(text, index), reason))?;
            }
        }
        one => {
            collect(one, &mut calls).map_err(|reason| refuse(CALLS, "line 1, column 1", reason))?;
        }
    }
    let mut workflow = Workflow::new("tool calls");
    for (index, (name, arguments)) in calls.into_iter().enumerate() {
        let path =
            path_of(&name).map_err(|error| refuse(CALLS, format!("call {}", index + 1), error))?;
        let mut action = Action::new(path, name);
        action.parameters = arguments;
        workflow.steps.push(Step {
            id: format!("call {}", index + 1).into(),
            action,
            depends_on: Vec::new(),
        });
    }
    Ok(workflow)
}

/// Where an element of a list ends.
fn place(text: &str, index: usize) -> String {
    let elements = json::elements(CALLS, text).unwrap_or_default();
    let end = elements.get(index).map_or(0, |at| at.end);
    let before = &text[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().len() + 1;
    format!("line {line}, column {column}")
}

const EXPECTED: &str =
    "expected a `tools/call` request or its `params`, a `tool_use` block, or a tool call of OpenAI";

/// Adds the calls of a request, a block, a message or a response.
fn collect(item: Value, calls: &mut Vec<Call>) -> Result<(), String> {
    let Value::Object(mut fields) = item else {
        return Err(EXPECTED.to_owned());
    };
    if fields.contains_key("method") || fields.contains_key("jsonrpc") {
        return request(fields, calls);
    }
    if let Some(Value::Array(choices)) = fields.remove("choices") {
        return choices
            .into_iter()
            .try_for_each(|mut choice| match choice.get_mut("message") {
                Some(message) => collect(message.take(), calls),
                None => Err("a choice without a message".to_owned()),
            });
    }
    if fields.contains_key("output") && fields.get("name").is_none() {
        return blocks(fields.remove("output"), calls);
    }
    if fields.contains_key("role") || fields.get("type").is_some_and(|kind| kind == "message") {
        return message(fields, calls);
    }
    let kind = fields
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    match kind.as_str() {
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            calls.push(named(&mut fields, "input")?);
            only(
                &fields,
                &["type", "id", "cache_control", "server_name", "caller"],
            )
        }
        "function_call" => {
            calls.push(named(&mut fields, "arguments")?);
            only(&fields, &["type", "id", "call_id", "status"])
        }
        "" | "function" if fields.contains_key("function") => {
            let Some(Value::Object(mut function)) = fields.remove("function") else {
                return Err("its `function` is no object".to_owned());
            };
            calls.push(named(&mut function, "arguments")?);
            only(&function, &[])?;
            only(&fields, &["type", "id", "index"])
        }
        "" if fields.contains_key("name") => {
            calls.push(named(&mut fields, "arguments")?);
            only(&fields, &["id", "_meta"])
        }
        "" => Err(EXPECTED.to_owned()),
        other => Err(format!("{EXPECTED}, found type {other:?}")),
    }
}

fn request(mut fields: Map<String, Value>, calls: &mut Vec<Call>) -> Result<(), String> {
    match fields.get("method").and_then(Value::as_str) {
        Some("tools/call") => {}
        Some(other) => {
            return Err(format!(
                "{other:?} is no call of a tool: only `tools/call` is"
            ));
        }
        None => return Err("a JSON-RPC message without a method is an answer, no call".to_owned()),
    }
    let Some(Value::Object(mut params)) = fields.remove("params") else {
        return Err("it has no `params`".to_owned());
    };
    calls.push(named(&mut params, "arguments")?);
    only(&params, &["_meta", "task"])
}

/// A message of an assistant: its text is left out, its calls are not.
fn message(mut fields: Map<String, Value>, calls: &mut Vec<Call>) -> Result<(), String> {
    if fields.get("role").is_some_and(|role| role != "assistant") {
        return Err("only messages of the role `assistant` call tools".to_owned());
    }
    let before = calls.len();
    if let Some(Value::Array(list)) = fields.remove("tool_calls") {
        list.into_iter().try_for_each(|call| collect(call, calls))?;
    }
    if let Some(Value::Object(mut call)) = fields.remove("function_call") {
        calls.push(named(&mut call, "arguments")?);
    }
    if let Some(content @ Value::Array(_)) = fields.remove("content") {
        blocks(Some(content), calls)?;
    }
    match calls.len() - before {
        0 => Err("the message calls no tool".to_owned()),
        _ => Ok(()),
    }
}

fn blocks(list: Option<Value>, calls: &mut Vec<Call>) -> Result<(), String> {
    let Some(Value::Array(list)) = list else {
        return Err("its output is no list".to_owned());
    };
    for block in list {
        match block["type"].as_str() {
            Some(
                "text" | "output_text" | "thinking" | "redacted_thinking" | "reasoning" | "refusal",
            ) => {}
            Some("message") if block["content"].is_array() => {
                blocks(Some(block["content"].clone()), calls)?;
            }
            _ => collect(block, calls)?,
        }
    }
    Ok(())
}

/// The name and the arguments, which may be a text of JSON.
fn named(fields: &mut Map<String, Value>, arguments: &str) -> Result<Call, String> {
    let Some(Value::String(name)) = fields.remove("name") else {
        return Err(format!("{EXPECTED}; it has no `name`"));
    };
    let arguments = match fields.remove(arguments) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(Value::String(text)) if text.trim().is_empty() => Map::new(),
        Some(Value::String(text)) => match json::strict("arguments", &text) {
            Ok(Value::Object(arguments)) => arguments,
            Ok(_) => return Err(format!("the arguments of {name:?} are no object")),
            Err(error) => return Err(format!("of {name:?}: {error}")),
        },
        Some(_) => return Err(format!("the arguments of {name:?} are no object")),
    };
    Ok((name, arguments))
}

/// Refuses what is left, since it may be what the call is about.
fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!(
            "it has a field {name:?}, which no call of this shape has"
        )),
        None => Ok(()),
    }
}
