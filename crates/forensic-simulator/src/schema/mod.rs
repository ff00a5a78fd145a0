pub(crate) mod answer;
pub(crate) mod builtin;
pub(crate) mod number;
pub(crate) mod parameters;
pub(crate) mod play;
pub(crate) mod template;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use action::PathPattern;
use serde_json::{Map, Value};

use self::answer::Answer;
use self::text::{
    AlwaysText, EffectText, Kind, ParameterText, RequirementText, SchemaFile, SchemaText,
    SpreadText, Test, Verb,
};
use crate::error::Error;
use crate::run::context::kind_of;
use crate::run::handler::FailureMode;
use crate::run::report::{PredictedOutcome, Reversibility, Spread};
use crate::schema::template::{Expression, Template};

/// A kind of action, described by text: parameters, preconditions, effects, cost, duration and
/// whether it can be taken back.
///
/// ```
/// use forensic_simulator::Schema;
/// let schemas = Schema::parse(r#"
///     [[schema]]
///     path = "payments/refund"
///     summary = "Pays an order back"
///     reversibility = "irreversible"
///     duration_us = { least = 50_000, likely = 200_000, most = 3_000_000 }
///     cost_micros = 250_000
///
///     [schema.parameters]
///     order = { type = "string" }
///     cents = { type = "integer", at_least = 1 }
///
///     [[schema.requires]]
///     key = "orders/{order}/paid_cents"
///     test = "at_least"
///     value = "{cents}"
///     because = "more than was paid"
///
///     [[schema.effects]]
///     do = "subtract"
///     key = "orders/{order}/paid_cents"
///     value = "{cents}"
/// "#)?;
/// assert_eq!(schemas[0].summary(), "Pays an order back");
/// # Ok::<(), forensic_simulator::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Schema {
    pattern: PathPattern,
    summary: String,
    parameters: Vec<Parameter>, // sorted by name
    defaults: Map<String, Value>,
    other_parameters: bool,
    requirements: Vec<Requirement>,
    effects: Vec<Effect>,
    reversibility: Reversibility,
    duration_us: Spread,
    cost_micros: Spread,
    always: Option<Always>,
    compensation: Option<Vec<(String, Expression)>>,
    failure_modes: Vec<FailureMode>,
    answer: Option<Answer>,
}

#[derive(Debug, Clone)]
struct Always {
    outcome: PredictedOutcome,
    because: String,
    remedy: Option<String>,
}

#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    kind: Kind,
    at_least: Option<Value>, // a number
    at_most: Option<Value>,  // a number
}

#[derive(Debug, Clone)]
struct Requirement {
    what: Arc<str>,
    key: Template,
    test: Test,
    value: Option<Expression>,   // present exactly if the test takes one
    otherwise: PredictedOutcome, // never Success
    because: Option<String>,
    remedy: Option<String>,
}

#[derive(Debug, Clone)]
struct Effect {
    verb: Verb,
    key: Template,
    value: Option<Expression>, // present exactly if the verb takes one
    limits: Limits,
}

/// Where the result of an addition must lie.
#[derive(Debug, Clone, Default)]
struct Limits {
    floor: Option<Expression>,
    ceiling: Option<Expression>,
}

impl Schema {
    /// Reads schemas from TOML: a list of tables `[[schema]]`.
    ///
    /// # Errors
    ///
    /// [`Error::SchemaText`] with line and column; [`Error::Schema`] with the schema and its part.
    pub fn parse(text: &str) -> Result<Vec<Self>, Error> {
        let file: SchemaFile = toml::from_str(text).map_err(|error| at_line(text, &error))?;
        file.schema.into_iter().map(Self::compile).collect()
    }

    /// The JSON schema of the text that [`Schema::parse`] reads, for editors and for whoever writes
    /// such text by a program: TOML and JSON have the same shape. It is published as
    /// `schemas/action-schemas.v1.json`.
    #[must_use]
    pub fn json_schema() -> Value {
        schemars::schema_for!(SchemaFile).to_value()
    }

