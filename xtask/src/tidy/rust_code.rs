//! The code of a Rust file without its comments and literals, in which words mean nothing.

/// The text with each byte of its comments and literals as a space; lines stay lines.
///
/// Not a whole lexer: what the compiler refuses may come out in any way.
pub(super) fn code_of(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(bytes, at).min(bytes.len());
        if end > at {
            out.extend(
                bytes[at..end]
                    .iter()
                    .map(|b| if *b == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    // Comments and literals begin and end with ASCII, so no character was cut in two.
    String::from_utf8(out).expect("whole characters were replaced")
}

/// The end of the comment or literal that begins at `at`, or `at` itself.
fn skipped(bytes: &[u8], at: usize) -> usize {
    match &bytes[at..] {
        [b'/', b'/', ..] => at + find(&bytes[at..], b"\n"),
        [b'/', b'*', ..] => block_comment_end(bytes, at),
        [b'"', ..] => string_end(bytes, at),
        [b'\'', rest @ ..] => at + char_literal_length(rest),
        _ => at,
    }
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let hashes = bytes[..start]
        .iter()
        .rev()
        .take_while(|b| **b == b'#')
        .count();
    let is_raw = bytes[..start - hashes].ends_with(b"r");
    if is_raw {
        let closing = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        return start + 1 + find(&bytes[start + 1..], &closing) + closing.len();
    }
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a character literal whose opening quote stands before `rest`, with both quotes, or
/// 0 for a lifetime.
fn char_literal_length(rest: &[u8]) -> usize {
    match rest {
        // `'\''` and `'\u{e9}'`: the character after the backslash never closes the literal.
        [b'\\', _, after @ ..] => 3 + find(after, b"'") + 1,
        [first, ..] => {
            let length = char_length(*first);
            if rest.get(length) == Some(&b'\'') {
                length + 2
            } else {
                0
            }
        }
        [] => 0,
    }
}

/// How many bytes the character takes that begins with `first`, in UTF-8.
fn char_length(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// Where `wanted` begins, or the length of `bytes`.
fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code with its runs of white space as one space.
    fn squeezed(source: &str) -> String {
        code_of(source)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_are_blanked_nested_ones_too() {
        assert_eq!(squeezed("a // b\nc /* d /* e */ f */ g"), "a c g");
    }

    #[test]
    fn strings_of_every_kind_are_blanked() {
        assert_eq!(squeezed(r#"a "b \" c" d b"e" f"#), "a d b f");
        assert_eq!(
            squeezed("a r\"b\\\" c r#\"d \" e\"# f br##\"g\"# h\"## i"),
            "a r c r# f br## i"
        );
    }

    #[test]
    fn characters_are_blanked_and_lifetimes_stay() {
        assert_eq!(
            squeezed(r#"a '\'' b '\\' c '\u{e9}' d 'é' e '"' f"#),
            "a b c d e f"
        );
        assert_eq!(
            squeezed("fn f<'a>(x: &'a str, y: &'static str) {}"),
            "fn f<'a>(x: &'a str, y: &'static str) {}"
        );
    }

    #[test]
    fn lines_stay_where_they_are() {
        let source = "a\n\"b\nc\" /* d\n\n*/ e // é\nf\n";
        let code = code_of(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(code.lines().nth(4).map(str::trim), Some("e"));
    }

    #[test]
    fn unfinished_literals_end_with_the_text() {
        for source in ["\"a", "r#\"a\"", "/* a", "'", "'\\", "\"\\", "'\\n"] {
            assert_eq!(code_of(source).len(), source.len(), "{source}");
        }
    }
}
