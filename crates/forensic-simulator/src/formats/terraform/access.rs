//! What opens a system to others, or lifts a protection: seen in values, whoever provides them.

use serde_json::Value;

use crate::formats::planned::{AttributeChange, ChangeKind, PlannedResource};
use crate::world::fact::Fact;

/// Evidence of each opening that a resource would have and did not have before.
pub(crate) fn openings(resource: &PlannedResource) -> Vec<String> {
    if !matches!(
        resource.kind,
        ChangeKind::Create | ChangeKind::Update | ChangeKind::Replace | ChangeKind::Forget
    ) {
        return Vec::new();
    }
    let is_egress = |attribute: &AttributeChange| {
        let type_of = attribute.name == "type" || attribute.name == "direction";
        let after = attribute.after.as_ref().and_then(Fact::value);
        type_of
            && after
                .and_then(Value::as_str)
                .is_some_and(|text| text.eq_ignore_ascii_case("egress"))
    };
    if resource.attributes.iter().any(is_egress) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for attribute in &resource.attributes {
        let before = seen(attribute, &attribute.before);
        let after = seen(attribute, &attribute.after);
        let new = after
            .into_iter()
            .filter(|opening| !before.contains(opening));
        found.extend(new);
        found.extend(lifted(attribute));
    }
    found.sort();
    found.dedup();
    found
}

fn seen(attribute: &AttributeChange, side: &Option<Fact>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(value) = side.as_ref().and_then(Fact::value) {
        look(&attribute.name, value, &mut found);
    }
    found
}

fn look(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let egress = fields.get("direction").or_else(|| fields.get("type"));
            if egress
                .and_then(Value::as_str)
                .is_some_and(|text| text.eq_ignore_ascii_case("egress"))
            {
                return;
            }
            for (name, field) in fields {
                look(&format!("{path}.{name}"), field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| look(path, item, found)),
        Value::String(text) => look_at_text(path, text, found),
        Value::Bool(true) if is_named(path, &OPEN_IF_TRUE) => found.push(format!("{path} is true")),
        _ => {}
    }
}

const OPEN_IF_TRUE: [&str; 6] = [
    "publicly_accessible",
    "public_network_access_enabled",
    "privileged",
    "host_network",
    "allow_privilege_escalation",
    "allow_blob_public_access",
];

const PROTECTIONS: [&str; 12] = [
    "deletion_protection",
    "deletion_protection_enabled",
    "enable_deletion_protection",
    "disable_api_termination",
    "block_public_acls",
    "block_public_policy",
    "ignore_public_acls",
    "restrict_public_buckets",
    "purge_protection_enabled",
    "encrypted",
    "storage_encrypted",
    "prevent_destroy",
];

const LIFTED_IF_TRUE: [&str; 2] = ["force_destroy", "skip_final_snapshot"];

fn is_named(path: &str, names: &[&str]) -> bool {
    path.rsplit('.')
        .next()
        .is_some_and(|last| names.contains(&last))
}

/// A protection that was there and is none any more.
fn lifted(attribute: &AttributeChange) -> Option<String> {
    let flag = |side: &Option<Fact>| side.as_ref()?.value()?.as_bool();
    let (before, after) = (flag(&attribute.before)?, flag(&attribute.after)?);
    let name = attribute.name.as_str();
    let lifted = (before && !after && PROTECTIONS.contains(&name))
        || (!before && after && LIFTED_IF_TRUE.contains(&name));
    lifted.then(|| format!("{name} changes from {before} to {after}"))
}

fn look_at_text(path: &str, text: &str, found: &mut Vec<String>) {
    let inward = !["egress", "destination", "route", "gateway"]
        .iter()
        .any(|word| path.contains(word));
    match text {
        "0.0.0.0/0" | "::/0" if inward => found.push(format!("{path} is {text}: every address")),
        "allUsers" | "allAuthenticatedUsers" => found.push(format!("{path} is {text}")),
        "*" if path.contains("source_address") => found.push(format!("{path} is *: every address")),
        "public-read" | "public-read-write" | "authenticated-read" => {
            found.push(format!("{path} is {text}"));
        }
        "roles/owner" | "roles/editor" | "Owner" => found.push(format!("{path} is {text}")),
        _ if text.ends_with(":policy/AdministratorAccess") => {
            found.push(format!("{path} is {text}"));
        }
        _ if text.trim_start().starts_with('{') => {
            if let Ok(policy) = serde_json::from_str::<Value>(text) {
                policy_of(path, &policy, found);
            }
        }
        _ => {}
    }
}

/// The statements of a policy document that allow everything of a kind.
fn policy_of(path: &str, policy: &Value, found: &mut Vec<String>) {
    let statements = match &policy["Statement"] {
        Value::Array(all) => all.as_slice(),
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => &[],
    };
    for statement in statements
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
    {
        for field in ["Action", "Principal", "NotAction", "NotPrincipal"] {
            let mut texts = Vec::new();
            scalars(&statement[field], &mut texts);
            let negated = field.starts_with("Not") && !texts.is_empty();
            let wide = texts
                .iter()
                .find(|text| **text == "*" || (field == "Action" && text.ends_with(":*")));
            if let Some(wide) = wide {
                let condition = match statement["Condition"].is_null() {
                    true => "",
                    false => ", under a condition",
                };
                found.push(format!("{path} allows {field} {wide}{condition}"));
            } else if negated {
                found.push(format!("{path} allows all but a {}", &field[3..]));
            }
        }
    }
}

fn scalars<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| scalars(field, found)),
        _ => {}
    }
}
