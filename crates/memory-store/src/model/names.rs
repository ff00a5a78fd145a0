//! The names of things: namespaces, ids and relations.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Longer names would dominate the indexes that repeat them.
const MAX_NAME_BYTES: usize = 128;

pub(crate) fn check_name(kind: &'static str, name: &str) -> Result<()> {
    let detail = if name.is_empty() {
        "must not be empty"
    } else if name.len() > MAX_NAME_BYTES {
        "must not be longer than 128 bytes"
    } else if name.chars().any(char::is_control) {
        "must not contain control characters"
    } else {
        return Ok(());
    };
    Err(Error::InvalidName {
        kind,
        name: name.to_owned(),
        detail,
    })
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>); // 1 to 128 bytes, no control characters

        impl $name {
            /// Checks a name.
            ///
            /// # Errors
            ///
            /// [`Error::InvalidName`] if it is empty, longer than 128 bytes, or contains a control
            /// character.
            pub fn new(name: impl AsRef<str>) -> Result<Self> {
                check_name($kind, name.as_ref())?;
                Ok(Self(name.as_ref().into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(name: String) -> Result<Self> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type!(
    /// A tenant's part of the store. Nothing is read or written without one, and nothing is ever
    /// found across two.
    Namespace,
    "namespace"
);

name_type!(
    /// The type of an edge, such as `caused` or `mentions`.
    Relation,
    "relation"
);

/// The number of a memory, unique in its namespace: chosen by the caller or counted by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct MemoryId(u64); // in [1, 2^63 - 1]: SQLite's integers are signed

impl MemoryId {
    /// The largest id as a number.
    pub const MAX: u64 = i64::MAX as u64;

    pub(crate) const MIN: Self = Self(1);

    /// Checks an id.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidId`] if it is zero or above [`MemoryId::MAX`].
    pub fn new(id: u64) -> Result<Self> {
        if (1..=Self::MAX).contains(&id) {
            Ok(Self(id))
        } else {
            Err(Error::InvalidId { id })
        }
    }

    /// The id as a number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The id after this one; the largest has none and is its own.
    pub(crate) fn next(self) -> Self {
        Self((self.0 + 1).min(Self::MAX))
    }

    pub(crate) fn to_sql(self) -> i64 {
        i64::try_from(self.0).expect("checked by new")
    }

    pub(crate) fn from_sql(id: i64) -> rusqlite::Result<Self> {
        u64::try_from(id)
            .ok()
            .and_then(|id| Self::new(id).ok())
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(0, id))
    }
}

impl TryFrom<u64> for MemoryId {
    type Error = Error;

    fn try_from(id: u64) -> Result<Self> {
        Self::new(id)
    }
}

impl From<MemoryId> for u64 {
    fn from(id: MemoryId) -> Self {
        id.0
    }
}

impl fmt::Display for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_breaks_a_rule_is_refused_with_the_rule() {
        let long = "x".repeat(129);
        for (name, rule) in [
            ("", "empty"),
            (long.as_str(), "longer than 128 bytes"),
            ("a\nb", "control"),
        ] {
            let error = Namespace::new(name).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
        assert_eq!(Relation::new("follows up").unwrap().as_str(), "follows up");
    }

    #[test]
    fn an_id_outside_of_the_range_of_sqlite_is_refused() {
        assert!(MemoryId::new(0).is_err());
        assert!(MemoryId::new(MemoryId::MAX + 1).is_err());
        assert_eq!(MemoryId::new(MemoryId::MAX).unwrap().to_sql(), i64::MAX);
    }
}
