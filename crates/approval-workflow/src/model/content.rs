//! The content of a request as bytes: how many, and their digest.

use std::io;

use serde::Serialize;

use crate::Request;

action::digest_type! {
    /// The BLAKE3 digest of a whole request: what was asked, its state, and every review.
    RequestDigest, 32, "proofload 2026-11 approval request v1"
}

/// Digests a request, over its JSON, in `derive_key` mode.
///
/// A caller that keeps the digest of what it was given back can tell after a restart whether the
/// request on disk still says the same.
#[must_use]
pub fn request_digest(request: &Request) -> RequestDigest {
    let mut hasher = RequestDigest::hasher();
    write_json(&mut hasher, request);
    RequestDigest(hasher.finalize().into())
}

/// How many bytes a value's JSON has.
pub(crate) fn json_bytes(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    write_json(&mut count, value);
    count.0
}

pub(crate) fn write_json(to: &mut impl io::Write, value: &impl Serialize) {
    // The sinks never fail, and what is written here has text keys throughout.
    serde_json::to_writer(to, value).expect("the value has a JSON form");
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
