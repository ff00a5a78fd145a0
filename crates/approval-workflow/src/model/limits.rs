//! The limits of what is taken, and upper bounds of what a value takes as JSON.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::model::content::json_bytes;

/// The largest action, in bytes of JSON.
pub(crate) const MAX_ACTION_BYTES: usize = 256 << 10;
/// The largest context, in bytes of JSON.
pub(crate) const MAX_CONTEXT_BYTES: usize = 64 << 10;
/// The deepest nesting of a context, in levels.
pub(crate) const MAX_CONTEXT_DEPTH: usize = 32;
/// The longest reason, in bytes.
pub(crate) const MAX_REASON_BYTES: usize = 16 << 10;

/// More than the names of an action's fields and of a binding's take in JSON.
pub(crate) const FIELD_NAMES: usize = 1 << 9;

/// Refuses what has more bytes of JSON than are taken. They are counted only if an upper bound, which is
/// cheap, leaves a doubt.
pub(crate) fn check_size(
    what: &'static str,
    value: &impl serde::Serialize,
    bound: usize,
    most: usize,
) -> Result<(), Error> {
    if bound <= most {
        return Ok(());
    }
    let bytes = json_bytes(value);
    if bytes > most {
        return Err(Error::TooLarge { what, bytes, most });
    }
    Ok(())
}

/// At most so many bytes of JSON: a control character takes six, and quotes and a separator are added.
pub(crate) fn text_bound(text: &str) -> usize {
    text.len() * 6 + 4
}

pub(crate) fn fields_bound(fields: &Map<String, Value>) -> usize {
    let fields = fields.iter();
    let bounds = fields.map(|(name, value)| text_bound(name) + value_bound(value));
    bounds.sum::<usize>() + 4
}

fn value_bound(value: &Value) -> usize {
    // A number has at most 24 characters in the shortest form that reads back as it is.
    const LITERAL: usize = 32;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => LITERAL,
        Value::String(text) => text_bound(text),
        Value::Array(items) => {
            items
                .iter()
                .map(|item| value_bound(item) + 1)
                .sum::<usize>()
                + 4
        }
        Value::Object(fields) => fields_bound(fields) + 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::content::json_bytes;

    #[test]
    fn a_bound_is_never_below_what_is_written() {
        for value in [
            json!({}),
            json!([]),
            json!([[], {}, [null, false, true]]),
            json!({"": "", "\u{1}\u{2}": "\u{0}\u{1f}\u{7f}\"\\/"}),
            json!([
                i64::MIN,
                u64::MAX,
                -1.234_567_890_123_456_7e-300,
                f64::MIN_POSITIVE,
                1e300
            ]),
            json!({"a": {"b": {"c": ["\u{10ffff}\u{2028}", "ü"]}}}),
        ] {
            assert!(value_bound(&value) >= json_bytes(&value), "{value}");
            if let Value::Object(fields) = &value {
                assert!(fields_bound(fields) >= json_bytes(fields), "{value}");
            }
        }
    }
}
