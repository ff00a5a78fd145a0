//! Texts with placeholders, whose values are encoded for the place where they stand.

pub(crate) mod encode;
pub(crate) mod parse;

pub use encode::Encoding;

use self::parse::{Piece, parse};
use crate::error::SpecError;
use crate::json;
use crate::outcome::Failure;
use crate::values::{Resolved, Scope, Slot, Traits, Values};

/// Bytes with holes, which values fill.
///
/// What is known when the file is read, such as `${run}` and `${env.X}`, is part of the bytes. The place
/// of a hole is known as well, so nothing is decided when it is filled.
///
/// ```
/// use drivers::{Constants, Reach, Scope, Template, Traits, Value, Values};
///
/// let mut scope = Scope::new(Constants::new("k3v9q2xz"));
/// let note = scope.define("note", Reach::Iteration, Traits::default())?;
/// let body = Template::json(r#"{ "run": "${run}", "note": "${note}" }"#, "the body", &mut scope)?;
///
/// let mut values = Values::default();
/// values.set(note, Value::Text(b"say \"hi\""));
/// let mut out = Vec::new();
/// body.render(&values, &mut out)?;
/// assert_eq!(out, br#"{ "run": "k3v9q2xz", "note": "say \"hi\"" }"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Template {
    literal: Box<[u8]>,
    holes: Box<[Hole]>,
    traits: Traits,
    /// Whether a value that is part of the literal is empty.
    has_empty: bool,
}

/// Where a value stands: before the byte `at` of the literal.
#[derive(Clone, Debug)]
struct Hole {
    at: u32,
    slot: Slot,
    encoding: Encoding,
    name: Box<str>,
}

impl Template {
    /// A text whose values are put in as they are: a key, a content, an expected text.
    ///
    /// # Errors
    ///
    /// A mistake in a placeholder.
    pub fn text(text: &str, scope: &mut Scope) -> Result<Self, SpecError> {
        Self::parsed(text, scope, Encoding::Text)
    }

    /// A text whose values are all encoded alike.
    ///
    /// # Errors
    ///
    /// A mistake in a placeholder.
    pub fn parsed(text: &str, scope: &mut Scope, encoding: Encoding) -> Result<Self, SpecError> {
        Self::of_pieces(text, &parse(text)?, scope, |_| encoding)
    }

    /// A JSON text; `subject`, such as "the body", names it in errors.
    ///
    /// # Errors
    ///
    /// A mistake in a placeholder, or the text is not JSON.
    pub fn json(text: &str, subject: &str, scope: &mut Scope) -> Result<Self, SpecError> {
        let pieces = parse(text)?;
        let places = json::check(text, &pieces, subject)?;
        Self::of_pieces(text, &pieces, scope, |index| places[index])
    }

    /// A text that is the same during the whole run, filled in: a URL, a path, a command's argument.
    ///
    /// # Errors
    ///
    /// A mistake in a placeholder, or a value that differs from user to user.
    pub fn constant(text: &str, scope: &mut Scope) -> Result<String, SpecError> {
        let pieces = parse(text)?;
        let mut filled = String::new();
        for piece in &pieces {
            match piece {
                Piece::Literal(range) => filled.push_str(&text[range.clone()]),
                Piece::Placeholder(placeholder) => match scope.resolve(placeholder)?.value {
                    Resolved::Constant(value) => filled.push_str(&value),
                    Resolved::Slot(_) => {
                        let name = name_of(&text[placeholder.at.clone()]);
                        let told = format!(
                            "`{name}` is not known before the run begins, and this is needed then"
                        );
                        return Err(SpecError::new(placeholder.at.start + 2, told));
                    }
                },
            }
        }
        Ok(filled)
    }

    pub(crate) fn constant_text(text: &str) -> Self {
        Self::literal(text.as_bytes())
    }

    pub(crate) fn literal(bytes: &[u8]) -> Self {
        Self {
            literal: bytes.into(),
            ..Self::default()
        }
    }

