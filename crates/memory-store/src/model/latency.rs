//! How long something takes, counted in buckets that many threads add to at once.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Each power of two is cut into 2^5 buckets of equal width: a value is known to within 1/32.
const PRECISION_BITS: u32 = 5;
const PER_POWER: usize = 1 << PRECISION_BITS;
const BUCKETS: usize = (64 - PRECISION_BITS as usize + 1) * PER_POWER;

/// How long something took, since the store was opened. Percentiles are upper bounds, at most 1/32
/// above what was measured.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latency {
    /// How often it was measured.
    pub count: u64,
    /// The median.
    pub p50: Duration,
    /// 99 of 100 were as fast.
    pub p99: Duration,
    /// All were as fast.
    pub max: Duration,
}

/// A histogram of bounded size; nothing is lost however much is recorded.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>, // BUCKETS of them
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0));
        Self {
            buckets: buckets.collect(),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn summary(&self) -> Latency {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        let count: u64 = counts.iter().sum();
        let at = |percent: u64| {
            let rank = (count * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let place = counts.iter().position(|in_bucket| {
                seen += in_bucket;
                seen >= rank
            });
            place.map_or(Duration::ZERO, |place| Duration::from_nanos(highest(place)))
        };
        Latency {
            count,
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

fn bucket(nanos: u64) -> usize {
    let Some(shift) = nanos
        .checked_ilog2()
        .and_then(|power| power.checked_sub(PRECISION_BITS))
    else {
        return nanos as usize;
    };
    (shift as usize) * PER_POWER + (nanos >> shift) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let shift = (bucket / PER_POWER).saturating_sub(1);
    let lowest = (bucket - shift * PER_POWER) as u64;
    (lowest << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_that_is_no_wider_than_a_32nd() {
        for power in 0..64 {
            for nanos in [
                1_u64 << power,
                (1 << power) + (1 << power) / 3,
                u64::MAX >> power,
            ] {
                let top = highest(bucket(nanos));
                assert!(top >= nanos && top - nanos <= nanos / 32, "{nanos} {top}");
                assert!(bucket(nanos) < BUCKETS);
            }
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let histogram = Histogram::default();
        assert_eq!(histogram.summary(), Latency::default());
        (1..=1_000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let Latency {
            count,
            p50,
            p99,
            max,
        } = histogram.summary();
        assert_eq!(count, 1_000);
        for (found, expected) in [(p50, 500), (p99, 990), (max, 1_000)] {
            let expected = Duration::from_micros(expected);
            assert!(
                found >= expected && found <= expected * 33 / 32,
                "{found:?}"
            );
        }
    }
}
