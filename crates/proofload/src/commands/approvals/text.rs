//! Approvals as lines. They are printed through `terminal`, which escapes what agents wrote.

use std::fmt::Write as _;

use serde_json::Value;

/// A field's text on one line.
fn line(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => action::visible(text).into_owned(),
        other => other.to_string(),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn list(found: &Value) -> String {
    let mut text = String::new();
    for request in items(found) {
        let field = |name: &str| line(&request[name]);
        let (action, asker) = (&request["action"], field("requester"));
        let _ = writeln!(
            text,
            "{:<10} {:<9} {:<9} {}  {} (asked by {asker})",
            field("id"),
            field("status"),
            field("sensitivity"),
            line(&action["path"]),
            line(&action["name"]),
        );
    }
    if text.is_empty() {
        "nothing\n".to_owned()
    } else {
        text
    }
}

pub(super) fn request(found: &Value) -> String {
    let mut text = String::new();
    let action = &found["action"];
    let mut row = |name: &str, value: &Value| {
        if !value.is_null() {
            let _ = writeln!(text, "{name:<12} {}", line(value));
        }
    };
    for (name, value) in [
        ("request", &found["id"]),
        ("status", &found["status"]),
        ("action", &action["path"]),
        ("name", &action["name"]),
        ("description", &action["description"]),
        ("asked by", &found["requester"]),
        ("asked at", &found["asked_at"]),
        ("decide by", &found["decide_by"]),
        ("rule", &found["rule"]),
        ("sensitivity", &found["sensitivity"]),
        ("context", &found["context"]),
        ("binding", &found["binding"]),
        ("digest", &found["digest"]),
    ] {
        row(name, value);
    }
    let parameters = serde_json::to_string_pretty(&action["parameters"]).unwrap_or_default();
    let _ = writeln!(text, "parameters   {}", action::visible_json(&parameters));
    for review in items(&found["reviews"]) {
        let (who, verdict) = (line(&review["reviewer"]), line(&review["verdict"]));
        let _ = writeln!(
            text,
            "vote         {who}: {verdict} {}",
            line(&review["reason"])
        );
    }
    for missing in items(&found["missing"]) {
        let of = missing["of"].as_str().unwrap_or("anyone");
        let _ = writeln!(text, "missing      {} of {of}", line(&missing["people"]));
    }
    text
}

pub(super) fn audit(found: &Value) -> String {
    let mut text = String::new();
    for entry in items(found) {
        let event = entry["event"]
            .as_object()
            .and_then(|event| event.iter().next());
        let Some((kind, event)) = event else { continue };
        let names = ["requester", "reviewer", "claimant", "by"];
        let who = names
            .iter()
            .map(|name| line(&event[*name]))
            .find(|who| !who.is_empty());
        let (number, at) = (line(&entry["seq"]), line(&entry["at"]));
        let (id, verdict) = (line(&event["id"]), line(&event["verdict"]));
        let _ = writeln!(
            text,
            "{number:>6}  {at}  {id}  {kind} {verdict} {}",
            who.unwrap_or_default()
        );
    }
    text
}
