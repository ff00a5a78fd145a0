//! Where a value is in a scenario file, and what a misspelt name was meant to be.

use std::fmt;

use drivers::nearest;
use toml::de::{DeTable, DeValue};

/// One part of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// An element of an array, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The place of a value in a scenario file, such as `phases[2].users`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// A key of the whole file.
    #[must_use]
    pub fn to(key: &str) -> Self {
        Self(vec![key.into()])
    }

    /// A value within this one.
    #[must_use]
    pub fn then(&self, next: impl Into<Segment>) -> Self {
        let mut path = self.clone();
        path.0.push(next.into());
        path
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if number == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// How far into a text a mistake is, once the text's escapes are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Inside {
    /// At its beginning.
    #[default]
    Begin,
    /// Behind so many characters.
    Chars(usize),
    /// Behind so many bytes.
    Bytes(usize),
}

/// What is wrong with a scenario file, and with which of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The value.
    pub at: KeyPath,
    /// How far into the value, if it is a text.
    pub inside: Inside,
    /// Whether it is the value's key that is wrong.
    pub of_key: bool,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl SpecError {
    /// A mistake in a value.
    pub fn new(at: KeyPath, problem: impl Into<String>) -> Self {
        Self {
            at,
            inside: Inside::Begin,
            of_key: false,
            problem: problem.into(),
        }
    }

    /// A mistake in the key at this place.
    pub fn of_key(at: KeyPath, problem: impl Into<String>) -> Self {
        Self {
            of_key: true,
            ..Self::new(at, problem)
        }
    }
}

/// The byte at which a value begins; at which the nearest value around it does, if the file says
/// nothing of it.
pub(super) fn byte_of(text: &str, error: &SpecError) -> usize {
    let Ok(table) = DeTable::parse(text) else {
        return 0;
    };
    let mut at = 0;
    let mut here: Option<&DeValue<'_>> = None;
    for segment in &error.at.0 {
        let next = match (here, segment) {
            (None, Segment::Key(key)) => table.get_ref().get(key.as_str()),
            (Some(value), Segment::Key(key)) => value.get(key.as_str()),
            (Some(value), Segment::Index(index)) => value.get(*index),
            (None, Segment::Index(_)) => None,
        };
        let Some(next) = next else { return at };
        let table = match (here, segment) {
            (None, _) => Some(table.get_ref()),
            (Some(value), _) => value.as_table(),
        };
        let key = match (segment, table) {
            (Segment::Key(key), Some(table)) => table.get_key_value(key.as_str()),
            _ => None,
        };
        at = match key {
            Some((key, _)) if error.of_key => key.span().start,
            _ => next.span().start,
        };
        here = Some(next.get_ref());
    }
    match here.is_some_and(DeValue::is_str) && !error.of_key {
        true => at + bytes_inside(&text[at..], error.inside),
        false => at,
    }
}

/// How many bytes of a TOML text, which begins with its quotation mark, come before a place in what it
/// stands for.
fn bytes_inside(text: &str, inside: Inside) -> usize {
    let marks = ["\'\'\'", "\"\"\"", "'", "\""];
    let Some(mark) = marks.into_iter().find(|mark| text.starts_with(mark)) else {
        return 0;
    };
    let many_lines = mark.len() == 3;
    let mut left = match inside {
        // The mark of a text of one line is the place of the whole.
        Inside::Begin | Inside::Chars(0) | Inside::Bytes(0) if !many_lines => return 0,
        Inside::Begin => 0,
        Inside::Chars(count) | Inside::Bytes(count) => count,
    };
    let counts_bytes = matches!(inside, Inside::Bytes(_));
    let mut at = mark.len();
    if many_lines {
        at += line_end(&text[at..]);
    }
    while left > 0
        && let Some(c) = text[at..].chars().next()
    {
        let (length, stands_for) = match c {
            '\\' if mark.starts_with('"') => escape(&text[at..]),
            c => (c.len_utf8(), c.len_utf8()),
        };
        at += length;
        left = left.saturating_sub(match (counts_bytes, stands_for) {
            (_, 0) => 0,
            (true, bytes) => bytes,
            (false, _) => 1,
        });
    }
    at
}

