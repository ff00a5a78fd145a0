//! Vectors of one namespace, packed in chunks that snapshots share.

use std::sync::Arc;

use crate::names::MemoryId;

use super::Similar;
use super::kernel::dot;
use super::top_k::TopK;

/// Vectors in a chunk. A write copies one chunk while a search reads it: at 384 dimensions that is
/// 196 KB, some 20 µs. Smaller chunks would lengthen the list that is copied with it.
const CHUNK_VECTORS: usize = 128;

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

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    pub(super) fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK_VECTORS + last.ids.len(),
            None => 0,
        }
    }

    pub(super) fn push(&mut self, id: MemoryId, unit: &[f32]) {
        assert_eq!(unit.len(), self.dimension, "the writer checked it");
        if self.len().is_multiple_of(CHUNK_VECTORS) {
            self.chunks.push(Arc::default());
        }
        let last = Arc::make_mut(self.chunks.last_mut().expect("there is one with room"));
        last.ids.push(id);
        last.components.extend_from_slice(unit);
    }

    pub(super) fn replace(&mut self, place: usize, unit: &[f32]) {
        assert_eq!(unit.len(), self.dimension, "the writer checked it");
        let start = place % CHUNK_VECTORS * self.dimension;
        let chunk = Arc::make_mut(&mut self.chunks[place / CHUNK_VECTORS]);
        chunk.components[start..start + self.dimension].copy_from_slice(unit);
    }

    /// Removes a vector by moving the last one to its place; whose that was, if another's.
    pub(super) fn swap_remove(&mut self, place: usize) -> Option<MemoryId> {
        let (last_id, last_unit) = self.pop()?;
        if place == self.len() {
            return None;
        }
        self.replace(place, &last_unit);
        Arc::make_mut(&mut self.chunks[place / CHUNK_VECTORS]).ids[place % CHUNK_VECTORS] = last_id;
        Some(last_id)
    }

    pub(super) fn search(&self, query: &[f32], k: usize) -> Vec<Similar> {
        let mut best = TopK::new(k);
        for chunk in &self.chunks {
            let vectors = chunk.components.chunks_exact(self.dimension);
            for (id, unit) in chunk.ids.iter().zip(vectors) {
                // Rounding may leave the range of a cosine by an ulp.
                let score = dot(query, unit).clamp(-1.0, 1.0);
                best.offer(Similar { id: *id, score });
            }
        }
        best.into_sorted()
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(MemoryId, &[f32])) {
        for chunk in &self.chunks {
            let vectors = chunk.components.chunks_exact(self.dimension);
            chunk
                .ids
                .iter()
                .zip(vectors)
                .for_each(|(id, unit)| visit(*id, unit));
        }
    }

    fn pop(&mut self) -> Option<(MemoryId, Vec<f32>)> {
        let last = Arc::make_mut(self.chunks.last_mut()?);
        let id = last.ids.pop().expect("the last chunk is not empty");
        let unit = last
            .components
            .split_off(last.components.len() - self.dimension);
        if last.ids.is_empty() {
            self.chunks.pop();
        }
        Some((id, unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_fill_and_empty_in_order() {
        let mut slab = Slab::new(1);
        let ids: Vec<MemoryId> = (1..=300)
            .map(|number| MemoryId::new(number).unwrap())
            .collect();
        for (count, id) in ids.iter().enumerate() {
            assert_eq!(slab.len(), count);
            slab.push(*id, &[1.0]);
        }
        assert_eq!(slab.chunks.len(), 3);
        for left in (0..300).rev() {
            slab.swap_remove(0);
            assert_eq!(slab.len(), left);
        }
        assert!(slab.chunks.is_empty());
    }
}
