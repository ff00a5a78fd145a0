//! The memory of a service that a load is put on, where its process is on this machine.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The memory of a service's process and of those that it started, sampled during a load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceMemory {
    /// The service's name.
    pub name: String,
    /// The process's name and number, such as `redis-server (4711)`; the last one of a service that was
    /// restarted.
    pub process: String,
    /// From before the load to after it, in order.
    pub samples: Vec<MemorySample>,
}

/// How much memory it was at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemorySample {
    /// When, from the start of the load; negative before it.
    pub at_ns: i64,
    /// Resident memory. Files and shared memory of several processes count once, as those of the process
    /// that has most of them.
    pub resident_bytes: u64,
}

/// Memory at the begin of a time, the most during it, and at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryDuring {
    pub(crate) before: u64,
    pub(crate) peak: u64,
    pub(crate) after: u64,
}

impl MemoryDuring {
    /// Of samples in order; nothing if there is none in that time. The last one before it is how the memory
    /// was when it began.
    pub(crate) fn of(
        samples: impl Iterator<Item = MemorySample>,
        during: &Range<i64>,
    ) -> Option<Self> {
        let mut found: Option<Self> = None;
        let mut before = None;
        for MemorySample {
            at_ns,
            resident_bytes,
        } in samples
        {
            if at_ns <= during.start {
                before = Some(resident_bytes);
            } else if at_ns <= during.end {
                let begin = before.unwrap_or(resident_bytes);
                let found = found.get_or_insert(Self {
                    before: begin,
                    peak: begin,
                    after: begin,
                });
                found.peak = found.peak.max(resident_bytes);
                found.after = resident_bytes;
            }
        }
        found
    }
}

impl ServiceMemory {
    /// What it was, in a line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let all = MemoryDuring::of(self.samples.iter().copied(), &(i64::MIN..i64::MAX));
        match all {
            None => format!("memory of {}: not measured", self.name),
            Some(MemoryDuring {
                before,
                peak,
                after,
            }) => format!(
                "memory of {}, {}: {:.1} MB before, {:.1} MB at most, {:.1} MB after",
                self.name,
                self.process,
                megabytes(before),
                megabytes(peak),
                megabytes(after)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sample_before_a_time_is_its_begin() {
        let samples = [(-5, 10), (0, 20), (7, 30), (9, 90), (10, 40), (12, 99)];
        let samples = samples.map(|(at_ns, resident_bytes)| MemorySample {
            at_ns,
            resident_bytes,
        });
        let during = |range: Range<i64>| {
            let found = MemoryDuring::of(samples.into_iter(), &range);
            found.map(|found| (found.before, found.peak, found.after))
        };
        assert_eq!(during(2..10), Some((20, 90, 40)));
        assert_eq!(during(-9..0), Some((10, 20, 20)));
        assert_eq!(during(i64::MIN..i64::MAX), Some((10, 99, 99)));
        assert_eq!(during(12..20), None);
    }
}
