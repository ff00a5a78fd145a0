//! What a committed write means for the tiers that are derived from the metadata.

use action::Timestamp;

use crate::model::edge::Edge;
use crate::model::memory::NewMemory;
use crate::model::names::{MemoryId, Namespace, Relation};

/// One committed change. Changes are applied in the order of their commit, by the writer alone.
#[derive(Debug)]
pub(crate) enum Change {
    Remembered {
        id: MemoryId,
        memory: NewMemory,
        unit: Option<Vec<f32>>,
    },
    /// A memory has another content, and without a unit vector none.
    Updated {
        id: MemoryId,
        /// The text that it had.
        before: String,
        memory: NewMemory,
        unit: Option<Vec<f32>>,
    },
    /// A memory ended; all else of it is as it was.
    Ended(Ended),
    Forgotten(Forgotten),
    /// An edge was added, or took the place of the one that begins with it.
    Linked(Edge),
    Unlinked {
        namespace: Namespace,
        source: MemoryId,
        relation: Relation,
        target: MemoryId,
    },
    NamespaceDeleted(Namespace),
}

/// A memory that ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) namespace: Namespace,
    pub(crate) id: MemoryId,
    pub(crate) until: Timestamp,
}

/// A memory that was removed, with what is derived from its text.
#[derive(Debug, Clone)]
pub(crate) struct Forgotten {
    pub(crate) namespace: Namespace,
    pub(crate) id: MemoryId,
    pub(crate) text: String,
}

/// What took the place of a memory.
#[derive(Debug, Clone)]
pub(crate) struct Superseded {
    pub(crate) new: MemoryId,
    /// The memory whose place it took, and those before it that would hold at the same time.
    pub(crate) ended: Vec<Ended>,
    pub(crate) edges: Vec<Edge>,
}

/// A tier that can be rebuilt from the metadata at any moment. Applying cannot fail: whatever
/// could be refused was refused before the commit.
pub(crate) trait DerivedTier: Send + Sync {
    fn apply(&self, change: &Change);
}
