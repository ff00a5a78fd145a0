//! What is stored: memories.

use std::collections::{BTreeMap, BTreeSet};

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::millis::floor;
use crate::model::names::{MemoryId, Namespace};
use crate::model::time::When;

/// A text beyond this is a document, not a memory: it would stall the group it is committed with.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// The value of an attribute. Real numbers are absent on purpose: attributes are compared for
/// equality.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for AttributeValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A memory to be stored.
///
/// ```
/// use memory_store::{Namespace, NewMemory, Timestamp};
///
/// let team = Namespace::new("team-a")?;
/// let memory = NewMemory::new(team, "the build needs clang", Timestamp::from_millis(1_000))
///     .tag("build")
///     .attribute("agent", "builder-7")
///     .vector(vec![0.6, 0.8]);
/// assert_eq!(memory.digest(), memory.clone().digest());
/// # Ok::<(), memory_store::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewMemory {
    /// Whose memory it is.
    pub namespace: Namespace,
    /// The id, or `None` for the next number of the namespace.
    pub id: Option<MemoryId>,
    /// When it happened.
    #[serde(with = "crate::model::millis")]
    pub at: Timestamp,
    /// What is remembered, at most 16 MiB.
    pub text: String,
    /// Labels to filter by.
    pub tags: BTreeSet<String>,
    /// Named values to filter by.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// The embedding. All vectors of a namespace have the length of its first.
    pub vector: Option<Vec<f32>>,
    /// Since when it is true; `None` for since it happened.
    #[serde(default, with = "crate::model::millis::option")]
    pub valid_from: Option<Timestamp>,
    /// Until when it is true, exclusive; `None` for without an end.
    #[serde(default, with = "crate::model::millis::option")]
    pub valid_until: Option<Timestamp>,
    /// From when on it is found no more, and may be removed; `None` for never.
    #[serde(default, with = "crate::model::millis::option")]
    pub expires_at: Option<Timestamp>,
    /// When it was recorded; `None` for when it happened.
    #[serde(default, with = "crate::model::millis::option")]
    pub recorded_at: Option<Timestamp>,
}

impl NewMemory {
    /// A memory without id, tags, attributes and vector, true from `at` on without an end.
    pub fn new(namespace: Namespace, text: impl Into<String>, at: Timestamp) -> Self {
        Self {
            namespace,
            id: None,
            at,
            text: text.into(),
            tags: BTreeSet::new(),
            attributes: BTreeMap::new(),
            vector: None,
            valid_from: None,
            valid_until: None,
            expires_at: None,
            recorded_at: None,
        }
    }

    /// Chooses the id.
    #[must_use]
    pub fn id(mut self, id: MemoryId) -> Self {
        self.id = Some(id);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.insert(tag.into());
        self
    }

    /// Adds an attribute, in place of one of the same name.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the embedding.
    #[must_use]
    pub fn vector(mut self, vector: Vec<f32>) -> Self {
        self.vector = Some(vector);
        self
    }

    /// Sets since when it is true. Default: since it happened.
    #[must_use]
    pub fn valid_from(mut self, from: Timestamp) -> Self {
        self.valid_from = Some(from);
        self
    }

    /// Sets until when it is true, exclusive. Default: without an end. What has an end is found as
    /// of a moment only, see [`When`].
    #[must_use]
    pub fn valid_until(mut self, until: Timestamp) -> Self {
        self.valid_until = Some(until);
        self
    }

    /// Sets from when on it is found no more by who asks as of a moment; a
    /// [`sweep`](crate::MemoryStore::sweep) removes it then. Default: never.
    #[must_use]
    pub fn expires_at(mut self, moment: Timestamp) -> Self {
        self.expires_at = Some(moment);
        self
    }

    /// Sets when it was recorded. Default: when it happened.
    #[must_use]
    pub fn recorded_at(mut self, moment: Timestamp) -> Self {
        self.recorded_at = Some(moment);
        self
    }

    /// As it is when it was stored and read again.
    pub(crate) fn in_millis(mut self) -> Self {
        self.at = floor(self.at);
        self.valid_from = self.valid_from.map(floor);
        self.valid_until = self.valid_until.map(floor);
        self.expires_at = self.expires_at.map(floor);
        self.recorded_at = self.recorded_at.map(floor);
        self
    }

    /// How an error names this memory.
    pub(crate) fn label(&self) -> String {
        match self.id {
            Some(id) => format!("memory {id} in namespace {}", self.namespace),
            None => format!("a new memory in namespace {}", self.namespace),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(Error::TooLarge {
                what: "text",
                item: self.label(),
                size: self.text.len(),
                limit: MAX_TEXT_BYTES,
            });
        }
        let from = self.valid_from.unwrap_or(self.at);
        check_interval(|| self.label(), from, self.valid_until)
    }
}

/// A validity may be empty, but not end before it begins.
pub(crate) fn check_interval(
    item: impl Fn() -> String,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<()> {
    match until {
        Some(until) if until < from => Err(Error::InvalidInterval {
            item: item(),
            from,
            until,
        }),
        _ => Ok(()),
    }
}

/// A stored memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Memory {
    /// Whose memory it is.
    pub namespace: Namespace,
    /// Its number in the namespace.
    pub id: MemoryId,
    /// When it happened.
    #[serde(with = "crate::model::millis")]
    pub at: Timestamp,
    /// What is remembered.
    pub text: String,
    /// Labels to filter by.
    pub tags: BTreeSet<String>,
    /// Named values to filter by.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// The embedding, exactly as it was given.
    pub vector: Option<Vec<f32>>,
    /// Since when it is true.
    #[serde(with = "crate::model::millis")]
    pub valid_from: Timestamp,
    /// Until when it is true, exclusive, if it has an end.
    #[serde(default, with = "crate::model::millis::option")]
    pub valid_until: Option<Timestamp>,
    /// From when on it is found no more, if it expires.
    #[serde(default, with = "crate::model::millis::option")]
    pub expires_at: Option<Timestamp>,
    /// When this version was recorded.
    #[serde(with = "crate::model::millis")]
    pub recorded_at: Timestamp,
    /// 1 for what was remembered, and one more for each time it was updated or ended.
    pub version: u32,
}

impl From<Memory> for NewMemory {
    /// The same content under the same id.
    fn from(memory: Memory) -> Self {
        Self {
            namespace: memory.namespace,
            id: Some(memory.id),
            at: memory.at,
            text: memory.text,
            tags: memory.tags,
            attributes: memory.attributes,
            vector: memory.vector,
            valid_from: Some(memory.valid_from),
            valid_until: memory.valid_until,
            expires_at: memory.expires_at,
            recorded_at: Some(memory.recorded_at),
        }
    }
}

impl Memory {
    /// Whether it is found by who asks so.
    pub fn is_found(&self, when: When) -> bool {
        when.admits(self.valid_from, self.valid_until, self.expires_at)
    }

    /// About how many bytes it occupies in the cache.
    pub(crate) fn weight_bytes(&self) -> u64 {
        /// A set or map entry beside its text: the node's share and two `String` headers.
        const ENTRY_BYTES: usize = 64;
        let tags: usize = self.tags.iter().map(|tag| tag.len() + ENTRY_BYTES).sum();
        let attributes: usize = self
            .attributes
            .keys()
            .map(|name| name.len() + 2 * ENTRY_BYTES)
            .sum();
        let vector = self
            .vector
            .as_ref()
            .map_or(0, |vector| size_of_val(vector.as_slice()));
        (size_of::<Self>() + self.text.len() + tags + attributes + vector) as u64
    }
}
