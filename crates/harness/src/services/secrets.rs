//! Keeps the values of secrets out of what is shown.

use std::fs;

use super::run::Ran;
use crate::{Error, ScenarioRun};
use drivers::Secrets;
use load_engine::Failure;
use report::ScenarioResult;
use serde::Deserialize as _;
use serde_json::Value;

/// Puts `***` in place of each secret: in the result, in the file of discrepancies, and in an error.
pub(super) fn hide(
    secrets: &Secrets,
    run: &ScenarioRun,
    ran: Result<Ran, Error>,
) -> Result<Ran, Error> {
    let (result, problem) = ran.map_err(|error| in_error(secrets, error))?;
    let problem = problem.map(|error| in_error(secrets, error));
    if run.discrepancies.exists() {
        let path = &run.discrepancies;
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let shown = secrets.redact(&text);
        if shown != text {
            fs::write(path, &*shown).map_err(Error::io("write", path))?;
        }
    }
    Ok((in_result(secrets, result), problem))
}

fn in_result(secrets: &Secrets, result: ScenarioResult) -> ScenarioResult {
    let json = serde_json::to_string(&result).expect("a result is text and numbers");
    let shown = secrets.redact(&json);
    if shown == json {
        return result;
    }
    // A secret such as `none` may be a word of the result's own.
    serde_json::from_str(&shown).unwrap_or_else(|_| text_by_text(secrets, &json))
}

/// Puts `***` into each text that may be any, and leaves the words alone of which there are only some.
fn text_by_text(secrets: &Secrets, json: &str) -> ScenarioResult {
    let mut json: Value = serde_json::from_str(json).expect("a result is JSON");
    let mut places = Vec::new();
    collect(secrets, &json, String::new(), &mut places);
    for place in places {
        let mut changed = json.clone();
        if let Some(Value::String(text)) = changed.pointer_mut(&place) {
            *text = secrets.redact(text).into_owned();
        }
        if ScenarioResult::deserialize(&changed).is_ok() {
            json = changed;
        }
    }
    serde_json::from_value(json).expect("each change left a result")
}

/// The places of texts with secrets, as JSON Pointers.
fn collect(secrets: &Secrets, json: &Value, at: String, places: &mut Vec<String>) {
    match json {
        Value::String(text) if secrets.redact(text) != *text => places.push(at),
        Value::Array(list) => {
            for (number, one) in list.iter().enumerate() {
                collect(secrets, one, format!("{at}/{number}"), places);
            }
        }
        Value::Object(table) => {
            for (key, one) in table {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(secrets, one, format!("{at}/{key}"), places);
            }
        }
        _ => {}
    }
}

fn in_error(secrets: &Secrets, error: Error) -> Error {
    match error {
        Error::Target {
            scenario,
            operation,
            failure,
        } => Error::Target {
            scenario,
            operation,
            failure: Failure::new(secrets.redact(failure.message())),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use load_engine::{RunRecord, Verification};

    use super::*;

    #[test]
    fn a_secret_that_is_a_word_of_the_result_is_hidden_in_texts() {
        let secrets = Secrets::default();
        secrets.add("none");
        let mut result = ScenarioResult::new("s", RunRecord::default(), Verification::default());
        result.title = "the password is none".to_owned();
        assert!(serde_json::to_string(&result).unwrap().contains("\"none\""));
        let hidden = in_result(&secrets, result.clone());
        assert_eq!(hidden.title, "the password is ***");
        assert_eq!(hidden.run, result.run);
    }
}
