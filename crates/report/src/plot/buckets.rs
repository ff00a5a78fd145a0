//! Saved histograms, read straight into what is drawn.
//!
//! A report of an hour has 180,000 of them. The library's reader allocates every possible count of
//! each (270 kB); this one hands on the few that are there.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The first four bytes of the HdrHistogram V2 encoding.
const V2_COOKIE: u32 = 0x1c84_9313;

/// Bytes before the counts: cookie, length, offset, digits, lowest, highest, ratio.
const HEADER_BYTES: usize = 40;

/// Significant digits that the format allows at most.
const MAX_DIGITS: u32 = 5;

/// Reads saved histograms, one after another, without allocating for each.
#[derive(Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// Hands on each recorded value (the highest that is not told apart from it) and its count.
    /// Nothing, if the text is no histogram; what was handed on before a damage stays.
    pub(super) fn read(&mut self, saved: &str, mut add: impl FnMut(u64, u64)) -> Option<()> {
        self.bytes.clear();
        STANDARD.decode_vec(saved, &mut self.bytes).ok()?;
        let shape = Shape::of(&self.bytes)?;
        let mut counts = self.bytes.get(HEADER_BYTES..)?;
        let mut index: u64 = 0;
        while !counts.is_empty() {
            let number = unzigzag(varint(&mut counts)?);
            if let Ok(count) = u64::try_from(number) {
                if count > 0 {
                    add(shape.highest_value(index)?, count);
                }
                index += 1;
            } else {
                index = index.checked_add(number.unsigned_abs())?;
            }
        }
        Some(())
    }
}

/// How the index of a count stands for a value.
struct Shape {
    unit_magnitude: u32,
    half_count_magnitude: u32,
}

impl Shape {
    fn of(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let lowest = u64::from_be_bytes(bytes.get(16..24)?.try_into().ok()?);
        let (cookie, offset, digits) = (word(0)?, word(8)?, word(12)?);
        if cookie != V2_COOKIE || offset != 0 || digits > MAX_DIGITS || lowest == 0 {
            return None;
        }
        // Values below this are told apart each.
        let single_units = 2 * 10u64.pow(digits);
        Some(Self {
            unit_magnitude: lowest.ilog2(),
            half_count_magnitude: single_units.next_power_of_two().ilog2().max(1) - 1,
        })
    }

    fn highest_value(&self, index: u64) -> Option<u64> {
        let half = 1u64 << self.half_count_magnitude;
        let octave = u32::try_from(index >> self.half_count_magnitude)
            .ok()?
            .saturating_sub(1);
        let within = index - u64::from(octave) * half;
        let shift = octave.checked_add(self.unit_magnitude)?;
        let next = u128::from(within + 1).checked_shl(shift)?;
        u64::try_from(next - 1).ok()
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// A little-endian number in groups of seven bits, of which the ninth byte has all eight.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for at in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if at == 8 {
            return Some(number | u64::from(byte) << 56);
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

/// Bits of a value that a [`Tally`] tells apart: as many as three digits need.
const PRECISION_BITS: u32 = 10;

/// Indexes of a [`Tally`] for all values of 64 bits.
const INDEXES: usize = (64 - PRECISION_BITS as usize + 1) << PRECISION_BITS;

/// The range of indexes that any index widens to itself.
const NONE: Range<usize> = Range {
    start: INDEXES,
    end: 0,
};

/// Values and their counts, to be emptied and filled again at little cost.
pub(super) struct Tally {
    counts: Vec<u64>,
    /// The indexes that may have counts.
    used: Range<usize>,
    total: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            counts: vec![0; INDEXES],
            used: NONE,
            total: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        if self.used.start < self.used.end {
            self.counts[self.used.clone()].fill(0);
        }
        self.used = NONE;
        self.total = 0;
    }

    pub(super) fn add(&mut self, value: u64, count: u64) {
        let index = index_of(value);
        self.counts[index] += count;
        self.used = self.used.start.min(index)..self.used.end.max(index + 1);
        self.total += count;
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The indexes that have counts, with them, by rising value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let used = self.used.start.min(self.used.end)..self.used.end;
        let start = used.start;
        self.counts[used]
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
            .map(move |(at, &count)| (start + at, count))
    }

    /// The values below or at which these shares lie, which must rise; as HdrHistogram counts.
    pub(super) fn at_quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [u64; N] {
        let mut values = [0; N];
        let mut wanted = quantiles
            .iter()
            .map(|quantile| ((quantile * self.total as f64).ceil() as u64).max(1))
            .zip(&mut values)
            .peekable();
        let mut passed = 0;
        for (index, count) in self.iter() {
            passed += count;
            while let Some((_, value)) = wanted.next_if(|(rank, _)| *rank <= passed) {
                *value = highest_value(index);
            }
        }
        values
    }
}

fn index_of(value: u64) -> usize {
    let octave = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((octave as usize) << PRECISION_BITS) + (value >> octave) as usize
}

/// The highest value of an index.
pub(super) fn highest_value(index: usize) -> u64 {
    let octave = (index >> PRECISION_BITS).saturating_sub(1);
    let within = (index - (octave << PRECISION_BITS)) as u128;
    u64::try_from(((within + 1) << octave) - 1).unwrap_or(u64::MAX)
}

/// How many indexes there are, for tables of them.
pub(super) fn indexes() -> impl Iterator<Item = usize> {
    0..INDEXES
}

#[cfg(test)]
mod tests {
    use load_engine::{LatencySummary, empty_histogram};

    use super::*;

    /// Values from 0 to an hour, some many times.
    fn values() -> impl Iterator<Item = (u64, u64)> {
        (0..4_000u64).map(|n| (n * n * n % 3_600_000_000_000, 1 + n % 7))
    }

    #[test]
    fn a_saved_histogram_is_read_as_the_library_reads_it() {
        let mut histogram = empty_histogram();
        for (value, count) in values() {
            histogram.record_n(value, count).unwrap();
        }
        let summary = LatencySummary::of(&histogram);
        let mut read = Vec::new();
        let mut reader = Reader::default();
        reader
            .read(&summary.histogram, |value, count| read.push((value, count)))
            .unwrap();
        let expected: Vec<_> = histogram
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
            .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn quantiles_of_a_tally_are_those_of_the_library() {
        let mut histogram = empty_histogram();
        let mut tally = Tally::new();
        for round in 0..2 {
            // Emptied, it starts anew.
            tally.clear();
            histogram.reset();
            for (value, count) in values().skip(round * 100) {
                histogram.record_n(value, count).unwrap();
                tally.add(value, count);
            }
            let quantiles = [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0];
            let of_library = quantiles.map(|quantile| histogram.value_at_quantile(quantile));
            let [_, rest @ ..] = tally.at_quantiles(quantiles);
            assert_eq!(rest, of_library[1..]);
            assert_eq!(tally.total(), histogram.len());
        }
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        let mut reader = Reader::default();
        for damaged in ["", "!", "AAAA", "HISTFAAAAAAAAAAA"] {
            assert_eq!(reader.read(damaged, |_, _| {}), None, "{damaged}");
        }
        assert_eq!(highest_value(index_of(u64::MAX)), u64::MAX);
    }
}
