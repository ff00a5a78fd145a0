//! Attributes before and after, leaf by leaf: what is known is kept, what either side marks is not.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::formats::planned::AttributeChange;
use crate::world::fact::Fact;

const NULL: &Value = &Value::Null;

/// The attributes of a change that differ, or whose value is not known before the apply.
pub(crate) fn attributes(change: &Value) -> Vec<AttributeChange> {
    let side = |name: &str| change[name].as_object();
    let unknown = &change["after_unknown"];
    let has_after = change["after"].is_object();
    let mut names: BTreeSet<&String> = BTreeSet::new();
    names.extend(side("before").into_iter().flat_map(Map::keys));
    names.extend(side("after").into_iter().flat_map(Map::keys));
    if has_after {
        let later = unknown.as_object().into_iter().flatten();
        names.extend(
            later
                .filter(|(_, mark)| is_marked(mark))
                .map(|(name, _)| name),
        );
    }
    let changes = names.into_iter().filter_map(|name| {
        let before = side("before").and_then(|fields| fields.get(name));
        let after = side("after").and_then(|fields| fields.get(name));
        let unknown = if has_after { part(unknown, name) } else { NULL };
        if before == after && !is_marked(unknown) {
            let (was, is) = (
                part(&change["before_sensitive"], name),
                part(&change["after_sensitive"], name),
            );
            if is_marked(was) == is_marked(is) {
                return None;
            }
        }
        let marks = (
            part(&change["before_sensitive"], name),
            part(&change["after_sensitive"], name),
        );
        let (before, after) = pair(before, after, unknown, marks);
        (before != after).then(|| AttributeChange {
            name: name.clone(),
            before: before.map(fact),
            after: after.map(fact),
        })
    });
    changes.collect()
}

/// A part of a mirror of marks, of which `true` marks every part.
fn part<'v>(marks: &'v Value, name: &str) -> &'v Value {
    match marks {
        Value::Bool(true) => marks,
        Value::Object(fields) => fields.get(name).unwrap_or(NULL),
        _ => NULL,
    }
}

fn item(marks: &Value, index: usize) -> &Value {
    match marks {
        Value::Bool(true) => marks,
        Value::Array(items) => items.get(index).unwrap_or(NULL),
        _ => NULL,
    }
}

