//! What RFC 8785 cannot write without loss is refused before it is written.

use serde_json::{Map, Value};

use crate::error::Error;

/// The largest integer up to which every integer is a double: 2^53 (RFC 7493, I-JSON, section 2.2).
const MAX_EXACT: u64 = 1 << 53;

/// The deepest nesting that can be read back, in levels: `serde_json` stops at 128, and an action's
/// parameters may stand in a larger document.
pub(crate) const MAX_DEPTH: usize = 120;

pub(crate) fn check(parameters: &Map<String, Value>) -> Result<(), Error> {
    let mut pointer = Vec::new();
    for (name, value) in parameters {
        pointer.push(Step::Key(name));
        check_value(value, &mut pointer)?;
        pointer.pop();
    }
    Ok(())
}

/// Whether `serde_json` writes the canonical form of parameters by itself, at a third of the cost:
/// the names are ASCII and sorted, so that RFC 8785's order of UTF-16 units is the order of bytes;
/// and there is no number with a fraction or an exponent, which JavaScript writes in its own way.
/// Both escape the same characters of a text in the same way.
pub(crate) fn is_plain(parameters: &Map<String, Value>) -> bool {
    let sorted = parameters.keys().zip(parameters.keys().skip(1));
    sorted.into_iter().all(|(one, next)| one < next)
        && parameters
            .iter()
            .all(|(name, value)| name.is_ascii() && is_plain_value(value))
}

fn is_plain_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => items.iter().all(is_plain_value),
        Value::Object(fields) => is_plain(fields),
    }
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn check_value<'a>(value: &'a Value, pointer: &mut Vec<Step<'a>>) -> Result<(), Error> {
    if pointer.len() > MAX_DEPTH {
        return Err(Error::TooDeep { levels: MAX_DEPTH });
    }
    match value {
        Value::Number(number) => {
            let exact = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs));
            if exact.is_some_and(|magnitude| magnitude > MAX_EXACT) {
                let at = render(pointer);
                return Err(Error::InexactNumber {
                    number: number.to_string(),
                    at,
                });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push(Step::Index(index));
                check_value(item, pointer)?;
                pointer.pop();
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                pointer.push(Step::Key(name));
                check_value(field, pointer)?;
                pointer.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

/// A JSON pointer (RFC 6901).
fn render(pointer: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in pointer {
        text.push('/');
        match step {
            Step::Key(key) => text.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => text.push_str(&index.to_string()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::action::Action;
    use crate::path::ActionPath;

    #[test]
    fn the_short_way_and_the_long_way_write_the_same() {
        let texts: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        for (parameters, plain) in [
            (json!({}), true),
            (
                json!({"b": -1, "a": [null, true, {"x": 9_007_199_254_740_992_u64}]}),
                true,
            ),
            (
                json!({"text": texts, "more": "\u{2028}\u{10ffff}/<>&"}),
                true,
            ),
            (json!({"n": 1.5}), false),
            (json!({"n": [-0.0]}), false),
            (json!({"\u{fb33}": 1, "\u{1f600}": 2}), false),
        ] {
            let mut action = Action::new(ActionPath::new("a/b\u{e9}").unwrap(), "n\u{1}\"");
            action.parameters = parameters.as_object().unwrap().clone();
            assert_eq!(is_plain(&action.parameters), plain, "{parameters}");
            let long = serde_json_canonicalizer::to_vec(&action).unwrap();
            assert_eq!(action.canonical().unwrap(), long, "{parameters}");
        }
    }
}
