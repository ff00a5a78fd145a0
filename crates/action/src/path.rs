use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, shorten};

/// Where an action acts: segments separated by `/`, such as `payments/refund`.
///
/// The rules keep a path to one spelling, so that a rule which covers it cannot be side-stepped:
/// no empty, `.` or `..` segment, no leading or trailing `/`, no `*`, no control character and no
/// white space at a segment's ends, at most [`ActionPath::MAX_BYTES`] bytes. Case counts.
///
/// Cheap to copy: reports and records repeat it for each step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ActionPath(Arc<str>); // in 1..=MAX_BYTES bytes

impl ActionPath {
    /// The longest path, in bytes: long enough for a URL, short enough for an index key.
    pub const MAX_BYTES: usize = 1024;

    /// Checks a path.
    ///
    /// # Errors
    ///
    /// [`Error::Path`], which says which rule the path breaks.
    pub fn new(path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        match fault(&path) {
            None => Ok(Self(path.into())),
            Some(reason) => Err(Error::Path {
                path: shorten(&path),
                reason,
            }),
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fault(path: &str) -> Option<&'static str> {
    if path.len() > ActionPath::MAX_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if path.contains('*') {
        return Some("it contains `*`, which belongs into patterns");
    }
    path.split('/').find_map(segment_fault)
}

/// What is wrong with one segment of a path or a pattern.
pub(crate) fn segment_fault(segment: &str) -> Option<&'static str> {
    if segment.is_empty() {
        Some("it has an empty segment")
    } else if segment == "." || segment == ".." {
        Some("it has a segment `.` or `..`")
    } else if segment.chars().any(char::is_control) {
        Some("it contains a control character")
    } else if segment.trim() != segment {
        Some("a segment starts or ends with white space")
    } else {
        None
    }
}

impl fmt::Display for ActionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ActionPath {
    type Error = Error;

    fn try_from(path: String) -> Result<Self, Error> {
        Self::new(path)
    }
}

impl From<ActionPath> for String {
    fn from(path: ActionPath) -> Self {
        path.as_str().to_owned()
    }
}

impl Serialize for ActionPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        for path in ["a", "payments/refund", "db/tables/über ordner/x.y", "a/..b"] {
            assert!(ActionPath::new(path).is_ok(), "{path:?}");
        }
        let long = "a".repeat(1025);
        for path in [
            "", "/a", "a/", "a//b", "a/../b", "./a", "a/*", "a/\u{7}", "a\0", " a", "a/b ", &long,
        ] {
            assert!(ActionPath::new(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn an_error_names_the_path_and_the_rule() {
        assert_eq!(
            ActionPath::new("a//b").unwrap_err().to_string(),
            "invalid action path \"a//b\": it has an empty segment"
        );
        let long = ActionPath::new("x".repeat(5000)).unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn a_path_read_from_json_is_checked_too() {
        assert!(serde_json::from_str::<ActionPath>("\"a/../b\"").is_err());
    }
}