/// Whether a mirror of marks marks anything.
pub(crate) fn is_marked(marks: &Value) -> bool {
    match marks {
        Value::Bool(mark) => *mark,
        Value::Array(items) => items.iter().any(is_marked),
        Value::Object(fields) => fields.values().any(is_marked),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

const UNKNOWN: &str = "known after apply";
const SECRET: &str = "sensitive in the plan";

fn unknown_part() -> Value {
    json!({"$unknown": {"origin": UNKNOWN}})
}

/// Both sides, with objects in place of what is not known or not shown. `marks` are those of what is
/// sensitive before and after: what one of them marks is shown on neither side.
fn pair(
    before: Option<&Value>,
    after: Option<&Value>,
    unknown: &Value,
    marks: (&Value, &Value),
) -> (Option<Value>, Option<Value>) {
    if *marks.0 == Value::Bool(true) || *marks.1 == Value::Bool(true) {
        return secrets(before, after, unknown, marks);
    }
    if *unknown == Value::Bool(true) {
        let (before, _) = pair(before, None, NULL, marks);
        return (before, Some(unknown_part()));
    }
    let is_object = |value: &Value| value.is_object();
    if before.is_some_and(is_object)
        || after.is_some_and(is_object)
        || (unknown.is_object() && is_marked(unknown) && after.is_none_or(Value::is_null))
    {
        return objects(before, after, unknown, marks);
    }
    let is_array = |value: &Value| value.is_array();
    if before.is_some_and(is_array)
        || after.is_some_and(is_array)
        || (unknown.is_array() && is_marked(unknown))
    {
        return arrays(before, after, unknown, marks);
    }
    (before.cloned(), after.cloned())
}

fn secrets(
    before: Option<&Value>,
    after: Option<&Value>,
    unknown: &Value,
    marks: (&Value, &Value),
) -> (Option<Value>, Option<Value>) {
    let fingerprint = match (before, after) {
        _ if is_marked(unknown) => Some("known after apply"),
        (Some(before), Some(after)) if before != after => Some("new value"),
        (Some(_), Some(_)) if !is_marked(marks.0) => Some("becomes sensitive"),
        (Some(_), Some(_)) if !is_marked(marks.1) => Some("no longer marked as sensitive"),
        _ => None,
    };
    let secret = |fingerprint: Option<&str>| match fingerprint {
        Some(fingerprint) => json!({"$secret": {"label": SECRET, "fingerprint": fingerprint}}),
        None => json!({"$secret": {"label": SECRET}}),
    };
    let is_there = after.is_some() || is_marked(unknown);
    (
        before.map(|_| secret(None)),
        is_there.then(|| secret(fingerprint)),
    )
}

fn objects(
    before: Option<&Value>,
    after: Option<&Value>,
    unknown: &Value,
    marks: (&Value, &Value),
) -> (Option<Value>, Option<Value>) {
    let fields = |value: Option<&Value>| {
        value
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let (b, a) = (fields(before), fields(after));
    let mut names: BTreeSet<String> = b.keys().chain(a.keys()).cloned().collect();
    let later = unknown.as_object().into_iter().flatten();
    names.extend(
        later
            .filter(|(_, mark)| is_marked(mark))
            .map(|(name, _)| name.clone()),
    );
    let (mut was, mut will) = (Map::new(), Map::new());
    for name in names {
        let marks = (part(marks.0, &name), part(marks.1, &name));
        let (one, other) = pair(b.get(&name), a.get(&name), part(unknown, &name), marks);
        was.extend(one.map(|value| (name.clone(), value)));
        will.extend(other.map(|value| (name, value)));
    }
    let side = |given: Option<&Value>, made: Map<String, Value>| match given {
        Some(Value::Object(_)) => Some(Value::Object(made)),
        other if made.is_empty() => other.cloned(),
        _ => Some(Value::Object(made)),
    };
    (side(before, was), side(after, will))
}

/// Lists have no names by which two elements are the same one: what is sensitive in any element is
/// masked in all of them.
fn arrays(
    before: Option<&Value>,
    after: Option<&Value>,
    unknown: &Value,
    marks: (&Value, &Value),
) -> (Option<Value>, Option<Value>) {
    let items =
        |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (b, a) = (items(before), items(after));
    let later = unknown.as_array().map_or(0, Vec::len);
    let both = union_of_items(marks.0, union_of_items(marks.1, Value::Null));
    let (mut was, mut will) = (Vec::new(), Vec::new());
    for index in 0..b.len().max(a.len()).max(later) {
        let own = if both.is_null() {
            (item(marks.0, index), item(marks.1, index))
        } else {
            (&both, &both)
        };
        let (one, other) = pair(b.get(index), a.get(index), item(unknown, index), own);
        was.extend(one);
        will.extend(other);
    }
    let side = |given: Option<&Value>, made: Vec<Value>| match given {
        Some(Value::Array(_)) => Some(Value::Array(made)),
        other if made.is_empty() => other.cloned(),
        _ => Some(Value::Array(made)),
    };
    (side(before, was), side(after, will))
}

/// What any element of a list marks.
fn union_of_items(marks: &Value, seed: Value) -> Value {
    let items = marks.as_array().into_iter().flatten();
    items.filter(|mark| is_marked(mark)).fold(seed, union)
}

fn union(one: Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Bool(true), _) | (_, Value::Bool(true)) => Value::Bool(true),
        (Value::Object(mut fields), Value::Object(more)) => {
            for (name, mark) in more {
                let known = fields.remove(name).unwrap_or_default();
                fields.insert(name.clone(), union(known, mark));
            }
            Value::Object(fields)
        }
        (Value::Array(_), Value::Array(_)) => Value::Bool(true),
        (one, other) if is_marked(&one) && is_marked(other) => Value::Bool(true),
        (one, _) if is_marked(&one) => one,
        (_, other) => other.clone(),
    }
}

fn fact(value: Value) -> Fact {
    if value["$unknown"].is_object() {
        return Fact::unknown(UNKNOWN);
    }
    match serde_json::from_value(value["$secret"].clone()) {
        Ok(secret) => Fact::Secret(secret),
        Err(_) => Fact::from(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(change: Value) -> Vec<String> {
        let side = |fact: &Option<Fact>| fact.as_ref().map_or("-".to_owned(), Fact::to_string);
        let all = attributes(&change);
        all.iter()
            .map(|a| format!("{} {} > {}", a.name, side(&a.before), side(&a.after)))
            .collect()
    }

    #[test]
    fn what_is_known_of_a_value_is_kept_beside_what_is_not() {
        let change = json!({
            "before": {"ingress": [{"cidr": "10.0.0.0/8", "peer": "sg-1"}], "same": 1},
            "after": {"ingress": [{"cidr": "0.0.0.0/0"}], "same": 1},
            "after_unknown": {"ingress": [{"peer": true}], "id": true, "same": false},
        });
        assert_eq!(
            shown(change),
            [
                r#"id - > (unknown: known after apply)"#,
                r#"ingress [{"cidr":"10.0.0.0/8","peer":"sg-1"}] > [{"cidr":"0.0.0.0/0","peer":{"$unknown":{"origin":"known after apply"}}}]"#,
            ]
        );
    }

    #[test]
    fn what_either_side_calls_sensitive_is_shown_on_neither() {
        for (before, after) in [
            (json!({"a": {"b": true}}), json!({})),
            (json!({}), json!({"a": {"b": true}})),
        ] {
            let change = json!({
                "before": {"a": {"b": "CANARY", "c": 1}},
                "after": {"a": {"b": "CANARY", "c": 2}},
                "before_sensitive": before, "after_sensitive": after,
            });
            let text = shown(change).join("\n");
            assert!(
                !text.contains("CANARY") && text.contains("\"c\":2"),
                "{text}"
            );
        }
        // Elements of a list change places.
        let change = json!({
            "before": {"env": [{"name": "token", "value": "CANARY"}]},
            "after": {"env": [{"name": "a", "value": "x"}, {"name": "token", "value": "CANARY"}]},
            "before_sensitive": {"env": [{}]},
            "after_sensitive": {"env": [{}, {"value": true}]},
        });
        let text = shown(change).join("\n");
        assert!(!text.contains("CANARY") && text.contains("token"), "{text}");
        for mark in [json!(true), json!({"a": true})] {
            let change =
                json!({"before": {"a": "CANARY"}, "after": null, "before_sensitive": mark});
            assert_eq!(shown(change), ["a (secret: sensitive in the plan) > -"]);
        }
    }
}
