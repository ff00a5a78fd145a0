use std::sync::Arc;

use action::Action;
use serde_json::{Map, Value};

use crate::plan::step_id::StepId;
use crate::plan::workflow::Step;
use crate::run::report::{Estimate, ExternalEffect, Precondition, PreconditionStatus, Spread};
use crate::run::stop::Stop;
use crate::world::fact::Fact;
use crate::world::overlay::Overlay;
use action::Timestamp;

/// All that a [`Handler`](crate::Handler) can see and do: the world as earlier steps left it, and
/// writes that stay in this simulation.
///
/// `'w` is the life of the world, `'s` of the step.
#[derive(Debug)]
pub struct Context<'s, 'w> {
    step: &'s Step,
    at: Timestamp,
    overlay: &'s mut Overlay<'w>,
    pub(crate) draft: Draft,
}

/// What a step gathers beside its changes.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) preconditions: Vec<Precondition>,
    pub(crate) external: Vec<ExternalEffect>,
    pub(crate) estimate: Estimate,
    pub(crate) unsafe_because: Option<String>,
    pub(crate) remedy: Option<String>,
    pub(crate) answer: Option<Fact>,
}

impl Draft {
    pub(crate) fn only_preconditions(self) -> Self {
        Self {
            preconditions: self.preconditions,
            ..Self::default()
        }
    }
}

impl<'s, 'w> Context<'s, 'w> {
    pub(crate) fn new(step: &'s Step, at: Timestamp, overlay: &'s mut Overlay<'w>) -> Self {
        Self {
            step,
            at,
            overlay,
            draft: Draft::default(),
        }
    }

    /// The step's id.
    #[must_use]
    pub fn step(&self) -> &'s StepId {
        &self.step.id
    }

    /// The action to play.
    #[must_use]
    pub fn action(&self) -> &'s Action {
        &self.step.action
    }

    /// The action's parameters.
    #[must_use]
    pub fn parameters(&self) -> &'s Map<String, Value> {
        &self.step.action.parameters
    }

    /// The moment at which the plan would run.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// A parameter.
    ///
    /// # Errors
    ///
    /// A [`Stop`] that says that it is missing.
    pub fn parameter(&self, name: &str) -> Result<&'s Value, Stop> {
        let parameters = self.parameters();
        parameters.get(name).ok_or_else(|| {
            Stop::would_fail(format!("parameter {name:?} is missing"))
                .with_remedy(format!("add parameter {name:?}"))
        })
    }

    /// A parameter that is text.
    ///
    /// # Errors
    ///
    /// A [`Stop`] that says that it is missing or something else.
    pub fn text(&self, name: &str) -> Result<&'s str, Stop> {
        let value = self.parameter(name)?;
        value
            .as_str()
            .ok_or_else(|| wrong_type(name, value, "a string"))
    }

    /// A parameter that is an integer.
    ///
    /// # Errors
    ///
    /// A [`Stop`] that says that it is missing or something else.
    pub fn integer(&self, name: &str) -> Result<i64, Stop> {
        let value = self.parameter(name)?;
        value
            .as_i64()
            .ok_or_else(|| wrong_type(name, value, "an integer"))
    }

    /// Looks at a key, as the world and the earlier steps left it. `None` if it does not exist.
    pub fn read(&mut self, key: &str) -> Option<Fact> {
        self.overlay.read(key)
    }

    /// As [`read`](Self::read), without a copy.
    pub(crate) fn look(&mut self, key: &str) -> Option<&Fact> {
        self.overlay.look(key)
    }

    /// Makes room for so many preconditions.
    pub(crate) fn expect_preconditions(&mut self, count: usize) {
        self.draft.preconditions.reserve_exact(count);
    }

    /// Looks at a key that must exist with a value that is known.
    ///
    /// # Errors
    ///
    /// A [`Stop`]: the action would fail if the key does not exist; nothing can be said if its
    /// value is not known.
    pub fn known(&mut self, key: &str) -> Result<Arc<Value>, Stop> {
        match self.read(key) {
            Some(Fact::Known(value)) => Ok(value),
            Some(fact) => Err(Stop::unknown(format!("{key} is {fact}"))),
            None => Err(Stop::would_fail(format!("{key} does not exist"))),
        }
    }

    /// Sets a key.
    pub fn write(&mut self, key: &str, fact: impl Into<Fact>) {
        self.overlay.write(key, Some(fact.into()));
    }

    /// Removes a key, if it exists.
    pub fn delete(&mut self, key: &str) {
        self.overlay.write(key, None);
    }

    /// Notes something that the action does beyond the keys of the world.
    pub fn external(&mut self, target: impl Into<String>, effect: impl Into<String>) {
        if self.draft.external.is_empty() {
            // Most actions have one.
            self.draft.external.reserve_exact(1);
        }
        self.draft.external.push(ExternalEffect {
            target: target.into(),
            effect: effect.into(),
        });
    }

    /// Says what the action would answer to its caller.
    pub fn answer(&mut self, answer: impl Into<Fact>) {
        self.draft.answer = Some(answer.into());
    }

    /// Notes a precondition that was looked at, with what was found.
    pub fn precondition(
        &mut self,
        what: impl Into<Arc<str>>,
        verdict: PreconditionStatus,
        evidence: Option<String>,
    ) {
        self.draft.preconditions.push(Precondition {
            what: what.into(),
            verdict,
            evidence,
        });
    }

    /// Says how long the action takes (in microseconds) and what it costs (in millionths of the
    /// unit), instead of nothing.
    pub fn estimate(&mut self, duration_us: Spread, cost_micros: Spread) {
        self.draft.estimate = Estimate {
            duration_us,
            cost_micros,
        };
    }

    /// Marks the step as unsafe and goes on, so that the report shows what it would do. The first
    /// reason stays.
    pub fn mark_unsafe(&mut self, reason: impl Into<String>, remedy: Option<String>) {
        if self.draft.unsafe_because.is_none() {
            self.draft.unsafe_because = Some(reason.into());
            self.draft.remedy = remedy;
        }
    }
}

fn wrong_type(name: &str, value: &Value, wanted: &str) -> Stop {
    Stop::would_fail(format!(
        "parameter {name:?} is {}, not {wanted}",
        kind_of(value)
    ))
    .with_remedy(format!("pass {wanted} as parameter {name:?}"))
}

/// A value's type with its article, for messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
