//! What is stored: memories and the edges between them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::digest::{MemoryDigest, digest_edge, digest_memory};
use crate::error::{Error, Result};
use crate::names::{MemoryId, Namespace, Relation, Timestamp};

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
/// let memory = NewMemory::new(team, "the build needs clang", Timestamp::from_unix_millis(1_000))
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
    pub at: Timestamp,
    /// What is remembered, at most 16 MiB.
    pub text: String,
    /// Labels to filter by.
    pub tags: BTreeSet<String>,
    /// Named values to filter by.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// The embedding. All vectors of a namespace have the length of its first.
    pub vector: Option<Vec<f32>>,
}

impl NewMemory {
    /// A memory without id, tags, attributes and vector.
    pub fn new(namespace: Namespace, text: impl Into<String>, at: Timestamp) -> Self {
        Self {
            namespace,
            id: None,
            at,
            text: text.into(),
            tags: BTreeSet::new(),
            attributes: BTreeMap::new(),
            vector: None,
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

    /// The digest that the stored memory will have. The id is no part of it, so it can be computed
    /// before the store has chosen one.
    pub fn digest(&self) -> MemoryDigest {
        digest_memory(
            &self.namespace,
            self.at,
            &self.text,
            &self.tags,
            &self.attributes,
            self.vector.as_deref(),
        )
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
        Ok(())
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
    pub at: Timestamp,
    /// What is remembered.
    pub text: String,
    /// Labels to filter by.
    pub tags: BTreeSet<String>,
    /// Named values to filter by.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// The embedding, exactly as it was given.
    pub vector: Option<Vec<f32>>,
}

impl Memory {
    /// The digest of the content, equal to [`NewMemory::digest`] of what was remembered.
    pub fn digest(&self) -> MemoryDigest {
        digest_memory(
            &self.namespace,
            self.at,
            &self.text,
            &self.tags,
            &self.attributes,
            self.vector.as_deref(),
        )
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

/// A typed, weighted, directed edge between two memories of one namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Whose edge it is.
    pub namespace: Namespace,
    /// Where it starts.
    pub source: MemoryId,
    /// What it means.
    pub relation: Relation,
    /// Where it ends.
    pub target: MemoryId,
    /// How strong it is; any finite number.
    pub weight: f64,
    /// When it was linked.
    pub at: Timestamp,
}

impl Edge {
    /// An edge of weight 1.
    pub fn new(
        namespace: Namespace,
        source: MemoryId,
        relation: Relation,
        target: MemoryId,
        at: Timestamp,
    ) -> Self {
        Self {
            namespace,
            source,
            relation,
            target,
            weight: 1.0,
            at,
        }
    }

    /// Sets the weight.
    #[must_use]
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// The digest of the whole edge.
    pub fn digest(&self) -> MemoryDigest {
        digest_edge(self)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.weight.is_finite() {
            return Ok(());
        }
        Err(Error::InvalidWeight {
            edge: self.label(),
            weight: self.weight,
        })
    }

    /// How an error or a report names this edge.
    pub(crate) fn label(&self) -> String {
        format!("{} -{}-> {}", self.source, self.relation, self.target)
    }
}
