//! The hash chain: each line's hash is keyed with the one before it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The hash of a line and, through its key, of every line before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link(pub(crate) [u8; 32]);

/// How a link stands in a line: base64 without padding.
pub(crate) type LinkText = [u8; Link::TEXT_BYTES];

impl Link {
    pub(crate) const TEXT_BYTES: usize = 43;

    /// What the first line is keyed with.
    pub(crate) fn root() -> Self {
        static ROOT: LazyLock<Link> =
            LazyLock::new(|| Link(*blake3::hash(b"jsonl-storage chain v1").as_bytes()));
        *ROOT
    }

    /// The link of a line, given its bytes before `,"chain":`.
    pub(crate) fn next(self, body: &[u8]) -> Self {
        Self(*blake3::keyed_hash(&self.0, body).as_bytes())
    }

    pub(crate) fn text(self) -> LinkText {
        let mut text = [0; Self::TEXT_BYTES];
        STANDARD_NO_PAD
            .encode_slice(self.0, &mut text)
            .expect("32 bytes are 43 digits");
        text
    }

    /// One spelling for each link: the two bits that the last digit has too many must be zero.
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        // The decoder asks for room for whole groups of digits.
        let mut bytes = [0; 33];
        let length = STANDARD_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let link = bytes[..length].try_into().ok()?;
        Some(Self(link))
    }
}
