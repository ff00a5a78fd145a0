//! What a committed write means for the tiers that are derived from the metadata.

use crate::model::edge::Edge;
use crate::model::names::{MemoryId, Namespace, Relation};

/// One committed change. Changes are applied in the order of their commit, by the writer alone.
#[derive(Debug)]
pub(crate) enum Change {
    Remembered {
        namespace: Namespace,
        id: MemoryId,
        unit: Option<Vec<f32>>,
    },
    /// A memory has another content, and without a unit vector none.
    Updated {
        namespace: Namespace,
        id: MemoryId,
        unit: Option<Vec<f32>>,
    },
    /// A memory ended; all else of it is as it was.
    Ended {
        namespace: Namespace,
        id: MemoryId,
    },
    Forgotten {
        namespace: Namespace,
        id: MemoryId,
    },
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

/// A tier that can be rebuilt from the metadata at any moment. Applying cannot fail: whatever
/// could be refused was refused before the commit.
pub(crate) trait DerivedTier: Send + Sync {
    fn apply(&self, change: &Change);
}
