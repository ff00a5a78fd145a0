//! Prometheus's protobuf format, of which scrapers read native histograms.
//!
//! The messages are those of `io.prometheus.client` (`metrics.proto` of prometheus/client_model), each with
//! its length before it. Only the fields that this program has are written.

use std::collections::BTreeMap;

use super::families::{Families, Sample, Times, Value};

/// Buckets of a native histogram for each doubling: 2 to the power of this. A bucket is then 9 % wide.
const SCHEMA: i32 = 3;

/// The bits of a number that fit beside the sign of more to come.
const SEVEN_BITS: u64 = 0x7f;

pub(super) fn encode(families: &Families<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for family in &families.0 {
        let mut message = Message::default();
        message.text(1, &family.name);
        message.text(2, &family.help);
        message.number(
            3,
            match family.kind {
                "counter" => 0,
                "histogram" => 4,
                _ => 1,
            },
        );
        for sample in &family.samples {
            message.message(4, &metric(sample, family.kind));
        }
        varint(&mut out, message.0.len() as u64);
        out.extend(message.0);
    }
    out
}

fn metric(sample: &Sample<'_>, kind: &str) -> Message {
    let mut metric = Message::default();
    for (name, value) in &sample.labels {
        let mut label = Message::default();
        label.text(1, name);
        label.text(2, value);
        metric.message(1, &label);
    }
    match &sample.value {
        Value::Number(value) => {
            let mut number = Message::default();
            number.double(1, *value);
            metric.message(if kind == "counter" { 3 } else { 2 }, &number);
        }
        Value::Histogram(times) => metric.message(7, &histogram(times)),
    }
    metric
}

fn histogram(times: &Times) -> Message {
    let mut message = Message::default();
    message.number(1, times.count());
    message.double(2, times.sum);
    for (bound, count) in times.buckets() {
        let mut bucket = Message::default();
        bucket.number(1, count);
        bucket.double(2, bound);
        message.message(3, &bucket);
    }
    message.signed(5, i64::from(SCHEMA));
    // Nothing is 0: latencies are at least a nanosecond.
    message.double(6, 1e-12);
    message.number(7, 0);
    let (spans, deltas) = native(times);
    for (offset, length) in spans {
        let mut span = Message::default();
        span.signed(1, offset);
        span.number(2, length);
        message.message(12, &span);
    }
    let mut packed = Vec::new();
    for delta in deltas {
        varint(&mut packed, zigzag(delta));
    }
    message.bytes(13, &packed);
    message
}

/// The buckets that are not empty: runs of them with the gap before each, and the difference of each bucket's
/// count from the one before.
fn native(times: &Times) -> (Vec<(i64, u64)>, Vec<i64>) {
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for bucket in times.histogram.iter_recorded() {
        let seconds = bucket.value_iterated_to().max(1) as f64 / 1e9;
        // Bucket i holds what is above base^(i-1), up to base^i.
        let index = (seconds.log2() * f64::from(1 << SCHEMA)).ceil() as i64;
        *counts.entry(index).or_default() += bucket.count_at_value() as i64;
    }
    let mut spans: Vec<(i64, u64)> = Vec::new();
    let mut deltas = Vec::with_capacity(counts.len());
    let (mut next, mut before) = (0, 0);
    for (index, count) in counts {
        match spans.last_mut() {
            Some((_, length)) if index == next => *length += 1,
            _ => spans.push((index - next, 1)),
        }
        deltas.push(count - before);
        (next, before) = (index + 1, count);
    }
    (spans, deltas)
}

/// A message of fields by their number.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u64, wire_type: u64) {
        varint(&mut self.0, (field << 3) | wire_type);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        varint(&mut self.0, value);
    }

    fn signed(&mut self, field: u64, value: i64) {
        self.number(field, zigzag(value));
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > SEVEN_BITS {
        out.push((value & SEVEN_BITS) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small numbers of either sign as small ones without.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    #[test]
    fn numbers_are_written_as_the_format_has_them() {
        let mut out = Vec::new();
        varint(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
        let mut message = Message::default();
        message.text(1, "ab");
        message.double(2, 1.0);
        assert_eq!(
            message.0,
            [0x0a, 2, b'a', b'b', 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]
        );
    }

    #[test]
    fn native_buckets_are_runs_with_gaps_and_differences() {
        let mut histogram = Histogram::new(3).unwrap();
        // 1 s is the upper end of bucket 0, 1.09 s of bucket 1, and 4 s of bucket 16.
        histogram.record_n(990_000_000, 5).unwrap();
        histogram.record_n(1_050_000_000, 2).unwrap();
        histogram.record_n(3_990_000_000, 3).unwrap();
        let times = Times {
            histogram,
            sum: 19.0,
        };
        let (spans, deltas) = native(&times);
        assert_eq!((spans, deltas), (vec![(0, 2), (14, 1)], vec![5, -3, 1]));
    }

    #[test]
    fn each_family_has_its_length_before_it() {
        let mut families = Families::default();
        families.head("m", "gauge", "made");
        families.sample("m", &[("a", "b")], 2.0);
        let bytes = encode(&families);
        assert_eq!(usize::from(bytes[0]), bytes.len() - 1);
        assert_eq!(&bytes[1..4], [0x0a, 1, b'm']);
    }
}
