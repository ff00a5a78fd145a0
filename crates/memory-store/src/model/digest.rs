//! Content digests: how a caller proves that what is stored is what was sent.

use std::collections::{BTreeMap, BTreeSet};

use action::Timestamp;

use crate::model::edge::Edge;
use crate::model::memory::{AttributeValue, Memory, NewMemory};
use crate::model::names::Namespace;

action::digest_type! {
    /// The BLAKE3 digest of a memory's or an edge's content, shown as 64 hexadecimal digits.
    MemoryDigest, 32
}

impl NewMemory {
    /// The digest that the stored memory will have. The id is no part of it, so it can be computed
    /// before the store has chosen one.
    pub fn digest(&self) -> MemoryDigest {
        MemoryContent {
            namespace: &self.namespace,
            at: self.at,
            text: &self.text,
            tags: &self.tags,
            attributes: &self.attributes,
            vector: self.vector.as_deref(),
            valid_from: self.valid_from.unwrap_or(self.at),
            valid_until: self.valid_until,
            expires_at: self.expires_at,
        }
        .digest()
    }
}

impl Memory {
    /// The digest of the content, equal to [`NewMemory::digest`] of what was remembered. When it
    /// was recorded, and as which version, is no part of it.
    pub fn digest(&self) -> MemoryDigest {
        MemoryContent {
            namespace: &self.namespace,
            at: self.at,
            text: &self.text,
            tags: &self.tags,
            attributes: &self.attributes,
            vector: self.vector.as_deref(),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            expires_at: self.expires_at,
        }
        .digest()
    }
}

impl Edge {
    /// The digest of the whole edge.
    pub fn digest(&self) -> MemoryDigest {
        digest_edge(self)
    }
}

/// What a memory's digest covers.
struct MemoryContent<'a> {
    namespace: &'a Namespace,
    at: Timestamp,
    text: &'a str,
    tags: &'a BTreeSet<String>,
    attributes: &'a BTreeMap<String, AttributeValue>,
    vector: Option<&'a [f32]>,
    valid_from: Timestamp,
    valid_until: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl MemoryContent<'_> {
    fn digest(&self) -> MemoryDigest {
        let mut encoder = Encoder::new("memory");
        encoder.text(self.namespace.as_str());
        encoder.integer(self.at.as_millis());
        encoder.text(self.text);
        encoder.length(self.tags.len());
        self.tags.iter().for_each(|tag| encoder.text(tag));
        encoder.length(self.attributes.len());
        for (name, value) in self.attributes {
            encoder.text(name);
            encoder.attribute(value);
        }
        encoder.vector(self.vector);
        // Left out where they say nothing: so the digests of memories from before there were such
        // times are still theirs.
        let is_timeless = self.valid_from == self.at && self.valid_until.is_none();
        if !is_timeless || self.expires_at.is_some() {
            encoder.integer(self.valid_from.as_millis());
            encoder.moment(self.valid_until);
            encoder.moment(self.expires_at);
        }
        encoder.finish()
    }
}

fn digest_edge(edge: &Edge) -> MemoryDigest {
    let mut encoder = Encoder::new("edge");
    encoder.text(edge.namespace.as_str());
    encoder.integer(edge.source.to_sql());
    encoder.text(edge.relation.as_str());
    encoder.integer(edge.target.to_sql());
    encoder.0.update(&edge.weight.to_bits().to_le_bytes());
    encoder.integer(edge.at.as_millis());
    if edge.valid_from != edge.at || edge.valid_until.is_some() {
        encoder.integer(edge.valid_from.as_millis());
        encoder.moment(edge.valid_until);
    }
    encoder.finish()
}

/// Every part is preceded by its length or its kind, so that no two contents encode alike.
struct Encoder(blake3::Hasher);

impl Encoder {
    fn new(kind: &str) -> Self {
        let mut encoder = Self(blake3::Hasher::new());
        encoder.text(kind);
        encoder
    }

    fn length(&mut self, length: usize) {
        self.0.update(&(length as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn integer(&mut self, value: i64) {
        self.0.update(&value.to_le_bytes());
    }

    fn moment(&mut self, moment: Option<Timestamp>) {
        let Some(moment) = moment else {
            self.0.update(&[0]);
            return;
        };
        self.0.update(&[1]);
        self.integer(moment.as_millis());
    }

    fn attribute(&mut self, value: &AttributeValue) {
        match value {
            AttributeValue::Boolean(value) => {
                self.0.update(&[0, u8::from(*value)]);
            }
            AttributeValue::Integer(value) => {
                self.0.update(&[1]);
                self.integer(*value);
            }
            AttributeValue::Text(value) => {
                self.0.update(&[2]);
                self.text(value);
            }
        }
    }

    fn vector(&mut self, vector: Option<&[f32]>) {
        let Some(vector) = vector else {
            self.0.update(&[0]);
            return;
        };
        self.0.update(&[1]);
        self.0.update(&vector_to_bytes(vector));
    }

    fn finish(self) -> MemoryDigest {
        MemoryDigest::from_bytes(self.0.finalize().into())
    }
}

/// The stored form of a vector: its components as little-endian `f32`.
pub(crate) fn vector_to_bytes(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|component| component.to_le_bytes())
        .collect()
}

/// The inverse of [`vector_to_bytes`]; `None` if the length is no multiple of four.
pub(crate) fn vector_from_bytes(bytes: &[u8]) -> Option<Vec<f32>> {
    let (components, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| {
        components
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use crate::model::names::Namespace;
    use crate::{MemoryDigest, NewMemory};
    use action::Timestamp;

    fn memory(text: &str) -> NewMemory {
        NewMemory::new(
            Namespace::new("n").unwrap(),
            text,
            Timestamp::from_millis(1),
        )
    }

    #[test]
    fn any_difference_in_content_changes_the_digest() {
        let plain = memory("a");
        let variants = [
            memory("b"),
            memory("a").tag("t"),
            memory("a").attribute("t", "x"),
            memory("a").attribute("t", true),
            memory("a").attribute("t", 1),
            memory("a").vector(vec![]),
            memory("a").vector(vec![0.0]),
            memory("a").vector(vec![-0.0]),
            memory("a").valid_from(Timestamp::default()),
            memory("a").valid_until(Timestamp::from_millis(9)),
            memory("a").expires_at(Timestamp::from_millis(9)),
        ];
        let mut digests: Vec<MemoryDigest> = variants.iter().map(NewMemory::digest).collect();
        digests.push(plain.digest());
        let count = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn neighbouring_parts_do_not_run_together() {
        assert_ne!(
            memory("a").tag("bc").digest(),
            memory("a").tag("b").tag("c").digest()
        );
        assert_ne!(
            memory("ab").tag("c").digest(),
            memory("a").tag("bc").digest()
        );
    }
}