    /// The paths that it models.
    #[must_use]
    pub fn pattern(&self) -> &PathPattern {
        &self.pattern
    }

    /// What such an action does, in words. May be empty.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    fn compile(text: SchemaText) -> Result<Self, Error> {
        let path = text.path.as_str().to_owned();
        let wrong = |place: String, reason: String| Error::Schema {
            path: path.clone(),
            place,
            reason,
        };
        let mut schema = Self {
            pattern: text.path,
            summary: text.summary,
            parameters: Vec::new(),
            defaults: Map::new(),
            other_parameters: text.other_parameters,
            requirements: Vec::new(),
            effects: Vec::new(),
            reversibility: text.reversibility,
            duration_us: spread(text.duration_us)
                .map_err(|reason| wrong("duration_us".to_owned(), reason))?,
            cost_micros: spread(text.cost_micros)
                .map_err(|reason| wrong("cost_micros".to_owned(), reason))?,
            always: None,
            compensation: None,
            failure_modes: text
                .failure_modes
                .unwrap_or_else(|| vec![FailureMode::NothingDone, FailureMode::DoneUnacknowledged]),
            answer: None,
        };
        for (name, parameter) in text.parameters {
            let place = format!("parameter {name:?}");
            schema
                .add_parameter(name, parameter)
                .map_err(|reason| wrong(place, reason))?;
        }
        for (index, requirement) in text.requires.into_iter().enumerate() {
            let compiled = schema.requirement(requirement);
            let compiled = compiled.map_err(|(part, reason)| {
                wrong(format!("requirement {}, {part}", index + 1), reason)
            })?;
            schema.requirements.push(compiled);
        }
        for (index, effect) in text.effects.into_iter().enumerate() {
            let compiled = schema.effect(effect);
            let compiled = compiled
                .map_err(|(part, reason)| wrong(format!("effect {}, {part}", index + 1), reason))?;
            schema.effects.push(compiled);
        }
        if let Some(parameters) = text.compensation {
            let compiled = schema.compile_compensation(parameters);
            let compiled = compiled.map_err(|reason| wrong("compensation".to_owned(), reason))?;
            schema.compensation = Some(compiled);
        }
        if let Some(always) = text.always {
            let always =
                check_always(always).map_err(|reason| wrong("always".to_owned(), reason))?;
            schema.always = Some(always);
        }
        if let Some(answer) = text.answer {
            let answer = schema.compile_answer(&answer);
            schema.answer = Some(answer.map_err(|reason| wrong("answer".to_owned(), reason))?);
        }
        Ok(schema)
    }

    fn compile_answer(&self, text: &Value) -> Result<Answer, String> {
        let mut answer = Answer::new(text)?;
        answer.bind(&|name| self.declared(name))?;
        Ok(answer)
    }

    fn add_parameter(&mut self, name: String, text: ParameterText) -> Result<(), String> {
        for bound in [&text.at_least, &text.at_most].into_iter().flatten() {
            if !bound.is_number() {
                return Err(format!("a bound is {}, not a number", kind_of(bound)));
            }
        }
        if let Some(default) = text.default {
            if !text.kind.admits(&default) {
                let (found, wanted) = (kind_of(&default), text.kind.with_article());
                return Err(format!("the default is {found}, not {wanted}"));
            }
            self.defaults.insert(name.clone(), default);
        }
        self.parameters.push(Parameter {
            name,
            kind: text.kind,
            at_least: text.at_least,
            at_most: text.at_most,
        });
        Ok(())
    }

    fn requirement(&self, text: RequirementText) -> Result<Requirement, (&'static str, String)> {
        let key = self.template(&text.key).map_err(|reason| ("key", reason))?;
        let name = format!("test {:?}", text.test.words());
        let value = self
            .value(&name, text.test.takes_value(), text.value.as_ref())
            .map_err(|reason| ("value", reason))?;
        if text.otherwise == PredictedOutcome::Success {
            let reason = "a violation cannot be a success".to_owned();
            return Err(("otherwise", reason));
        }
        let what = match &text.value {
            Some(Value::String(value)) => format!("{} {} {value}", text.key, text.test.words()),
            Some(value) => format!("{} {} {value}", text.key, text.test.words()),
            None => format!("{} {}", text.key, text.test.words()),
        };
        Ok(Requirement {
            what: what.into(),
            key,
            test: text.test,
            value,
            otherwise: text.otherwise,
            because: text.because,
            remedy: text.remedy,
        })
    }

    fn effect(&self, text: EffectText) -> Result<Effect, (&'static str, String)> {
        let key = self.template(&text.key).map_err(|reason| ("key", reason))?;
        let name = format!("effect {:?}", text.verb.name());
        let value = self
            .value(&name, text.verb.takes_value(), text.value.as_ref())
            .map_err(|reason| ("value", reason))?;
        let limit = |limit: &Option<Value>| match (text.verb.takes_limits(), limit) {
            (false, Some(_)) => Err(format!("{name} takes no limit")),
            (_, limit) => self.value(&name, limit.is_some(), limit.as_ref()),
        };
        let limits = Limits {
            floor: limit(&text.floor).map_err(|reason| ("floor", reason))?,
            ceiling: limit(&text.ceiling).map_err(|reason| ("ceiling", reason))?,
        };
        Ok(Effect {
            verb: text.verb,
            key,
            value,
            limits,
        })
    }

    fn compile_compensation(
        &self,
        parameters: BTreeMap<String, Value>,
    ) -> Result<Vec<(String, Expression)>, String> {
        if !matches!(self.reversibility, Reversibility::CompensatedBy(_)) {
            return Err("reversibility names no path of an action that compensates".to_owned());
        }
        let compile = |(name, value): (String, Value)| {
            let value = self.value("compensation", true, Some(&value))?;
            Ok(value.map(|value| (name, value)))
        };
        let parameters = parameters.into_iter();
        let compiled: Result<Vec<_>, String> = parameters.map(compile).collect();
        Ok(compiled?.into_iter().flatten().collect())
    }

    fn template(&self, source: &str) -> Result<Template, String> {
        let mut template = Template::new(source)?;
        template.bind(&|name| self.declared(name))?;
        Ok(template)
    }

    fn value(
        &self,
        name: &str,
        wanted: bool,
        value: Option<&Value>,
    ) -> Result<Option<Expression>, String> {
        match (wanted, value) {
            (true, Some(value)) => {
                let mut expression = Expression::new(value)?;
                expression.bind(&|name| self.declared(name))?;
                Ok(Some(expression))
            }
            (true, None) => Err(format!("{name} needs a value")),
            (false, Some(_)) => Err(format!("{name} takes no value")),
            (false, None) => Ok(None),
        }
    }

    /// The place of a parameter.
    fn declared(&self, name: &str) -> Result<usize, String> {
        let place = self.parameters.iter().position(|known| known.name == name);
        place.ok_or_else(|| format!("it names parameter {name:?}, which is not declared"))
    }
}

fn check_always(text: AlwaysText) -> Result<Always, String> {
    if text.outcome == PredictedOutcome::Success {
        return Err("a success needs no verdict".to_owned());
    }
    Ok(Always {
        outcome: text.outcome,
        because: text.because,
        remedy: text.remedy,
    })
}

fn spread(text: SpreadText) -> Result<Spread, String> {
    match text {
        SpreadText::Exactly(value) => Ok(Spread::exactly(value)),
        SpreadText::Between(spread) => {
            let Spread {
                least,
                likely,
                most,
            } = spread;
            if least <= likely && likely <= most {
                Ok(spread)
            } else {
                Err(format!(
                    "{likely} is likely, outside of the range from {least} to {most}"
                ))
            }
        }
    }
}

fn at_line(text: &str, error: &toml::de::Error) -> Error {
    let offset = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = &text.as_bytes()[..offset];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|&byte| byte == b'\n');
    let column = offset - line_start.map_or(0, |at| at + 1) + 1;
    Error::SchemaText {
        line,
        column,
        message: error.message().replace('\n', ", "),
    }
}