/// The length of a line's end, if the text begins with one.
fn line_end(text: &str) -> usize {
    match text.as_bytes() {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    }
}

/// The length of an escape, and how many bytes it stands for.
fn escape(text: &str) -> (usize, usize) {
    let coded = |digits: usize| {
        let code = text.get(2..2 + digits).unwrap_or_default();
        let code = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        (2 + digits, code.map_or(1, char::len_utf8))
    };
    match text.as_bytes().get(1) {
        Some(b'x') => coded(2),
        Some(b'u') => coded(4),
        Some(b'U') => coded(8),
        // The end of a line, which takes the white space after it along.
        Some(b' ' | b'\t' | b'\r' | b'\n') => {
            let rest = text[1..].trim_start();
            (text.len() - rest.len(), 0)
        }
        _ => (2, 1),
    }
}

/// The line and the column of a byte, both from 1, the column in characters.
pub(super) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

/// A misspelt name, the names there are, and the one that was probably meant.
pub(crate) fn unknown<'n>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'n str> + Clone,
) -> String {
    drivers::unknown_name(what, name, "", known)
}

/// As serde says it.
pub(crate) fn unknown_field(key: &str, known: &[&str]) -> String {
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let meant = nearest(key, known.iter().copied());
    let meant = meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    format!(
        "unknown field `{key}`, expected one of {}{meant}",
        list.join(", ")
    )
}

/// Adds the name that was probably meant to serde's list of the names that are known.
pub(super) fn with_suggestion(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let lists_names =
        message.starts_with("unknown field") || message.starts_with("unknown variant");
    match quoted.as_slice() {
        [name, known @ ..] if lists_names => match nearest(name, known.iter().copied()) {
            Some(meant) => format!("{message}; did you mean `{meant}`?"),
            None => message.to_owned(),
        },
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        let names = ["users", "rate", "repeat", "thresholds"];
        assert_eq!(nearest("usres", names), Some("users"));
        assert_eq!(nearest("threshold", names), Some("thresholds"));
        assert_eq!(nearest("rates", names), Some("rate"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(
            nearest("form", ["from"]),
            Some("from"),
            "two letters swapped"
        );
    }

    #[test]
    fn a_value_is_found_by_its_path() {
        let text = "a = 1\n[[p]]\nb = \"x\"\n[[p]]\nb = \"yz\"\n";
        let place = |at: KeyPath, inside| {
            let error = SpecError {
                inside,
                ..SpecError::new(at, "")
            };
            line_and_column(text, byte_of(text, &error))
        };
        let second = KeyPath::to("p").then(1);
        assert_eq!(place(second.then("b"), Inside::Begin), (5, 5));
        assert_eq!(place(second.then("b"), Inside::Chars(1)), (5, 7));
        let missing = place(second.then("c"), Inside::Begin);
        assert_eq!(missing, (4, 1), "where it would be");
        assert_eq!(place(KeyPath::to("nothing"), Inside::Begin), (1, 1));
        assert_eq!(second.then("b").to_string(), "p[1].b");
    }

    #[test]
    fn a_place_in_a_text_is_found_behind_its_marks_and_escapes() {
        let place = |value: &str, inside| {
            let text = format!("a = {value}\n");
            let error = SpecError {
                inside,
                ..SpecError::new(KeyPath::to("a"), "")
            };
            line_and_column(&text, byte_of(&text, &error))
        };
        assert_eq!(place("'''\nab\ncd'''", Inside::Bytes(4)), (3, 2));
        assert_eq!(place("'''ab'''", Inside::Begin), (1, 8));
        assert_eq!(place("\"\"\"\\\n  ab\"\"\"", Inside::Bytes(1)), (2, 4));
        assert_eq!(place(r#""é\u00e9\t|""#, Inside::Bytes(5)), (1, 15));
        assert_eq!(place(r#""é\u00e9\t|""#, Inside::Chars(3)), (1, 15));
        assert_eq!(
            place("\"ab\"", Inside::Bytes(9)),
            (2, 1),
            "not beyond the file"
        );
    }
}
