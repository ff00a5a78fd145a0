//! What a request is looked up by in the gate's table.

use std::hash::{BuildHasher, RandomState};

use siphasher::sip128::SipHasher13;

/// A request's name under a keyed hash (SipHash-1-3, key drawn at each opening), 96 of its 128 bits. Two ids of a
/// million share one with a probability below 2<sup>-57</sup>, and without the key nobody
/// can look for such a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) high: u64, // not 0, which marks an empty slot of the gates
    pub(crate) low: u32,
}

/// The key of the hash.
#[derive(Debug)]
pub(crate) struct Namer(SipHasher13);

impl Default for Namer {
    fn default() -> Self {
        let drawn = RandomState::new();
        Self(SipHasher13::new_with_keys(
            drawn.hash_one(0),
            drawn.hash_one(1),
        ))
    }
}

impl Namer {
    pub(crate) fn name(&self, id: &str) -> Name {
        let hash = self.0.hash(id.as_bytes());
        Name {
            high: hash.h1.max(1),
            low: hash.h2 as u32, // cut on purpose: the rest of the word is the number
        }
    }
}
