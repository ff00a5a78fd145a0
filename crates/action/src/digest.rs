//! Digests: fixed numbers of bytes, each kind a type of its own.

/// Declares a newtype of so many bytes that is written as lower-case hexadecimal digits: by
/// [`Display`](std::fmt::Display), by [`FromStr`](std::str::FromStr) and by serde. Other spellings
/// are refused, since one digest has one text.
///
/// With a third argument it is a BLAKE3 digest in `derive_key` mode: the text is the context, which
/// keeps the digests of one kind apart from every other use of BLAKE3 over the same bytes. The type
/// then has `of`, for bytes that are at hand, and `hasher`, for bytes that come in pieces.
///
/// The crate that uses it with a third argument needs nothing else; `$name::hasher` returns a
/// `blake3::Hasher`.
///
/// ```
/// action::digest_type! {
///     /// The digest of a receipt's bytes.
///     ReceiptDigest, 32, "example 2026-11 receipt v1"
/// }
///
/// let digest = ReceiptDigest::of(b"paid");
/// assert_eq!(digest.to_string().parse::<ReceiptDigest>()?, digest);
/// assert_eq!(
///     "PAID".parse::<ReceiptDigest>().unwrap_err().to_string(),
///     "invalid receipt digest \"PAID\", expected 64 lower-case hexadecimal digits"
/// );
/// # Ok::<(), action::Error>(())
/// ```
#[macro_export]
macro_rules! digest_type {
    ($(#[$attribute:meta])* $name:ident, $bytes:literal $(, $context:literal)? $(,)?) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        $(
            impl $name {
                /// Digests bytes.
                #[must_use]
                pub fn of(bytes: &[u8]) -> Self {
                    Self(Self::hasher().update(bytes).finalize().into())
                }

                /// Digests bytes that come in pieces: finalize it, and take the digest by
                /// `from_bytes`.
                #[must_use]
                pub fn hasher() -> $crate::digest::blake3::Hasher {
                    // The hash of the context is the same for all, and one part in four of the
                    // work for a text of a few hundred bytes.
                    static CONTEXT: $crate::digest::Context = $crate::digest::Context::new($context);
                    CONTEXT.hasher()
                }
            }
        )?

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($crate::hex::encode(&self.0, &mut [0; $bytes * 2]))
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, $crate::Error> {
                $crate::hex::decode(stringify!($name), text).map(Self)
            }
        }

        impl $crate::digest::serde::Serialize for $name {
            fn serialize<S: $crate::digest::serde::Serializer>(
                &self,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str($crate::hex::encode(&self.0, &mut [0; $bytes * 2]))
            }
        }

        impl<'de> $crate::digest::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::digest::serde::Deserializer<'de>>(
                from: D,
            ) -> Result<Self, D::Error> {
                from.deserialize_str($crate::hex::Visitor(stringify!($name)))
                    .map(Self)
            }
        }
    };
}

use std::sync::OnceLock;

use ::blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

#[doc(hidden)]
pub use ::{blake3, serde};

/// The context of a kind of digests, hashed once.
#[doc(hidden)]
#[derive(Debug)]
pub struct Context {
    text: &'static str,
    key: OnceLock<ContextKey>,
}

impl Context {
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        let key = OnceLock::new();
        Self { text, key }
    }

    #[must_use]
    pub fn hasher(&self) -> blake3::Hasher {
        let key = self.key.get_or_init(|| hash_derive_key_context(self.text));
        blake3::Hasher::new_from_context_key(key)
    }
}

digest_type! {
    /// The digest of an action's [canonical form](crate::Action::canonical).
    ActionDigest, 32, "proofload 2026-11 action digest v1"
}

digest_type! {
    /// The digest of the report of a simulation: of the bytes of its JSON.
    ReportDigest, 32, "proofload 2026-11 simulation report v1"
}

digest_type! {
    /// The digest of everything that a simulation predicts a plan to change, in order.
    EffectsDigest, 32, "proofload 2026-11 effects digest v1"
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro declares public types")]
mod tests {
    use super::*;

    digest_type! {
        /// As short as a version, and without a context.
        Short, 16
    }

    #[test]
    fn a_digest_survives_its_text() {
        let digest = ActionDigest::of(b"{}");
        assert_eq!(digest.to_string().parse::<ActionDigest>().unwrap(), digest);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<ActionDigest>(&json).unwrap(), digest);
        let short = Short::from_bytes(std::array::from_fn(|byte| byte as u8 * 17));
        assert_eq!(short.to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(short.to_string().parse::<Short>().unwrap(), short);
        assert_eq!(short.as_bytes()[15], 255);
    }

    #[test]
    fn a_digest_is_blake3_in_the_mode_that_derives_keys() {
        for length in [0, 1, 64, 65, 1024, 1025, 5000] {
            let bytes = vec![7; length];
            let plain = blake3::derive_key("proofload 2026-11 action digest v1", &bytes);
            assert_eq!(ActionDigest::of(&bytes).0, plain, "{length}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = ActionDigest::of(b"{}").to_string();
        for text in [
            String::new(),
            "00".into(),
            "zz".into(),
            text.to_uppercase(),
            text[1..].to_owned(),
            format!("{text}0"),
            format!("{text}00"),
            text.replacen(|digit: char| digit.is_ascii_digit(), "g", 1),
            format!("é{}", &text[2..]),
        ] {
            let error = text.parse::<ActionDigest>().unwrap_err().to_string();
            assert!(error.starts_with("invalid action digest "), "{error}");
            let json = serde_json::to_string(&text).unwrap();
            assert!(serde_json::from_str::<ActionDigest>(&json).is_err());
        }
        assert!(serde_json::from_str::<ActionDigest>("7").is_err());
    }

    #[test]
    fn kinds_of_digests_differ_over_the_same_bytes() {
        let (report, effects) = (ReportDigest::of(b""), EffectsDigest::of(b""));
        assert_ne!(report.as_bytes(), effects.as_bytes());
    }
}
