//! Conditions on what a query may find.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::memory::AttributeValue;

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
///     .from(Timestamp::from_millis(1_700_000_000_000));
/// assert!(recent_failures.tags.contains("failure"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Filter {
    /// Tags that it must have, all of them.
    pub tags: BTreeSet<String>,
    /// Attributes that it must have, with these values.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Sets of tags, of each of which it must have at least one.
    #[serde(default)]
    pub any_tags: Vec<BTreeSet<String>>,
    /// Attributes that it must have, each with one of these values.
    #[serde(default)]
    pub any_values: BTreeMap<String, BTreeSet<AttributeValue>>,
    /// Attributes that must be whole numbers between these, both inclusive.
    #[serde(default)]
    pub numbers: BTreeMap<String, (i64, i64)>,
    /// Tags that it must not have.
    #[serde(default)]
    pub no_tags: BTreeSet<String>,
    /// Attributes that it must not have with these values.
    #[serde(default)]
    pub no_values: BTreeMap<String, BTreeSet<AttributeValue>>,
    /// A part of its text, compared byte by byte.
    pub text_contains: Option<String>,
    /// The earliest moment, inclusive.
    #[serde(default, with = "crate::model::millis::option")]
    pub from: Option<Timestamp>,
    /// The latest moment, exclusive.
    #[serde(default, with = "crate::model::millis::option")]
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
            any_tags: Vec::new(),
            any_values: BTreeMap::new(),
            numbers: BTreeMap::new(),
            no_tags: BTreeSet::new(),
            no_values: BTreeMap::new(),
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

    /// Requires at least one of some tags.
    #[must_use]
    pub fn any_tag<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.any_tags
            .push(tags.into_iter().map(Into::into).collect());
        self
    }

    /// Requires an attribute with one of some values.
    #[must_use]
    pub fn any_value<V: Into<AttributeValue>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.any_values.insert(name.into(), values);
        self
    }

    /// Requires an attribute that is a whole number within a range.
    #[must_use]
    pub fn number(mut self, name: impl Into<String>, range: impl RangeBounds<i64>) -> Self {
        let least = match range.start_bound() {
            Bound::Included(least) => *least,
            Bound::Excluded(least) => least.saturating_add(1),
            Bound::Unbounded => i64::MIN,
        };
        let most = match range.end_bound() {
            Bound::Included(most) => *most,
            Bound::Excluded(most) => most.saturating_sub(1),
            Bound::Unbounded => i64::MAX,
        };
        self.numbers.insert(name.into(), (least, most));
        self
    }

    /// Refuses a tag.
    #[must_use]
    pub fn without_tag(mut self, tag: impl Into<String>) -> Self {
        self.no_tags.insert(tag.into());
        self
    }

    /// Refuses an attribute with this value; with others, or without it, a memory may be found.
    #[must_use]
    pub fn without_value(
        mut self,
        name: impl Into<String>,
        value: impl Into<AttributeValue>,
    ) -> Self {
        let values = self.no_values.entry(name.into()).or_default();
        values.insert(value.into());
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

    /// Whether it says anything about tags or attributes.
    pub(crate) fn has_labels(&self) -> bool {
        self.label_conditions().next().is_some()
            || !self.no_tags.is_empty()
            || !self.no_values.is_empty()
    }

    /// The conditions on labels that must all be met.
    pub(crate) fn label_conditions(&self) -> impl Iterator<Item = LabelCondition<'_>> {
        let tags = self.tags.iter().map(|tag| LabelCondition::Tags(vec![tag]));
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, value)| LabelCondition::Attribute(name, vec![value]));
        let any_tags = self.any_tags.iter();
        let any_tags =
            any_tags.map(|tags| LabelCondition::Tags(tags.iter().map(String::as_str).collect()));
        let any_values = self.any_values.iter();
        let any_values = any_values
            .map(|(name, values)| LabelCondition::Attribute(name, values.iter().collect()));
        let numbers = self.numbers.iter();
        let numbers = numbers.map(|(name, bounds)| LabelCondition::Number(name, *bounds));
        tags.chain(attributes)
            .chain(any_tags)
            .chain(any_values)
            .chain(numbers)
    }
}

/// A condition on labels.
#[derive(Debug)]
pub(crate) enum LabelCondition<'a> {
    /// One of these tags.
    Tags(Vec<&'a str>),
    /// An attribute with one of these values.
    Attribute(&'a str, Vec<&'a AttributeValue>),
    /// An attribute that is a number between these, both inclusive.
    Number(&'a str, (i64, i64)),
}
