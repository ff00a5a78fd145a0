//! How a value is written in each place.

use crate::json;
use crate::values::Value;

/// How a value is written, which its place decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is: other bodies, Redis arguments, the content of a file.
    Bytes,
    /// The value's text, objects as canonical JSON: keys, contents, expected texts.
    Text,
    /// Percent-encoded: a part of a path or of a query (RFC 3986).
    UrlPart,
    /// A whole request target, as it is, without spaces and controls.
    Target,
    /// As it is, without line ends and NUL.
    Header,
    /// A field of a form (the URL standard's `application/x-www-form-urlencoded`).
    FormField,
    /// A part of a file's path, without `/`, `..` and NUL.
    PathPart,
    /// Inside the quotes of a JSON text.
    JsonString,
    /// A whole JSON value.
    JsonValue,
}

/// Why a value cannot stand in its place; to be read behind "the value of `x`".
type Problem = &'static str;

impl Encoding {
    /// Appends a value.
    pub(crate) fn write(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
        match value {
            Value::Text(text) => return self.write_text(text, out),
            Value::Json(json) => return self.write_json(json, out),
            // These are the same in every place.
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Int(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
        }
        Ok(())
    }

    pub(crate) fn write_text(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        match self {
            Self::Bytes | Self::Text => out.extend_from_slice(text),
            Self::UrlPart => url_part(text, out),
            Self::Target => target(text, out)?,
            Self::Header => header(text, out)?,
            Self::FormField => form_field(text, out),
            Self::PathPart => path_part(text, out)?,
            Self::JsonString => json_text(utf8(text)?, out),
            Self::JsonValue => {
                let text = utf8(text)?;
                out.push(b'"');
                json_text(text, out);
                out.push(b'"');
            }
        }
        Ok(())
    }

    fn write_json(self, json: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        match self {
            Self::JsonValue => out.extend_from_slice(json),
            Self::Text => out.extend_from_slice(&json::canonical(json)),
            _ => self.write_text(json, out)?,
        }
        Ok(())
    }
}

fn utf8(text: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(text).map_err(|_| "is not UTF-8, so it cannot stand in JSON")
}

/// Everything but RFC 3986's unreserved characters is percent-encoded.
pub(crate) fn url_part(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            _ => percent(byte, out),
        }
    }
}

pub(crate) fn form_field(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => percent(byte, out),
        }
    }
}

fn percent(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
    out.extend_from_slice(&[b'%', high, low]);
}

fn target(text: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
    if text.iter().any(|byte| matches!(byte, 0..=b' ' | 0x7f)) {
        return Err("has a space or a control character, which a request target cannot carry");
    }
    out.extend_from_slice(text);
    Ok(())
}

fn header(text: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err("has a line end or NUL, which a header cannot carry");
    }
    out.extend_from_slice(text);
    Ok(())
}

fn path_part(text: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
    let leaves = text.windows(2).any(|pair| pair == b"..");
    if leaves || text.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err("has `/`, `..` or NUL, which a path's part cannot carry");
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Escapes what JSON does not allow inside quotes: quotes, backslashes and controls.
pub(crate) fn json_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            0..=0x1f => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        if short != 0 {
            out.extend_from_slice(&[b'\\', short]);
        } else {
            let low = b"0123456789abcdef"[usize::from(byte & 15)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
        }
    }
    out.extend_from_slice(&bytes[from..]);
}
