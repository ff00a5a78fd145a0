//! Keeps the values of secrets out of what is shown.

use std::fs;

use super::run::Ran;
use crate::{Error, ScenarioRun};
use drivers::Secrets;
use load_engine::Failure;

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
    let json = serde_json::to_string(&result).expect("a result is text and numbers");
    let shown = secrets.redact(&json);
    let result = match shown == json {
        true => result,
        false => serde_json::from_str(&shown).expect("`***` is text as the secret was"),
    };
    Ok((result, problem))
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
