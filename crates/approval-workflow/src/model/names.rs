//! Ids and texts that a person will read and decide by: no characters that are not seen, or that move
//! what is seen.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::Error;

/// Names a request; chosen by the caller or derived by the workflow.
///
/// 1 to 128 characters of printable ASCII without spaces: no letters of other scripts that look like
/// Latin ones. Case counts. Ids of ASCII can still look alike, such as `r-1` and `r-l`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Arc<str>);

/// Names a person, or an agent, as the caller's authentication established it.
///
/// 1 to 128 characters of printable ASCII without spaces and without upper-case letters: were
/// `Alice` and `alice` two people, one of them could approve what the other asked for. `alice` and
/// `a1ice` are two people here; a [`Directory`](crate::Directory) does not list both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonId(Arc<str>);

/// Names a group of reviewers, by the same rules as a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Arc<str>);

/// Names an attempt of a caller: repeated with the same content it is answered like the first time,
/// with another content refused. 1 to 128 characters of printable ASCII without spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(Arc<str>);

const MAX_ID_BYTES: usize = 128;

impl RequestId {
    /// Checks an id.
    ///
    /// # Errors
    ///
    /// [`Error::Text`], which says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, Error> {
        match id_fault(text) {
            None => Ok(Self(text.into())),
            Some(fault) => Err(refuse("request id", text, fault)),
        }
    }

    /// Whether a text is an id.
    pub(crate) fn is_id(text: &str) -> bool {
        id_fault(text).is_none()
    }

    /// An id that was checked before it was kept.
    pub(crate) fn kept(text: &str) -> Self {
        Self(text.into())
    }

    /// The id that the workflow gives to its `number`th request if the caller names none.
    pub(crate) fn derived(number: u64) -> Self {
        Self(format!("r-{number}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PersonId {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`Error::Text`], which says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, Error> {
        check_lower_case("person", text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupId {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`Error::Text`], which says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, Error> {
        check_lower_case("group", text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IdempotencyKey {
    /// Checks a key.
    ///
    /// # Errors
    ///
    /// [`Error::Text`], which says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, Error> {
        match id_fault(text) {
            None => Ok(Self(text.into())),
            Some(fault) => Err(refuse("idempotency key", text, fault)),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_lower_case(what: &'static str, text: &str) -> Result<(), Error> {
    let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    match id_fault(text) {
        None if upper => Err(refuse(what, text, "it has upper-case letters")),
        None => Ok(()),
        Some(fault) => Err(refuse(what, text, fault)),
    }
}

fn id_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > MAX_ID_BYTES {
        Some("it is longer than 128 bytes")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("it has a character that is not printable ASCII, or a space")
    } else {
        None
    }
}

/// Checks a text that people wrote for people: line breaks and tabs are fine, other characters that
/// are not seen, or that move what is seen, are not.
pub(crate) fn check_text(what: &'static str, text: &str, most: usize) -> Result<(), Error> {
    if text.len() > most {
        let bytes = text.len();
        return Err(Error::TooLarge { what, bytes, most });
    }
    let mut bytes = text.bytes();
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if !bytes.all(is_plain) && text.contains(is_hidden) {
        let fault = "it has a control character, or one that is not seen or changes the direction \
                     of writing";
        return Err(refuse(what, text, fault));
    }
    Ok(())
}

/// Whether a character shows nothing by itself and changes what is shown or how it compares: the
/// controls, the marks of direction (CVE-2021-42574), separators of lines that few programs break at,
/// and what Unicode's `Default_Ignorable_Code_Point` lists. The joiners U+200C and U+200D are let
/// through: Persian and half of the emoji cannot be written without.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' => true,
        '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => c.is_control(),
    }
}

pub(crate) fn refuse(what: &'static str, text: &str, fault: &'static str) -> Error {
    const MOST: usize = 80;
    let text = match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    Error::Text { what, text, fault }
}

macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

text_id!(RequestId);
text_id!(PersonId);
text_id!(GroupId);
text_id!(IdempotencyKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_no_spaces_no_hidden_characters_and_no_letters_of_other_scripts() {
        let cyrillic_a = "\u{430}lice";
        let long = "x".repeat(1 << 20);
        for text in [
            "", " ", "a b", "a\n", "a\0", "\u{7f}", cyrillic_a, "é", &long,
        ] {
            assert!(RequestId::new(text).is_err(), "{text:?}");
            assert!(PersonId::new(text).is_err(), "{text:?}");
        }
        assert!(RequestId::new("Case-17/b").is_ok());
        assert!(PersonId::new("alice@example.org").is_ok());
        assert_eq!(
            PersonId::new("Alice").unwrap_err().to_string(),
            "invalid person \"Alice\": it has upper-case letters"
        );
    }

    #[test]
    fn a_refused_text_is_shown_cut_and_escaped() {
        let error = RequestId::new(&"\u{1b}[2J".repeat(99))
            .unwrap_err()
            .to_string();
        assert!(error.len() < 800 && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn an_id_read_from_json_is_checked_too() {
        assert!(serde_json::from_str::<RequestId>("\"a b\"").is_err());
        assert!(serde_json::from_str::<PersonId>("\"Bob\"").is_err());
    }

    #[test]
    fn texts_may_have_lines_and_any_script_but_no_hidden_characters() {
        for text in [
            "so ist es,\n\tгаразд",
            "می\u{200c}خواهم",
            "👩\u{200d}🚒 ❤\u{fe0f}",
        ] {
            assert!(check_text("reason", text, 100).is_ok(), "{text:?}");
        }
        for text in [
            "a\u{202e}b",
            "a\u{1b}[0m",
            "\u{0}",
            "\u{85}",
            "a\u{200b}b",
            "a\u{2028}b",
            "\u{feff}a",
            "a\u{e0041}",
        ] {
            assert!(check_text("reason", text, 100).is_err(), "{text:?}");
        }
        assert!(matches!(
            check_text("reason", &"x".repeat(101), 100),
            Err(Error::TooLarge { bytes: 101, .. })
        ));
    }
}
