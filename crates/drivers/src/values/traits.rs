//! What a text depends on, through all the values it is made of.

use std::ops::{BitOr, BitOrAssign};

/// What a text depends on, directly or through the values in it.
///
/// The guard asks it whether a key names the run, and reading back whether a request is done once,
/// once a user or once a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u8);

impl Traits {
    /// It differs from run to run: `id`, `run`, `uuid()`, or a captured value.
    pub const NAMES_RUN: Self = Self(1);
    /// A value that was captured from an answer.
    pub const CAPTURED: Self = Self(2);
    /// A value that one user has for good, from its set-up or its number.
    pub const OF_USER: Self = Self(4);
    /// `${key}`.
    pub const KEY: Self = Self(8);
    /// `${cursor}`.
    pub const CURSOR: Self = Self(16);
    /// `${secret.…}`.
    pub const SECRET: Self = Self(32);
    /// Anything that is not the same in every request.
    pub const VARIES: Self = Self(64);

    /// Whether all of these hold.
    #[must_use]
    pub fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }
}

impl BitOr for Traits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Traits {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
