//! How much a namespace may hold.

use serde::{Deserialize, Serialize};

/// What a namespace may hold; no limit by default. A lower limit than what it holds already removes
/// nothing, and refuses what comes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Memories, without their history.
    pub items: Option<u64>,
    /// Bytes of the texts, labels and vectors of memories and of their history, and of the values of
    /// agents' state as they are stored.
    pub bytes: Option<u64>,
}

/// What a namespace holds and may hold.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Memories, without their history.
    pub items: u64,
    /// Bytes, counted as for [`Quota::bytes`].
    pub bytes: u64,
    /// The limits.
    pub quota: Quota,
}
