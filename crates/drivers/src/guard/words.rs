//! The words of a statement: what is inside quotes and comments is none.

/// A word, in capitals, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) at: usize,
    /// How many parentheses it stands in.
    pub(super) depth: usize,
    /// The statement it belongs to, from 0: a `;` ends one.
    pub(super) statement: usize,
}

/// Whether a place is inside quotes or a comment.
pub(crate) fn is_quoted(text: &str, place: usize) -> bool {
    let mut at = 0;
    while at < place {
        let length = skipped(&text[at..]);
        if place < at + length {
            return true;
        }
        at += length.max(text[at..].chars().next().map_or(1, char::len_utf8));
    }
    false
}

/// The length of what begins here and is in quotes or a comment, or 0.
fn skipped(rest: &str) -> usize {
    match rest.as_bytes() {
        [b'\'' | b'"' | b'`', ..] => quoted(rest),
        [b'-', b'-', ..] | [b'/', b'/', ..] => line(rest),
        [b'/', b'*', ..] => comment(rest),
        [b'$', ..] => dollar_quoted(rest).unwrap_or(0),
        _ => 0,
    }
}

/// The words of a text of SQL or Cypher.
pub(super) fn words(text: &str) -> Vec<Word> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let (mut at, mut depth, mut statement) = (0, 0_usize, 0);
    while at < bytes.len() {
        let rest = &text[at..];
        let length = skipped(rest);
        if length > 0 {
            at += length;
            continue;
        }
        at += match bytes[at] {
            b'(' => {
                depth += 1;
                1
            }
            b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            b';' => {
                (depth, statement) = (0, statement + 1);
                1
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let length = bytes[at..].iter().take_while(|byte| is_word(byte)).count();
                words.push(Word {
                    text: rest[..length].to_ascii_uppercase(),
                    at,
                    depth,
                    statement,
                });
                length
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    words
}

/// The length of a text in quotes. Two quotes inside it end one text and begin the next, which comes to
/// the same.
fn quoted(text: &str) -> usize {
    let quote = text.as_bytes()[0];
    memchr::memchr(quote, &text.as_bytes()[1..]).map_or(text.len(), |end| end + 2)
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// A comment may hold others, as in PostgreSQL.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// PostgreSQL's `$tag$ … $tag$`; `$1` is none.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = text[1..].find('$')? + 2;
    let inner = &text[1..tag - 1];
    let is_tag = inner.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !inner.starts_with(|c: char| c.is_ascii_digit());
    if !is_tag {
        return None;
    }
    let end = text[tag..].find(&text[..tag])?;
    Some(tag + end + tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_quotes_and_comments_is_no_word() {
        let found = |text| -> Vec<String> {
            words(text)
                .into_iter()
                .map(|word| format!("{}{}{}", word.text, word.depth, word.statement))
                .collect()
        };
        assert_eq!(
            found("select 'it''s a' \"b\" -- c\n(d /* e /* f */ g */ $1) $$h$$ $t$ i $$ $t$ é; j"),
            ["SELECT00", "D10", "J01"]
        );
        assert!(is_quoted("a 'b $1'", 6) && !is_quoted("a 'b' $1", 6));
        assert_eq!(found("'open"), [""; 0]);
        assert_eq!(found("/* open"), [""; 0]);
        assert_eq!(found("$open$ a"), ["OPEN00", "A00"]);
    }
}
