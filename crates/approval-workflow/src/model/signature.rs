//! Keys and signatures of reviewers.

use std::collections::BTreeMap;
use std::fmt;

use action::Timestamp;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use crate::model::names::PersonId;

action::digest_type! {
    /// The Ed25519 public key of a reviewer, as RFC 8032 writes it.
    PublicKey, 32
}

/// The public keys of a [`Policy`](crate::Policy).
pub type Signers = BTreeMap<PersonId, PublicKey>;

impl PublicKey {
    /// The key, if only its owner can sign for it.
    pub(crate) fn decoded(&self) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(&self.0).ok()?;
        (!key.is_weak()).then_some(key)
    }

    /// Whether it is a point of the curve, and none of the few for which anybody can sign.
    pub(crate) fn is_sound(&self) -> bool {
        self.decoded().is_some()
    }
}

action::digest_type! {
    /// An Ed25519 signature, as RFC 8032 writes it.
    Signature, 64
}

/// The signature of a review as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewSignature {
    /// The moment that the reviewer signed; the review may have been recorded later.
    pub at: Timestamp,
    /// The signature of the [`ReviewStatement`](crate::ReviewStatement).
    pub value: Signature,
}

/// Why a signature does not do: a closed list, so that no answer hides in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignatureFault {
    /// The policy lists a key of the reviewer, or of the person in whose place the review is made,
    /// and the review is not signed.
    Missing,
    /// The policy lists no key of the reviewer, so the signature cannot be verified.
    NoKey,
    /// The signature was not made with the reviewer's key, or not for this: another request, action,
    /// decision, reason or moment.
    Wrong,
}

impl SignatureFault {
    /// Its name in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "it is not signed",
            Self::NoKey => "the policy lists no key to verify its signature with",
            Self::Wrong => "its signature was made with another key, or for something else",
        }
    }
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_keys_are_not_sound() {
        assert!(!PublicKey::from_bytes([0; 32]).is_sound(), "a weak key");
        let mut off_the_curve = [0; 32];
        off_the_curve[0] = 2;
        assert!(!PublicKey::from_bytes(off_the_curve).is_sound());
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        assert!(PublicKey::from_bytes(key.verifying_key().to_bytes()).is_sound());
    }
}
