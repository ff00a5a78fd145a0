//! One request in the table that the gate answers by.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::gate::name::Name;
use crate::gate::packed::Packed;

/// Eight words, 64 bytes: one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Slot {
    pub(crate) high: AtomicU64,
    /// The low half of the name, and the request's number.
    low: AtomicU64,
    digest: [AtomicU64; 4],
    pub(crate) standing: AtomicU64,
    pub(crate) since: AtomicU64,
}

impl Slot {
    pub(crate) fn fill(&self, name: Name, number: u32, packed: &Packed) {
        let low = u64::from(name.low) << 32 | u64::from(number);
        self.low.store(low, Ordering::Relaxed);
        for (word, bytes) in self.digest.iter().zip(packed.digest.chunks_exact(8)) {
            word.store(word_of(bytes), Ordering::Relaxed);
        }
        self.since.store(packed.since, Ordering::Relaxed);
        self.standing.store(packed.standing, Ordering::Relaxed);
        // Last: from here on it can be found.
        self.high.store(name.high, Ordering::Release);
    }

    pub(crate) fn is_used(&self) -> bool {
        self.high.load(Ordering::Acquire) != 0
    }

    pub(crate) fn low_half(&self) -> u32 {
        (self.low.load(Ordering::Relaxed) >> 32) as u32
    }

    pub(crate) fn number(&self) -> u32 {
        self.low.load(Ordering::Relaxed) as u32 // the lower half is meant
    }

    pub(crate) fn name(&self) -> Name {
        Name {
            high: self.high.load(Ordering::Relaxed),
            low: self.low_half(),
        }
    }

    pub(crate) fn has_digest(&self, digest: &[u8; 32]) -> bool {
        let mut words = self.digest.iter().zip(digest.chunks_exact(8));
        words.all(|(word, bytes)| word.load(Ordering::Relaxed) == word_of(bytes))
    }

    pub(crate) fn packed(&self) -> Packed {
        let mut digest = [0; 32];
        for (bytes, word) in digest.chunks_exact_mut(8).zip(&self.digest) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        Packed {
            digest,
            standing: self.standing.load(Ordering::Acquire),
            since: self.since.load(Ordering::Relaxed),
        }
    }
}

fn word_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("a chunk of 8 bytes"))
}
