//! Digests that are written as lower-case hexadecimal digits, each over its own domain.

use std::fmt;

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
            type Err = crate::Error;

            fn from_str(text: &str) -> Result<Self, crate::Error> {
                let mut bytes = [0; $bytes];
                match decode(text, &mut bytes) {
                    Some(()) => Ok(Self(bytes)),
                    None => Err(crate::Error::Digest {
                        text: crate::error::shorten(text),
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
    PlanDigest, 32
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
            pub(crate) fn hasher() -> blake3::Hasher {
                blake3::Hasher::new_derive_key($context)
            }

            pub(crate) fn finish(hasher: &blake3::Hasher) -> Self {
                Self(*hasher.finalize().as_bytes())
            }
        }
    };
}

domain!(ReportDigest, "proofload 2026-11 simulation report v1");
domain!(PlanDigest, "proofload 2026-11 plan digest v1");
domain!(WorldDigest, "proofload 2026-11 world digest v1");
domain!(EffectsDigest, "proofload 2026-11 effects digest v1");

/// Hashes a text with its length before it, so that neighbours cannot run into one another.
pub(crate) fn update_text(hasher: &mut blake3::Hasher, text: &str) {
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
        let plan = PlanDigest::finish(&PlanDigest::hasher());
        let world = WorldDigest::finish(&WorldDigest::hasher());
        assert_ne!(plan.as_bytes(), world.as_bytes());
    }
}
