//! What an action adds, deletes and costs.

use std::collections::BTreeMap;

use super::expression::Expression;
use super::formula::{Atom, Bindings, Formula, Objects, each};
use super::names::{Names, Typed, typed};
use crate::error::Error;
use crate::run::context::Context;

/// The one quantity of `:action-costs`.
const TOTAL: &str = "total-cost";

/// A conjunction of effects.
#[derive(Debug, Clone, Default)]
pub(super) struct Effect(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Add(Atom),
    Delete(Atom),
    When(Formula, Effect),
    Forall(Vec<Typed>, Effect),
    Cost(Cost),
}

#[derive(Debug, Clone)]
enum Cost {
    Exactly(f64),
    Function(String, Vec<String>), // variables begin with a question mark
}

/// What one action does in one state.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) added: Vec<String>,
    pub(super) deleted: Vec<String>,
    pub(super) cost: f64,
}

impl Effect {
    pub(super) fn parse(
        expression: &Expression,
        names: &Names,
        scope: &[Typed],
    ) -> Result<Self, Error> {
        let mut effect = Self::default();
        effect.add(expression, names, scope)?;
        Ok(effect)
    }

    fn add(
        &mut self,
        expression: &Expression,
        names: &Names,
        scope: &[Typed],
    ) -> Result<(), Error> {
        if expression.list()?.is_empty() {
            return Ok(());
        }
        match expression.head()? {
            ("and", parts) => {
                return parts
                    .iter()
                    .try_for_each(|part| self.add(part, names, scope));
            }
            ("not", [atom]) => self.0.push(Part::Delete(Atom::parse(atom, names, scope)?)),
            ("when", [condition, effect]) => {
                let condition = Formula::parse(condition, names, scope)?;
                self.0
                    .push(Part::When(condition, Self::parse(effect, names, scope)?));
            }
            ("forall", [variables, effect]) => {
                let variables = typed(variables.list()?)?;
                names.check_types(&variables, expression)?;
                let inner: Vec<Typed> = scope.iter().chain(&variables).cloned().collect();
                self.0
                    .push(Part::Forall(variables, Self::parse(effect, names, &inner)?));
            }
            ("increase", [total, amount])
                if matches!(total.head(), Ok((TOTAL, [])))
                    || total.word().is_ok_and(|w| w == TOTAL) =>
            {
                self.0.push(Part::Cost(cost(amount, names)?));
            }
            (
                word @ ("increase" | "decrease" | "assign" | "scale-up" | "scale-down" | "or"
                | "exists" | "imply" | "=" | "when" | "forall" | "not"),
                _,
            ) => {
                return Err(expression.refuse(format!("{word:?} is not supported here")));
            }
            _ => self
                .0
                .push(Part::Add(Atom::parse(expression, names, scope)?)),
        }
        Ok(())
    }

    /// Gathers what it does; every condition is looked at before anything is done.
    pub(super) fn gather(
        &self,
        bindings: &Bindings,
        objects: &Objects,
        values: &BTreeMap<String, f64>,
        context: &mut Context<'_, '_>,
        done: &mut Done,
    ) {
        for part in &self.0 {
            match part {
                Part::Add(atom) => done.added.push(atom.key(bindings)),
                Part::Delete(atom) => done.deleted.push(atom.key(bindings)),
                Part::When(condition, effect) => {
                    if condition.holds(bindings, objects, context) {
                        effect.gather(bindings, objects, values, context, done);
                    }
                }
                Part::Forall(variables, effect) => {
                    each(variables, bindings, objects, &mut |inner| {
                        effect.gather(inner, objects, values, context, done);
                        false
                    });
                }
                Part::Cost(cost) => done.cost += cost.of(bindings, values),
            }
        }
    }
}

impl Cost {
    fn of(&self, bindings: &Bindings, values: &BTreeMap<String, f64>) -> f64 {
        match self {
            Self::Exactly(cost) => *cost,
            Self::Function(name, terms) => {
                let mut key = name.clone();
                for term in terms {
                    let bound = term.strip_prefix('?');
                    let object = bound.and_then(|name| {
                        let mut bindings = bindings.iter().rev();
                        bindings
                            .find(|(known, _)| known == name)
                            .map(|(_, object)| object.as_str())
                    });
                    key.push('/');
                    key.push_str(object.unwrap_or(term));
                }
                values.get(&key).copied().unwrap_or(0.0)
            }
        }
    }
}

fn cost(amount: &Expression, names: &Names) -> Result<Cost, Error> {
    if let Ok(word) = amount.word() {
        let number: f64 = word
            .parse()
            .map_err(|_| amount.refuse("expected a number"))?;
        return Ok(Cost::Exactly(number));
    }
    let (function, terms) = amount.head()?;
    if !names.functions.contains(function) {
        return Err(amount.refuse(format!("function {function:?} is not declared")));
    }
    let terms: Result<Vec<String>, Error> = terms
        .iter()
        .map(|term| term.word().map(str::to_owned))
        .collect();
    Ok(Cost::Function(function.to_owned(), terms?))
}
