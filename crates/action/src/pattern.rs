use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, shorten};
use crate::path::{ActionPath, segment_fault};

/// A pattern over [`ActionPath`]s, such as `payments/*` or `**/delete*`.
///
/// - `*` stands for any run of characters, also none, within one segment;
/// - a segment `**` stands for any number of segments, also none;
/// - everything else stands for itself; case counts.
///
/// So `payments/*` covers `payments/refund` and not `payments/refund/all`, as in shells; a rule
/// that should cover everything below a place says `payments/**`.
///
/// ```
/// use action::{ActionPath, PathPattern};
/// let path = ActionPath::new("db/orders/delete_rows")?;
/// assert!(PathPattern::new("db/*/delete*")?.matches(&path));
/// assert!(PathPattern::new("db/**")?.matches(&path));
/// assert!(!PathPattern::new("db/*")?.matches(&path));
/// # Ok::<(), action::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

impl PathPattern {
    /// Checks a pattern.
    ///
    /// # Errors
    ///
    /// [`Error::Pattern`], which says which rule the pattern breaks: the rules of a path, and that
    /// `**` stands alone in its segment.
    pub fn new(pattern: impl Into<String>) -> Result<Self, Error> {
        let pattern = pattern.into();
        match fault(&pattern) {
            None => Ok(Self(pattern)),
            Some(reason) => Err(Error::Pattern {
                pattern: shorten(&pattern),
                reason,
            }),
        }
    }

    /// Whether the whole path is covered. Never allocates; its time is bounded by the product of
    /// the two lengths, whatever the pattern.
    #[must_use]
    pub fn matches(&self, path: &ActionPath) -> bool {
        matches_segments(&self.0, path.as_str())
    }

    /// How specific the pattern is, for choosing between several that match: patterns without a
    /// wildcard first, then by the number of literal characters. Greater is more specific.
    #[must_use]
    pub fn specificity(&self) -> Specificity {
        let wild = self.0.bytes().filter(|&byte| byte == b'*').count();
        Specificity {
            exact: wild == 0,
            literals: self.0.len() - wild,
        }
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The order of [`PathPattern::specificity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    exact: bool,
    literals: usize,
}

fn fault(pattern: &str) -> Option<&'static str> {
    if pattern.len() > ActionPath::MAX_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    pattern.split('/').find_map(|segment| {
        if segment != "**" && segment.contains("**") {
            return Some("`**` stands alone in its segment");
        }
        segment_fault(segment)
    })
}

/// Greedy matching with one point to return to: the last `**`. Going back to an earlier one could
/// not help, since the last one can take whatever an earlier one would give up.
fn matches_segments(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (Some(pattern), Some(path));
    let mut retry: Option<(Option<&str>, &str)> = None;
    loop {
        let wanted = pattern.map(split_segment);
        match (wanted, path.map(split_segment)) {
            (Some(("**", after)), _) => {
                if after.is_none() {
                    return true;
                }
                pattern = after;
                retry = path.map(|rest| (after, rest));
                continue;
            }
            (None, None) => return true,
            (Some((want, after)), Some((have, rest))) if matches_text(want, have) => {
                (pattern, path) = (after, rest);
                continue;
            }
            _ => {}
        }
        // A mismatch: let the last `**` take one segment more.
        let Some((after, rest)) = retry else {
            return false;
        };
        let Some(shorter) = split_segment(rest).1 else {
            return false;
        };
        (pattern, path) = (after, Some(shorter));
        retry = Some((after, shorter));
    }
}

fn split_segment(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    }
}

/// `*` within one segment, by the same greedy method over bytes. Bytes are enough: `*` is ASCII, so
/// it never splits a character, and literals match whole or not at all.
fn matches_text(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after, taken)) = retry {
            (p, t) = (after, taken + 1);
            retry = Some((after, taken + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PathPattern {
    type Error = Error;

    fn try_from(pattern: String) -> Result<Self, Error> {
        Self::new(pattern)
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::new(pattern)
            .unwrap()
            .matches(&ActionPath::new(path).unwrap())
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        assert!(matches("payments/*", "payments/refund"));
        assert!(!matches("payments/*", "payments"));
        assert!(!matches("payments/*", "payments/refund/all"));
        assert!(matches("*/delete*", "db/delete_rows"));
        assert!(matches("*a*b*", "xxaxxbxx"));
        assert!(!matches("*a*b", "xxaxxbxx"));
        assert!(matches("ü*ß", "üäöß"));
    }

    #[test]
    fn two_stars_take_any_number_of_segments() {
        for path in ["db", "db/a", "db/a/b/c"] {
            assert!(matches("db/**", path), "{path}");
            assert!(matches("**", path), "{path}");
        }
        assert!(matches("**/delete", "delete"));
        assert!(matches("**/a/**/b", "x/a/a/y/b"));
        assert!(!matches("**/a/**/b", "x/a/a/y/b/c"));
        assert!(!matches("db/**", "dbx/a"));
    }

    #[test]
    fn patterns_that_can_match_nothing_are_refused() {
        for pattern in ["", "/", "a//b", "a/../b", "a**", "**b/c", "a/\n"] {
            assert!(PathPattern::new(pattern).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn an_exact_pattern_is_more_specific_than_any_wildcard() {
        let rank = |text| PathPattern::new(text).unwrap().specificity();
        assert!(rank("a/b") > rank("a/looooooong*"));
        assert!(rank("payments/refund*") > rank("payments/*"));
        assert!(rank("payments/*") > rank("**"));
    }

    /// The definition, by recursion: slow and plainly right.
    fn oracle(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), _) => {
                oracle(rest, path) || (!path.is_empty() && oracle(pattern, &path[1..]))
            }
            (Some((want, rest)), Some((have, left))) => {
                oracle_text(want.as_bytes(), have.as_bytes()) && oracle(rest, left)
            }
            _ => false,
        }
    }

    fn oracle_text(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                oracle_text(rest, text) || (!text.is_empty() && oracle_text(pattern, &text[1..]))
            }
            (Some((want, rest)), Some((have, left))) => want == have && oracle_text(rest, left),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn matching_agrees_with_its_definition(
            pattern in "(\\*\\*|\\*|\\*?[ab]\\*?[ab]?)(/(\\*\\*|\\*|[ab]{1,2}|\\*?[ab]\\*?)){0,4}",
            path in "[ab]{1,3}(/[ab]{1,3}){0,4}",
        ) {
            let expected = oracle(
                &pattern.split('/').collect::<Vec<_>>(),
                &path.split('/').collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(&pattern, &path), expected);
        }
    }
}
