/// What can be wrong with an action, a path, a pattern or a digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path that names no place. Write segments separated by `/`, as in `payments/refund`;
    /// `*` belongs into patterns, and `.` or `..` nowhere.
    #[error("invalid action path {path:?}: {reason}")]
    Path {
        /// The path as given, cut to 80 characters.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A pattern that can match nothing. Write segments separated by `/`, with `*` for any part of
    /// one segment and a segment `**` for any number of them.
    #[error("invalid path pattern {pattern:?}: {reason}")]
    Pattern {
        /// The pattern as given, cut to 80 characters.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Text that is no digest, key or signature of this kind. Write it in lower-case hexadecimal
    /// digits, two a byte.
    #[error("invalid {what} {text:?}, expected {digits} lower-case hexadecimal digits")]
    Digest {
        /// Which kind, in words.
        what: String,
        /// The text as given, cut to 80 characters.
        text: String,
        /// How many digits one has.
        digits: usize,
    },
    /// An integer beyond ±2^53: RFC 8785 writes numbers as doubles, which would merge it with its
    /// neighbours. Pass such a number as a string.
    #[error("number {number} at {at} has no exact canonical form")]
    InexactNumber {
        /// The number.
        number: String,
        /// Where it stands, as a JSON pointer into the parameters.
        at: String,
    },
    /// Parameters nested deeper than can be read back. Flatten them.
    #[error("parameters are nested deeper than {levels} levels")]
    TooDeep {
        /// The limit, in levels.
        levels: usize,
    },
    /// The canonicalizer refused the action.
    #[error("action has no canonical form")]
    Canonical(#[source] serde_json::Error),
}

/// The start of a text that may be long, for a message of one line.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
