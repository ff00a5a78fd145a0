//! The frame of one record: `{"seq":7,"synced":5,"data":…,"crc":"1a2b3c4d"}`, with
//! `,"chain":"…"` before the checksum in a chained log. What the log states about itself has `"log"`
//! in the place of `"data"`.

use crate::format::chain::{Link, LinkText};
use crate::format::damage::BreakKind;
use crate::format::seq::Seq;

const SEQ: &[u8] = b"{\"seq\":";
const SYNCED: &[u8] = b",\"synced\":";
const DATA: &[u8] = b",\"data\":";
const OWN: &[u8] = b",\"log\":";
const CHAIN: &[u8] = b",\"chain\":\"";
const CRC: &[u8] = b",\"crc\":\"";
const END: &[u8] = b"\"}";
/// `,"crc":"` + 8 digits + `"}`.
const TAIL: usize = CRC.len() + 8 + END.len();
/// `,"chain":"` + 43 digits + `"`.
const LINK: usize = CHAIN.len() + Link::TEXT_BYTES + 1;

/// How the first line of a log with an identity begins: no record has the number 0.
pub(crate) const IDENTITY_START: &[u8; 9] = b"{\"seq\":0,";

/// What stands in a line, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) seq: Seq,
    pub(crate) synced: Seq,
    pub(crate) data: &'a [u8],
    /// Whether the log states this about itself: its data is a `Statement`.
    pub(crate) is_own: bool,
    pub(crate) chained: Option<Chained<'a>>,
}

/// The link of a chained line, and what it is the hash of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chained<'a> {
    pub(crate) body: &'a [u8],
    text: &'a LinkText,
}

impl Chained<'_> {
    /// `None` when no link has this text.
    pub(crate) fn link(&self) -> Option<Link> {
        Link::from_text(self.text)
    }

    /// Whether this is the line's link; cheaper than to read the one that stands there.
    pub(crate) fn is(&self, link: Link) -> bool {
        link.text() == *self.text
    }

    pub(crate) fn text(&self) -> LinkText {
        *self.text
    }
}

/// Appends one line, with its line break, to `out`; in a chained log, `chain` is the link of the
/// line before and becomes this one's.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seq: Seq,
    synced: Seq,
    data: &[u8],
    chain: Option<&mut Link>,
) {
    frame(out, (seq, synced), DATA, data, chain);
}

/// As [`encode`], of what the log states about itself.
pub(crate) fn encode_own(
    out: &mut Vec<u8>,
    seq: Seq,
    synced: Seq,
    statement: &[u8],
    chain: Option<&mut Link>,
) {
    frame(out, (seq, synced), OWN, statement, chain);
}

#[inline]
fn frame(
    out: &mut Vec<u8>,
    (seq, synced): (Seq, Seq),
    name: &[u8],
    data: &[u8],
    chain: Option<&mut Link>,
) {
    let start = out.len();
    out.reserve(data.len() + 96 + LINK);
    out.extend_from_slice(SEQ);
    push_number(out, seq.0);
    out.extend_from_slice(SYNCED);
    push_number(out, synced.0);
    out.extend_from_slice(name);
    out.extend_from_slice(data);
    let link = chain.map(|link| {
        *link = link.next(&out[start..]);
        *link
    });
    close(out, start, link);
}

/// Ends the line that begins at `start`, with its link if it has one.
#[inline]
fn close(out: &mut Vec<u8>, start: usize, link: Option<Link>) {
    if let Some(link) = link {
        out.extend_from_slice(CHAIN);
        out.extend_from_slice(&link.text());
        out.push(b'"');
    }
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(CRC);
    out.extend_from_slice(&hex(crc));
    out.extend_from_slice(END);
    out.push(b'\n');
}

/// Gives the last line of `out`, which begins at `line` and has no link, the link over all bytes from
/// `from` on; `link` is the one before, and becomes this one.
pub(crate) fn seal(out: &mut Vec<u8>, from: usize, line: usize, link: &mut Link) {
    out.truncate(out.len() - TAIL - 1);
    *link = link.next(&out[from..]);
    close(out, line, Some(*link));
}

/// Reads one line, given without its line break.
pub(crate) fn decode(line: &[u8]) -> Result<Line<'_>, BreakKind> {
    let (checked, tail) = line
        .split_at_checked(line.len().wrapping_sub(TAIL))
        .ok_or(BreakKind::NotARecord)?;
    let digits = tail
        .strip_prefix(CRC)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(BreakKind::NotARecord)?;
    let computed = crc32c::crc32c(checked);
    // Comparing texts is cheaper than reading a number, and allows one spelling only.
    if hex(computed) != *digits {
        let stored = parse_hex(digits).ok_or(BreakKind::NotARecord)?;
        return Err(BreakKind::Checksum { stored, computed });
    }
    parse(checked).ok_or(BreakKind::NotARecord)
}

