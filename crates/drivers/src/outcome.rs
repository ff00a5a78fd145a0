//! What became of a request: acknowledged, refused or unknown, with codes and reasons.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;

/// What became of a request.
///
/// ```
/// use drivers::{Outcome, Reason};
///
/// let outcome = Outcome::Refused(Reason::new("HTTP 409"));
/// assert_eq!(outcome.to_string(), "refused: HTTP 409");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service says that it is done: its effect must be found.
    Acknowledged,
    /// Certainly not done: its effect must not be found.
    Refused(Reason),
    /// It may be done or not: its effect may be found.
    Unknown(Reason),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledged => f.write_str("acknowledged"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

/// A request that could not be sent, or whose answer failed.
pub(crate) struct Unanswered {
    pub(crate) failure: Failure,
    /// Whether any of it was sent.
    pub(crate) sent: bool,
}

impl Unanswered {
    /// Nothing of it was sent.
    pub(crate) fn before(failure: Failure) -> Self {
        Self {
            failure,
            sent: false,
        }
    }

    /// Some of it was sent.
    pub(crate) fn after(failure: Failure) -> Self {
        Self {
            failure,
            sent: true,
        }
    }

    /// What was not sent is certainly not done.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.sent {
            true => Outcome::Unknown(self.failure.reason),
            false => Outcome::Refused(self.failure.reason),
        }
    }
}

/// A message that is kept once for the whole process, however often it comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reason(u32);

/// How many different messages are kept. A service whose messages are never the same, such as those
/// with a time in them, fills the table but not the memory.
const MOST_REASONS: usize = 4096;

/// How much of a service's message is kept, in bytes.
const LONGEST_REASON: usize = 200;

#[derive(Default)]
struct Reasons {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

static REASONS: LazyLock<RwLock<Reasons>> = LazyLock::new(RwLock::default);

impl Reason {
    /// The reason with this message. Controls in it become spaces, and what is too long is cut.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let known = REASONS.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(text) {
            return Self(*number);
        }
        drop(known);
        Self::keep(&plain(text))
    }

    fn keep(text: &str) -> Self {
        let mut reasons = REASONS.write().unwrap_or_else(PoisonError::into_inner);
        let text = match reasons.texts.len() >= MOST_REASONS {
            true if !reasons.numbers.contains_key(text) => "another message",
            _ => text,
        };
        if let Some(number) = reasons.numbers.get(text) {
            return Self(*number);
        }
        let number = reasons.texts.len() as u32;
        let text: Arc<str> = text.into();
        reasons.texts.push(text.clone());
        reasons.numbers.insert(text, number);
        Self(number)
    }

    /// The message.
    #[must_use]
    pub fn text(self) -> Arc<str> {
        REASONS.read().unwrap_or_else(PoisonError::into_inner).texts[self.0 as usize].clone()
    }
}

fn plain(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if plain.len() > LONGEST_REASON {
        plain.truncate(plain.floor_char_boundary(LONGEST_REASON));
        plain.push('…');
    }
    plain
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

/// What `retry.on` and `outcomes` name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Code {
    /// There is none.
    #[default]
    None,
    /// A status of HTTP.
    Status(u16),
    /// An SQLSTATE, Redis' or Bolt's error word, or the number of a JSON-RPC error.
    Word(Reason),
    /// No answer in time.
    Timeout,
    /// The connection broke.
    Reset,
    /// There was no connection.
    Connect,
}

impl Code {
    /// The code of a protocol's own error word, such as `40001` or `OOM`.
    #[must_use]
    pub fn word(word: &str) -> Self {
        Self::Word(Reason::new(word))
    }

    /// What a file writes as text: `timeout`, `reset`, `connect`, or a protocol's own word.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "timeout" => Self::Timeout,
            "reset" => Self::Reset,
            "connect" => Self::Connect,
            word => Self::word(word),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Word(word) => write!(f, "{word}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Reset => f.write_str("reset"),
            Self::Connect => f.write_str("connect"),
        }
    }
}

/// Why something did not succeed. It is copied, not allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The message.
    pub reason: Reason,
    /// The code to decide by.
    pub code: Code,
}

impl Failure {
    /// A failure that is none of the protocol.
    #[must_use]
    pub fn new(message: &str) -> Self {
        Self::with_code(message, Code::None)
    }

    /// A failure with a code.
    #[must_use]
    pub fn with_code(message: &str, code: Code) -> Self {
        Self {
            reason: Reason::new(message),
            code,
        }
    }

    /// What was asked was not answered in its time.
    pub(crate) fn no_answer(within: Duration) -> Self {
        Self::with_code(&format!("no answer in {within:?}"), Code::Timeout)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_messages_are_one_reason() {
        let reason = Reason::new("HTTP 409");
        assert_eq!(reason, Reason::new("HTTP 409"));
        assert_ne!(reason, Reason::new("HTTP 410"));
        assert_eq!(&*reason.text(), "HTTP 409");
    }

    #[test]
    fn a_message_of_a_service_is_kept_plain_and_short() {
        assert_eq!(&*Reason::new("a\r\nb\x1b[31m").text(), "a  b [31m");
        let long = Reason::new(&"é".repeat(500)).text();
        assert_eq!(long.chars().count(), 101);
    }
}
