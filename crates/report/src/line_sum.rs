//! A checksum in a JSON object of one line: `,"crc":"1a2b3c4d"}` at its end, of the bytes before. The form
//! is that of a log's lines.

const NAME: &[u8] = b",\"crc\":\"";
const END: &[u8] = b"\"}";
/// The digits.
const DIGITS: usize = 8;

/// What the checksum of a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// The line is as it was written.
    Right,
    /// It is not.
    Wrong,
    /// The line has none: an earlier version wrote it.
    Missing,
}

/// Adds the checksum to an object.
pub fn add(object: &mut Vec<u8>) {
    debug_assert_eq!(object.last(), Some(&b'}'), "the text of an object");
    object.pop();
    let digits = digits(object);
    object.extend_from_slice(NAME);
    object.extend_from_slice(digits.as_bytes());
    object.extend_from_slice(END);
}

/// Compares the checksum, if there is one, with the line.
#[must_use]
pub fn check(line: &[u8]) -> Sum {
    let tail = NAME.len() + DIGITS + END.len();
    let Some((body, tail)) = line.split_at_checked(line.len().wrapping_sub(tail)) else {
        return Sum::Missing;
    };
    let stored = tail
        .strip_prefix(NAME)
        .and_then(|rest| rest.strip_suffix(END));
    match stored {
        Some(stored) if stored == digits(body).as_bytes() => Sum::Right,
        Some(_) => Sum::Wrong,
        // A damaged name or end of it: only what never had one may lack it.
        None if is_like_one(tail) => Sum::Wrong,
        None => Sum::Missing,
    }
}

fn digits(body: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(body))
}

/// Whether the end of a line differs from that of one with a checksum by a few bits only.
fn is_like_one(tail: &[u8]) -> bool {
    const FEW: u32 = 8;
    let frame = NAME.iter().chain(END);
    let (name, end) = (&tail[..NAME.len()], &tail[NAME.len() + DIGITS..]);
    let differing = name
        .iter()
        .chain(end)
        .zip(frame)
        .map(|(a, b)| (a ^ b).count_ones());
    differing.sum::<u32>() <= FEW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found_and_what_never_had_a_sum_is_told_from_it() {
        let mut line = br#"{"kind":"record","key":"7"}"#.to_vec();
        assert_eq!(check(&line), Sum::Missing);
        assert_eq!(check(b"{}"), Sum::Missing);
        add(&mut line);
        assert_eq!(check(&line), Sum::Right);
        serde_json::from_slice::<serde_json::Value>(&line).unwrap();
        for bit in 0..line.len() * 8 {
            let mut damaged = line.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&damaged), Sum::Wrong, "bit {bit}");
        }
    }
}
