//! What became of acknowledged effects, counted so that the numbers add up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::is_zero;

/// Acknowledged effects by what was found of each: every one is in exactly one class.
///
/// A key that was written several times has one final state; the effects before it are *superseded*, and
/// what they left was not read. A target that keeps versions gives each as a thing of its own, and so has
/// each verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EffectTally {
    /// All of them: the sum of the others.
    pub acknowledged: u64,
    /// Found as they left the thing; absent, if they removed it.
    pub verified: u64,
    /// Replaced by a later acknowledged write, or by an overlapping one that was found; not read.
    pub superseded: u64,
    /// Not there, or overwritten by a creation that should have been refused.
    pub lost: u64,
    /// There, with another content.
    pub altered: u64,
    /// A number that is not what was added to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub miscounted: u64,
    /// Removals of what is still there.
    pub reappeared: u64,
    /// Followed or overlapped by a write whose outcome is unknown.
    pub unresolved: u64,
    /// Not reached, since reading the target was given up.
    pub unread: u64,
}

/// What was found of a key's final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finality {
    Verified,
    Lost,
    Altered,
    Reappeared,
    Unresolved,
    Unread,
}

impl EffectTally {
    /// The sum of the classes.
    #[must_use]
    pub fn classified(&self) -> u64 {
        self.verified
            + self.superseded
            + self.lost
            + self.altered
            + self.miscounted
            + self.reappeared
            + self.unresolved
            + self.unread
    }

    /// Whether each acknowledgement was checked by reading back what it left, and held.
    #[must_use]
    pub fn all_verified(&self) -> bool {
        self.verified == self.acknowledged
    }

    /// Books a key with so many acknowledged effects, of which `last` may have been the last.
    pub(crate) fn book(&mut self, acknowledged: u64, last: u64, found: Finality) {
        if acknowledged == 0 {
            return;
        }
        let undecided = match found {
            Finality::Unresolved => last.max(1),
            _ => 1,
        };
        self.acknowledged += acknowledged;
        self.superseded += acknowledged - undecided;
        let class = match found {
            Finality::Verified => &mut self.verified,
            Finality::Lost => &mut self.lost,
            Finality::Altered => &mut self.altered,
            Finality::Reappeared => &mut self.reappeared,
            Finality::Unresolved => &mut self.unresolved,
            Finality::Unread => &mut self.unread,
        };
        *class += undecided;
    }

    /// Books creations of one key that another creation replaced, which no removal made room for.
    pub(crate) fn lose_collisions(&mut self, count: u64) {
        let superseded = count.min(self.superseded);
        self.superseded -= superseded;
        self.unresolved -= count - superseded;
        self.lost += count;
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.verified += other.verified;
        self.superseded += other.superseded;
        self.lost += other.lost;
        self.altered += other.altered;
        self.miscounted += other.miscounted;
        self.reappeared += other.reappeared;
        self.unresolved += other.unresolved;
        self.unread += other.unread;
    }
}
