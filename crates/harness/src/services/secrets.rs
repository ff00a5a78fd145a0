//! Keeps the values of secrets out of what is shown.

use std::fs;

use drivers::Secrets;
use load_engine::Failure;
use report::ScenarioResult;

use crate::{Error, ScenarioRun};

/// Puts `***` in place of each secret: in the result, in the file of discrepancies, and in an error.
pub(super) fn hide(
    secrets: &Secrets,
    run: &ScenarioRun,
    result: Result<ScenarioResult, Error>,
) -> Result<ScenarioResult, Error> {
    let result = result.map_err(|error| match error {
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
    })?;
    if run.discrepancies.exists() {
        let path = &run.discrepancies;
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let shown = secrets.redact(&text);
        if shown != text {
            fs::write(path, &*shown).map_err(Error::io("write", path))?;
        }
    }
    let json = serde_json::to_string(&result).expect("a result is text and numbers");
    let shown = secrets.redact(&json);
    match shown == json {
        true => Ok(result),
        false => Ok(serde_json::from_str(&shown).expect("`***` is text as the secret was")),
    }
}
