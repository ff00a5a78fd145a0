//! The frame of one record: `{"seq":7,"synced":5,"data":…,"crc":"1a2b3c4d"}`.

use std::io::Write as _;

use crate::{BreakKind, Seq};

const SEQ: &[u8] = b"{\"seq\":";
const SYNCED: &[u8] = b",\"synced\":";
const DATA: &[u8] = b",\"data\":";
const CRC: &[u8] = b",\"crc\":\"";
const END: &[u8] = b"\"}";
/// `,"crc":"` + 8 digits + `"}`.
const TAIL: usize = CRC.len() + 8 + END.len();

/// What stands in a line, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) seq: Seq,
    pub(crate) synced: Seq,
    pub(crate) data: &'a [u8],
}

/// Appends one line, with its line break, to `out`.
pub(crate) fn encode(out: &mut Vec<u8>, seq: Seq, synced: Seq, data: &[u8]) {
    let start = out.len();
    out.reserve(data.len() + 96);
    out.extend_from_slice(SEQ);
    push_number(out, seq.0);
    out.extend_from_slice(SYNCED);
    push_number(out, synced.0);
    out.extend_from_slice(DATA);
    out.extend_from_slice(data);
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(CRC);
    write!(out, "{crc:08x}").expect("a vector takes every write");
    out.extend_from_slice(END);
    out.push(b'\n');
}

/// Reads one line, given without its line break.
pub(crate) fn decode(line: &[u8]) -> Result<Line<'_>, BreakKind> {
    let (body, tail) = line
        .split_at_checked(line.len().wrapping_sub(TAIL))
        .ok_or(BreakKind::NotARecord)?;
    let digits = tail
        .strip_prefix(CRC)
        .and_then(|rest| rest.strip_suffix(END))
        .and_then(parse_hex)
        .ok_or(BreakKind::NotARecord)?;
    let computed = crc32c::crc32c(body);
    if computed != digits {
        return Err(BreakKind::Checksum {
            stored: digits,
            computed,
        });
    }
    let rest = body.strip_prefix(SEQ).ok_or(BreakKind::NotARecord)?;
    let (seq, rest) = take_number(rest).ok_or(BreakKind::NotARecord)?;
    let rest = rest.strip_prefix(SYNCED).ok_or(BreakKind::NotARecord)?;
    let (synced, rest) = take_number(rest).ok_or(BreakKind::NotARecord)?;
    let data = rest.strip_prefix(DATA).ok_or(BreakKind::NotARecord)?;
    Ok(Line {
        seq: Seq(seq),
        synced: Seq(synced),
        data,
    })
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    write!(out, "{number}").expect("a vector takes every write");
}

/// Lower-case digits only: a number with two spellings could be changed without a trace.
fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(value))
    })
}

fn take_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((number, &text[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(seq: u64, synced: u64, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, Seq(seq), Seq(synced), data);
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    #[test]
    fn a_line_is_json_that_any_tool_reads() {
        let line = encoded(7, 5, br#"{"name":"created"}"#);
        assert_eq!(
            String::from_utf8(line.clone()).unwrap(),
            r#"{"seq":7,"synced":5,"data":{"name":"created"},"crc":"79d17ff5"}"#
        );
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["data"]["name"], "created");
    }

    #[test]
    fn every_changed_bit_is_found() {
        let line = encoded(12, 11, br#"{"a":[1,2,3],"b":"x"}"#);
        for bit in 0..line.len() * 8 {
            let mut changed = line.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                decode(&changed).is_err(),
                "bit {bit} of {}",
                changed.escape_ascii()
            );
        }
    }

    proptest! {
        #[test]
        fn a_line_survives_the_way_there_and_back(seq: u64, synced: u64, text: String) {
            let data = serde_json::to_vec(&text).unwrap();
            let line = encoded(seq, synced, &data);
            prop_assert_eq!(
                decode(&line),
                Ok(Line { seq: Seq(seq), synced: Seq(synced), data: &data })
            );
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_prefix_of_a_line_is_never_a_line(cut in 0usize..60) {
            let line = encoded(7, 5, br#"{"name":"created"}"#);
            prop_assert!(decode(&line[..cut.min(line.len() - 1)]).is_err());
        }
    }
}
