//! RESP2: commands as bytes, and replies as JSON.
//!
//! The format is that of <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use crate::template::encode::json_text;

/// How deep a reply may be nested.
const DEEPEST: usize = 32;

/// Appends the head of a command of so many arguments.
pub(super) fn command(arguments: usize, out: &mut Vec<u8>) {
    header(b'*', arguments, out);
}

/// Appends an argument.
pub(super) fn argument(bytes: &[u8], out: &mut Vec<u8>) {
    header(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn header(kind: u8, number: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// What was read of a reply.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// More has to come.
    Partial,
    /// So many bytes were a reply, which was no error.
    Reply(usize),
    /// So many bytes were an error.
    Error(usize),
    /// This is no reply.
    Malformed,
}

/// Reads one reply, and appends it as JSON: texts, numbers, null and lists. An error is appended as its
/// plain message.
pub(super) fn reply(input: &[u8], out: &mut Vec<u8>) -> Read {
    match input.first() {
        Some(b'-') => match line(input) {
            Some((text, used)) => {
                out.extend_from_slice(text);
                Read::Error(used)
            }
            None => Read::Partial,
        },
        _ => {
            let begin = out.len();
            let read = match value(input, 0, out) {
                Some(Ok(used)) => Read::Reply(used),
                Some(Err(())) => Read::Malformed,
                None => Read::Partial,
            };
            if !matches!(read, Read::Reply(_)) {
                out.truncate(begin);
            }
            read
        }
    }
}

/// How long a reply is that begins here; none while it is not whole.
fn value(input: &[u8], depth: usize, out: &mut Vec<u8>) -> Option<Result<usize, ()>> {
    let (text, used) = line(input)?;
    let number = || std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    match input[0] {
        b'+' | b'-' => {
            quoted(text, out);
            Some(Ok(used))
        }
        b':' => {
            let Some(_) = number() else {
                return Some(Err(()));
            };
            out.extend_from_slice(text);
            Some(Ok(used))
        }
        b'$' => match number() {
            Some(-1) => {
                out.extend_from_slice(b"null");
                Some(Ok(used))
            }
            Some(length @ 0..) => {
                let end = used.checked_add(usize::try_from(length).ok()?)?;
                let bytes = input.get(used..end)?;
                match input.get(end..end + 2)? {
                    b"\r\n" => {
                        quoted(bytes, out);
                        Some(Ok(end + 2))
                    }
                    _ => Some(Err(())),
                }
            }
            _ => Some(Err(())),
        },
        b'*' => match number() {
            Some(-1) => {
                out.extend_from_slice(b"null");
                Some(Ok(used))
            }
            Some(count @ 0..) if depth < DEEPEST => list(input, used, count, depth, out),
            _ => Some(Err(())),
        },
        _ => Some(Err(())),
    }
}

fn list(
    input: &[u8],
    used: usize,
    count: i64,
    depth: usize,
    out: &mut Vec<u8>,
) -> Option<Result<usize, ()>> {
    let mut at = used;
    out.push(b'[');
    for number in 0..count {
        if number > 0 {
            out.push(b',');
        }
        match value(input.get(at..)?, depth + 1, out)? {
            Ok(used) => at += used,
            Err(()) => return Some(Err(())),
        }
    }
    out.push(b']');
    Some(Ok(at))
}

/// The text of a line behind its first byte, and the length of the whole line.
fn line(input: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr::memchr(b'\n', input)?;
    let text = input.get(1..end)?;
    Some((text.strip_suffix(b"\r").unwrap_or(text), end + 1))
}

fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    json_text(&String::from_utf8_lossy(bytes), out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> (Read, String) {
        let mut out = Vec::new();
        let read = reply(input, &mut out);
        (read, String::from_utf8(out).unwrap())
    }

    #[test]
    fn replies_become_json() {
        let whole: &[(&[u8], &str)] = &[
            (b"+OK\r\n", "\"OK\""),
            (b":-12\r\n", "-12"),
            (b"$-1\r\n", "null"),
            (b"*-1\r\n", "null"),
            (b"$0\r\n\r\n", "\"\""),
            (b"$4\r\na\"\r\n\r\n", r#""a\"\r\n""#),
            (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", r#"["a",[1]]"#),
            (b"*1\r\n-ERR no\r\n", r#"["ERR no"]"#),
        ];
        for (input, json) in whole {
            assert_eq!(read(input), (Read::Reply(input.len()), (*json).to_owned()));
            for cut in 0..input.len() {
                assert_eq!(
                    read(&input[..cut]),
                    (Read::Partial, String::new()),
                    "{cut} of {json}"
                );
            }
        }
        let error = b"-WRONGTYPE a key\r\n+OK\r\n";
        assert_eq!(read(error), (Read::Error(18), "WRONGTYPE a key".to_owned()));
    }

    #[test]
    fn what_is_no_reply_is_told_from_one_that_is_not_whole() {
        for input in [
            &b"?\r\n"[..],
            b":x\r\n",
            b"$-2\r\n",
            b"$1\r\nabc",
            b"*x\r\n",
            b"HTTP/1.1 400\r\n",
        ] {
            assert_eq!(read(input).0, Read::Malformed, "{input:?}");
        }
        let deep = b"*1\r\n".repeat(40);
        assert_eq!(read(&deep).0, Read::Malformed);
    }

    #[test]
    fn a_command_is_a_list_of_texts() {
        let mut out = Vec::new();
        command(2, &mut out);
        argument(b"GET", &mut out);
        argument(b"a\r\n", &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n");
    }
}
