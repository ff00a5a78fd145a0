//! What an action answers to its caller, as a schema says it.

use std::sync::Arc;

use serde_json::Value;

use crate::run::context::Context;
use crate::run::stop::Stop;
use crate::schema::parameters::Parameters;
use crate::schema::template::{Declared, Expression, Template};
use crate::world::fact::Fact;

/// A value in which an object `{"$read": "key"}` stands for what the key holds after the effects.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Value(Expression),
    Read(Template),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

const READ: &str = "$read";

impl Answer {
    pub(super) fn new(value: &Value) -> Result<Self, String> {
        if let Some(key) = read(value) {
            let key = key.as_str().ok_or("`$read` takes the text of a key")?;
            return Ok(Self::Read(Template::new(key)?));
        }
        Ok(match value {
            Value::Array(items) => {
                Self::Array(items.iter().map(Self::new).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let compile =
                    |(name, field): (&String, &Value)| Ok((name.clone(), Self::new(field)?));
                Self::Object(fields.iter().map(compile).collect::<Result<_, String>>()?)
            }
            other => Self::Value(Expression::new(other)?),
        })
    }

    /// Finds the places of the parameters that it names.
    pub(super) fn bind(&mut self, declared: Declared<'_>) -> Result<(), String> {
        match self {
            Self::Value(expression) => expression.bind(declared),
            Self::Read(key) => key.bind(declared),
            Self::Array(items) => items.iter_mut().try_for_each(|item| item.bind(declared)),
            Self::Object(fields) => {
                let mut fields = fields.iter_mut();
                fields.try_for_each(|(_, field)| field.bind(declared))
            }
        }
    }

    /// The answer, which is not known if a part of it is not, and secret if a part of it is.
    pub(super) fn evaluate(
        &self,
        context: &mut Context<'_, '_>,
        parameters: &Parameters<'_>,
    ) -> Result<Fact, Stop> {
        // What is read as a whole is shared with the world.
        if let Self::Read(key) = self {
            let key = key.render(parameters)?;
            return Ok(context.read(&key).unwrap_or_else(|| Value::Null.into()));
        }
        let mut hidden = None;
        let value = self.collect(context, parameters, &mut hidden)?;
        Ok(hidden.unwrap_or_else(|| Fact::Known(Arc::new(value))))
    }

    fn collect(
        &self,
        context: &mut Context<'_, '_>,
        parameters: &Parameters<'_>,
        hidden: &mut Option<Fact>,
    ) -> Result<Value, Stop> {
        Ok(match self {
            Self::Value(expression) => expression.evaluate(parameters)?,
            Self::Read(key) => match context.read(&key.render(parameters)?) {
                None => Value::Null,
                Some(Fact::Known(value)) => (*value).clone(),
                Some(fact) => {
                    // A secret within counts for more than what is only not known.
                    if !matches!(hidden, Some(Fact::Secret(_))) {
                        *hidden = Some(fact);
                    }
                    Value::Null
                }
            },
            Self::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(item.collect(context, parameters, hidden)?);
                }
                Value::Array(values)
            }
            Self::Object(fields) => {
                let mut values = serde_json::Map::new();
                for (name, field) in fields {
                    values.insert(name.clone(), field.collect(context, parameters, hidden)?);
                }
                Value::Object(values)
            }
        })
    }
}

fn read(value: &Value) -> Option<&Value> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(READ)
}
