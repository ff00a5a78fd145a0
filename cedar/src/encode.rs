//! Actions and contexts as Cedar's values.
//!
//! Cedar cannot ask a value for its type, so each is a record that says it: `t` names the type, `v` is
//! the value, and `f` the fields of an object. Lists and objects are compared as their JSON.

use action::{Action, ActionPath};
use cedar_policy::{Context, RestrictedExpression};
use serde_json::{Map, Value};

type Made<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the policies see: `path`, `parameters` and `context`.
pub(crate) fn context(action: &Action, context: &Map<String, Value>) -> Made<Context> {
    let all = [
        ("path".to_owned(), path(&action.path)?),
        ("parameters".to_owned(), fields(&action.parameters)?),
        ("context".to_owned(), fields(context)?),
    ];
    Ok(Context::from_pairs(all)?)
}

/// The number of segments, and each of them by its place from the start and from the end.
fn path(path: &ActionPath) -> Made<RestrictedExpression> {
    let segments: Vec<&str> = path.as_str().split('/').collect();
    let placed = |segments: &mut dyn Iterator<Item = &&str>| {
        let placed = segments.enumerate();
        record(placed.map(|(place, segment)| (place.to_string(), text(segment))))
    };
    // A path has at most 1,024 bytes.
    let count = RestrictedExpression::new_long(segments.len() as i64);
    record([
        ("n".to_owned(), count),
        ("s".to_owned(), placed(&mut segments.iter())?),
        ("e".to_owned(), placed(&mut segments.iter().rev())?),
    ])
}

fn fields(fields: &Map<String, Value>) -> Made<RestrictedExpression> {
    let mut pairs = Vec::with_capacity(fields.len());
    for (name, field) in fields {
        pairs.push((name.clone(), value(field)?));
    }
    record(pairs)
}

fn value(value: &Value) -> Made<RestrictedExpression> {
    let typed = |kind: &str, value| record([("t".to_owned(), text(kind)), ("v".to_owned(), value)]);
    match value {
        Value::Null => record([("t".to_owned(), text("null"))]),
        Value::Bool(value) => typed("bool", RestrictedExpression::new_bool(*value)),
        Value::String(value) => typed("text", text(value)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => typed("long", RestrictedExpression::new_long(number)),
            None => record([("t".to_owned(), text("number"))]),
        },
        Value::Array(_) => typed("list", text(&value.to_string())),
        Value::Object(inner) => record([
            ("t".to_owned(), text("map")),
            ("v".to_owned(), text(&value.to_string())),
            ("f".to_owned(), fields(inner)?),
        ]),
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn record(
    pairs: impl IntoIterator<Item = (String, RestrictedExpression)>,
) -> Made<RestrictedExpression> {
    Ok(RestrictedExpression::new_record(pairs)?)
}
