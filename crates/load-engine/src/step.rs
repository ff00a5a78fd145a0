//! The steps of a workload and what makes one fail.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A step's name: text of the program, or of a file that it has read.
///
/// ```
/// use load_engine::StepName;
///
/// const FIXED: StepName = StepName::fixed("put");
/// let read = StepName::from(String::from("put"));
/// assert_eq!((FIXED == read, read.len()), (true, 3));
/// ```
#[derive(Clone)]
pub struct StepName(Text);

#[derive(Clone)]
enum Text {
    Fixed(&'static str),
    Read(Arc<str>),
}

impl StepName {
    /// The name in the program's text.
    #[must_use]
    pub const fn fixed(name: &'static str) -> Self {
        Self(Text::Fixed(name))
    }

    /// The name.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Fixed(name) => name,
            Text::Read(name) => name,
        }
    }
}

impl From<&'static str> for StepName {
    fn from(name: &'static str) -> Self {
        Self::fixed(name)
    }
}

impl From<String> for StepName {
    fn from(name: String) -> Self {
        Self(Text::Read(name.into()))
    }
}

impl Deref for StepName {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for StepName {
    /// Most comparisons are of a name with itself, which its address shows.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.as_str(), other.as_str());
        std::ptr::eq(one, other) || one == other
    }
}

impl Eq for StepName {}

impl PartialEq<str> for StepName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for StepName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<StepName> for &str {
    fn eq(&self, other: &StepName) -> bool {
        *self == other.as_str()
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A named part of an iteration, timed on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// The step's name in every report, one of its kind in a workload.
    pub name: StepName,
    /// Whether the step is meant to leave an effect. One that acknowledged none in a whole run is
    /// *vacuous*: whatever was measured, it was not the work.
    pub effect: bool,
    /// What reports may group steps by: names and values.
    pub tags: &'static [(&'static str, &'static str)],
}

impl StepSpec {
    /// A step that only looks.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: StepName::fixed(name),
            effect: false,
            tags: &[],
        }
    }

    /// A step that is meant to leave an effect.
    #[must_use]
    pub const fn effectful(name: &'static str) -> Self {
        Self {
            name: StepName::fixed(name),
            effect: true,
            tags: &[],
        }
    }

    /// The same step with tags, which its [`StepSummary`](crate::StepSummary) carries.
    ///
    /// ```
    /// use load_engine::StepSpec;
    ///
    /// const PUT: StepSpec = StepSpec::effectful("put").tagged(&[("tier", "cache")]);
    /// assert_eq!(PUT.tags[0].1, "cache");
    /// ```
    #[must_use]
    pub const fn tagged(mut self, tags: &'static [(&'static str, &'static str)]) -> Self {
        self.tags = tags;
        self
    }

    /// A step whose name was read from a file.
    #[must_use]
    pub fn named(name: impl Into<StepName>, effect: bool) -> Self {
        Self {
            name: name.into(),
            effect,
            tags: &[],
        }
    }
}

/// Why a step, a set-up or a tear-down failed: a message.
///
/// Any error converts into it by `?`, with the messages of its sources. (So it is no `Error` itself,
/// as with `anyhow::Error`.) Failures are counted by message: leave out what differs each time.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    /// Whether a step has counted it, so that the iteration which it ends does not do so again.
    counted: bool,
}

impl Failure {
    /// A failure with a message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            counted: false,
        }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.counted
    }

    pub(crate) fn into_counted(self) -> Self {
        Self {
            counted: true,
            ..self
        }
    }

    /// The failure that a caught panic stands for.
    pub(crate) fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a value that is no text");
        Self::new(format!("panicked: {text}"))
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many errors repeat their source in their own message.
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({:?})", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot append")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_carries_the_messages_of_its_sources() {
        let fail = || -> Result<(), Failure> { Err(Outer(std::io::Error::other("disk full")))? };
        assert_eq!(fail().unwrap_err().message(), "cannot append: disk full");
    }

    #[test]
    fn a_source_that_is_already_in_the_message_is_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot append: {0}")]
        struct Repeats(#[source] std::io::Error);
        let failure = Failure::from(Repeats(std::io::Error::other("disk full")));
        assert_eq!(failure.message(), "cannot append: disk full");
    }
}
