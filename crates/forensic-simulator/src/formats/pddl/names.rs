//! What a domain and a problem declare.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::Expression;
use crate::error::Error;

pub(super) const ROOT: &str = "object";

/// A name with its types: any of several, or none where it has none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) types: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// By type, those above it.
    supertypes: BTreeMap<String, Vec<String>>,
    /// Each constant and object with its types.
    pub(super) objects: BTreeMap<String, Vec<String>>,
    /// By name, how many arguments it takes.
    pub(super) predicates: BTreeMap<String, usize>,
    pub(super) functions: BTreeSet<String>,
}

impl Names {
    pub(super) fn add_types(&mut self, items: &[Expression]) -> Result<(), Error> {
        for Typed { name, types } in typed(items)? {
            for above in &types {
                self.supertypes.entry(above.clone()).or_default();
            }
            self.supertypes.entry(name).or_default().extend(types);
        }
        Ok(())
    }

    pub(super) fn add_objects(&mut self, items: &[Expression]) -> Result<(), Error> {
        let objects = typed(items)?;
        if let Some(first) = items.first() {
            self.check_types(&objects, first)?;
        }
        self.objects.extend(
            objects
                .into_iter()
                .map(|object| (object.name, object.types)),
        );
        Ok(())
    }

    pub(super) fn add_predicates(&mut self, items: &[Expression]) -> Result<(), Error> {
        for item in items {
            let (name, arguments) = item.head()?;
            let arguments = typed(arguments)?;
            self.check_types(&arguments, item)?;
            if self
                .predicates
                .insert(name.to_owned(), arguments.len())
                .is_some()
            {
                return Err(item.refuse(format!("there are two predicates {name:?}")));
            }
        }
        Ok(())
    }

    /// The names of `(total-cost) - number (distance ?a ?b) - number`.
    pub(super) fn add_functions(&mut self, items: &[Expression]) -> Result<(), Error> {
        for item in items.iter().filter(|item| item.list().is_ok()) {
            self.functions.insert(item.head()?.0.to_owned());
        }
        Ok(())
    }

    pub(super) fn check_types(&self, names: &[Typed], at: &Expression) -> Result<(), Error> {
        let types = names.iter().flat_map(|name| &name.types);
        let mut unknown =
            types.filter(|kind| *kind != ROOT && !self.supertypes.contains_key(*kind));
        match unknown.next() {
            Some(kind) => Err(at.refuse(format!("type {kind:?} is not declared"))),
            None => Ok(()),
        }
    }

    /// Some types and all those above them; the root alone where there are none.
    pub(super) fn types_of(&self, kinds: &[String]) -> BTreeSet<String> {
        let mut types = BTreeSet::from([ROOT.to_owned()]);
        let mut open = kinds.to_vec();
        while let Some(kind) = open.pop() {
            // A type that is above itself ends here too.
            if types.insert(kind.clone()) {
                open.extend(self.supertypes.get(&kind).into_iter().flatten().cloned());
            }
        }
        types
    }
}

/// A list such as `?a ?b - block ?c - (either x y)`: each name with its types. Question marks are
/// dropped.
pub(super) fn typed(items: &[Expression]) -> Result<Vec<Typed>, Error> {
    let mut names: Vec<Typed> = Vec::new();
    let mut without_type = 0;
    let mut items = items.iter();
    while let Some(item) = items.next() {
        if item.word()? != "-" {
            names.push(Typed {
                name: item.word()?.trim_start_matches('?').to_owned(),
                types: Vec::new(),
            });
            continue;
        }
        let kind = items.next().ok_or_else(|| item.refuse("no type follows"))?;
        let types = match kind.head() {
            Ok(("either", types)) => types
                .iter()
                .map(|kind| kind.word().map(str::to_owned))
                .collect(),
            _ => kind.word().map(|kind| vec![kind.to_owned()]),
        }?;
        for name in &mut names[without_type..] {
            name.types.clone_from(&types);
        }
        without_type = names.len();
    }
    Ok(names)
}
