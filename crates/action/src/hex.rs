//! Fixed numbers of bytes as lower-case hexadecimal digits: the text form that [`digest_type!`] gives
//! its types.
//!
//! [`digest_type!`]: crate::digest_type

use std::fmt;

use serde::de;

use crate::error::{Error, shorten};

/// Writes two digits a byte. `text` has twice as many bytes as `bytes`.
#[must_use]
pub fn encode<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ];
    }
    std::str::from_utf8(text).expect("hexadecimal digits are ASCII")
}

/// Reads bytes. Upper case is refused: one value has one spelling.
///
/// # Errors
///
/// [`Error::Digest`], with the name of the type in words.
pub fn decode<const N: usize>(type_name: &str, text: &str) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let fits = pairs.len() == N && rest.is_empty();
    let read = |(byte, [high, low]): (&mut u8, &[u8; 2])| {
        *byte = digit(*high)? << 4 | digit(*low)?;
        Some(())
    };
    match fits.then(|| bytes.iter_mut().zip(pairs).try_for_each(read)) {
        Some(Some(())) => Ok(bytes),
        _ => Err(Error::Digest {
            what: words(type_name),
            text: shorten(text),
            digits: 2 * N,
        }),
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// `ActionDigest` as "action digest".
fn words(type_name: &str) -> String {
    let mut words = String::with_capacity(type_name.len() + 2);
    for character in type_name.chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

/// Reads such a text with serde, without a copy of it. Holds the name of the type.
#[derive(Debug)]
pub struct Visitor<const N: usize>(pub &'static str);

impl<const N: usize> de::Visitor<'_> for Visitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = words(self.0);
        write!(f, "a {what} of {} lower-case hexadecimal digits", 2 * N)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        decode(self.0, text).map_err(E::custom)
    }
}
