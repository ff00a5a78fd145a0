//! Conditions, and what holds of them in a state.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::Expression;
use super::names::{Names, Typed, typed};
use crate::error::Error;
use crate::run::context::Context;

/// The objects of a problem with their types.
pub(super) type Objects = BTreeMap<String, BTreeSet<String>>;

/// What the variables stand for, the innermost last.
pub(super) type Bindings = [(String, String)];

#[derive(Debug, Clone)]
pub(super) enum Term {
    Variable(String),
    Object(String),
}

#[derive(Debug, Clone)]
pub(super) struct Atom {
    pub(super) predicate: String,
    pub(super) terms: Vec<Term>,
}

#[derive(Debug, Clone)]
pub(super) enum Formula {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Atom(Atom),
    Equal(Term, Term),
    Forall(Vec<Typed>, Box<Self>),
    Exists(Vec<Typed>, Box<Self>),
}

impl Term {
    fn parse(expression: &Expression, names: &Names, scope: &[Typed]) -> Result<Self, Error> {
        let word = expression.word()?;
        match word.strip_prefix('?') {
            Some(name) if scope.iter().any(|known| known.name == name) => {
                Ok(Self::Variable(name.to_owned()))
            }
            Some(name) => Err(expression.refuse(format!(
                "it names parameter {name:?}, which is not declared"
            ))),
            None if names.objects.contains_key(word) => Ok(Self::Object(word.to_owned())),
            None => Err(expression.refuse(format!("object {word:?} is not declared"))),
        }
    }

    pub(super) fn object<'a>(&'a self, bindings: &'a Bindings) -> &'a str {
        match self {
            Self::Object(name) => name,
            Self::Variable(name) => {
                let mut bound = bindings.iter().rev();
                bound
                    .find(|(known, _)| known == name)
                    .map_or("", |(_, object)| object)
            }
        }
    }
}

impl Atom {
    pub(super) fn parse(
        expression: &Expression,
        names: &Names,
        scope: &[Typed],
    ) -> Result<Self, Error> {
        let (predicate, terms) = expression.head()?;
        match names.predicates.get(predicate) {
            None => {
                return Err(expression.refuse(format!("predicate {predicate:?} is not declared")));
            }
            Some(&count) if count != terms.len() => {
                let reason = format!(
                    "predicate {predicate:?} takes {count} arguments, not {}",
                    terms.len()
                );
                return Err(expression.refuse(reason));
            }
            Some(_) => {}
        }
        let terms: Result<_, _> = terms
            .iter()
            .map(|term| Term::parse(term, names, scope))
            .collect();
        Ok(Self {
            predicate: predicate.to_owned(),
            terms: terms?,
        })
    }

    pub(super) fn key(&self, bindings: &Bindings) -> String {
        let mut key = self.predicate.clone();
        for term in &self.terms {
            key.push('/');
            key.push_str(term.object(bindings));
        }
        key
    }

    fn shown(&self, bindings: &Bindings) -> String {
        format!("({})", self.key(bindings).replace('/', " "))
    }
}

impl Formula {
    pub(super) fn parse(
        expression: &Expression,
        names: &Names,
        scope: &[Typed],
    ) -> Result<Self, Error> {
        if expression.list()?.is_empty() {
            return Ok(Self::And(Vec::new()));
        }
        let all = |parts: &[Expression]| -> Result<Vec<Self>, Error> {
            parts
                .iter()
                .map(|part| Self::parse(part, names, scope))
                .collect()
        };
        Ok(match expression.head()? {
            ("and", parts) => Self::And(all(parts)?),
            ("or", parts) => Self::Or(all(parts)?),
            ("not", [part]) => Self::Not(Box::new(Self::parse(part, names, scope)?)),
            ("imply", [premise, conclusion]) => {
                let premise = Self::Not(Box::new(Self::parse(premise, names, scope)?));
                Self::Or(vec![premise, Self::parse(conclusion, names, scope)?])
            }
            ("=", [one, other]) => Self::Equal(
                Term::parse(one, names, scope)?,
                Term::parse(other, names, scope)?,
            ),
            (word @ ("forall" | "exists"), [variables, part]) => {
                let variables = typed(variables.list()?)?;
                names.check_types(&variables, expression)?;
                let inner: Vec<Typed> = scope.iter().chain(&variables).cloned().collect();
                let part = Box::new(Self::parse(part, names, &inner)?);
                match word {
                    "forall" => Self::Forall(variables, part),
                    _ => Self::Exists(variables, part),
                }
            }
            (
                word @ ("when" | "preference" | "<" | ">" | "<=" | ">=" | "not" | "imply"
                | "forall" | "exists" | "="),
                _,
            ) => {
                return Err(expression.refuse(format!("{word:?} is not supported here")));
            }
            _ => Self::Atom(Atom::parse(expression, names, scope)?),
        })
    }

