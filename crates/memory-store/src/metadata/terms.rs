//! The words of a text as terms of the full-text index: each begins with its namespace.
//!
//! FTS5 computes BM25 from how many rows of the *index* have a term. With the plain words as terms,
//! a word that is frequent with one tenant would weigh less with all others, so that scores told
//! what other tenants write; and each search would walk through the matches of all of them. With
//! the namespace in the term, both end at the tenant. What all still share is the number of rows
//! and their average length, which weigh on all terms of a search alike. An index for each
//! namespace would share nothing, but costs five tables each, and a change of the schema, on which
//! every connection reads it again whenever a namespace begins.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// A text with the namespace's mark before each of its words.
pub(crate) fn terms(ns: i64, text: &str) -> String {
    let mark = mark(ns);
    let mut terms = String::with_capacity(text.len() + text.len() / 5 * mark.len());
    let mut is_in_word = false;
    for character in text.chars() {
        let is_word = character.is_alphanumeric() || (is_in_word && is_combining(character));
        if is_word && !is_in_word {
            terms.push_str(&mark);
        }
        is_in_word = is_word;
        terms.push(character);
    }
    terms
}

/// An FTS5 pattern for any of the words, in one namespace; nothing if there is no word. Every word
/// is quoted, so that no text can be read as an operator.
pub(super) fn pattern(ns: i64, words: &str) -> Option<String> {
    let is_separator = |character: char| !character.is_alphanumeric() && !is_combining(character);
    let words: std::collections::BTreeSet<String> = words
        .split(is_separator)
        .map(|word| word.trim_start_matches(is_combining))
        .filter(|word| !word.is_empty())
        .map(|word| format!("\"{}{word}\"", mark(ns)))
        .collect();
    (!words.is_empty()).then(|| words.into_iter().collect::<Vec<_>>().join(" OR "))
}

/// Ends in a letter, so that no mark is the beginning of another one; has no vowel, so that the
/// stemmer counts the same syllables with it and without.
fn mark(ns: i64) -> String {
    format!("n{ns}z")
}

/// The combining diacritical marks, which FTS5's tokenizer takes for parts of a word.
fn is_combining(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

/// Makes [`terms`] a function of SQL: the view that FTS5 rebuilds and checks its index from needs it.
pub(super) fn register_terms(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("memory_terms", 2, flags, |context| {
        let text = context.get_raw(1).as_str()?;
        Ok(terms(context.get(0)?, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_begins_with_its_namespace() {
        assert_eq!(
            terms(12, "the linker's out, of 3"),
            "n12zthe n12zlinker'n12zs n12zout, n12zof n12z3"
        );
        assert_eq!(
            terms(1, "cafe\u{301}s \u{301}x"),
            "n1zcafe\u{301}s \u{301}n1zx"
        );
        assert_eq!(terms(1, "…"), "…");
    }

    #[test]
    fn a_pattern_holds_each_word_once_and_quoted() {
        assert_eq!(
            pattern(7, "b a OR \"b\" NEAR(").as_deref(),
            Some("\"n7zNEAR\" OR \"n7zOR\" OR \"n7za\" OR \"n7zb\"")
        );
        assert_eq!(
            pattern(7, "cafe\u{301}").as_deref(),
            Some("\"n7zcafe\u{301}\"")
        );
        assert_eq!(pattern(7, " … \u{301}"), None);
    }
}
