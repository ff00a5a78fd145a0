//! Stores and searches the memories that agents share.
//!
//! Five embedded tiers stand behind one [`MemoryStore`]. The *metadata* tier, a SQLite database, is
//! the source of truth: each write is one of its transactions, committed together with those of
//! other callers and acknowledged when it is on disk. The *text* tier (words, labels and times),
//! the *similarity* tier (vectors), the *relation* tier (a graph) and the *cache* are derived from
//! it and brought up to date before a write is acknowledged; [`MemoryStore::check`] compares them
//! with the database.
//!
//! One search, [`MemoryStore::recall`], takes a [`Query`]: words, a vector, a walk along edges, a
//! preference and recency each rank memories, the ranks are fused, and a [`Filter`] says what may be
//! found. A query that ranks by nothing lists what its filter lets through.
//!
//! Facts change: an [`update`](MemoryStore::update) keeps what was known before, and a fact that
//! ended or was [superseded](MemoryStore::supersede) is found as of the time when it was true
//! ([`When`]). Expired memories are not found as of later moments, and a
//! [`sweep`](MemoryStore::sweep) removes them.
//!
//! Beside memories, the store keeps the versioned state of agents' runs ([`AgentRun`]), with
//! checkpoints to return to and to fork from; a version stores what changed.
//!
//! Everything belongs to a [`Namespace`], which has a [`Quota`] and can be
//! [deleted](MemoryStore::delete_namespace) to the last byte; no search reaches another one. A store
//! can be [exported](MemoryStore::export) and [imported](MemoryStore::import). The store reads no
//! clock: times are arguments.
//!
//! ```
//! use memory_store::{
//!     Edge, Filter, MemoryStore, Namespace, NewMemory, Query, Relation, Timestamp, Traversal,
//! };
//!
//! let directory = tempfile::tempdir()?;
//! let store = MemoryStore::open(directory.path())?;
//! let team = Namespace::new("team-a")?;
//! let at = Timestamp::from_millis(1_767_225_600_000);
//!
//! let cause = store.remember(
//!     NewMemory::new(team.clone(), "the linker ran out of memory", at)
//!         .tag("failure")
//!         .vector(vec![0.9, 0.1]),
//! )?;
//! let effect = store.remember(
//!     NewMemory::new(team.clone(), "the nightly build failed", at).vector(vec![0.1, 0.9]),
//! )?;
//! store.link(Edge::new(team.clone(), cause, Relation::new("caused")?, effect, at))?;
//!
//! let nearest = store.recall(&team, &Query::new().vector(vec![1.0, 0.0]))?;
//! assert_eq!(nearest[0].memory.id, cause);
//! let effects = Query::new().related(Traversal::new(cause));
//! assert_eq!(store.recall(&team, &effects)?[0].memory.text, "the nightly build failed");
//! let failures = Query::new().only(Filter::new().tag("failure"));
//! assert_eq!(store.recall(&team, &failures)?.len(), 1);
//!
//! store.forget(&team, cause)?;
//! assert!(store.recall(&team, &effects)?.is_empty());
//! assert!(store.check()?.is_clean());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod model;
mod options;

// The tiers: the truth, and what is derived from it.
mod cache;
mod metadata;
mod relations;
mod similarity;
mod text;

// The store.
mod store;
mod writer;

// What proves it, and what moves it.
mod check;
mod transfer;

#[cfg(feature = "http-embeddings")]
mod http_embedder;

mod error;

pub use action::Timestamp;

pub use crate::check::verify::{copy_if_in_use, is_database_file, read_all, verify_store};
pub use crate::error::{Error, Result};
#[cfg(feature = "http-embeddings")]
pub use crate::http_embedder::HttpEmbedder;
pub use crate::model::digest::MemoryDigest;
pub use crate::model::edge::Edge;
pub use crate::model::embed::{EmbedError, Embedder, HashedNgrams, VectorSource};
pub use crate::model::entries::{Entries, Entry};
pub use crate::model::filter::Filter;
pub use crate::model::language::Language;
pub use crate::model::latency::Latency;
pub use crate::model::memory::{AttributeValue, Memory, NewMemory};
pub use crate::model::names::{MemoryId, Namespace, Relation};

pub use crate::model::query::{Decay, Found, Query, Reason, Signal, Weights};
pub use crate::model::quota::{Quota, Usage};
pub use crate::model::report::{CheckReport, Disagreement};
pub use crate::model::state::{
    AgentRun, Checkpoint, CheckpointId, Difference, Expected, Retention, Versioned,
};
pub use crate::model::stats::Stats;
pub use crate::model::time::{Moment, Version, When};
pub use crate::options::Options;
pub use crate::relations::{Direction, Traversal};
pub use crate::similarity::{
    IndexCoverage, IndexHealth, IndexOptions, IndexOrigin, Metric, VectorIndex,
};
pub use crate::store::{Duplicate, DuplicateKind, MemoryStore};
pub use crate::transfer::Transferred;
