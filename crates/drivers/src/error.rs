//! What is wrong with a scenario file, and where.

use std::fmt;

/// One key or one element on the way from the table that a driver was given to a text in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    /// A key of a table.
    Key(Box<str>),
    /// An element of a list, from 0.
    Index(usize),
}

impl From<&str> for PathPart {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl From<usize> for PathPart {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A mistake in the keys of a service or of a step.
///
/// Its place is given relative to the table that holds the keys, so that whoever read the file can
/// tell line and column: [`at`](Self::at) leads to a value, and [`inside`](Self::inside) is an offset in
/// bytes into that value, where it is a text.
///
/// ```
/// use drivers::{Constants, Scope, SpecError, Template};
///
/// let mut scope = Scope::new(Constants::new("k3v9q2xz"));
/// let error = Template::text("a ${zip(1, 5)}", &mut scope).unwrap_err();
/// assert_eq!(error.inside, 4);
/// assert!(error.problem.ends_with("did you mean `zipf`?"), "{}", error.problem);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The way to the value that is wrong.
    pub at: Vec<PathPart>,
    /// Where in that value the mistake begins, in bytes.
    pub inside: usize,
    /// What is wrong, and what to write.
    pub problem: String,
}

impl SpecError {
    /// A mistake at an offset into the text that was read.
    #[must_use]
    pub fn new(inside: usize, problem: impl Into<String>) -> Self {
        Self {
            at: Vec::new(),
            inside,
            problem: problem.into(),
        }
    }

    /// The same mistake, seen from the table or list that holds what was read.
    #[must_use]
    pub fn under(mut self, part: impl Into<PathPart>) -> Self {
        self.at.insert(0, part.into());
        self
    }

    /// The same mistake, where the text that was read begins at an offset into a longer one.
    #[must_use]
    pub fn moved(mut self, by: usize) -> Self {
        if self.at.is_empty() {
            self.inside += by;
        }
        self
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.at.iter().enumerate() {
            match part {
                PathPart::Key(key) if i == 0 => write!(f, "{key}")?,
                PathPart::Key(key) => write!(f, ".{key}")?,
                PathPart::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if !self.at.is_empty() {
            write!(f, ", byte {}: ", self.inside)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for SpecError {}
