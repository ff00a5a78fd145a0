//! JSONPath: the part of RFC 9535 that names places, without filters, slices and descendants.

use std::fmt;
use std::ops::ControlFlow;

use super::scan::{skip_space, string_end, unescape, value_end};
use crate::error::SpecError;

/// A JSONPath such as `$.items[*].id`: names, indexes and `*`.
///
/// ```
/// use drivers::JsonPath;
///
/// let path = JsonPath::parse("$.items[-1]['a name']")?;
/// let json = br#"{ "items": [1, { "a name": "x" }] }"#;
/// assert_eq!(path.first(json), Some(&br#""x""#[..]));
/// # Ok::<(), drivers::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    text: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(Box<str>),
    Index(i64),
    Every,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let mut parser = Parser { text, at: 0 };
        let parts = parser
            .parts()
            .map_err(|problem| {
                let told = format!("the JSONPath is not valid: {problem}");
                SpecError::new(parser.at, told)
            })?
            .into();
        Ok(Self {
            text: text.into(),
            parts,
        })
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first place that it names. Where one name comes twice in an object, the first counts.
    #[must_use]
    pub fn first<'j>(&self, json: &'j [u8]) -> Option<&'j [u8]> {
        let mut found = None;
        // The answer was found or the JSON ended: both are told by `found`.
        let _ = self.each(json, &mut |place| {
            found = Some(place);
            ControlFlow::Break(())
        });
        found
    }

    /// Calls a function with every place that it names, in order, until it breaks.
    ///
    /// The JSON is expected to be [valid](super::is_valid); what is not ends the search.
    pub fn each<'j>(
        &self,
        json: &'j [u8],
        found: &mut dyn FnMut(&'j [u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let at = skip_space(json, 0);
        match value_end(json, at) {
            Some(end) => walk(&json[at..end], &self.parts, found),
            None => ControlFlow::Continue(()),
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn walk<'j>(
    json: &'j [u8],
    parts: &[Part],
    found: &mut dyn FnMut(&'j [u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some((part, rest)) = parts.split_first() else {
        return found(json);
    };
    match part {
        Part::Name(name) => {
            let mut members = Members::new(json);
            match members.find(|(key, _)| is_name(key, name)) {
                Some((_, value)) => walk(value, rest, found),
                None => ControlFlow::Continue(()),
            }
        }
        Part::Index(index) => {
            let index = match usize::try_from(*index) {
                Ok(index) => Some(index),
                Err(_) => Elements::new(json)
                    .count()
                    .checked_sub(index.unsigned_abs() as usize),
            };
            match index.and_then(|index| Elements::new(json).nth(index)) {
                Some(value) => walk(value, rest, found),
                None => ControlFlow::Continue(()),
            }
        }
        Part::Every => {
            for value in Elements::new(json) {
                walk(value, rest, found)?;
            }
            for (_, value) in Members::new(json) {
                walk(value, rest, found)?;
            }
            ControlFlow::Continue(())
        }
    }
}

fn is_name(key: &[u8], name: &str) -> bool {
    if memchr::memchr(b'\\', key).is_none() {
        return &key[1..key.len() - 1] == name.as_bytes();
    }
    let mut space = Vec::new();
    unescape(key, &mut space);
    space == name.as_bytes()
}

/// The values of a list; none if it is no list.
struct Elements<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Elements<'j> {
    fn new(json: &'j [u8]) -> Self {
        match json.first() {
            Some(b'[') => Self { json, at: 1 },
            _ => Self { json: &[], at: 0 },
        }
    }
}

impl<'j> Iterator for Elements<'j> {
    type Item = &'j [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let begin = skip_space(self.json, self.at);
        let end = value_end(self.json, begin)?;
        self.at = skip_space(self.json, end);
        // Behind the last one stands the bracket, at which no value begins.
        if self.json.get(self.at) == Some(&b',') {
            self.at += 1;
        }
        Some(&self.json[begin..end])
    }
}

/// The names, with their quotes, and values of an object; none if it is no object.
struct Members<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Members<'j> {
    fn new(json: &'j [u8]) -> Self {
        match json.first() {
            Some(b'{') => Self { json, at: 1 },
            _ => Self { json: &[], at: 0 },
        }
    }
}

