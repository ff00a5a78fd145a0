//! Ids as 128 bits, so that a table of requests needs no pointer to compare a key.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use crate::RequestId;

/// An id under two keyed hashes (SipHash, keys drawn at each opening). Two ids of a million share
/// one with a probability below 2<sup>-88</sup>, and nobody who does not know the keys can look for
/// such a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(u128);

#[derive(Debug, Default)]
pub(crate) struct Fingerprints {
    low: RandomState,
    high: RandomState,
}

impl Fingerprints {
    pub(crate) fn of(&self, id: &RequestId) -> Fingerprint {
        let (low, high) = (self.low.hash_one(id), self.high.hash_one(id));
        Fingerprint(u128::from(high) << 64 | u128::from(low))
    }
}

/// A fingerprint is a hash already.
pub(crate) type PassThrough = BuildHasherDefault<LowHalf>;

#[derive(Debug, Default)]
pub(crate) struct LowHalf(u64);

impl Hasher for LowHalf {
    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64; // the low half is meant
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed with it");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
