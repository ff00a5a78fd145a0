//! The parentheses of PDDL, with the place of each part.

use super::refuse;
use crate::error::Error;

/// A word, or a list in parentheses. Upper case is lower case: PDDL does not tell them apart.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Word(String, Place),
    List(Vec<Self>, Place),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    line: usize,   // from 1
    column: usize, // from 1
}

impl Expression {
    /// Reads a text that is one list.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut all = Self::parse_all(text)?.into_iter();
        match (all.next(), all.next()) {
            (Some(whole @ Self::List(..)), None) => Ok(whole),
            (_, Some(more)) => Err(more.refuse("the text goes on after its end")),
            (_, None) => Err(Place { line: 1, column: 1 }.refuse("expected `(`")),
        }
    }

    /// Reads a text that is any number of words and lists.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        let mut open: Vec<(Vec<Self>, Place)> = Vec::new();
        let mut all = Vec::new();
        for (word, place) in words(text) {
            let done = match word {
                "(" => {
                    open.push((Vec::new(), place));
                    continue;
                }
                ")" => {
                    let list = open.pop();
                    let (items, place) = list.ok_or_else(|| place.refuse("`)` without its `(`"))?;
                    Self::List(items, place)
                }
                // These divide the parts of keys and mark parameters.
                word if word.contains(['/', '{', '}']) => {
                    return Err(place.refuse(format!("{word:?} is no name of PDDL")));
                }
                word => Self::Word(word.to_lowercase(), place),
            };
            match open.last_mut() {
                Some((items, _)) => items.push(done),
                None => all.push(done),
            }
        }
        match open.pop() {
            Some((_, place)) => Err(place.refuse("`(` without its `)`")),
            None => Ok(all),
        }
    }

    pub(super) fn refuse(&self, reason: impl ToString) -> Error {
        let (Self::Word(_, place) | Self::List(_, place)) = self;
        place.refuse(reason)
    }

    /// Whether it is a time such as `0.001:`, or a duration such as `[1.000]`.
    pub(super) fn is_time(&self) -> bool {
        let Self::Word(word, _) = self else {
            return false;
        };
        let number = word
            .strip_suffix(':')
            .or_else(|| word.strip_prefix('[')?.strip_suffix(']'));
        number.is_some_and(|number| number.trim_start_matches("d:").parse::<f64>().is_ok())
    }

    pub(super) fn word(&self) -> Result<&str, Error> {
        match self {
            Self::Word(word, _) => Ok(word),
            Self::List(..) => Err(self.refuse("expected a word, found a list")),
        }
    }

    pub(super) fn list(&self) -> Result<&[Self], Error> {
        match self {
            Self::List(items, _) => Ok(items),
            Self::Word(word, _) => Err(self.refuse(format!("expected a list, found {word:?}"))),
        }
    }

    /// The first word of a list, and the rest.
    pub(super) fn head(&self) -> Result<(&str, &[Self]), Error> {
        match self.list()? {
            [head, rest @ ..] => Ok((head.word()?, rest)),
            [] => Err(self.refuse("expected a list that begins with a word, found ()")),
        }
    }
}

impl Place {
    fn refuse(self, reason: impl ToString) -> Error {
        refuse(
            format!("line {}, column {}", self.line, self.column),
            reason,
        )
    }
}

fn words(text: &str) -> impl Iterator<Item = (&str, Place)> {
    text.lines().enumerate().flat_map(|(line, whole)| {
        let code = whole.split(';').next().unwrap_or_default();
        let mut rest = code;
        std::iter::from_fn(move || {
            rest = rest.trim_start();
            let column = code.len() - rest.len() + 1;
            let first = rest.chars().next()?;
            let end = if matches!(first, '(' | ')') {
                1
            } else {
                let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
                rest.find(is_end).unwrap_or(rest.len())
            };
            let word;
            (word, rest) = rest.split_at(end);
            let line = line + 1;
            Some((word, Place { line, column }))
        })
    })
}
