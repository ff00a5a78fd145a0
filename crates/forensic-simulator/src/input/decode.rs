use crate::error::Error;
use crate::input::json;
use crate::text::shorten;

/// The text of a file, with what was done to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) notes: Vec<String>,
}

const FORMAT: &str = "plan";

/// Reads UTF-8 or UTF-16, with or without a byte order mark: PowerShell writes either.
///
/// # Errors
///
/// [`Error::Import`] for bytes that are neither.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, Error> {
    let mut notes = Vec::new();
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(refuse(
            "byte 1",
            "it is a saved plan of terraform, in its binary form: write it with `terraform show -json FILE`",
        ));
    }
    let utf16 = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        [first, 0, second, 0, ..] if first.is_ascii() && second.is_ascii() => {
            Some((bytes, u16::from_le_bytes as fn([u8; 2]) -> u16))
        }
        [0, first, 0, second, ..] if first.is_ascii() && second.is_ascii() => {
            Some((bytes, u16::from_be_bytes as fn([u8; 2]) -> u16))
        }
        _ => None,
    };
    let text = match utf16 {
        Some((rest, unit)) => {
            notes.push("the file is UTF-16".to_owned());
            from_utf16(rest, unit)?
        }
        None => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map_err(|error| {
                let place = format!("byte {}", error.valid_up_to() + 1);
                refuse(&place, "it is neither UTF-8 nor UTF-16: save it as UTF-8")
            })?;
            text.to_owned()
        }
    };
    Ok(Decoded { text, notes })
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        let place = format!("byte {}", bytes.len());
        return Err(refuse(
            &place,
            "UTF-16 that ends within a character: the file was cut off",
        ));
    }
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .map(|text| text.trim_start_matches('\u{feff}').to_owned())
        .map_err(|_| refuse("line 1", "UTF-16 with an unpaired surrogate"))
}

/// Removes the lines that a wrapper printed around JSON, such as `[command]/usr/bin/terraform …` of
/// GitHub's `setup-terraform`. What it removes is in the notes.
pub(crate) fn unwrap(decoded: &mut Decoded) {
    let Some(start) = json_start(&decoded.text) else {
        return;
    };
    if start > 0 {
        let before: Vec<_> = lines(&decoded.text[..start]);
        decoded.notes.push(format!(
            "{} line(s) before the plan were left out, the first: {:?}",
            before.len(),
            shorten(before.first().unwrap_or(&""))
        ));
        decoded.text.drain(..start);
    }
    let Ok(end) = json::first_value_end(FORMAT, &decoded.text) else {
        return;
    };
    let after = lines(&decoded.text[end..]);
    let is_wrapper = |line: &&str| {
        let prefixes = [
            "::",
            "##[",
            "[command]",
            "Terraform exited",
            "OpenTofu exited",
        ];
        prefixes.iter().any(|prefix| line.starts_with(prefix))
    };
    if !after.is_empty() && after.iter().all(is_wrapper) {
        let note = format!("{} line(s) after the plan were left out", after.len());
        decoded.notes.push(note);
        decoded.text.truncate(end);
    }
}

fn lines(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).collect()
}

/// Where the first line begins that JSON may begin with; none in text that has no such line.
fn json_start(text: &str) -> Option<usize> {
    /// A plan does not begin after so many lines of a wrapper.
    const MOST_LINES: usize = 200;
    let mut at = 0;
    for line in text.split_inclusive('\n').take(MOST_LINES) {
        let rest = line.trim_start();
        let mut characters = rest.chars();
        let opening = characters.next();
        let next = text[at + (line.len() - rest.len())..]
            .chars()
            .skip(1)
            .find(|c| !c.is_whitespace());
        let begins = match opening {
            Some('{') => matches!(next, Some('"' | '}')),
            Some('[') => matches!(next, Some('{' | ']')),
            _ => false,
        };
        if begins {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn refuse(place: &str, reason: &str) -> Error {
    Error::Import {
        format: FORMAT,
        place: place.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: bool, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(unit)
            .collect()
    }

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "{\"a\": \"é😀\"}";
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16(text, true, u16::to_le_bytes),
            utf16(text, true, u16::to_be_bytes),
            utf16(text, false, u16::to_le_bytes),
            utf16(text, false, u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes).unwrap().text, text);
        }
        for (bytes, message) in [
            (
                &b"{\"a\": \"\xff\"}"[..],
                "plan, byte 8: it is neither UTF-8 nor UTF-16",
            ),
            (b"\xff\xfe{", "plan, byte 1: UTF-16 that ends within"),
            (
                b"PK\x03\x04",
                "plan, byte 1: it is a saved plan of terraform",
            ),
        ] {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn lines_of_a_wrapper_are_left_out_and_noted() {
        let mut decoded = Decoded {
            text: "[command]/bin/terraform show\n{\"a\": 1}\n\n::debug::exited with code 0.\n"
                .to_owned(),
            notes: Vec::new(),
        };
        unwrap(&mut decoded);
        assert_eq!(decoded.text, "{\"a\": 1}");
        assert_eq!(decoded.notes.len(), 2);
        let mut two = Decoded {
            text: "{\"a\": 1}\n{\"b\": 1}\n".to_owned(),
            notes: Vec::new(),
        };
        unwrap(&mut two);
        assert_eq!(two.text, "{\"a\": 1}\n{\"b\": 1}\n");
    }
}