impl<'j> Iterator for Members<'j> {
    type Item = (&'j [u8], &'j [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let key = skip_space(self.json, self.at);
        if self.json.get(key) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(self.json, key)?;
        let value = skip_space(self.json, skip_space(self.json, key_end) + 1);
        let end = value_end(self.json, value)?;
        self.at = skip_space(self.json, end);
        if self.json.get(self.at) == Some(&b',') {
            self.at += 1;
        }
        Some((&self.json[key..key_end], &self.json[value..end]))
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn parts(&mut self) -> Result<Vec<Part>, String> {
        if !self.take("$") {
            return Err("it begins with `$`".into());
        }
        let mut parts = Vec::new();
        while self.at < self.text.len() {
            let part = match self.rest().as_bytes()[0] {
                b'.' => self.dotted()?,
                b'[' => self.bracketed()?,
                _ => return Err(format!("expected `.` or `[`, not `{}`", self.shown())),
            };
            parts.push(part);
        }
        Ok(parts)
    }

    fn dotted(&mut self) -> Result<Part, String> {
        self.at += 1;
        if self.take("*") {
            return Ok(Part::Every);
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || !c.is_ascii();
        let length = self
            .rest()
            .find(|c: char| !is_name(c))
            .unwrap_or(self.rest().len());
        if length == 0 {
            return Err(match self.rest() {
                "" => "a name is missing behind `.`".into(),
                _ => format!("expected a name or `*`, not `{}`", self.shown()),
            });
        }
        let name = self.rest()[..length].into();
        self.at += length;
        Ok(Part::Name(name))
    }

    fn bracketed(&mut self) -> Result<Part, String> {
        self.at += 1;
        let part = match self.rest().chars().next() {
            Some('*') => {
                self.at += 1;
                Part::Every
            }
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => self.index()?,
        };
        match self.take("]") {
            true => Ok(part),
            false => Err("`]` is missing".into()),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Part, String> {
        let mut name = String::new();
        let mut chars = self.rest()[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => name.extend(chars.next().map(|(_, c)| c)),
                _ if c == quote => {
                    self.at += 1 + at + 1;
                    return Ok(Part::Name(name.into()));
                }
                _ => name.push(c),
            }
        }
        Err(format!("`{quote}` is missing"))
    }

    fn index(&mut self) -> Result<Part, String> {
        let is_digit = |c: char| c.is_ascii_digit() || c == '-';
        let length = self
            .rest()
            .find(|c: char| !is_digit(c))
            .unwrap_or(self.rest().len());
        let index = self.rest()[..length]
            .parse()
            .map_err(|_| match self.rest() {
                "" => "`]` is missing".into(),
                _ => format!(
                    "expected an index, a name in quotes or `*`, not `{}`",
                    self.shown()
                ),
            })?;
        self.at += length;
        Ok(Part::Index(index))
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn shown(&self) -> char {
        self.rest().chars().next().unwrap_or(' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, json: &str) -> Vec<String> {
        let mut found = Vec::new();
        let flow = JsonPath::parse(path)
            .unwrap()
            .each(json.as_bytes(), &mut |place| {
                found.push(String::from_utf8(place.to_vec()).unwrap());
                ControlFlow::Continue(())
            });
        assert!(flow.is_continue());
        found
    }

    #[test]
    fn paths_name_places() {
        let json =
            r#" { "items" : [ {"id":1,"x":{}} , {"id" : "b"}, 7 ], "a\u0062": null, "é": [] } "#;
        assert_eq!(found("$.items[*].id", json), ["1", r#""b""#]);
        assert_eq!(found("$.items[-1]", json), ["7"]);
        assert_eq!(found("$.items[-4]", json), [""; 0]);
        assert_eq!(found("$.items[3]", json), [""; 0]);
        assert_eq!(found("$.items[0].*", json), ["1", "{}"]);
        assert_eq!(found("$['ab']", json), ["null"]);
        assert_eq!(found("$.é", json), ["[]"]);
        assert_eq!(found("$.id.x", json), [""; 0]);
        assert_eq!(found("$", " 5 "), ["5"]);
        assert_eq!(found("$[*]", "[]"), [""; 0]);
        assert_eq!(found("$[0].n", r#"[{"n":3}]"#), ["3"]);
        assert_eq!(found(r#"$["it's"]"#, r#"{"it's":1}"#), ["1"]);
        assert_eq!(found(r"$['it\'s']", r#"{"it's":1}"#), ["1"]);
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let told = |path| {
            let error = JsonPath::parse(path).unwrap_err();
            let problem = error.problem;
            let rest = problem.strip_prefix("the JSONPath is not valid: ").unwrap();
            format!("{}: {rest}", error.inside)
        };
        assert_eq!(told("id"), "0: it begins with `$`");
        assert_eq!(told("$.items[0"), "9: `]` is missing");
        assert_eq!(told("$.items["), "8: `]` is missing");
        assert_eq!(told("$['a]"), "2: `'` is missing");
        assert_eq!(told("$."), "2: a name is missing behind `.`");
        assert_eq!(told("$..a"), "2: expected a name or `*`, not `.`");
        assert_eq!(told("$id"), "1: expected `.` or `[`, not `i`");
        assert_eq!(
            told("$[?@.a]"),
            "2: expected an index, a name in quotes or `*`, not `?`"
        );
    }
}
