//! A tool's arguments, each name once, as they were sent.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::message::Fault;

pub(super) type Arguments = BTreeMap<String, Box<RawValue>>;

/// No arguments where none were sent.
pub(super) fn parse(raw: Option<&RawValue>) -> Result<Arguments, Fault> {
    let text = raw.map_or("{}", RawValue::get);
    let once: Once = serde_json::from_str(text)
        .map_err(|error| Fault::new(Fault::PARAMS, format!("arguments: {error}")))?;
    Ok(once.0)
}

/// An argument that stands in a path, a query or a header: a text, or a number as it is written.
pub(super) fn plain(name: &str, raw: &RawValue) -> Result<String, Fault> {
    let text = raw.get();
    if text.starts_with('"') {
        return serde_json::from_str(text)
            .map_err(|error| Fault::new(Fault::PARAMS, format!("{name}: {error}")));
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(
        Fault::PARAMS,
        format!("{name} is a text or a number, not {text}"),
    ))
}

/// An object in which a name that is there twice is a fault: whoever runs the action may read the other one.
struct Once(Arguments);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
                let mut all = Arguments::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if all.contains_key(&name) {
                        return Err(A::Error::custom(format!("{name:?} is there twice")));
                    }
                    all.insert(name, value);
                }
                Ok(Once(all))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_with_each_name_once() {
        let of = |text: &str| parse(Some(&RawValue::from_string(text.to_owned()).unwrap()));
        assert!(parse(None).unwrap().is_empty());
        assert_eq!(
            of(r#"{"n":9007199254740993}"#).unwrap()["n"].get(),
            "9007199254740993"
        );
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            "[]",
            "null",
            "3",
        ] {
            assert_eq!(of(text).unwrap_err().code, Fault::PARAMS, "{text}");
        }
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(plain("id", &raw(r#""r-1""#)).unwrap(), "r-1");
        assert_eq!(plain("id", &raw("17")).unwrap(), "17");
        assert!(plain("id", &raw("{}")).is_err() && plain("id", &raw("true")).is_err());
    }
}
