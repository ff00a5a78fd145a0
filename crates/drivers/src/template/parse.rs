//! Finds the placeholders of a text.

use std::ops::Range;

use crate::error::SpecError;
use crate::values::Argument;

/// A part of a text: bytes to be taken as they are, or a placeholder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Literal(Range<usize>),
    Placeholder(Placeholder),
}

/// A placeholder and where it stands, with its `${` and `}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placeholder {
    pub(crate) at: Range<usize>,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A name, such as `id` or `env.HOME`, and the default after `:-`.
    Name {
        name: Box<str>,
        default: Option<Box<str>>,
    },
    /// A function with its arguments, and where these begin.
    Call {
        name: Box<str>,
        arguments: Vec<Argument>,
        arguments_at: usize,
    },
}

/// The pieces of a text, in its order. Ranges and errors count bytes from the text's begin.
pub(crate) fn parse(text: &str) -> Result<Vec<Piece>, SpecError> {
    let mut pieces = Vec::new();
    let mut literal = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find("${") {
        let at = from + found;
        if text[..at].ends_with('$') && at > literal {
            // `$${` is a literal `${`: the first of the two `$` is left out.
            push_literal(&mut pieces, literal..at - 1);
            literal = at;
            from = at + 2;
            continue;
        }
        push_literal(&mut pieces, literal..at);
        let (what, end) = Parser {
            text,
            at: at + 2,
            begin: at,
        }
        .placeholder()?;
        pieces.push(Piece::Placeholder(Placeholder { at: at..end, what }));
        literal = end;
        from = end;
    }
    push_literal(&mut pieces, literal..text.len());
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, range: Range<usize>) {
    if !range.is_empty() {
        pieces.push(Piece::Literal(range));
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    begin: usize,
}

impl Parser<'_> {
    fn placeholder(mut self) -> Result<(What, usize), SpecError> {
        self.spaces();
        let name_at = self.at;
        let name = self.name();
        if name.is_empty() {
            return Err(self.unexpected("a name such as `id` or a function such as int(1, 5)"));
        }
        let what = match self.peek() {
            Some('(') => {
                self.at += 1;
                let arguments_at = self.at;
                let arguments = self.arguments()?;
                What::Call {
                    name,
                    arguments,
                    arguments_at,
                }
            }
            Some(':') if self.rest().starts_with(":-") => {
                if !name.starts_with("env.") && !name.starts_with("secret.") {
                    let told = "only `env.` and `secret.` values have a default after `:-`";
                    return Err(SpecError::new(self.at, told));
                }
                self.at += 2;
                let end = self.rest().find('}').ok_or_else(|| self.not_closed())?;
                let default = self.rest()[..end].into();
                self.at += end;
                What::Name {
                    name,
                    default: Some(default),
                }
            }
            _ => What::Name {
                name,
                default: None,
            },
        };
        self.spaces();
        match self.peek() {
            Some('}') => Ok((what, self.at + 1)),
            Some(_) if name_at < self.at => Err(self.unexpected("`}`")),
            _ => Err(self.not_closed()),
        }
    }

    /// Arguments and the closing parenthesis.
    fn arguments(&mut self) -> Result<Vec<Argument>, SpecError> {
        let mut arguments = Vec::new();
        self.spaces();
        if self.peek() == Some(')') {
            self.at += 1;
            return Ok(arguments);
        }
        loop {
            self.spaces();
            arguments.push(self.argument()?);
            self.spaces();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(')') => {
                    self.at += 1;
                    return Ok(arguments);
                }
                _ => return Err(self.unexpected("`,` or `)`")),
            }
        }
    }

    fn argument(&mut self) -> Result<Argument, SpecError> {
        if self.peek() == Some('\'') {
            return self.quoted();
        }
        let length = self
            .rest()
            .find(|c: char| !c.is_ascii_digit() && c != '-' && c != '_')
            .unwrap_or(self.rest().len());
        let digits = self.rest()[..length].replace('_', "");
        if digits.is_empty() {
            return Err(self.unexpected("a whole number or a text in single quotes"));
        }
        let number = digits.parse().map_err(|_| {
            SpecError::new(self.at, format!("`{digits}` is no whole number of 64 bits"))
        })?;
        self.at += length;
        Ok(Argument::Number(number))
    }

    /// A text in single quotes, in which two of them stand for one.
    fn quoted(&mut self) -> Result<Argument, SpecError> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let end = self.rest().find('\'').ok_or_else(|| self.not_closed())?;
            text.push_str(&self.rest()[..end]);
            self.at += end + 1;
            if self.peek() != Some('\'') {
                return Ok(Argument::Text(text.into()));
            }
            text.push('\'');
            self.at += 1;
        }
    }

    fn name(&mut self) -> Box<str> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let mut length = 0;
        for (at, c) in self.rest().char_indices() {
            // A hyphen belongs to a name, but `:-` does not come here, since `:` ends it.
            if !is_part(c) && c != '-' {
                break;
            }
            length = at + c.len_utf8();
        }
        let name = self.rest()[..length].into();
        self.at += length;
        name
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn unexpected(&self, wanted: &str) -> SpecError {
        match self.peek() {
            Some(found) if found != '\n' => {
                SpecError::new(self.at, format!("expected {wanted}, not `{found}`"))
            }
            _ => self.not_closed(),
        }
    }

    fn not_closed(&self) -> SpecError {
        SpecError::new(self.begin, "the placeholder is not closed: `}` is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let pieces = match parse(text) {
            Ok(pieces) => pieces,
            Err(error) => return format!("{}: {}", error.inside, error.problem),
        };
        let piece = |piece: &Piece| match piece {
            Piece::Literal(range) => format!("{:?}", &text[range.clone()]),
            Piece::Placeholder(Placeholder { what, .. }) => match what {
                What::Name { name, default } => format!("{name} {default:?}"),
                What::Call {
                    name, arguments, ..
                } => format!("{name}{arguments:?}"),
            },
        };
        pieces.iter().map(piece).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn placeholders_are_found_between_literals() {
        assert_eq!(shown("a ${id} b"), r#""a " | id None | " b""#);
        assert_eq!(shown("${a}${b}"), "a None | b None");
        assert_eq!(shown("$.id costs $1 and {x}"), r#""$.id costs $1 and {x}""#);
        assert_eq!(shown("a $${id} b"), r#""a " | "${id} b""#);
        assert_eq!(shown("$${id}${id}"), r#""${id}" | id None"#);
        assert_eq!(shown("$$${id}"), r#""$" | "${id}""#);
        assert_eq!(
            shown("${env.A:-http://h:1/}"),
            r#"env.A Some("http://h:1/")"#
        );
        assert_eq!(shown("${secret.A:-}"), r#"secret.A Some("")"#);
        assert_eq!(
            shown("${int( -1 , 10_000 )}"),
            "int[Number(-1), Number(10000)]"
        );
        assert_eq!(
            shown("${pick('a', 'it''s }')}"),
            r#"pick[Text("a"), Text("it's }")]"#
        );
        assert_eq!(shown(""), "");
        assert_eq!(shown("${data.user-name}"), "data.user-name None");
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        assert_eq!(
            shown("ab ${id"),
            "3: the placeholder is not closed: `}` is missing"
        );
        assert_eq!(
            shown("${pick('a}"),
            "0: the placeholder is not closed: `}` is missing"
        );
        assert_eq!(
            shown("${env.A:-x"),
            "0: the placeholder is not closed: `}` is missing"
        );
        assert_eq!(
            shown("é ${}"),
            "5: expected a name such as `id` or a function such as int(1, 5), not `}`"
        );
        assert_eq!(
            shown("${id:-x}"),
            "4: only `env.` and `secret.` values have a default after `:-`"
        );
        assert_eq!(shown("${id )}"), "5: expected `}`, not `)`");
        assert_eq!(shown("${int(1 2)}"), "8: expected `,` or `)`, not `2`");
        assert_eq!(
            shown("${int(x)}"),
            "6: expected a whole number or a text in single quotes, not `x`"
        );
        assert_eq!(
            shown("${int(1-1, 2)}"),
            "6: `1-1` is no whole number of 64 bits"
        );
    }
}
