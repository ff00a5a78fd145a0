//! Digests that are written as lower-case hexadecimal digits, each over its own domain.

use std::fmt;
use std::sync::OnceLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

/// Text, parsing and serde for a newtype of bytes.
macro_rules! hex_newtype {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; $bytes * 2];
                f.write_str(encode(&self.0, &mut text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> Result<Self, crate::error::Error> {
                let mut bytes = [0; $bytes];
                match decode(text, &mut bytes) {
                    Some(()) => Ok(Self(bytes)),
                    None => Err(crate::error::Error::Digest {
                        text: crate::text::shorten(text),
                        digits: $bytes * 2,
                    }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let mut text = [0; $bytes * 2];
                to.serialize_str(encode(&self.0, &mut text))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_newtype!(
    /// The content of one key of a world: 16 bytes of BLAKE3 over the value's JSON.
    ///
    /// A version is the content and no counter, so two worlds that were loaded apart can be
    /// compared, and a value that went away and came back does not make a report stale.
    Version, 16
);
hex_newtype!(
    /// BLAKE3 over the bytes of a report's JSON: two reports with one digest are the same bytes.
    ReportDigest, 32
);
hex_newtype!(
    /// BLAKE3 over a plan: its steps in their order, each with its action's digest and what it
    /// waits for.
    WorkflowDigest, 32
);
hex_newtype!(
    /// BLAKE3 over keys and their versions, sorted by key.
    WorldDigest, 32
);
hex_newtype!(
    /// BLAKE3 over everything a plan would change, in order.
    EffectsDigest, 32
);

impl Version {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut version = [0; 16];
        version.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(version)
    }
}

/// Keeps the digests of one kind apart from every other use of BLAKE3 over the same bytes.
macro_rules! domain {
    ($name:ident, $context:literal) => {
        impl $name {
            pub(crate) fn hasher() -> Hasher {
                static CONTEXT: OnceLock<ContextKey> = OnceLock::new();
                Hasher::of(CONTEXT.get_or_init(|| hash_derive_key_context($context)))
            }

            pub(crate) fn finish(hasher: Hasher) -> Self {
                Self(*hasher.finish().as_bytes())
            }
        }
    };
}

domain!(ReportDigest, "proofload 2026-11 simulation report v1");
domain!(WorkflowDigest, "proofload 2026-11 plan digest v1");
domain!(WorldDigest, "proofload 2026-11 world digest v1");
domain!(EffectsDigest, "proofload 2026-11 effects digest v1");

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
        Self::from(blake3::Hasher::new())
    }

    fn of(context: &ContextKey) -> Self {
        Self::from(blake3::Hasher::new_from_context_key(context))
    }

    fn from(hasher: blake3::Hasher) -> Self {
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

    pub(crate) fn finish(mut self) -> blake3::Hash {
        self.hasher.update(&self.gathered);
        self.hasher.finalize()
    }
}

/// Hashes a text with its length before it, so that neighbours cannot run into one another.
pub(crate) fn update_text(hasher: &mut Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn encode<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(text).expect("hexadecimal digits are ASCII")
}

fn decode(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != bytes.len() * 2 {
        return None;
    }
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(bytes) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

/// Upper case is refused: one digest has one spelling.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
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
        let plan = WorkflowDigest::finish(WorkflowDigest::hasher());
        let world = WorldDigest::finish(WorldDigest::hasher());
        assert_ne!(plan.as_bytes(), world.as_bytes());
    }

    #[test]
    fn a_digest_does_not_depend_on_how_its_bytes_came() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let context = "proofload 2026-11 plan digest v1";
        let whole = blake3::derive_key(context, &bytes);
        for piece in [1, 7, 1023, 1024, 1025, 3000, 10_000] {
            let mut hasher = WorkflowDigest::hasher();
            for part in bytes.chunks(piece) {
                hasher.update(part);
            }
            assert_eq!(WorkflowDigest::finish(hasher).as_bytes(), &whole, "{piece}");
        }
    }
}
