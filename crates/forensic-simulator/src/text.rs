//! Text that is shared rather than copied, or shortened.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, Visitor};

/// Reads a text into its place at once: serde's own way makes a `Box` first.
pub(crate) fn shared<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    from.deserialize_str(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}

/// The start of a text that may be long, for a message of one line.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
