//! Bringing a saved graph and the vectors of the database together.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::names::{MemoryId, Namespace};

use super::block::{BLOCK, Block, Blocks, Nodes, Slot, Vectors};
use super::file::{Saved, fingerprint, load, path_of};
use super::space::{Plan, Space};

/// Where the graph of a namespace came from when its store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum IndexOrigin {
    /// There was no file, as for a namespace that is new or has few vectors.
    New,
    /// The file was used.
    Loaded {
        /// Vectors that it did not have, and that are added behind the writes.
        added: usize,
        /// Nodes whose memories were gone or had other vectors; they were taken out.
        removed: usize,
    },
    /// The file could not be used; the graph is built anew behind the writes.
    Rebuilt {
        /// What was wrong with it.
        reason: String,
    },
}

/// A space that is being filled at opening.
pub(super) struct Restoring {
    space: Space,
    saved: Option<Saved>,
    vectors: Vec<Vectors>,
    is_present: Vec<bool>,
    /// Vectors that the file does not have.
    others: Vec<(MemoryId, Vec<f32>)>,
    origin: IndexOrigin,
}

impl Restoring {
    pub(super) fn begin(
        folder: Option<&Path>,
        namespace: &Namespace,
        plan: Plan,
        dimension: usize,
    ) -> Self {
        let path = folder.map(|folder| path_of(folder, namespace));
        let loaded = path.filter(|path| path.exists()).map(|path| {
            let saved = load(&path, plan)?;
            if saved.dimension == dimension {
                Ok(saved)
            } else {
                Err(format!("has vectors of {} dimensions", saved.dimension))
            }
        });
        let (saved, origin) = match loaded {
            None => (None, IndexOrigin::New),
            Some(Err(reason)) => (None, IndexOrigin::Rebuilt { reason }),
            Some(Ok(saved)) => {
                let (added, removed) = (0, 0);
                (Some(saved), IndexOrigin::Loaded { added, removed })
            }
        };
        let nodes = saved.as_ref().map_or(0, |saved| saved.nodes.len());
        let empty = |_| Vectors::empty(dimension);
        Self {
            space: Space::new(plan, dimension),
            vectors: (0..nodes.div_ceil(BLOCK)).map(empty).collect(),
            is_present: vec![false; nodes],
            saved,
            others: Vec::new(),
            origin,
        }
    }

    pub(super) fn dimension(&self) -> usize {
        self.space.dimension()
    }

    /// Whether there is a file, and it cannot be used.
    pub(super) fn has_bad_file(&self) -> bool {
        matches!(self.origin, IndexOrigin::Rebuilt { .. })
    }

    /// Adds a prepared vector of the database.
    pub(super) fn add(&mut self, id: MemoryId, vector: &[f32]) {
        let Some(saved) = &self.saved else {
            self.space.insert(id, vector);
            return;
        };
        let slot = saved.by_id.get(&id).copied();
        let is_same = |slot: &Slot| saved.nodes[*slot as usize].fingerprint == fingerprint(vector);
        match slot.filter(is_same) {
            Some(slot) => {
                let (number, place) = (slot as usize / BLOCK, slot as usize % BLOCK);
                let metric = self.space.plan().metric;
                self.vectors[number].set(metric, place, id, vector);
                self.is_present[slot as usize] = true;
            }
            None => self.others.push((id, vector.to_vec())),
        }
    }

    /// The space with all that was added, and what became of the file.
    pub(super) fn finish(self) -> (Space, IndexOrigin) {
        let Some(saved) = self.saved else {
            return (self.space, self.origin);
        };
        let removed = self.is_present.iter().filter(|present| !**present).count();
        let origin = IndexOrigin::Loaded {
            added: self.others.len(),
            removed,
        };
        let width = self.space.plan().shape.width;
        let mut nodes: Vec<Nodes> = self.vectors.iter().map(|_| Nodes::empty(width)).collect();
        for (slot, node) in saved.nodes.iter().enumerate() {
            let (nodes, place) = (&mut nodes[slot / BLOCK], slot % BLOCK);
            nodes.grow_to(place, node.links.len() - 1);
            for (level, links) in node.links.iter().enumerate() {
                nodes.set_links(place, level, links);
            }
            nodes.set_linked(place);
        }
        let blocks = self.vectors.into_iter().zip(nodes);
        let blocks = blocks.map(|(vectors, nodes)| Block {
            vectors: vectors.into(),
            nodes: nodes.into(),
        });
        self.space
            .adopt(Blocks(blocks.collect()), saved.nodes.len());
        for (id, vector) in self.others {
            self.space.insert(id, &vector);
        }
        (self.space, origin)
    }
}
