//! The youngest vectors, packed in chunks that snapshots share.

use std::sync::Arc;

use crate::model::names::MemoryId;

/// Vectors in a chunk. A write copies one chunk while a search reads it: at 384 dimensions that is
/// 49 KB, some 3 µs. Smaller chunks would lengthen the list that is copied with it.
const CHUNK_VECTORS: usize = 32;

#[derive(Debug, Clone)]
pub(super) struct Slab {
    dimension: usize,
    /// All full but the last, which is not empty.
    chunks: Vec<Arc<Chunk>>,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    ids: Vec<MemoryId>,   // at most CHUNK_VECTORS
    components: Vec<f32>, // ids.len() * dimension
}

impl Slab {
    pub(super) fn new(dimension: usize) -> Self {
        Self {
            dimension,
            chunks: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK_VECTORS + last.ids.len(),
            None => 0,
        }
    }

    pub(super) fn push(&mut self, id: MemoryId, vector: &[f32]) {
        assert_eq!(vector.len(), self.dimension, "the space checked it");
        if self.len().is_multiple_of(CHUNK_VECTORS) {
            self.chunks.push(Arc::default());
        }
        let last = Arc::make_mut(self.chunks.last_mut().expect("there is one with room"));
        last.ids.push(id);
        last.components.extend_from_slice(vector);
    }

    pub(super) fn get(&self, place: usize) -> &[f32] {
        let start = place % CHUNK_VECTORS * self.dimension;
        &self.chunks[place / CHUNK_VECTORS].components[start..start + self.dimension]
    }

    /// Removes a vector by moving the last one to its place; whose that was, if another's.
    pub(super) fn swap_remove(&mut self, place: usize) -> Option<MemoryId> {
        let (last_id, last) = self.pop()?;
        if place == self.len() {
            return None;
        }
        let start = place % CHUNK_VECTORS * self.dimension;
        let chunk = Arc::make_mut(&mut self.chunks[place / CHUNK_VECTORS]);
        chunk.components[start..start + self.dimension].copy_from_slice(&last);
        chunk.ids[place % CHUNK_VECTORS] = last_id;
        Some(last_id)
    }

    /// Every vector with its id, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MemoryId, &[f32])> {
        self.chunks.iter().flat_map(|chunk| {
            let vectors = chunk.components.chunks_exact(self.dimension);
            chunk.ids.iter().copied().zip(vectors)
        })
    }

    fn pop(&mut self) -> Option<(MemoryId, Vec<f32>)> {
        let last = Arc::make_mut(self.chunks.last_mut()?);
        let id = last.ids.pop().expect("the last chunk is not empty");
        let vector = last
            .components
            .split_off(last.components.len() - self.dimension);
        if last.ids.is_empty() {
            self.chunks.pop();
        }
        Some((id, vector))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_fill_and_empty_in_order() {
        let mut slab = Slab::new(1);
        let ids: Vec<MemoryId> = (1..=80)
            .map(|number| MemoryId::new(number).unwrap())
            .collect();
        for (count, id) in ids.iter().enumerate() {
            assert_eq!(slab.len(), count);
            slab.push(*id, &[1.0]);
        }
        assert_eq!(slab.chunks.len(), 3);
        assert!(slab.iter().map(|(id, _)| id).eq(ids));
        for left in (0..80).rev() {
            slab.swap_remove(0);
            assert_eq!(slab.len(), left);
        }
        assert!(slab.chunks.is_empty());
    }
}
