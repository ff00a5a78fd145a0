//! The content of a thing, in few bits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The content of a thing, as 64 bits of its BLAKE3 hash.
///
/// 64 bits, because each found thing is compared with one expected digest only: an alteration goes
/// unseen once in 2⁶⁴ times. Written as 16 hexadecimal digits.
///
/// ```
/// use load_engine::Digest;
///
/// assert_eq!(Digest::of(b"paid").to_string().parse(), Ok(Digest::of(b"paid")));
/// assert_ne!(Digest::of(b"paid"), Digest::of(b"Paid"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(u64);

impl Digest {
    /// The digest of bytes.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::from_blake3(*blake3::hash(content).as_bytes())
    }

    /// The digest of a value's JSON.
    ///
    /// # Errors
    ///
    /// When the value cannot be JSON, such as a map whose keys are no text.
    pub fn of_json(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        serde_json::to_writer(&mut hasher, value)?;
        Ok(Self::from_blake3(*hasher.finalize().as_bytes()))
    }

    /// The digest of what has this BLAKE3 hash.
    #[must_use]
    pub fn from_blake3([a, b, c, d, e, f, g, h, ..]: [u8; 32]) -> Self {
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl Digest {
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hexadecimal = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        hexadecimal
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| format!("a digest is 16 hexadecimal digits, not {text:?}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}