    /// Several templates as one.
    pub(crate) fn concat(parts: &[&Self]) -> Self {
        let mut literal = Vec::new();
        let mut holes = Vec::new();
        let mut whole = Self::default();
        for part in parts {
            let moved = u32::try_from(literal.len()).expect("a text is less than 4 GiB");
            holes.extend(part.holes.iter().map(|hole| Hole {
                at: hole.at + moved,
                ..hole.clone()
            }));
            literal.extend_from_slice(&part.literal);
            whole.traits |= part.traits;
            whole.has_empty |= part.has_empty;
        }
        whole.literal = literal.into();
        whole.holes = holes.into();
        whole
    }

    /// Whether every value is known before the run and one of them is empty.
    pub(crate) fn is_never_filled(&self) -> bool {
        self.has_empty
    }

    /// A template of some pieces of a text. `encoding` tells each placeholder's, counted from 0.
    pub(crate) fn of_pieces(
        text: &str,
        pieces: &[Piece],
        scope: &mut Scope,
        encoding: impl Fn(usize) -> Encoding,
    ) -> Result<Self, SpecError> {
        let mut literal = Vec::new();
        let mut holes = Vec::new();
        let mut traits = Traits::default();
        let mut has_empty = false;
        let mut index = 0;
        for piece in pieces {
            let placeholder = match piece {
                Piece::Literal(range) => {
                    literal.extend_from_slice(&text.as_bytes()[range.clone()]);
                    continue;
                }
                Piece::Placeholder(placeholder) => placeholder,
            };
            let encoding = encoding(index);
            index += 1;
            let source = scope.resolve(placeholder)?;
            traits |= source.traits;
            let name = name_of(&text[placeholder.at.clone()]);
            match source.value {
                Resolved::Slot(slot) => holes.push(Hole {
                    at: u32::try_from(literal.len()).expect("a text is less than 4 GiB"),
                    slot,
                    encoding,
                    name: name.into(),
                }),
                Resolved::Constant(value) => {
                    has_empty |= value.is_empty();
                    encoding
                        .write_text(value.as_bytes(), &mut literal)
                        .map_err(|problem| {
                            let told = format!("the value of `{name}` {problem}");
                            SpecError::new(placeholder.at.start + 2, told)
                        })?;
                }
            }
        }
        Ok(Self {
            literal: literal.into(),
            holes: holes.into(),
            traits,
            has_empty,
        })
    }

    /// What the text depends on.
    #[must_use]
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// The slot of the value that is the whole text, if it is one: then its type is known, and null.
    #[must_use]
    pub fn single(&self) -> Option<Slot> {
        match &*self.holes {
            [only] if self.literal.is_empty() => Some(only.slot),
            _ => None,
        }
    }

    /// The bytes, if no value stands in them.
    #[must_use]
    pub fn as_constant(&self) -> Option<&[u8]> {
        self.holes.is_empty().then_some(&*self.literal)
    }

    /// Whether each value in it is known and not empty. Without, a service's header is left out.
    #[must_use]
    pub fn is_filled(&self, values: &Values) -> bool {
        let is_filled = |hole: &Hole| {
            use crate::values::Value::{Null, Text};
            !matches!(values.get(hole.slot), None | Some(Null | Text(b"")))
        };
        !self.has_empty && self.holes.iter().all(is_filled)
    }

    /// Appends the text with its values.
    ///
    /// # Errors
    ///
    /// A value is not known yet, or cannot stand in its place: a line end in a header.
    pub fn render(&self, values: &Values, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut from = 0;
        for hole in &self.holes {
            let at = hole.at as usize;
            out.extend_from_slice(&self.literal[from..at]);
            from = at;
            let Some(value) = values.get(hole.slot) else {
                return Err(Failure::new(&format!("`{}` has no value yet", hole.name)));
            };
            if let Err(problem) = hole.encoding.write(value, out) {
                let told = format!("the value of `{}` {problem}", hole.name);
                return Err(Failure::new(&told));
            }
        }
        out.extend_from_slice(&self.literal[from..]);
        Ok(())
    }
}

/// A placeholder's name or function as it was written.
fn name_of(placeholder: &str) -> &str {
    let inner = placeholder
        .trim_start_matches("${")
        .trim_end_matches('}')
        .trim();
    inner.split_once(":-").map_or(inner, |(name, _)| name)
}

#[cfg(test)]
mod tests;
