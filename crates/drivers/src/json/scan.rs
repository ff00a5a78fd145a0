//! Where a JSON value ends, found without allocating.

/// How deep lists and objects may nest, as in serde_json: an answer must not overflow the stack.
pub(super) const DEEPEST: usize = 128;

/// Whether a text is one JSON value (RFC 8259) and nothing else.
#[must_use]
pub fn is_valid(json: &[u8]) -> bool {
    std::str::from_utf8(json).is_ok()
        && value_end(json, 0).is_some_and(|end| skip_space(json, end) == json.len())
}

/// Where the value ends that begins at or after `at`. `None` if there is no valid one.
pub(crate) fn value_end(json: &[u8], at: usize) -> Option<usize> {
    value(json, at, 0)
}

pub(super) fn skip_space(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

fn value(json: &[u8], at: usize, depth: usize) -> Option<usize> {
    let at = skip_space(json, at);
    match json.get(at)? {
        b'"' => string_end(json, at),
        b'{' if depth < DEEPEST => members(json, at, depth),
        b'[' if depth < DEEPEST => elements(json, at, depth),
        b't' => word(json, at, b"true"),
        b'f' => word(json, at, b"false"),
        b'n' => word(json, at, b"null"),
        b'-' | b'0'..=b'9' => number(json, at),
        _ => None,
    }
}

fn members(json: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = skip_space(json, at + 1);
    if json.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if json.get(at) != Some(&b'"') {
            return None;
        }
        at = skip_space(json, string_end(json, at)?);
        if json.get(at) != Some(&b':') {
            return None;
        }
        at = skip_space(json, value(json, at + 1, depth + 1)?);
        match json.get(at)? {
            b',' => at = skip_space(json, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn elements(json: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = skip_space(json, at + 1);
    if json.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = skip_space(json, value(json, at, depth + 1)?);
        match json.get(at)? {
            b',' => at += 1,
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Where a string ends, behind its closing quote.
pub(super) fn string_end(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match *json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match json.get(at + 1)? {
                b'u' => {
                    let digits = json.get(at + 2..at + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    at += 6;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                _ => return None,
            },
            0..=0x1f => return None,
            _ => at += 1,
        }
    }
}

fn word(json: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    json[at..].starts_with(word).then_some(at + word.len())
}

fn number(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + usize::from(json[at] == b'-');
    match json.get(at)? {
        b'0' => at += 1,
        b'1'..=b'9' => at = digits(json, at),
        _ => return None,
    }
    if json.get(at) == Some(&b'.') {
        at = some_digits(json, at + 1)?;
    }
    if let Some(b'e' | b'E') = json.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = json.get(at) {
            at += 1;
        }
        at = some_digits(json, at)?;
    }
    Some(at)
}

fn digits(json: &[u8], mut at: usize) -> usize {
    while json.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn some_digits(json: &[u8], at: usize) -> Option<usize> {
    let end = digits(json, at);
    (end > at).then_some(end)
}

/// The text of a valid JSON string, with its quotes: as it stands if it has no escapes, else `None` and
/// decoded into `space`. A lone surrogate becomes U+FFFD.
pub(crate) fn unescape<'j>(json: &'j [u8], space: &mut Vec<u8>) -> Option<&'j [u8]> {
    let inner = &json[1..json.len() - 1];
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(inner);
    }
    space.clear();
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        space.extend_from_slice(&rest[..at]);
        rest = escape(&rest[at + 1..], space);
    }
    space.extend_from_slice(rest);
    None
}

/// Decodes what follows a backslash, and returns what follows that.
fn escape<'j>(rest: &'j [u8], space: &mut Vec<u8>) -> &'j [u8] {
    let plain = match rest[0] {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unicode(&rest[1..], space),
        other => other,
    };
    space.push(plain);
    &rest[1..]
}

fn unicode<'j>(rest: &'j [u8], space: &mut Vec<u8>) -> &'j [u8] {
    let first = hex(rest);
    let mut rest = &rest[4..];
    let mut code = first;
    if (0xd800..0xdc00).contains(&first) && rest.starts_with(b"\\u") {
        let second = hex(&rest[2..]);
        if (0xdc00..0xe000).contains(&second) {
            code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            rest = &rest[6..];
        }
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    space.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn hex(digits: &[u8]) -> u32 {
    digits[..4].iter().fold(0, |code, digit| {
        code << 4 | char::from(*digit).to_digit(16).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_serde_json_on_what_is_json(
            text in r#"[\[\]{}:,"\\ntruefalse0-9.eE+\- au\x01é]{0,12}"#
        ) {
            // A lone surrogate is JSON by its grammar, but no text for serde_json.
            let other = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            if other || !text.contains("\\u") {
                prop_assert_eq!(is_valid(text.as_bytes()), other, "{}", text);
            }
        }

        #[test]
        fn every_text_is_decoded_as_it_was_encoded(text in any::<String>(), ascii in any::<bool>()) {
            let mut json = serde_json::to_string(&text).unwrap();
            if ascii {
                json = json
                    .encode_utf16()
                    .map(|unit| match unit {
                        0..128 => char::from(unit as u8).to_string(),
                        _ => format!("\\u{unit:04x}"),
                    })
                    .collect();
            }
            let mut space = Vec::new();
            let plain = unescape(json.as_bytes(), &mut space).map(<[u8]>::to_vec);
            prop_assert_eq!(plain.unwrap_or(space), text.into_bytes());
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(is_valid(&deep(DEEPEST)));
        assert!(!is_valid(&deep(DEEPEST + 1)));
        assert!(!is_valid(&vec![b'['; 1 << 20]));
    }
}