/// The link that stands in a line whose checksum is wrong, if that much of it is whole.
pub(crate) fn link_despite_damage(line: &[u8]) -> Option<Chained<'_>> {
    take_link(line.get(..line.len().checked_sub(TAIL)?)?)
}

fn parse(checked: &[u8]) -> Option<Line<'_>> {
    let rest = checked.strip_prefix(SEQ)?;
    let (seq, rest) = take_number(rest)?;
    let rest = rest.strip_prefix(SYNCED)?;
    let (synced, rest) = take_number(rest)?;
    let (is_own, mut data) = match rest.strip_prefix(DATA) {
        Some(data) => (false, data),
        None => (true, rest.strip_prefix(OWN)?),
    };
    let chained = take_link(checked);
    if chained.is_some() {
        data = data.get(..data.len().checked_sub(LINK)?)?;
    }
    Some(Line {
        seq: Seq(seq),
        synced: Seq(synced),
        data,
        is_own,
        chained,
    })
}

/// The link at the end of the checked bytes. No data can look like one: JSON has an unescaped
/// `","` only inside of something that ends with another byte than `"`.
fn take_link(checked: &[u8]) -> Option<Chained<'_>> {
    let (body, link) = checked.split_at_checked(checked.len().wrapping_sub(LINK))?;
    let text = link.strip_prefix(CHAIN)?.strip_suffix(b"\"")?;
    let text = text.try_into().ok()?;
    Some(Chained { body, text })
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Lower-case hexadecimal digits.
fn hex(number: u32) -> [u8; 8] {
    // Each nibble to its own byte, then to its digit: those above nine lie 39 further on.
    let mut spread = u64::from(number);
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let above_nine = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + above_nine * 39).to_be_bytes()
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

/// Digits as they are written, that is, without a leading zero.
fn take_number(text: &[u8]) -> Option<(u64, &[u8])> {
    /// No number of so many digits is too large.
    const SAFE_DIGITS: usize = 19;
    let mut number = 0u64;
    let mut end = 0;
    while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0')) {
        if digit > 9 {
            break;
        }
        number = if end < SAFE_DIGITS {
            number * 10 + u64::from(digit)
        } else {
            number.checked_mul(10)?.checked_add(u64::from(digit))?
        };
        end += 1;
    }
    let plain = end == 1 || (end > 1 && text[0] != b'0');
    plain.then(|| (number, &text[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(seq: u64, synced: u64, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, Seq(seq), Seq(synced), data, None);
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

    #[test]
    fn a_chained_line_carries_the_hash_over_all_before_it() {
        let mut link = Link::root();
        let mut out = Vec::new();
        encode(&mut out, Seq(1), Seq(0), b"1", Some(&mut link));
        let first = out.len();
        encode(&mut out, Seq(2), Seq(0), b"\"x\"", Some(&mut link));
        let one = decode(&out[..first - 1]).unwrap();
        let two = decode(&out[first..out.len() - 1]).unwrap();
        assert_eq!((one.data, two.data), (&b"1"[..], &b"\"x\""[..]));
        assert_eq!(
            two.chained.unwrap().body,
            br#"{"seq":2,"synced":0,"data":"x""#
        );
        let chained = one.chained.unwrap();
        assert!(chained.is(Link::root().next(chained.body)));
        assert_eq!(two.chained.unwrap().link(), Some(link));
        let one = chained.link().unwrap();
        assert_eq!(link, one.next(two.chained.unwrap().body));
    }

    #[test]
    fn a_statement_of_the_log_itself_is_told_from_data() {
        let mut out = Vec::new();
        encode_own(&mut out, Seq(9), Seq(8), b"{}", Some(&mut Link::root()));
        let line = decode(&out[..out.len() - 1]).unwrap();
        assert_eq!(
            (line.seq, line.data, line.is_own),
            (Seq(9), &b"{}"[..], true)
        );
        assert!(line.chained.is_some());
    }

    #[test]
    fn numbers_have_one_spelling() {
        let read = |text: &str| take_number(text.as_bytes()).map(|(number, _)| number);
        assert_eq!(read("0,"), Some(0));
        assert_eq!(read("18446744073709551615,"), Some(u64::MAX));
        for wrong in [
            "",
            ",",
            "-1",
            "00",
            "01",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn hexadecimal_digits_are_those_of_the_standard_library(number: u32) {
            prop_assert_eq!(hex(number).to_vec(), format!("{number:08x}").into_bytes());
            prop_assert_eq!(parse_hex(&hex(number)), Some(number));
        }

        #[test]
        fn a_line_survives_the_way_there_and_back(seq: u64, synced: u64, text: String) {
            let data = serde_json::to_vec(&text).unwrap();
            let line = encoded(seq, synced, &data);
            prop_assert_eq!(
                decode(&line),
                Ok(Line { seq: Seq(seq), synced: Seq(synced), data: &data, is_own: false, chained: None })
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
