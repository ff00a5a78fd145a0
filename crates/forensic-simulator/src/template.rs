//! Texts and values with `{parameter}` in them, compiled once.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Stop;
use crate::context::kind_of;

/// A text such as `accounts/{from}/balance`. `{{` and `}}` stand for the braces themselves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
    /// About how long the text will be, in bytes.
    room: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Parameter(String),
}

/// A JSON value whose texts are templates. A text that is one `{parameter}` and nothing else is the
/// parameter itself, whatever its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Value),
    Parameter(String),
    Text(Template),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Template {
    /// Compiles a text.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
            if let Some(escaped) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = escaped;
                continue;
            }
            let name = after.split_once('}').filter(|_| brace == "{");
            let Some((name, after)) = name.filter(|(name, _)| is_name(name)) else {
                return Err(format!(
                    "{source:?} has a `{brace}` that is no part of a {{name}}"
                ));
            };
            push_text(&mut parts, &mut text);
            parts.push(Part::Parameter(name.to_owned()));
            rest = after;
        }
        text.push_str(rest);
        push_text(&mut parts, &mut text);
        Ok(Self {
            parts,
            room: source.len() + 16,
        })
    }

    /// The parameters it names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Parameter(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text. One that is a parameter and nothing else is borrowed from it.
    pub(crate) fn render<'a>(&'a self, parameters: &Parameters<'a>) -> Result<Cow<'a, str>, Stop> {
        match self.parts.as_slice() {
            [] => return Ok(Cow::Borrowed("")),
            [Part::Text(literal)] => return Ok(Cow::Borrowed(literal)),
            [Part::Parameter(name)] => {
                if let Value::String(text) = parameters.get(name)? {
                    return Ok(Cow::Borrowed(text));
                }
            }
            _ => {}
        }
        let mut text = String::with_capacity(self.room);
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Parameter(name) => push_value(&mut text, name, parameters.get(name)?)?,
            }
        }
        Ok(Cow::Owned(text))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('{')
}

fn push_text(parts: &mut Vec<Part>, text: &mut String) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

fn push_value(text: &mut String, name: &str, value: &Value) -> Result<(), Stop> {
    match value {
        Value::String(string) => text.push_str(string),
        Value::Number(_) | Value::Bool(_) => {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{value}");
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let kind = kind_of(value);
            return Err(Stop::would_fail(format!(
                "parameter {name:?} is {kind} and cannot be part of a text"
            )));
        }
    }
    Ok(())
}

impl Expression {
    pub(crate) fn new(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::from_text(Template::new(text)?),
            Value::Array(items) => {
                Self::Array(items.iter().map(Self::new).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let compile =
                    |(name, field): (&String, &Value)| Ok((name.clone(), Self::new(field)?));
                Self::Object(fields.iter().map(compile).collect::<Result<_, String>>()?)
            }
            other => Self::Literal(other.clone()),
        })
    }

    fn from_text(template: Template) -> Self {
        match template.parts.as_slice() {
            [] => Self::Literal(Value::String(String::new())),
            [Part::Text(text)] => Self::Literal(Value::String(text.clone())),
            [Part::Parameter(name)] => Self::Parameter(name.clone()),
            _ => Self::Text(template),
        }
    }

    /// The parameters it names.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Parameter(name) => vec![name],
            Self::Text(template) => template.names().collect(),
            Self::Array(items) => items.iter().flat_map(Self::names).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, f)| f.names()).collect(),
        }
    }

    pub(crate) fn evaluate(&self, parameters: &Parameters<'_>) -> Result<Value, Stop> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Parameter(name) => parameters.get(name)?.clone(),
            Self::Text(template) => Value::String(template.render(parameters)?.into_owned()),
            Self::Array(items) => {
                let items = items.iter().map(|item| item.evaluate(parameters));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(fields) => {
                let evaluate = |(name, field): &(String, Self)| {
                    Ok((name.clone(), field.evaluate(parameters)?))
                };
                Value::Object(fields.iter().map(evaluate).collect::<Result<_, Stop>>()?)
            }
        })
    }
}

/// The parameters of an action, with the defaults of its schema behind them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameters<'a> {
    pub(crate) given: &'a Map<String, Value>,
    defaults: &'a Map<String, Value>,
    /// The first ones that are given: looking at each is cheaper than descending a tree.
    few: [Option<(&'a str, &'a Value)>; FEW],
}

const FEW: usize = 6;

impl<'a> Parameters<'a> {
    pub(crate) fn new(given: &'a Map<String, Value>, defaults: &'a Map<String, Value>) -> Self {
        let mut few = [None; FEW];
        for (place, (name, value)) in few.iter_mut().zip(given) {
            *place = Some((name.as_str(), value));
        }
        Self {
            given,
            defaults,
            few,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Result<&'a Value, Stop> {
        let mut few = self.few.iter().flatten();
        if let Some((_, value)) = few.find(|(known, _)| *known == name) {
            return Ok(value);
        }
        let value = self.given.get(name).or_else(|| self.defaults.get(name));
        value.ok_or_else(|| {
            Stop::would_fail(format!("parameter {name:?} is missing"))
                .with_remedy(format!("add parameter {name:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, given: Value) -> Result<String, String> {
        let given = given.as_object().unwrap().clone();
        let none = Map::new();
        let parameters = Parameters::new(&given, &none);
        let template = Template::new(source)?;
        let rendered = template.render(&parameters);
        rendered.map(Cow::into_owned).map_err(|stop| stop.reason)
    }

    #[test]
    fn parameters_take_their_place_in_a_text() {
        let given = json!({"a": "x", "n": 7, "list": []});
        assert_eq!(render("k/{a}/{n}", given.clone()).unwrap(), "k/x/7");
        assert_eq!(render("{{{a}}}", given.clone()).unwrap(), "{x}");
        assert_eq!(render("", given.clone()).unwrap(), "");
        assert_eq!(
            render("{b}", given.clone()).unwrap_err(),
            "parameter \"b\" is missing"
        );
        assert!(render("{list}", given).unwrap_err().contains("an array"));
    }

    #[test]
    fn braces_without_a_partner_are_refused() {
        for source in ["{", "a{", "{a", "a}", "{}", "{a}}", "{a} {a"] {
            assert!(Template::new(source).is_err(), "{source:?}");
        }
    }

    #[test]
    fn a_lone_parameter_keeps_its_type() {
        let expression = Expression::new(&json!({"v": "{n}", "t": ["n={n}"], "c": 1})).unwrap();
        let given = json!({"n": {"deep": true}, "m": 1});
        let none = Map::new();
        let parameters = Parameters::new(given.as_object().unwrap(), &none);
        assert!(expression.evaluate(&parameters).is_err());
        let lone = Expression::new(&json!({"v": "{n}"})).unwrap();
        assert_eq!(
            lone.evaluate(&parameters).unwrap(),
            json!({"v": {"deep": true}})
        );
    }
}
