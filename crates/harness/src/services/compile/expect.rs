//! What an answer has to be.

use drivers::{Code, JsonPath, Scope, Template, canonical, guard};
use toml::Value;

use super::super::program::{Expect, Expected, Meaning};
use super::super::spec::{OutcomeSpec, StepSpec};
use super::places::{key_of, placed};
use super::services::Declared;
use crate::{KeyPath, SpecError};

pub(super) fn compile(
    spec: &StepSpec,
    declared: &Declared,
    at: &KeyPath,
    scope: &mut Scope,
) -> Result<Expect, SpecError> {
    let mut expect = Expect {
        is_stream: spec.stream.is_some(),
        outcomes: outcomes(spec, declared, at)?,
        ..Expect::default()
    };
    let at = at.then("expect");
    for (key, value) in &spec.expect {
        let at = at.then(key.as_str());
        match key.as_str() {
            "status" => expect.statuses = statuses(value, &at)?,
            "exists" => expect.exists = exists(value, &at)?,
            key if key.starts_with('$') => {
                let path = JsonPath::parse(key).map_err(|error| key_of(&at, error))?;
                expect.equals.push((path, expected(value, &at, scope)?));
            }
            key => {
                let problem = format!(
                    "`expect` has `status`, `exists` and JSONPaths such as \"$.id\", not `{key}`"
                );
                return Err(SpecError::of_key(at, problem));
            }
        }
    }
    Ok(expect)
}

/// A JSONPath that is a value of the file.
pub(super) fn path(text: &str, at: &KeyPath) -> Result<JsonPath, SpecError> {
    JsonPath::parse(text).map_err(|error| placed(at, error))
}

fn statuses(value: &Value, at: &KeyPath) -> Result<Vec<u16>, SpecError> {
    let one = |value: &Value, at: &KeyPath| {
        let status = value
            .as_integer()
            .and_then(|status| u16::try_from(status).ok());
        status
            .filter(|status| (100..=599).contains(status))
            .ok_or_else(|| {
                let problem = format!(
                    "`status` expects a status of HTTP, 100 to 599, or a list of them, not {value}"
                );
                SpecError::new(at.clone(), problem)
            })
    };
    match value {
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .enumerate()
            .map(|(number, value)| one(value, &at.then(number)))
            .collect(),
        value => Ok(vec![one(value, at)?]),
    }
}

fn exists(value: &Value, at: &KeyPath) -> Result<Vec<JsonPath>, SpecError> {
    let wrong = |at: &KeyPath| {
        let problem = "`exists` expects a list of JSONPaths, such as [\"$.id\"]";
        SpecError::new(at.clone(), problem)
    };
    let list = value.as_array().ok_or_else(|| wrong(at))?;
    let paths = list.iter().enumerate().map(|(number, value)| {
        let at = at.then(number);
        path(value.as_str().ok_or_else(|| wrong(&at))?, &at)
    });
    paths.collect()
}

fn expected(value: &Value, at: &KeyPath, scope: &mut Scope) -> Result<Expected, SpecError> {
    if let Value::String(text) = value {
        let template = Template::text(text, scope).map_err(|error| placed(at, error))?;
        guard::check_no_secret(&template, "expect").map_err(|error| placed(at, error))?;
        if text.contains("${") {
            return Ok(Expected::Text(template));
        }
    }
    if matches!(value, Value::Datetime(_)) {
        let problem = "JSON has no dates: put it into quotes";
        return Err(SpecError::new(at.clone(), problem));
    }
    let json = serde_json::to_vec(value)
        .map_err(|error| SpecError::new(at.clone(), format!("this is no JSON: {error}")))?;
    Ok(Expected::Json(canonical(&json)))
}

fn outcomes(
    spec: &StepSpec,
    declared: &Declared,
    at: &KeyPath,
) -> Result<Vec<(Code, Meaning)>, SpecError> {
    let (table, at) = match spec.outcomes.is_empty() {
        true => (&declared.spec.outcomes, declared.at.then("outcomes")),
        false => (&spec.outcomes, at.then("outcomes")),
    };
    let mut outcomes = Vec::new();
    for (code, meaning) in table {
        let code = match code.parse() {
            Ok(200..300) => {
                let problem = format!("`{code}` is judged by `expect`: leave it out");
                return Err(SpecError::of_key(at.then(code.as_str()), problem));
            }
            Ok(status) => Code::Status(status),
            Err(_) => Code::from_text(code),
        };
        outcomes.push((
            code,
            match meaning {
                OutcomeSpec::Acknowledged => Meaning::Acknowledged,
                OutcomeSpec::Refused => Meaning::Refused,
                OutcomeSpec::Unknown => Meaning::Unknown,
            },
        ));
    }
    Ok(outcomes)
}
