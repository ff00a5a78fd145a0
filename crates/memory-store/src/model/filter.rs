//! Conditions on what a query may find.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::memory::AttributeValue;
use crate::model::names::Timestamp;
use crate::model::time::When;

/// Conditions that a memory must all meet. The default one is met by every memory that is true
/// without an end.
///
/// ```
/// use memory_store::{Filter, Timestamp};
///
/// let recent_failures = Filter::new()
///     .tag("failure")
///     .attribute("agent", "builder-7")
///     .from(Timestamp::from_unix_millis(1_700_000_000_000));
/// assert!(recent_failures.tags.contains("failure"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Filter {
    /// Tags that it must have.
    pub tags: BTreeSet<String>,
    /// Attributes that it must have, with these values.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// A part of its text, compared byte by byte.
    pub text_contains: Option<String>,
    /// The earliest moment, inclusive.
    pub from: Option<Timestamp>,
    /// The latest moment, exclusive.
    pub until: Option<Timestamp>,
    /// As of when it must be true.
    #[serde(default)]
    pub when: When,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            tags: BTreeSet::new(),
            attributes: BTreeMap::new(),
            text_contains: None,
            from: None,
            until: None,
            when: When::Current,
        }
    }
}

impl Filter {
    /// A filter that every memory passes that is true without an end.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires a tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.insert(tag.into());
        self
    }

    /// Requires an attribute with this value.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Requires a part of the text.
    #[must_use]
    pub fn text_contains(mut self, part: impl Into<String>) -> Self {
        self.text_contains = Some(part.into());
        self
    }

    /// Sets the earliest moment, inclusive.
    #[must_use]
    pub fn from(mut self, from: Timestamp) -> Self {
        self.from = Some(from);
        self
    }

    /// Sets the latest moment, exclusive.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Sets as of when it must be true. Default: [`When::Current`].
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}
