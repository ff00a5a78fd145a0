//! What RFC 8785 cannot write without loss is refused before it is written.

use serde_json::{Map, Value};

use crate::{Action, Error};

/// The largest integer up to which every integer is a double: 2^53 (RFC 7493, I-JSON, section 2.2).
const MAX_EXACT: u64 = 1 << 53;

pub(crate) fn check(parameters: &Map<String, Value>) -> Result<(), Error> {
    let mut pointer = Vec::new();
    for (name, value) in parameters {
        pointer.push(Step::Key(name));
        check_value(value, &mut pointer)?;
        pointer.pop();
    }
    Ok(())
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn check_value<'a>(value: &'a Value, pointer: &mut Vec<Step<'a>>) -> Result<(), Error> {
    if pointer.len() > Action::MAX_DEPTH {
        return Err(Error::TooDeep {
            levels: Action::MAX_DEPTH,
        });
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
