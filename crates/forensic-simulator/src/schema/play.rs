//! How a schema plays an action.

use std::borrow::Cow;
use std::sync::Arc;

use action::Action;
use serde_json::{Map, Value};

use super::text::{Test, Verb};
use super::{Effect, Limits, Parameter, Requirement, Schema};
use crate::run::context::Context;
use crate::run::context::kind_of;
use crate::run::handler::{FailureMode, Handler};
use crate::run::report::{PreconditionStatus, PredictedOutcome, Reversibility};
use crate::run::stop::Stop;
use crate::schema::number;
use crate::schema::parameters::Parameters;
use crate::world::fact::Fact;

impl Handler for Schema {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let parameters = self.parameters(context.parameters());
        self.check_parameters(&parameters)?;
        context.expect_preconditions(self.requirements.len());
        for requirement in &self.requirements {
            requirement.check(context, &parameters)?;
        }
        context.estimate(self.duration_us, self.cost_micros);
        if let Some(always) = &self.always {
            if always.outcome != PredictedOutcome::Unsafe || self.effects.is_empty() {
                let mut stop = Stop::new(always.outcome, always.because.clone());
                stop.remedy.clone_from(&always.remedy);
                return Err(stop);
            }
            context.mark_unsafe(always.because.clone(), always.remedy.clone());
        }
        for effect in &self.effects {
            effect.play(context, &parameters)?;
        }
        if let Some(answer) = &self.answer {
            let answer = answer.evaluate(context, &parameters)?;
            context.answer(answer);
        }
        Ok(())
    }

    fn reversibility(&self) -> Reversibility {
        self.reversibility.clone()
    }

    fn compensation(&self, action: &Action) -> Option<Action> {
        let Reversibility::CompensatedBy(path) = &self.reversibility else {
            return None;
        };
        let parameters = self.parameters(&action.parameters);
        let name = ["Make up for ", action.name.as_str()].concat();
        let mut undo = Action::new(path.clone(), name);
        for (name, value) in self.compensation.as_ref()? {
            undo.parameters
                .insert(name.clone(), value.evaluate(&parameters).ok()?);
        }
        Some(undo)
    }

    fn failure_modes(&self) -> &[FailureMode] {
        &self.failure_modes
    }
}

impl Schema {
    fn parameters<'a>(&'a self, given: &'a Map<String, Value>) -> Parameters<'a> {
        let names = self
            .parameters
            .iter()
            .map(|declared| declared.name.as_str());
        Parameters::new(given, names, &self.defaults)
    }

    fn check_parameters(&self, parameters: &Parameters<'_>) -> Result<(), Stop> {
        for (place, parameter) in self.parameters.iter().enumerate() {
            parameter.check(parameters.at(place, &parameter.name)?)?;
        }
        if self.other_parameters {
            return Ok(());
        }
        let declared = |name: &str| self.parameters.iter().any(|p| p.name == name);
        match parameters.undeclared(declared) {
            None => Ok(()),
            Some(name) => {
                let reason = format!("parameter {name:?} is not one of this action");
                Err(Stop::would_fail(reason).with_remedy(format!("drop parameter {name:?}")))
            }
        }
    }
}

impl Parameter {
    fn check(&self, value: &Value) -> Result<(), Stop> {
        let name = &self.name;
        if !self.kind.admits(value) {
            let (found, wanted) = (kind_of(value), self.kind.with_article());
            let stop = Stop::would_fail(format!("parameter {name:?} is {found}, not {wanted}"));
            return Err(stop.with_remedy(format!("pass {wanted} as parameter {name:?}")));
        }
        let bounds = [
            (&self.at_least, std::cmp::Ordering::Less, "below the least"),
            (&self.at_most, std::cmp::Ordering::Greater, "above the most"),
        ];
        for (bound, beyond, words) in bounds {
            if let (Some(Value::Number(bound)), Value::Number(value)) = (bound, value)
                && number::compare(value, bound) == Some(beyond)
            {
                let reason = format!("parameter {name:?} is {value}, {words}, {bound}");
                let remedy = format!("pass a parameter {name:?} within its bounds");
                return Err(Stop::would_fail(reason).with_remedy(remedy));
            }
        }
        Ok(())
    }
}

