//! What a check found.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::names::{MemoryId, Namespace};

/// What a check or a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Memories in the metadata tier.
    pub items: u64,
    /// Edges in the metadata tier.
    pub edges: u64,
    /// Memories with a vector in the metadata tier.
    pub vectors: u64,
    /// Namespaces in the metadata tier.
    pub namespaces: u64,
    /// Saved graphs of vectors that are damaged. The next opening builds them anew, so they are no
    /// disagreement.
    #[serde(default)]
    pub damaged_indexes: Vec<PathBuf>,
    /// Every disagreement; empty if all is well.
    pub disagreements: Vec<Disagreement>,
}

impl CheckReport {
    /// Whether all tiers agree.
    pub fn is_clean(&self) -> bool {
        self.disagreements.is_empty()
    }
}

/// One thing that does not agree with the metadata tier, or within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Disagreement {
    /// SQLite's own integrity check found damage.
    Integrity {
        /// What it said.
        detail: String,
    },
    /// Pages of the database are not what they were when it was closed.
    AlteredPages {
        /// Their numbers, from 1.
        pages: Vec<u32>,
    },
    /// The pages cannot be compared with what they were when the database was closed.
    Pages {
        /// Why.
        detail: String,
    },
    /// A memory's content is not what its digest says.
    Altered {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// An edge in the database ends at a memory that does not exist.
    DanglingEdge {
        /// Its namespace.
        namespace: Namespace,
        /// The edge as `source -relation-> target`.
        edge: String,
    },
    /// A memory is not in the text tier.
    MissingText {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// The text tier has documents of memories that do not exist.
    GhostTexts {
        /// How many.
        documents: u64,
    },
    /// A memory stands in the text tier with other words, labels or times.
    AlteredText {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// The text tier has words or labels that no memory has.
    SurplusWords {
        /// The namespace.
        namespace: Namespace,
    },
    /// A namespace would choose an id that is taken.
    Sequence {
        /// The namespace.
        namespace: Namespace,
    },
    /// A memory has a vector that the similarity tier does not have.
    MissingVector {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// The similarity tier has a vector that the memory does not have, or no longer.
    GhostVector {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// The similarity tier has another vector than the memory.
    AlteredVector {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// The graph of the similarity tier has a vector that no walk can come to.
    UnreachableVector {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// The saved graph of the similarity tier could not be used at the next opening.
    IndexFile {
        /// Its namespace.
        namespace: Namespace,
        /// What is wrong with it.
        detail: String,
    },
    /// The relation tier lacks an edge.
    MissingEdge {
        /// Its namespace.
        namespace: Namespace,
        /// The edge as `source -relation-> target`.
        edge: String,
    },
    /// The relation tier has an edge that the database does not have.
    GhostEdge {
        /// Its namespace.
        namespace: Namespace,
        /// The edge as `source -relation-> target`.
        edge: String,
    },
    /// The relation tier has an edge with another weight or time.
    AlteredEdge {
        /// Its namespace.
        namespace: Namespace,
        /// The edge as `source -relation-> target`.
        edge: String,
    },
    /// The cache has a memory that was forgotten or differs.
    StaleCache {
        /// Its namespace.
        namespace: Namespace,
        /// Its id.
        id: MemoryId,
    },
    /// A version in a memory's history is not what its digest says, or of no memory, or not before
    /// what is known now.
    AlteredHistory {
        /// Its namespace.
        namespace: Namespace,
        /// The memory's id.
        id: MemoryId,
        /// The version.
        version: u32,
    },
    /// A version of an edge is of no memory.
    DanglingHistory {
        /// How many.
        versions: u64,
    },
    /// Two edges of the same source, relation and target hold at the same time.
    OverlappingEdges {
        /// Their namespace.
        namespace: Namespace,
        /// The edges as `source -relation-> target`.
        edge: String,
    },
    /// A chunk of a large value of state is not what its digest says.
    AlteredChunk {
        /// Its namespace.
        namespace: Namespace,
        /// Its number.
        chunk: i64,
    },
    /// A version of a value of state lacks chunks.
    MissingChunks {
        /// Its namespace.
        namespace: Namespace,
        /// The value's version, key and run.
        value: String,
    },
    /// A chunk is referred to more or less often than is counted, or not at all.
    ChunkReferences {
        /// Its namespace.
        namespace: Namespace,
        /// Its number.
        chunk: i64,
        /// The running count.
        counted: u64,
        /// The references.
        stored: u64,
    },
    /// What a namespace is said to hold is not what its memories are.
    Usage {
        /// The namespace.
        namespace: Namespace,
    },
    /// A running count differs from the rows.
    Count {
        /// What is counted.
        what: String,
        /// The running count.
        counted: u64,
        /// The rows.
        stored: u64,
    },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integrity { detail } | Self::Pages { detail } => write!(f, "database: {detail}"),
            Self::AlteredPages { pages } => {
                let most = pages.iter().take(10).map(u32::to_string);
                let shown = most.collect::<Vec<_>>().join(", ");
                let more = if pages.len() > 10 { ", …" } else { "" };
                write!(
                    f,
                    "database: altered since it was closed: page {shown}{more}"
                )
            }
            Self::Altered { namespace, id } => {
                write!(f, "{namespace}/{id}: content differs from its digest")
            }
            Self::DanglingEdge { namespace, edge } => {
                write!(f, "{namespace}: edge {edge} ends at no memory")
            }
            Self::MissingText { namespace, id } => {
                write!(f, "{namespace}/{id}: missing from the text tier")
            }
            Self::GhostTexts { documents } => {
                write!(f, "text tier: {documents} documents of no memory")
            }
            Self::AlteredText { namespace, id } => {
                write!(
                    f,
                    "{namespace}/{id}: words, labels or times differ in the text tier"
                )
            }
            Self::SurplusWords { namespace } => {
                write!(
                    f,
                    "{namespace}: words or labels of no memory in the text tier"
                )
            }
            Self::Sequence { namespace } => write!(f, "{namespace}: next id is taken"),
            Self::MissingVector { namespace, id } => {
                write!(
                    f,
                    "{namespace}/{id}: vector missing from the similarity tier"
                )
            }
            Self::GhostVector { namespace, id } => {
                write!(f, "{namespace}/{id}: vector only in the similarity tier")
            }
            Self::AlteredVector { namespace, id } => {
                write!(f, "{namespace}/{id}: vector differs in the similarity tier")
            }
            Self::UnreachableVector { namespace, id } => {
                write!(f, "{namespace}/{id}: vector cannot be reached in its graph")
            }
            Self::IndexFile { namespace, detail } => {
                write!(f, "{namespace}: saved graph of vectors {detail}")
            }
            Self::MissingEdge { namespace, edge } => {
                write!(f, "{namespace}: edge {edge} missing from the relation tier")
            }
            Self::GhostEdge { namespace, edge } => {
                write!(f, "{namespace}: edge {edge} only in the relation tier")
            }
            Self::AlteredEdge { namespace, edge } => {
                write!(f, "{namespace}: edge {edge} differs in the relation tier")
            }
            Self::StaleCache { namespace, id } => {
                write!(f, "{namespace}/{id}: stale in the cache")
            }
            Self::AlteredHistory {
                namespace,
                id,
                version,
            } => {
                write!(
                    f,
                    "{namespace}/{id}: version {version} of its history is damaged"
                )
            }
            Self::DanglingHistory { versions } => {
                write!(f, "history of edges: {versions} versions of no memory")
            }
            Self::OverlappingEdges { namespace, edge } => {
                write!(f, "{namespace}: two edges {edge} hold at the same time")
            }
            Self::AlteredChunk { namespace, chunk } => {
                write!(f, "{namespace}: chunk {chunk} differs from its digest")
            }
            Self::MissingChunks { namespace, value } => {
                write!(f, "{namespace}: {value} lacks chunks")
            }
            Self::ChunkReferences {
                namespace,
                chunk,
                counted,
                stored,
            } => {
                write!(
                    f,
                    "{namespace}: chunk {chunk} is counted {counted} times, referred to {stored}"
                )
            }
            Self::Usage { namespace } => {
                write!(
                    f,
                    "{namespace}: holds another number of items or bytes than it says"
                )
            }
            Self::Count {
                what,
                counted,
                stored,
            } => {
                write!(f, "count of {what}: {counted}, stored are {stored}")
            }
        }
    }
}
