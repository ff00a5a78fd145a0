use serde::{Deserialize, Serialize};

use crate::digest::Version;
use crate::world::fact::{Fact, Key};

/// A side effect: one key before and after a step. `None` is a key that does not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// What was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Fact>,
    /// What would be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Fact>,
}

impl Change {
    /// Whether the write would leave the key as it is.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.before == self.after
    }
}

/// A key that the simulation took from the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The key.
    pub key: Key,
    /// Its version; `None` if it did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}
