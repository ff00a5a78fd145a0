//! Whether a text with placeholders is JSON, and where in it each placeholder stands.

use super::scan::DEEPEST;
use crate::error::SpecError;
use crate::template::Encoding;
use crate::template::parse::Piece;

/// The encoding of each placeholder of a JSON text: inside quotes or as a value.
///
/// # Errors
///
/// `subject`, such as "the body", is not JSON.
pub(crate) fn check(
    text: &str,
    pieces: &[Piece],
    subject: &str,
) -> Result<Vec<Encoding>, SpecError> {
    let mut checker = Checker {
        text,
        items: items(text, pieces),
        at: 0,
        places: Vec::new(),
    };
    checker.whole().map_err(|expected| {
        let problem = format!(
            "{subject} is not JSON: expected {expected}, not {}",
            checker.found()
        );
        SpecError::new(checker.place(), problem)
    })?;
    Ok(checker.places)
}

/// One byte of the text, or a placeholder, and where it begins.
struct Item {
    at: usize,
    byte: Option<u8>,
}

fn items(text: &str, pieces: &[Piece]) -> Vec<Item> {
    let mut items = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Literal(range) => items.extend(range.clone().map(|at| Item {
                at,
                byte: Some(text.as_bytes()[at]),
            })),
            Piece::Placeholder(placeholder) => items.push(Item {
                at: placeholder.at.start,
                byte: None,
            }),
        }
    }
    items
}

struct Checker<'t> {
    text: &'t str,
    items: Vec<Item>,
    at: usize,
    places: Vec<Encoding>,
}

/// What was expected where the mistake is.
type Expected = &'static str;

