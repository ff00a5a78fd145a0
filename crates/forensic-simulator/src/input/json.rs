//! JSON without the liberties that parsers take: names that are there twice, numbers that a double
//! rounds, and halves of characters are refused, since two texts must not become one value.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::text::shorten;

/// What becomes of a number that neither a double nor an integer of 64 bits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inexact {
    /// It is refused, as is an integer that a double rounds: the canonical form has doubles only.
    Refuse,
    /// Its digits are kept, in an object of one field [`NUMBER`].
    Keep,
}

/// The field of an object that stands for a number with more digits than a double has.
pub(crate) const NUMBER: &str = "$number";

/// Reads a value of which a digest may be made.
pub(crate) fn strict(format: &'static str, text: &str) -> Result<Value, Error> {
    Reader::new(format, text, Inexact::Refuse).whole()
}

/// Reads a value that is shown and compared, never digested as a number.
pub(crate) fn exact(format: &'static str, text: &str) -> Result<Value, Error> {
    Reader::new(format, text, Inexact::Keep).whole()
}

/// Where each field of an object stands, without making values of them. Refuses a name that is
/// there twice.
pub(crate) fn fields(
    format: &'static str,
    text: &str,
) -> Result<Vec<(String, Range<usize>)>, Error> {
    let mut reader = Reader::new(format, text, Inexact::Keep);
    reader.space();
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    reader.object(|reader, name, at| {
        if found.iter().any(|(known, _)| *known == name) {
            return Err(reader.twice(&name, at));
        }
        reader.space();
        let start = reader.at;
        reader.skip()?;
        found.push((name.into_owned(), start..reader.at));
        Ok(())
    })?;
    reader.end()?;
    Ok(found)
}

/// Where each element of an array stands within the text.
pub(crate) fn elements(format: &'static str, text: &str) -> Result<Vec<Range<usize>>, Error> {
    let mut reader = Reader::new(format, text, Inexact::Keep);
    reader.space();
    let mut found = Vec::new();
    reader.array(|reader| {
        reader.space();
        let start = reader.at;
        reader.skip()?;
        found.push(start..reader.at);
        Ok(())
    })?;
    reader.end()?;
    Ok(found)
}

/// Where the first value of a text ends, if one begins there.
pub(crate) fn first_value_end(format: &'static str, text: &str) -> Result<usize, Error> {
    let mut reader = Reader::new(format, text, Inexact::Keep);
    reader.space();
    reader.skip()?;
    Ok(reader.at)
}

struct Reader<'t> {
    format: &'static str,
    text: &'t str,
    at: usize,
    depth: usize,
    inexact: Inexact,
}

/// As serde_json has it.
const MAX_DEPTH: usize = 128;

impl<'t> Reader<'t> {
    fn new(format: &'static str, text: &'t str, inexact: Inexact) -> Self {
        Self {
            format,
            text,
            at: 0,
            depth: 0,
            inexact,
        }
    }

    fn whole(mut self) -> Result<Value, Error> {
        self.space();
        let value = self.value()?;
        self.end()?;
        Ok(value)
    }

    fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.refuse("the text goes on after its end"))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Error> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(match self.peek() {
            None => self.refuse("EOF while parsing a value"),
            Some(_) => self.refuse(format!("expected `{}`", wanted as char)),
        })
    }

    fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(b'{') => {
                let mut fields = Map::new();
                self.object(|reader, name, at| {
                    reader.space();
                    let value = reader.value()?;
                    match fields.entry(name) {
                        Entry::Occupied(known) => Err(reader.twice(known.key(), at)),
                        Entry::Vacant(free) => {
                            free.insert(value);
                            Ok(())
                        }
                    }
                })?;
                Ok(Value::Object(fields))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.array(|reader| {
                    reader.space();
                    items.push(reader.value()?);
                    Ok(())
                })?;
                Ok(Value::Array(items))
            }
            Some(b'"') => self.string().map(|text| Value::String(text.into_owned())),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            None => Err(self.refuse("EOF while parsing a value")),
            Some(_) => Err(self.refuse("expected value")),
        }
    }

    /// Passes over a value and checks its form.
    fn skip(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'{') => self.object(|reader, _, _| {
                reader.space();
                reader.skip()
            }),
            Some(b'[') => self.array(|reader| {
                reader.space();
                reader.skip()
            }),
            Some(b'"') => self.skip_string(),
            Some(b'-' | b'0'..=b'9') => self.digits().map(drop),
            _ => self.value().map(drop),
        }
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.refuse(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, Cow<'t, str>, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.peek() != Some(b'{') {
            return Err(self.refuse("expected an object"));
        }
        self.deeper()?;
        self.space();
        if self.peek() != Some(b'}') {
            loop {
                self.space();
                let at = self.at;
                match self.peek() {
                    Some(b'"') => {}
                    Some(_) => return Err(self.refuse("expected a name in quotes")),
                    None => return Err(self.refuse("EOF while parsing an object")),
                }
                let name = self.string()?;
                self.space();
                self.expect(b':')?;
                field(self, name, at)?;
                self.space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b'}')?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.peek() != Some(b'[') {
            return Err(self.refuse("expected a list"));
        }
        self.deeper()?;
        self.space();
        if self.peek() != Some(b']') {
            loop {
                item(self)?;
                self.space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b']')?;
        self.depth -= 1;
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.refuse("expected value"))
    }

    /// The rest of a string up to its next quote, backslash or control character.
    fn plain(&mut self) -> &'t str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let end = rest
            .iter()
            .position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
        self.at = start + end.unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn skip_string(&mut self) -> Result<(), Error> {
        self.at += 1;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => drop(self.escape()?),
                Some(_) => return Err(self.refuse("a control character within a string")),
                None => return Err(self.refuse("EOF while parsing a string")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Borrowed where it has no escape: what is only passed over is then never copied.
    fn string(&mut self) -> Result<Cow<'t, str>, Error> {
        self.at += 1;
        let mut text = Cow::Borrowed(self.plain());
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => text.to_mut().push(self.escape()?),
                Some(_) => return Err(self.refuse("a control character within a string")),
                None => return Err(self.refuse("EOF while parsing a string")),
            }
            text.to_mut().push_str(self.plain());
        }
        self.at += 1;
        Ok(text)
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.at += 1;
        let character = match self.peek() {
            Some(plain @ (b'"' | b'\\' | b'/')) => plain as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.refuse("an escape that JSON does not have")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let first = self.four_digits()?;
        let code = match first {
            0xd800..0xdc00 if self.text[self.at..].starts_with("\\u") => {
                self.at += 1;
                match self.four_digits()? {
                    second @ 0xdc00..0xe000 => {
                        0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    _ => return Err(self.refuse("an unpaired surrogate")),
                }
            }
            first => first,
        };
        char::from_u32(code).ok_or_else(|| self.refuse("an unpaired surrogate"))
    }

    /// After `u`.
    fn four_digits(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.refuse("expected four hexadecimal digits"))?;
        self.at += 5;
        Ok(code)
    }

    /// The digits of a number, of the form that JSON has.
    fn digits(&mut self) -> Result<&'t str, Error> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.run_of_digits()?;
        if whole > 1 && self.text.as_bytes()[self.at - whole] == b'0' {
            return Err(self.refuse("a number that begins with 0"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.run_of_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.run_of_digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn run_of_digits(&mut self) -> Result<usize, Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(self.refuse("expected a digit")),
            count => Ok(count),
        }
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        let digits = self.digits()?;
        let double: f64 = digits.parse().unwrap_or(f64::INFINITY);
        // Up to so many digits always come back from a double as they were.
        const SURE: usize = 15;
        let is_held = double.is_finite()
            && (digits.bytes().filter(u8::is_ascii_digit).count() <= SURE
                || significant(digits) == significant(&format!("{double:e}")));
        if let Ok(integer) = digits.parse::<i64>()
            && (is_held || self.inexact == Inexact::Keep)
        {
            return Ok(integer.into());
        }
        if let Ok(integer) = digits.parse::<u64>()
            && (is_held || self.inexact == Inexact::Keep)
        {
            return Ok(integer.into());
        }
        if is_held && let Some(number) = Number::from_f64(double) {
            return Ok(Value::Number(number));
        }
        if self.inexact == Inexact::Keep {
            let kept = Map::from_iter([(NUMBER.to_owned(), digits.into())]);
            return Ok(Value::Object(kept));
        }
        self.at = start;
        let digits = shorten(digits);
        Err(self.refuse(format!(
            "the number {digits} has more digits than a double holds: write it as a string"
        )))
    }

    #[cold]
    fn twice(&mut self, name: &str, at: usize) -> Error {
        self.at = at;
        self.refuse(format!("the name {:?} is there twice", shorten(name)))
    }

    #[cold]
    fn refuse(&self, reason: impl Into<String>) -> Error {
        let before = &self.text[..self.at];
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().len() + 1;
        Error::Import {
            format: self.format,
            place: format!("line {line}, column {column}"),
            reason: reason.into(),
        }
    }
}

/// The significant digits of a number and the power of ten behind them: equal for equal values.
fn significant(number: &str) -> (bool, String, i64) {
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let mut power: i64 = exponent.trim_start_matches('+').parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    power -= i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let digits = [whole, fraction].concat();
    let kept = digits.trim_end_matches('0');
    power += i64::try_from(digits.len() - kept.len()).unwrap_or(0);
    let digits = kept.trim_start_matches('0').to_owned();
    match digits.is_empty() {
        true => (negative, digits, 0),
        false => (negative, digits, power),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(text: &str) -> String {
        strict("x", text).unwrap_err().to_string()
    }

    #[test]
    fn what_serde_json_reads_is_read_alike() {
        for text in [
            r#"{"a": [1, -2.5, 1e3, 1E-7, 0.1, 123456789012345], "b": {"c": null, "d": [true, false]}}"#,
            r#""\u00e9\n\ud83d\ude00\/\"\\""#,
            "[]",
            " {} ",
            "9007199254740992",
            "1e300",
            "0.30000000000000004",
        ] {
            let wanted: Value = serde_json::from_str(text).unwrap();
            assert_eq!(strict("x", text).unwrap(), wanted, "{text}");
        }
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "1.",
            "+1",
            "nul",
            "\"\\x\"",
            "\"\n\"",
            "1 2",
            "{a: 1}",
        ] {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
            assert!(strict("x", text).is_err(), "{text}");
            assert!(fields("x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_texts_that_would_become_one_value_are_refused() {
        assert!(why(r#"{"a": {"k": 1, "k": 2}}"#).contains("the name \"k\" is there twice"));
        assert!(why("{\"\\u006b\": 1,\n \"k\": 2}").starts_with("x, line 2, column 2: the name"));
        for number in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551616",
            "18446744073709551617",
            "123456789012345678901234567890",
            "0.1000000000000000055511151231257827",
            "1e999",
        ] {
            assert!(
                why(number).contains("more digits than a double holds"),
                "{number}"
            );
        }
        for half in [r#""\ud800""#, r#""\udc00x""#, r#""\ud800\u0041""#] {
            assert!(why(half).contains("unpaired surrogate"), "{half}");
        }
        assert!(why(&"[".repeat(200)).contains("nested deeper"));
    }

    #[test]
    fn numbers_that_are_kept_keep_their_digits() {
        let kept = exact("x", "[18446744073709551616, 18446744073709551615, 1.5]").unwrap();
        assert_eq!(
            kept,
            json!([{"$number": "18446744073709551616"}, u64::MAX, 1.5])
        );
    }

    #[test]
    fn parts_are_found_where_they_stand() {
        let text = r#"{"a": [1, {"x": 2}], "b": "c"}"#;
        let found = fields("x", text).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|(name, at)| (name.as_str(), &text[at.clone()]))
            .collect();
        assert_eq!(shown, [("a", "[1, {\"x\": 2}]"), ("b", "\"c\"")]);
        let list = &text[found[0].1.clone()];
        let items: Vec<_> = elements("x", list)
            .unwrap()
            .into_iter()
            .map(|at| &list[at])
            .collect();
        assert_eq!(items, ["1", "{\"x\": 2}"]);
    }
}