impl Requirement {
    fn check(
        &self,
        context: &mut Context<'_, '_>,
        parameters: &Parameters<'_>,
    ) -> Result<(), Stop> {
        let key = self.key.render(parameters)?;
        let wanted = match &self.value {
            Some(value) => Some(value.borrow(parameters)?),
            None => None,
        };
        let fact = context.look(&key);
        let verdict = self.verdict(fact, wanted.as_deref());
        if verdict == PreconditionStatus::Satisfied {
            context.precondition(Arc::clone(&self.what), verdict, None);
            return Ok(());
        }
        let evidence = match fact {
            Some(fact) => format!("{key} is {}", crate::text::shorten(&fact.to_string())),
            None => format!("{key} does not exist"),
        };
        let words = self.test.words();
        let wanted = wanted.map_or(String::new(), |value| format!(" {value}"));
        let reason = match (&self.because, verdict) {
            (_, PreconditionStatus::Undetermined) => {
                format!("{evidence}, so it is open whether it {words}{wanted}")
            }
            (Some(because), _) => format!("{because}: {evidence}"),
            (None, _) => format!("{evidence}, and is needed to be so that it {words}{wanted}"),
        };
        context.precondition(Arc::clone(&self.what), verdict, Some(evidence));
        let outcome = match verdict {
            PreconditionStatus::Undetermined => PredictedOutcome::Unknown,
            _ => self.otherwise,
        };
        let mut stop = Stop::new(outcome, reason);
        stop.remedy.clone_from(&self.remedy);
        Err(stop)
    }

    fn verdict(&self, fact: Option<&Fact>, wanted: Option<&Value>) -> PreconditionStatus {
        let holds = match (self.test, fact) {
            (Test::Exists, fact) => fact.is_some(),
            (Test::Absent, fact) => fact.is_none(),
            // Nothing differs from everything, and has no size.
            (Test::Differs, None) => true,
            (_, None) => false,
            (_, Some(fact)) => {
                let (Some(found), Some(wanted)) = (fact.value(), wanted) else {
                    return PreconditionStatus::Undetermined;
                };
                compare(self.test, found, wanted)
            }
        };
        if holds {
            PreconditionStatus::Satisfied
        } else {
            PreconditionStatus::Violated
        }
    }
}

fn compare(test: Test, found: &Value, wanted: &Value) -> bool {
    let order = || match (found, wanted) {
        (Value::Number(found), Value::Number(wanted)) => number::compare(found, wanted),
        (Value::String(found), Value::String(wanted)) => Some(found.cmp(wanted)),
        _ => None,
    };
    match test {
        Test::Equals => number::same(found, wanted),
        Test::Differs => !number::same(found, wanted),
        Test::AtLeast => order().is_some_and(std::cmp::Ordering::is_ge),
        Test::AtMost => order().is_some_and(std::cmp::Ordering::is_le),
        Test::Exists | Test::Absent => true,
    }
}

impl Effect {
    fn play(&self, context: &mut Context<'_, '_>, parameters: &Parameters<'_>) -> Result<(), Stop> {
        let key = self.key.render(parameters)?;
        let value = match &self.value {
            Some(value) => value.borrow(parameters)?,
            None => Cow::Owned(Value::Null),
        };
        match self.verb {
            Verb::Read => {
                context.look(&key);
            }
            Verb::Set => context.write(&key, value.into_owned()),
            Verb::Delete => context.delete(&key),
            Verb::Forget => context.write(&key, Fact::unknown(as_text(value.into_owned()))),
            Verb::External => context.external(key.into_owned(), as_text(value.into_owned())),
            Verb::Add | Verb::Subtract => self.combine(context, parameters, &key, &value)?,
        }
        Ok(())
    }
}

fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn not_a_number(what: &str, value: &Value) -> Stop {
    Stop::would_fail(format!("{what} is {}, not a number", kind_of(value)))
}

impl Effect {
    /// Adds to, or subtracts from, the number at a key.
    fn combine(
        &self,
        context: &mut Context<'_, '_>,
        parameters: &Parameters<'_>,
        key: &str,
        amount: &Value,
    ) -> Result<(), Stop> {
        let Value::Number(amount) = amount else {
            return Err(not_a_number("the amount", amount));
        };
        let found = match context.look(key) {
            None => return Err(Stop::would_fail(format!("{key} does not exist"))),
            Some(Fact::Known(found)) => found,
            Some(fact) => return Err(Stop::unknown(format!("{key} is {fact}"))),
        };
        let Value::Number(before) = &**found else {
            return Err(not_a_number(key, found));
        };
        let after = match self.verb {
            Verb::Subtract => number::subtract(before, amount),
            _ => number::add(before, amount),
        };
        let Some(after) = after else {
            let reason = format!("{key} is {before}, and {amount} takes it out of range");
            return Err(Stop::would_fail(reason));
        };
        self.limits.check(parameters, key, &after)?;
        context.write(key, after);
        Ok(())
    }
}

impl Limits {
    fn check(&self, parameters: &Parameters<'_>, key: &str, after: &Value) -> Result<(), Stop> {
        for (limit, test, words) in [
            (&self.floor, Test::AtLeast, "below the limit of"),
            (&self.ceiling, Test::AtMost, "above the limit of"),
        ] {
            let Some(limit) = limit else { continue };
            let limit = limit.borrow(parameters)?;
            if !compare(test, after, &limit) {
                let reason = format!("{key} would be {after}, {words} {limit}");
                return Err(Stop::would_fail(reason));
            }
        }
        Ok(())
    }
}
