//! Reading JSON in which no object has a name twice: a parser that takes the last of two would give two
//! different calls one digest.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads an object; for `#[serde(deserialize_with)]`.
///
/// # Errors
///
/// When it is no object, or it or an object in it has a name twice.
pub fn unique_names<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    from.deserialize_map(UniqueObject)
}

/// Reads an object.
struct UniqueObject;

impl<'de> Visitor<'de> for UniqueObject {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(Unique)?;
            if map.contains_key(&name) {
                let name = crate::visible(&name).into_owned();
                return Err(A::Error::custom(format!(
                    "the name {name:?} is there twice"
                )));
            }
            map.insert(name, value);
        }
        Ok(map)
    }
}

/// Reads any value.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Value, A::Error> {
        UniqueObject.visit_map(from).map(Value::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(Unique)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::*;

    fn read(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
        unique_names(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_however_deep() {
        for text in [
            r#"{"key":"prod","key":"tmp"}"#,
            r#"{"a":{"key":1,"b":2,"key":1}}"#,
            r#"{"a":[1,[{"key":1,"\u006bey":2}]]}"#,
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.starts_with("the name \"key\" is there twice"),
                "{error}"
            );
        }
        assert!(read("[]").is_err());
    }

    #[test]
    fn everything_else_is_read_as_ever() {
        let text = r#"{"a":[null,true,-3,18446744073709551615,0.5,"x"],"b":{"a":{}},"c":1e300}"#;
        let ever = Map::deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
        assert_eq!(read(text).unwrap(), ever);
    }
}
