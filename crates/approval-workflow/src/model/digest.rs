//! Digests that are written as 64 lower-case hexadecimal digits.

/// Text, parsing and serde for a newtype of 32 bytes.
macro_rules! hex_digest {
    ($name:ident, $what:literal) => {
        impl $name {
            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;

            fn from_str(text: &str) -> Result<Self, crate::Error> {
                match blake3::Hash::from_hex(text) {
                    // `from_hex` takes upper case too; one digest has one spelling here.
                    Ok(hash) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                        Ok(Self(hash.into()))
                    }
                    _ => Err(crate::model::names::refuse(
                        $what,
                        text,
                        "it is not 64 lower-case hexadecimal digits",
                    )),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use hex_digest;
