//! The number under which an approval is used.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number that rises with every claim of one log.
///
/// Hand it to the system that the action acts on, and let that system refuse a token below the
/// highest it has seen: then an executor that was believed dead and wakes up late can do no harm.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
