use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::Error;

/// Keeps this digest apart from every other use of BLAKE3 over the same bytes.
const DOMAIN: &str = "proofload 2026-11 action digest v1";

/// The BLAKE3 digest of an action's canonical form, in `derive_key` mode (domain-separated).
///
/// Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ActionDigest([u8; 32]);

impl ActionDigest {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_canonical(bytes: &[u8]) -> Self {
        Self(blake3::derive_key(DOMAIN, bytes))
    }
}

impl fmt::Display for ActionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ActionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionDigest({self})")
    }
}

impl FromStr for ActionDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match blake3::Hash::from_hex(text) {
            // `from_hex` takes upper case too; one digest has one spelling here.
            Ok(hash) if !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Self(hash.into())),
            _ => Err(Error::Digest {
                text: text.to_owned(),
            }),
        }
    }
}

impl TryFrom<String> for ActionDigest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl Serialize for ActionDigest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl From<ActionDigest> for String {
    fn from(digest: ActionDigest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text() {
        let digest = ActionDigest::of_canonical(b"{}");
        assert_eq!(digest.to_string().parse::<ActionDigest>().unwrap(), digest);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<ActionDigest>(&json).unwrap(), digest);
    }

    #[test]
    fn other_spellings_are_refused() {
        let upper = ActionDigest::of_canonical(b"{}").to_string().to_uppercase();
        for text in ["", "00", "zz", &upper] {
            assert!(text.parse::<ActionDigest>().is_err(), "{text:?}");
        }
    }
}
