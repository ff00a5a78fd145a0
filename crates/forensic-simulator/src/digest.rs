//! Digests of what a simulation takes in and gives.

use action::digest_type;

digest_type! {
    /// The content of one key of a world: 16 bytes of BLAKE3 over the value's JSON.
    ///
    /// A version is the content and no counter, so two worlds that were loaded apart can be
    /// compared, and a value that went away and came back does not make a report stale.
    Version, 16
}

digest_type! {
    /// BLAKE3 over a plan: its steps in their order, each with its action's digest and what it
    /// waits for.
    WorkflowDigest, 32, "proofload 2026-11 plan digest v1"
}

digest_type! {
    /// BLAKE3 over keys and their versions, sorted by key.
    WorldDigest, 32, "proofload 2026-11 world digest v1"
}

impl Version {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut version = [0; 16];
        version.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self::from_bytes(version)
    }
}

/// BLAKE3 over pieces, which it gathers: taken one by one, small ones cost as much as large ones.
pub(crate) struct Hasher {
    hasher: blake3::Hasher,
    gathered: Vec<u8>, // at most GATHERED bytes
}

/// What BLAKE3 takes as one chunk.
const GATHERED: usize = 1024;

impl Hasher {
    /// Without a domain, for what is not told to anybody.
    pub(crate) fn new() -> Self {
        Self::of(blake3::Hasher::new())
    }

    /// Of a kind of digests.
    pub(crate) fn of(hasher: blake3::Hasher) -> Self {
        Self {
            hasher,
            gathered: Vec::with_capacity(GATHERED),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) -> &mut Self {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.hasher.update(&self.gathered);
            self.gathered.clear();
        }
        if bytes.len() > GATHERED {
            self.hasher.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
        self
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.gathered);
        self.hasher.finalize().into()
    }
}

/// Hashes a text with its length before it, so that neighbours cannot run into one another.
pub(crate) fn update_text(hasher: &mut Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_and_other_spellings_are_refused() {
        let version = Version::of(b"x");
        assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
        let json = serde_json::to_string(&version).unwrap();
        assert_eq!(serde_json::from_str::<Version>(&json).unwrap(), version);
        for text in ["", "00", "zz", &version.to_string().to_uppercase()] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn kinds_of_digests_differ_over_the_same_bytes() {
        assert_ne!(
            WorkflowDigest::of(b"x").as_bytes(),
            WorldDigest::of(b"x").as_bytes()
        );
    }

    #[test]
    fn a_digest_does_not_depend_on_how_its_bytes_came() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let context = "proofload 2026-11 plan digest v1";
        let whole = blake3::derive_key(context, &bytes);
        for piece in [1, 7, 1023, 1024, 1025, 3000, 10_000] {
            let mut hasher = Hasher::of(WorkflowDigest::hasher());
            for part in bytes.chunks(piece) {
                hasher.update(part);
            }
            assert_eq!(hasher.finish(), whole, "{piece}");
        }
    }
}