    /// Whether it holds as the steps before left the state.
    pub(super) fn holds(
        &self,
        bindings: &Bindings,
        objects: &Objects,
        context: &mut Context<'_, '_>,
    ) -> bool {
        match self {
            Self::And(parts) => parts
                .iter()
                .all(|part| part.holds(bindings, objects, context)),
            Self::Or(parts) => parts
                .iter()
                .any(|part| part.holds(bindings, objects, context)),
            Self::Not(part) => !part.holds(bindings, objects, context),
            Self::Atom(atom) => context.look(&atom.key(bindings)).is_some(),
            Self::Equal(one, other) => one.object(bindings) == other.object(bindings),
            Self::Forall(variables, part) => !each(variables, bindings, objects, &mut |inner| {
                !part.holds(inner, objects, context)
            }),
            Self::Exists(variables, part) => each(variables, bindings, objects, &mut |inner| {
                part.holds(inner, objects, context)
            }),
        }
    }

    /// The first part that does not hold, in words; none if all do.
    pub(super) fn broken(
        &self,
        bindings: &Bindings,
        objects: &Objects,
        context: &mut Context<'_, '_>,
    ) -> Option<String> {
        match self {
            Self::And(parts) => parts
                .iter()
                .find_map(|part| part.broken(bindings, objects, context)),
            _ if self.holds(bindings, objects, context) => None,
            Self::Atom(atom) => Some(format!("{} does not hold", atom.shown(bindings))),
            Self::Not(part) => match &**part {
                Self::Atom(atom) => Some(format!("{} holds", atom.shown(bindings))),
                Self::Equal(one, _) => Some(format!("it is twice {}", one.object(bindings))),
                _ => Some("a negated condition holds".to_owned()),
            },
            Self::Or(_) => Some("no part of a disjunction holds".to_owned()),
            Self::Equal(one, other) => Some(format!(
                "{} is not {}",
                one.object(bindings),
                other.object(bindings)
            )),
            Self::Forall(variables, part) => {
                let mut found = None;
                each(variables, bindings, objects, &mut |inner| {
                    found = part.broken(inner, objects, context);
                    found.is_some()
                });
                found
            }
            Self::Exists(..) => Some("no object fits a condition".to_owned()),
        }
    }
}

/// Calls back with each way to bind the variables to objects of their types, until it says so.
pub(super) fn each(
    variables: &[Typed],
    bindings: &Bindings,
    objects: &Objects,
    found: &mut dyn FnMut(&Bindings) -> bool,
) -> bool {
    let Some((first, rest)) = variables.split_first() else {
        return found(bindings);
    };
    objects
        .iter()
        .filter(|(_, types)| is_of(types, first))
        .any(|(object, _)| {
            let mut inner = bindings.to_vec();
            inner.push((first.name.clone(), object.clone()));
            each(rest, &inner, objects, found)
        })
}

/// Whether an object of some types may stand for a name.
pub(super) fn is_of(types: &BTreeSet<String>, name: &Typed) -> bool {
    name.types.is_empty() || name.types.iter().any(|kind| types.contains(kind))
}
