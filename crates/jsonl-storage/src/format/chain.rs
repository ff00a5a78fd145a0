//! The hash chain: each line's hash is keyed with the one before it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::format::seq::Seq;

/// The hash of a line and, through its key, of every line before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link(pub(crate) [u8; 32]);

/// Where a record stands in the chain of its log; made by [`Log::link`](crate::Log::link).
///
/// It says that the record's bytes, under the hash of the line before, have this hash. Whoever noted
/// that hash elsewhere, as in a [`Checkpoint`](crate::Checkpoint) of that moment, can tell that this
/// record was the last one then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainLink {
    /// The record's number.
    pub seq: Seq,
    /// The last record that was known to be on disk when its line was made.
    pub synced: Seq,
    /// The hash of the line before; for the first line, the one that FORMAT.md names.
    pub before: [u8; 32],
    /// The hash of its line, and through it of all lines before.
    pub hash: [u8; 32],
}

impl ChainLink {
    /// Whether this is the link of a record with these bytes: its JSON, as it stands in the log.
    #[must_use]
    pub fn fits(&self, data: &[u8]) -> bool {
        let (seq, synced) = (self.seq, self.synced);
        let mut body = format!("{{\"seq\":{seq},\"synced\":{synced},\"data\":").into_bytes();
        body.extend_from_slice(data);
        Link(self.before).next(&body).0 == self.hash
    }
}

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
