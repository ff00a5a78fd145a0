//! What a log states about itself: which log it is, and which of its first records were removed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::format::chain::Link;
use crate::format::line;
use crate::format::seq::Seq;

/// The version of the format that logs with an identity have.
const FORMAT: u32 = 2;

/// Which log it is: 16 random bytes, given once, when a chained log is begun.
///
/// It stands in the log's first line, and so under every hash of its chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// The text is not 32 lower-case hexadecimal digits. Copy it from the output of `proofload verify`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no identity of a log: 32 hexadecimal digits are")]
pub struct LogIdError {
    text: String,
}

impl FromStr for LogId {
    type Err = LogIdError;

    fn from_str(text: &str) -> Result<Self, LogIdError> {
        let number = u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()));
        // The same text again: so there is one spelling.
        number
            .ok()
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| LogIdError {
                text: text.to_owned(),
            })
    }
}

impl Serialize for LogId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Records that were removed from the beginning of a log, as the log states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The first record that was removed.
    pub first: Seq,
    /// The last one: the log goes on with the next.
    pub last: Seq,
    /// Why, and where they went.
    pub why: String,
    /// The link of the last one, in a chained log.
    link: Option<String>,
}

impl Removal {
    pub(crate) fn new(first: Seq, last: Seq, link: Option<String>, why: String) -> Self {
        Self {
            first,
            last,
            why,
            link,
        }
    }

    /// The chain's hash up to the last record that was removed, in a chained log.
    #[must_use]
    pub fn hash(&self) -> Option<[u8; 32]> {
        self.link().map(|link| link.0)
    }

    pub(crate) fn link(&self) -> Option<Link> {
        Link::from_text(self.link.as_deref()?.as_bytes())
    }
}

/// The data of a line with `"log"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// Which log this is. In the first line of a chained log, and again in each statement that
    /// outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<LogId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<u32>,
    /// Whether lines that were written together share a link, which the last of them has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) in_groups: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Removal>,
}

/// The first line of a log, with its line break, and its link.
pub(crate) fn first_line(identity: LogId, in_groups: bool) -> (Vec<u8>, Link) {
    let (mut line, mut link) = (Vec::new(), Link::root());
    let statement = Statement::beginning(identity, in_groups).json();
    line::encode_own(&mut line, Seq::ZERO, Seq::ZERO, &statement, Some(&mut link));
    (line, link)
}

impl Statement {
    fn beginning(identity: LogId, in_groups: bool) -> Self {
        Self {
            identity: Some(identity),
            format: Some(FORMAT),
            in_groups,
            removed: None,
        }
    }

    pub(crate) fn removal(identity: Option<LogId>, in_groups: bool, removed: Removal) -> Self {
        Self {
            identity,
            format: None,
            in_groups,
            removed: Some(removed),
        }
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and texts have a JSON form")
    }

    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_spelling() {
        let id = LogId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "ab",
            &"AB".repeat(16),
            &"ab".repeat(17),
            &"+1".repeat(16),
        ] {
            assert!(wrong.parse::<LogId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn statements_have_the_form_of_the_specification() {
        let id = LogId([1; 16]);
        let text = |statement: &Statement| String::from_utf8(statement.json()).unwrap();
        assert_eq!(
            text(&Statement::beginning(id, false)),
            format!("{{\"identity\":\"{id}\",\"format\":2}}")
        );
        assert!(text(&Statement::beginning(id, true)).ends_with(",\"in_groups\":true}"));
        let removal = Removal::new(Seq(1), Seq(7), None, "retention".to_owned());
        let statement = Statement::removal(None, false, removal);
        let json = r#"{"removed":{"first":1,"last":7,"why":"retention","link":null}}"#;
        assert_eq!(text(&statement), json);
        assert_eq!(Statement::parse(json.as_bytes()), Some(statement));
    }
}
