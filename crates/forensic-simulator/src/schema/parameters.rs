//! The parameters of an action, by their places among those that its schema declares.

use serde_json::{Map, Value};

use crate::run::stop::Stop;

/// What is given for each declared parameter, with the defaults of the schema behind it.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    given: &'a Map<String, Value>,
    /// Of the first ones; few actions have more.
    few: [Option<&'a Value>; FEW],
    more: Vec<Option<&'a Value>>,
    /// How many of those that are given are declared.
    declared: usize,
}

const FEW: usize = 8;

impl<'a> Parameters<'a> {
    /// Finds what is given for each declared name. That is fastest where both are in the same order,
    /// as they are if both are sorted.
    pub(crate) fn new(
        given: &'a Map<String, Value>,
        names: impl IntoIterator<Item = &'a str>,
        defaults: &'a Map<String, Value>,
    ) -> Self {
        let mut parameters = Self {
            given,
            few: [None; FEW],
            more: Vec::new(),
            declared: 0,
        };
        let mut next = given.iter().peekable();
        for (place, name) in names.into_iter().enumerate() {
            let found = match next.next_if(|(given, _)| *given == name) {
                Some((_, value)) => Some(value),
                None => given.get(name),
            };
            parameters.declared += usize::from(found.is_some());
            let value = found.or_else(|| defaults.get(name));
            match parameters.few.get_mut(place) {
                Some(few) => *few = value,
                None => parameters.more.push(value),
            }
        }
        parameters
    }

    /// The parameter of this name, which is the one at this place.
    #[inline]
    pub(crate) fn at(&self, place: usize, name: &str) -> Result<&'a Value, Stop> {
        let value = match self.few.get(place) {
            Some(value) => *value,
            None => self.more.get(place - FEW).copied().flatten(),
        };
        value.ok_or_else(|| missing(name))
    }

    /// The first that is given and that nobody declared.
    pub(crate) fn undeclared(&self, is_declared: impl Fn(&str) -> bool) -> Option<&'a str> {
        if self.declared == self.given.len() {
            return None;
        }
        let mut names = self.given.keys().map(String::as_str);
        names.find(|name| !is_declared(name))
    }
}

#[cold]
fn missing(name: &str) -> Stop {
    Stop::would_fail(format!("parameter {name:?} is missing"))
        .with_remedy(format!("add parameter {name:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_parameter_is_at_its_place_whatever_is_given_beside_it() {
        let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
        let names = || names.iter().map(String::as_str);
        let default = json!({"p03": "default", "p18": "default"});
        let default = default.as_object().unwrap();
        let mut given = Map::new();
        for (number, name) in names().enumerate() {
            if ![3, 5, 18, 19].contains(&number) {
                given.insert(name.to_owned(), number.into());
            }
        }
        for more in [None, Some("a"), Some("p05x"), Some("z")] {
            let mut given = given.clone();
            if let Some(more) = more {
                given.insert(more.to_owned(), Value::Null);
            }
            let parameters = Parameters::new(&given, names(), default);
            for (place, name) in names().enumerate() {
                let found = parameters.at(place, name);
                match place {
                    5 | 19 => {
                        let reason = format!("parameter {name:?} is missing");
                        assert_eq!(found.unwrap_err().reason, reason);
                    }
                    3 | 18 => assert_eq!(found.unwrap(), "default"),
                    _ => assert_eq!(found.unwrap(), &json!(place)),
                }
            }
            let undeclared = parameters.undeclared(|name| names().any(|known| known == name));
            assert_eq!(undeclared, more);
        }
    }
}
