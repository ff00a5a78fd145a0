use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::digest::Version;

/// The name of one piece of a world, such as `accounts/alice/balance_cents`.
///
/// Any text; cheap to copy, because reports and overlays share it with the world.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(#[serde(deserialize_with = "crate::text::shared")] Arc<str>);

impl Key {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of a key that exists.
///
/// In JSON a known value stands as it is; the two others are objects of one field, `$unknown` or
/// `$secret`. A known object that looks like one of these is written below `$known`, and so is
/// `null`, which would otherwise be taken for "does not exist".
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fact {
    /// The value.
    Known(Arc<Value>),
    /// There is a value, and nobody knows which.
    Unknown(Unknown),
    /// There is a value that no report may show, and no handler sees.
    Secret(Secret),
}

/// Why a value is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// What makes the value, such as "assigned by the cloud provider".
    pub origin: Arc<str>,
    /// Its type where that is known, such as "string".
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Arc<str>>,
}

/// A value that is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// What it is, such as "database password".
    pub label: Arc<str>,
    /// Something that changes when the secret does and does not reveal it, such as the number of
    /// its rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Arc<str>>,
}

impl Fact {
    /// A value that exists and is not known.
    pub fn unknown(origin: impl Into<Arc<str>>) -> Self {
        let (origin, kind) = (origin.into(), None);
        Self::Unknown(Unknown { origin, kind })
    }

    /// A value that exists and must not be shown.
    pub fn secret(label: impl Into<Arc<str>>) -> Self {
        let (label, fingerprint) = (label.into(), None);
        Self::Secret(Secret { label, fingerprint })
    }

    /// The value, if it is known.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) | Self::Secret(_) => None,
        }
    }

    /// The version that this content has in every world.
    #[must_use]
    pub fn version(&self) -> Version {
        // Facts are made of strings and JSON values, whose maps have text as keys: the two ways in
        // which serde_json could fail do not exist.
        Version::of(&serde_json::to_vec(self).expect("a fact has a JSON form"))
    }
}

impl<T: Into<Value>> From<T> for Fact {
    fn from(value: T) -> Self {
        Self::Known(Arc::new(value.into()))
    }
}

const KNOWN: &str = "$known";
const UNKNOWN: &str = "$unknown";
const SECRET: &str = "$secret";

/// The tag of an object that must not be taken for a plain value.
fn tag(value: &Value) -> Option<&'static str> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    [KNOWN, UNKNOWN, SECRET]
        .into_iter()
        .find(|tag| object.contains_key(*tag))
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = match self {
            Self::Known(value) if tag(value).is_none() && !value.is_null() => {
                return value.serialize(to);
            }
            _ => to.serialize_map(Some(1))?,
        };
        match self {
            Self::Known(value) => map.serialize_entry(KNOWN, value)?,
            Self::Unknown(unknown) => map.serialize_entry(UNKNOWN, unknown)?,
            Self::Secret(secret) => map.serialize_entry(SECRET, secret)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let Some(tag) = tag(&value) else {
            return Ok(value.into());
        };
        let inner = match value {
            Value::Object(object) => object.into_values().next().unwrap_or_default(),
            other => other,
        };
        match tag {
            UNKNOWN => serde_json::from_value(inner).map(Self::Unknown),
            SECRET => serde_json::from_value(inner).map(Self::Secret),
            _ => Ok(inner.into()),
        }
        .map_err(de::Error::custom)
    }
}

/// As people read it: JSON, `(unknown: why)` or `(secret: what)`.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unknown(unknown) => write!(f, "(unknown: {})", unknown.origin),
            Self::Secret(secret) => match &secret.fingerprint {
                Some(fingerprint) => write!(f, "(secret: {}, {fingerprint})", secret.label),
                None => write!(f, "(secret: {})", secret.label),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_fact_survives_its_json() {
        for (fact, text) in [
            (Fact::from(5), "5"),
            (Fact::from(json!({"a": [1]})), r#"{"a":[1]}"#),
            (Fact::unknown("cloud"), r#"{"$unknown":{"origin":"cloud"}}"#),
            (Fact::secret("token"), r#"{"$secret":{"label":"token"}}"#),
            (
                Fact::from(json!({"$secret": {"label": "x"}})),
                r#"{"$known":{"$secret":{"label":"x"}}}"#,
            ),
            (Fact::from(Value::Null), r#"{"$known":null}"#),
            (
                Fact::from(json!({"$known": 1})),
                r#"{"$known":{"$known":1}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&fact).unwrap(), text);
            assert_eq!(serde_json::from_str::<Fact>(text).unwrap(), fact);
        }
    }

    #[test]
    fn a_version_is_the_content() {
        assert_eq!(Fact::from("a").version(), Fact::from("a").version());
        assert_ne!(Fact::from("a").version(), Fact::from("b").version());
        let rotated = Fact::Secret(Secret {
            label: "token".into(),
            fingerprint: Some("2".into()),
        });
        assert_ne!(rotated.version(), Fact::secret("token").version());
    }
}
