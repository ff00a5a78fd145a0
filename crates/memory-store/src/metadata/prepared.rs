//! Memories made ready by their callers, so that the one writer need not.

use action::Timestamp;

use crate::error::Result;
use crate::model::digest::{MemoryDigest, vector_to_bytes};
use crate::model::embed::Embedder;
use crate::model::memory::NewMemory;

use crate::similarity::unit_vector;

/// A memory that was checked and encoded.
#[derive(Debug)]
pub(crate) struct PreparedMemory {
    pub(crate) memory: NewMemory,
    pub(super) digest: MemoryDigest,
    pub(super) tags: String,
    pub(super) attributes: String,
    pub(super) vector: Option<Vec<u8>>,
    /// Who made the vector, if the store's embedder did.
    pub(super) embedder: Option<String>,
    /// The vector at length one, for the similarity tier.
    pub(crate) unit: Option<Vec<f32>>,
}

impl PreparedMemory {
    pub(crate) fn new(memory: NewMemory) -> Result<Self> {
        let memory = memory.in_millis();
        memory.check()?;
        let unit = memory
            .vector
            .as_deref()
            .map(|vector| unit_vector(vector, || memory.label()))
            .transpose()?;
        Ok(Self {
            digest: memory.digest(),
            tags: serde_json::to_string(&memory.tags).expect("texts are valid JSON"),
            attributes: serde_json::to_string(&memory.attributes).expect("scalars are valid JSON"),
            vector: memory.vector.as_deref().map(vector_to_bytes),
            embedder: None,
            unit,
            memory,
        })
    }

    /// With the vector that an embedder made of its text, if it has one.
    pub(crate) fn embedded(
        mut memory: NewMemory,
        embedder: &dyn Embedder,
        vector: Option<Vec<f32>>,
    ) -> Result<Self> {
        let is_embedded = vector.is_some();
        memory.vector = vector;
        let mut prepared = Self::new(memory)?;
        prepared.embedder = is_embedded.then(|| embedder.name().to_owned());
        Ok(prepared)
    }

    /// What it counts against its namespace's quota.
    pub(super) fn bytes(&self) -> u64 {
        let vector = self.vector.as_ref().map_or(0, Vec::len);
        (self.memory.text.len() + self.tags.len() + self.attributes.len() + vector) as u64
    }

    pub(super) fn recorded_at(&self) -> Timestamp {
        self.memory.recorded_at.unwrap_or(self.memory.at)
    }

    pub(super) fn valid_from(&self) -> Timestamp {
        self.memory.valid_from.unwrap_or(self.memory.at)
    }
}
