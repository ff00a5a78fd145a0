//! Patterns and conditions as expressions of Cedar, over what [`encode`](crate::encode) makes.

use action::PathPattern;
use approval_workflow::{Condition, Field};
use serde_json::{Number, Value};

use crate::Error;

/// What makes a path covered.
pub(crate) fn covers(pattern: &PathPattern) -> Result<String, Error> {
    let segments: Vec<&str> = pattern.as_str().split('/').collect();
    let parts: Vec<&[&str]> = segments.split(|segment| *segment == "**").collect();
    let like = |side: &str, place: usize, segment: &str| {
        format!("context.path.{side}[\"{place}\"] like {segment:?}")
    };
    let front = |segments: &[&str]| -> Vec<String> {
        let placed = segments.iter().enumerate();
        placed
            .map(|(place, segment)| like("s", place, segment))
            .collect()
    };
    match parts[..] {
        [all] => Ok(and([format!("context.path.n == {}", all.len())]
            .into_iter()
            .chain(front(all)))),
        [before, behind] => {
            let least = before.len() + behind.len();
            let back = behind.iter().rev().enumerate();
            let back = back.map(|(place, segment)| like("e", place, segment));
            let count = [format!("context.path.n >= {least}")].into_iter();
            Ok(and(count.chain(front(before)).chain(back)))
        }
        _ => Err(Error::Pattern {
            pattern: pattern.clone(),
        }),
    }
}

/// What makes a condition known to be true, or known to be false.
pub(crate) fn known(condition: &Condition, wanted: bool) -> Result<String, Error> {
    let parts = |parts: &[Condition]| -> Result<Vec<String>, Error> {
        parts.iter().map(|part| known(part, wanted)).collect()
    };
    Ok(match condition {
        Condition::Always => wanted.to_string(),
        Condition::Not(part) => known(part, !wanted)?,
        // All are true when each is; they are false as soon as one is.
        Condition::All(all) if wanted => and(parts(all)?),
        Condition::All(all) => or(parts(all)?),
        Condition::Any(any) if wanted => or(parts(any)?),
        Condition::Any(any) => and(parts(any)?),
        Condition::Equals { field, value } => equals(field, value, wanted)?,
        Condition::OneOf { field, values } => {
            let each = values.iter().map(|value| equals(field, value, wanted));
            let each: Vec<String> = each.collect::<Result<_, _>>()?;
            if wanted { or(each) } else { and(each) }
        }
        Condition::LessThan { field, value } => {
            let operator = if wanted { "<" } else { ">=" };
            typed(field, "long", &format!("{operator} {}", long(value)?))
        }
    })
}

fn equals(field: &Field, value: &Value, wanted: bool) -> Result<String, Error> {
    let operator = if wanted { "==" } else { "!=" };
    let compared = |kind: &str, value: String| typed(field, kind, &format!("{operator} {value}"));
    Ok(match value {
        // Null is equal to null, and to nothing else comparable.
        Value::Null => and([wanted.to_string(), of_type(field, "null")]),
        Value::Bool(value) => compared("bool", value.to_string()),
        Value::String(value) => compared("text", format!("{value:?}")),
        Value::Number(number) => compared("long", long(number)?),
        Value::Array(_) => compared("list", format!("{:?}", value.to_string())),
        Value::Object(_) => compared("map", format!("{:?}", value.to_string())),
    })
}

/// That a field is there, is of a type, and compares like this.
fn typed(field: &Field, kind: &str, compares: &str) -> String {
    let (_, node) = place(field);
    and([of_type(field, kind), format!("{node}.v {compares}")])
}

fn of_type(field: &Field, kind: &str) -> String {
    let (there, node) = place(field);
    and(there.into_iter().chain([format!("{node}.t == {kind:?}")]))
}

/// What has to be asked in turn before a field can be looked at, and the field.
fn place(field: &Field) -> (Vec<String>, String) {
    let text = field.to_string();
    // No key has a dot in it: that is what separates them.
    let mut keys = text.split('.');
    let mut fields = format!("context.{}", keys.next().unwrap_or_default());
    let mut there = Vec::new();
    let mut node = String::new();
    for key in keys {
        if !node.is_empty() {
            there.push(format!("{node} has f"));
            fields = format!("{node}.f");
        }
        there.push(format!("{fields} has {key:?}"));
        node = format!("{fields}[{key:?}]");
    }
    (there, node)
}

fn long(number: &Number) -> Result<String, Error> {
    let long = number.as_i64().map(|number| number.to_string());
    long.ok_or_else(|| Error::Number {
        number: number.clone(),
    })
}

fn and(parts: impl IntoIterator<Item = String>) -> String {
    joined(parts, " && ")
}

fn or(parts: impl IntoIterator<Item = String>) -> String {
    joined(parts, " || ")
}

fn joined(parts: impl IntoIterator<Item = String>, between: &str) -> String {
    let parts: Vec<String> = parts.into_iter().collect();
    format!("({})", parts.join(between))
}