impl Checker<'_> {
    fn whole(&mut self) -> Result<(), Expected> {
        self.value(0)?;
        self.spaces();
        match self.at == self.items.len() {
            true => Ok(()),
            false => Err("the end"),
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Expected> {
        self.spaces();
        match self.items.get(self.at).map(|item| item.byte) {
            Some(None) => {
                self.places.push(Encoding::JsonValue);
                self.at += 1;
                Ok(())
            }
            Some(Some(b'"')) => self.string(),
            Some(Some(b'{' | b'[')) if depth == DEEPEST => Err("at most 128 levels"),
            Some(Some(b'{')) => self.list(b'}', "`,` or `}`", |checker| {
                checker.key()?;
                checker.value(depth + 1)
            }),
            Some(Some(b'[')) => self.list(b']', "`,` or `]`", |checker| checker.value(depth + 1)),
            Some(Some(_)) => self.word(),
            None => Err("a value"),
        }
    }

    fn key(&mut self) -> Result<(), Expected> {
        self.spaces();
        if self.byte() != Some(b'"') {
            return Err("a name in quotes");
        }
        self.string()?;
        self.spaces();
        match self.take(b':') {
            true => Ok(()),
            false => Err("`:`"),
        }
    }

    fn list(
        &mut self,
        end: u8,
        expected: Expected,
        mut one: impl FnMut(&mut Self) -> Result<(), Expected>,
    ) -> Result<(), Expected> {
        self.at += 1;
        self.spaces();
        if self.take(end) {
            return Ok(());
        }
        loop {
            one(self)?;
            self.spaces();
            if self.take(end) {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(expected);
            }
        }
    }

    fn string(&mut self) -> Result<(), Expected> {
        self.at += 1;
        while let Some(item) = self.items.get(self.at) {
            match item.byte {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err("`\"`"),
                Some(_) => self.at += 1,
                None => {
                    self.places.push(Encoding::JsonString);
                    self.at += 1;
                }
            }
        }
        Err("`\"`")
    }

    fn escape(&mut self) -> Result<(), Expected> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err("four hexadecimal digits");
                    }
                    self.at += 1;
                }
            }
            _ => return Err("an escape such as `\\n`"),
        }
        Ok(())
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<(), Expected> {
        let begin = self.at;
        let word = self.word_at(begin);
        match serde_json::from_str::<serde_json::Value>(&word) {
            Ok(_) => {
                self.at += word.len();
                Ok(())
            }
            Err(_) => Err("a value"),
        }
    }

    fn word_at(&self, begin: usize) -> String {
        let bytes = self.items[begin..]
            .iter()
            .map_while(|item| item.byte)
            .take_while(|byte| !b" \t\r\n,:[]{}\"".contains(byte))
            .collect();
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.byte() {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.byte() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn byte(&self) -> Option<u8> {
        self.items.get(self.at).and_then(|item| item.byte)
    }

    fn place(&self) -> usize {
        self.items
            .get(self.at)
            .map_or(self.text.trim_end().len(), |item| item.at)
    }

    /// What stands where the mistake is.
    fn found(&self) -> String {
        let Some(item) = self.items.get(self.at) else {
            return "the end".into();
        };
        let rest = &self.text[item.at..];
        let shown = match item.byte {
            None => rest.find('}').map_or(rest, |end| &rest[..=end]),
            Some(b'"') => rest[1..].find('"').map_or(rest, |end| &rest[..end + 2]),
            Some(b'\n' | b'\r') => return "the end of the line".into(),
            Some(_) => match self.word_at(self.at).len() {
                0 | 1 => &rest[..rest.chars().next().map_or(0, char::len_utf8)],
                length => &rest[..length],
            },
        };
        match shown.char_indices().nth(LONGEST_SHOWN) {
            Some((end, _)) => format!("`{}…`", &shown[..end]),
            None => format!("`{shown}`"),
        }
    }
}

/// How much of a text is shown in a message.
const LONGEST_SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::template::parse::parse;

    fn checked(text: &str) -> String {
        match check(text, &parse(text).unwrap(), "the body") {
            Ok(places) => format!("{places:?}"),
            Err(error) => format!("{}: {}", error.inside, error.problem),
        }
    }

    #[test]
    fn a_placeholder_is_a_text_inside_quotes_and_a_value_without() {
        assert_eq!(
            checked(r#"{ "a": "x${id}", "b": ${id}, "${id}": [${id}, 1.5e3, true] }"#),
            "[JsonString, JsonValue, JsonString, JsonValue]"
        );
        assert_eq!(checked("${id}"), "[JsonValue]");
        assert_eq!(checked(r#" "a $${id} \" \u00e9" "#), "[]");
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let not = |text| {
            let told = checked(text);
            told.replacen("the body is not JSON: expected ", "", 1)
        };
        assert_eq!(
            checked(r#"{ "a": ${id} "text": 1 }"#),
            "13: the body is not JSON: expected `,` or `}`, not `\"text\"`"
        );
        assert_eq!(not("{ ${id}: 1 }"), "2: a name in quotes, not `${id}`");
        assert_eq!(not(r#"{"a" 1}"#), "5: `:`, not `1`");
        assert_eq!(not("[1 2]"), "3: `,` or `]`, not `2`");
        assert_eq!(not("[1, ]"), "4: a value, not `]`");
        assert_eq!(not("12${id}"), "2: the end, not `${id}`");
        assert_eq!(not("{\"a\": 1\n"), "7: `,` or `}`, not the end");
        assert_eq!(not("\"a\nb\""), "2: `\"`, not the end of the line");
        assert_eq!(not("[nul]"), "1: a value, not `nul`");
        assert_eq!(not(r#""\x""#), "2: an escape such as `\\n`, not `x`");
        assert_eq!(not(""), "0: a value, not the end");
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json_on_what_is_json(
            text in r#"[\[\]{}:,"\\ntruefalse0-9.eE+\- au\x01é]{0,12}"#
        ) {
            let other = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            if other || !text.contains("\\u") {
                let here = check(&text, &parse(&text).unwrap(), "the body").is_ok();
                prop_assert_eq!(here, other, "{}", text);
            }
        }
    }
}
