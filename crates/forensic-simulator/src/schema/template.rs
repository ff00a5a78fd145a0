//! Texts and values with `{parameter}` in them, compiled once.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use crate::run::context::kind_of;
use crate::run::stop::Stop;
use crate::schema::parameters::Parameters;

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
    Parameter(Name),
}

/// A parameter that is named, and after [`Template::bind`] its place among those that are declared: so
/// that the name is looked for once and not in each simulation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    name: String,
    place: usize,
}

/// A JSON value whose texts are templates. A text that is one `{parameter}` and nothing else is the
/// parameter itself, whatever its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Value),
    Parameter(Name),
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
            parts.push(Part::Parameter(Name {
                name: name.to_owned(),
                place: usize::MAX,
            }));
            rest = after;
        }
        text.push_str(rest);
        push_text(&mut parts, &mut text);
        Ok(Self {
            parts,
            room: source.len() + 16,
        })
    }

    /// Finds the places of the parameters that it names.
    pub(crate) fn bind(&mut self, declared: Declared<'_>) -> Result<(), String> {
        for part in &mut self.parts {
            if let Part::Parameter(name) = part {
                name.bind(declared)?;
            }
        }
        Ok(())
    }

    /// The text. One that is a parameter and nothing else is borrowed from it.
    pub(crate) fn render<'a>(&'a self, parameters: &Parameters<'a>) -> Result<Cow<'a, str>, Stop> {
        match self.parts.as_slice() {
            [] => return Ok(Cow::Borrowed("")),
            [Part::Text(literal)] => return Ok(Cow::Borrowed(literal)),
            [Part::Parameter(name)] => {
                if let Value::String(text) = name.of(parameters)? {
                    return Ok(Cow::Borrowed(text));
                }
            }
            _ => {}
        }
        let mut text = String::with_capacity(self.room);
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Parameter(name) => {
                    push_value(&mut text, &name.name, name.of(parameters)?)?;
                }
            }
        }
        Ok(Cow::Owned(text))
    }
}

/// The place of a parameter, or that there is none of this name.
pub(crate) type Declared<'f> = &'f dyn Fn(&str) -> Result<usize, String>;

impl Name {
    fn bind(&mut self, declared: Declared<'_>) -> Result<(), String> {
        self.place = declared(&self.name)?;
        Ok(())
    }

    #[inline]
    fn of<'a>(&self, parameters: &Parameters<'a>) -> Result<&'a Value, Stop> {
        parameters.at(self.place, &self.name)
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

    /// Finds the places of the parameters that it names.
    pub(crate) fn bind(&mut self, declared: Declared<'_>) -> Result<(), String> {
        match self {
            Self::Literal(_) => Ok(()),
            Self::Parameter(name) => name.bind(declared),
            Self::Text(template) => template.bind(declared),
            Self::Array(items) => items.iter_mut().try_for_each(|item| item.bind(declared)),
            Self::Object(fields) => {
                let mut fields = fields.iter_mut();
                fields.try_for_each(|(_, field)| field.bind(declared))
            }
        }
    }

    pub(crate) fn evaluate(&self, parameters: &Parameters<'_>) -> Result<Value, Stop> {
        Ok(self.borrow(parameters)?.into_owned())
    }

    /// The value. One that is a parameter and nothing else is borrowed.
    pub(crate) fn borrow<'a>(
        &'a self,
        parameters: &Parameters<'a>,
    ) -> Result<Cow<'a, Value>, Stop> {
        match self {
            Self::Literal(value) => Ok(Cow::Borrowed(value)),
            Self::Parameter(name) => Ok(Cow::Borrowed(name.of(parameters)?)),
            _ => self.build(parameters).map(Cow::Owned),
        }
    }

    fn build(&self, parameters: &Parameters<'_>) -> Result<Value, Stop> {
        Ok(match self {
            Self::Literal(_) | Self::Parameter(_) => self.borrow(parameters)?.into_owned(),
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

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    const DECLARED: [&str; 4] = ["a", "b", "list", "n"];

    fn place(name: &str) -> Result<usize, String> {
        let place = DECLARED.iter().position(|declared| *declared == name);
        place.ok_or_else(|| format!("{name} is not declared"))
    }

    fn render(source: &str, given: Value) -> Result<String, String> {
        let given = given.as_object().unwrap().clone();
        let none = Map::new();
        let parameters = Parameters::new(&given, DECLARED, &none);
        let mut template = Template::new(source)?;
        template.bind(&place)?;
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
        assert_eq!(
            render("{c}", given.clone()).unwrap_err(),
            "c is not declared"
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
        let bound = |value: &Value| {
            let mut expression = Expression::new(value).unwrap();
            expression.bind(&place).unwrap();
            expression
        };
        let expression = bound(&json!({"v": "{n}", "t": ["n={n}"], "c": 1}));
        let given = json!({"n": {"deep": true}, "m": 1});
        let none = Map::new();
        let parameters = Parameters::new(given.as_object().unwrap(), DECLARED, &none);
        assert!(expression.evaluate(&parameters).is_err());
        let lone = bound(&json!({"v": "{n}"}));
        assert_eq!(
            lone.evaluate(&parameters).unwrap(),
            json!({"v": {"deep": true}})
        );
    }
}
