//! One thread's latencies of one interval: an HdrHistogram's counts, and where among them it wrote.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::record::histogram::MAX_LATENCY_NS;

/// Counts at or above this share their power of two in so many equal parts, which is what three
/// significant digits need; see HdrHistogram's "sub-bucket half count".
const HALF_BITS: u32 = 10;
const HALF: u64 = 1 << HALF_BITS;

/// Counts by bucket, in the same buckets as [`empty_histogram`](crate::empty_histogram)'s.
///
/// A histogram that is emptied each second has to be read and zeroed at that cost only which its
/// values caused; `Histogram` would touch all its 270 KB. Pages that no value falls into are never
/// touched, so a user costs 4 KB for each two powers of two that its latencies are spread over.
pub(crate) struct Counts {
    /// 16 bits, since most counts of a second are small and users are many.
    buckets: Box<[u16]>,
    /// What did not fit there.
    spilled: BTreeMap<u16, u64>,
    low: usize,
    high: usize,
}

impl Counts {
    pub(crate) fn new() -> Self {
        let buckets = vec![0; bucket_of(MAX_LATENCY_NS) + 1].into_boxed_slice();
        Self {
            buckets,
            spilled: BTreeMap::new(),
            low: usize::MAX,
            high: 0,
        }
    }

    #[inline]
    pub(crate) fn record(&mut self, latency_ns: u64) {
        let bucket = bucket_of(latency_ns.min(MAX_LATENCY_NS));
        let count = &mut self.buckets[bucket];
        *count += 1;
        if *count == u16::MAX {
            self.spill(bucket);
        }
        self.low = self.low.min(bucket);
        self.high = self.high.max(bucket);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.low > self.high
    }

    /// Buckets that hold something, in their order, with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        let buckets = if self.is_empty() {
            0..0
        } else {
            self.low..self.high + 1
        };
        buckets
            .map(|bucket| {
                (
                    bucket as u16,
                    u64::from(self.buckets[bucket]) + self.spilled(bucket),
                )
            })
            .filter(|(_, count)| *count > 0)
    }

    /// Forgets all values, at the cost of where they were.
    pub(crate) fn clear(&mut self) {
        if !self.is_empty() {
            self.buckets[self.low..=self.high].fill(0);
        }
        self.spilled.clear();
        (self.low, self.high) = (usize::MAX, 0);
    }

    #[cold]
    fn spill(&mut self, bucket: usize) {
        let count = u64::from(std::mem::take(&mut self.buckets[bucket]));
        *self.spilled.entry(bucket as u16).or_default() += count;
    }

    fn spilled(&self, bucket: usize) -> u64 {
        if self.spilled.is_empty() {
            return 0;
        }
        self.spilled
            .get(&(bucket as u16))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn add_to(&self, histogram: &mut Histogram<u64>) {
        for (bucket, count) in self.iter() {
            histogram.saturating_record_n(lowest_of(bucket), count);
        }
    }
}

/// The bucket of a value, numbered as HdrHistogram numbers its counts.
#[inline]
fn bucket_of(value: u64) -> usize {
    let power = u64::BITS - (value | (2 * HALF - 1)).leading_zeros() - (HALF_BITS + 1);
    ((u64::from(power) << HALF_BITS) + (value >> power)) as usize
}

/// The lowest value of a bucket.
pub(crate) fn lowest_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 * HALF {
        return bucket;
    }
    let power = (bucket >> HALF_BITS) - 1;
    (bucket - (power << HALF_BITS)) << power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::histogram::empty_histogram;
    use crate::record::latency::LatencySummary;
    use proptest::prelude::*;

    #[test]
    fn every_bucket_begins_at_its_lowest_value() {
        let histogram = empty_histogram();
        for bucket in 0..=bucket_of(MAX_LATENCY_NS) as u16 {
            assert_eq!(bucket_of(lowest_of(bucket)), usize::from(bucket));
            assert_eq!(
                histogram.lowest_equivalent(lowest_of(bucket)),
                lowest_of(bucket)
            );
        }
    }

    #[test]
    fn cleared_counts_are_empty() {
        let mut counts = Counts::new();
        counts.record(5);
        counts.record(MAX_LATENCY_NS);
        counts.clear();
        assert_eq!(counts.iter().count(), 0);
        assert!(counts.buckets.iter().all(|&count| count == 0));
    }

    #[test]
    fn more_than_sixteen_bits_of_one_value_are_counted() {
        let mut counts = Counts::new();
        for _ in 0..200_000 {
            counts.record(50);
        }
        counts.record(51);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(50, 200_000), (51, 1)]);
        counts.clear();
        assert!(counts.iter().next().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn counts_are_those_of_a_histogram(
            values in prop::collection::vec(prop_oneof![0..5_000u64, 0..=2 * MAX_LATENCY_NS], 0..200),
        ) {
            let (mut counts, mut histogram) = (Counts::new(), empty_histogram());
            for &value in &values {
                counts.record(value);
                histogram.saturating_record(value.min(MAX_LATENCY_NS));
            }
            let mut copy = empty_histogram();
            counts.add_to(&mut copy);
            prop_assert_eq!(LatencySummary::of(&copy), LatencySummary::of(&histogram));
        }
    }
}
