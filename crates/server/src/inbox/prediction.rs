//! What a simulation predicted, as a reviewer reads it: what cannot be undone first.

use approval_workflow::Request;
use maud::{Markup, html};
use serde_json::Value;

use crate::inbox::layout::text;
use crate::simulations::forecast::FIELD;

fn of(request: &Request) -> Option<&Value> {
    // Without a report the field would be somebody else's words.
    request.submission.binding.report?;
    request.submission.context.get(FIELD)
}

/// Whether it can be undone, in words; none if nothing was simulated.
pub(crate) fn undoing(request: &Request) -> Option<String> {
    let predicted = of(request)?;
    Some(match &predicted["reversibility"] {
        Value::String(word) if word == "reversible" => "can be undone".to_owned(),
        Value::String(word) if word == "irreversible" => "CANNOT BE UNDONE".to_owned(),
        Value::Object(fields) => match fields.get("compensated_by") {
            Some(path) => format!(
                "can be made up for by {}",
                path.as_str().unwrap_or_default()
            ),
            None => UNKNOWN.to_owned(),
        },
        _ => UNKNOWN.to_owned(),
    })
}

const UNKNOWN: &str = "not known whether it can be undone";

/// What cannot be undone comes first, then what nobody knows: there the review is the last defence.
pub(crate) fn rank(request: &Request) -> u8 {
    match undoing(request).as_deref() {
        Some("CANNOT BE UNDONE") => 0,
        None | Some(UNKNOWN) => 1,
        Some(_) => 2,
    }
}

/// The predicted changes; nothing if nothing was simulated.
pub(crate) fn section(request: &Request) -> Markup {
    let (Some(predicted), Some(undoing)) = (of(request), undoing(request)) else {
        return html! { p.state { "Not simulated: " (UNKNOWN) "." } };
    };
    let changes = predicted["changes"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let count = predicted["change_count"].as_u64().unwrap_or_default();
    let external = predicted["external"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    html! {
        p.state { "By simulation: " (undoing) "." }
        h2 { "What would change, by the facts that the agent gave" }
        @if predicted["is_modelled"] == false { p.problem { "No schema says what this action does." } }
        @if predicted["outcome"] != "success" {
            p.problem { "Predicted: " (word(&predicted["outcome"])) ". " (word(&predicted["reason"])) }
        }
        @if changes.is_empty() && external.is_empty() { p { "Nothing that is known." } }
        @if !changes.is_empty() {
            table {
                thead { tr { th scope="col" { "Key" } th scope="col" { "Before" } th scope="col" { "After" } } }
                tbody {
                    @for change in changes {
                        tr { td { (word(&change["key"])) } td { (fact(change.get("before"))) } td { (fact(change.get("after"))) } }
                    }
                }
            }
        }
        @if count > changes.len() as u64 { p.problem { "These are " (changes.len()) " of " (count) " changes." } }
        @for effect in external {
            p.problem { "Leaves the system: " (word(&effect["effect"])) " at " (word(&effect["target"])) }
        }
    }
}

fn word(value: &Value) -> Markup {
    match value {
        Value::Null => html! {},
        Value::String(word) => text(&word.replace('_', " ")),
        other => text(&other.to_string()),
    }
}

fn fact(value: Option<&Value>) -> Markup {
    match value {
        None => html! { em { "absent" } },
        Some(Value::String(fact)) => text(fact),
        Some(other) => text(&other.to_string()),
    }
}
