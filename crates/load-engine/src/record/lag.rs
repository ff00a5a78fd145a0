//! The lag of a runtime: how long a task that is ready waits until it is run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::counts::Counts;
use crate::record::histogram::empty_histogram;
use crate::record::latency::LatencySummary;

/// Time between two probes of a runtime.
pub(crate) const PROBE_PERIOD_NS: u64 = 10_000_000;

/// A task that waits so long was kept from running by another: one that blocks its thread.
const BLOCKED_NS: u64 = 50_000_000;

/// What the probes of the runtimes found during a load.
///
/// A probe is a task that is woken each 10 ms and notes how long it was ready before it was run. While
/// a runtime is blocked, the probes that it misses count with the time that each would have waited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RuntimeLag {
    /// How many runtimes were probed, a thread each.
    pub runtimes: u32,
    /// Time between two probes of a runtime.
    pub period_ns: u64,
    /// How long the probes waited.
    pub lag: LatencySummary,
    /// How often a runtime ran nothing else for 50 ms or longer: something blocked its thread, or the
    /// machine gave it no processor.
    pub blockings: u64,
}

/// The lag of one runtime.
pub(crate) struct LagTally {
    counts: Counts,
    blockings: u64,
    /// When the next probe is due; none before the load.
    due_ns: Option<u64>,
}

impl LagTally {
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::new(),
            blockings: 0,
            due_ns: None,
        }
    }

    /// Says when the first probe is due, or the next one.
    pub(crate) fn expect(&mut self, due_ns: u64) {
        self.due_ns = Some(due_ns);
    }

    /// Books a probe that became ready at `ready_ns` and ran at `now_ns`, and those that were due in
    /// between. Gives when the next one is due.
    pub(crate) fn book(&mut self, ready_ns: u64, now_ns: u64) -> u64 {
        let lag_ns = now_ns.saturating_sub(ready_ns);
        self.counts.record(lag_ns);
        self.blockings += u64::from(lag_ns >= BLOCKED_NS);
        let mut due_ns = ready_ns + PROBE_PERIOD_NS;
        while due_ns <= now_ns {
            self.counts.record(now_ns - due_ns);
            due_ns += PROBE_PERIOD_NS;
        }
        self.due_ns = Some(due_ns);
        due_ns
    }

    /// Says that no probe is due any more: the runtime's users are through, and it ends before others.
    pub(crate) fn rest(&mut self) {
        self.due_ns = None;
    }

    /// Books what is overdue: a runtime that did not come back from what blocks it.
    pub(crate) fn close(&mut self, now_ns: u64) {
        if let Some(due_ns) = self.due_ns.take()
            && now_ns >= due_ns.saturating_add(BLOCKED_NS)
        {
            self.book(due_ns, now_ns);
        }
    }

    pub(crate) fn sum<'t>(tallies: impl Iterator<Item = &'t Self>) -> Option<RuntimeLag> {
        let mut histogram = empty_histogram();
        let mut sum = RuntimeLag {
            period_ns: PROBE_PERIOD_NS,
            ..RuntimeLag::default()
        };
        for tally in tallies {
            sum.runtimes += 1;
            sum.blockings += tally.blockings;
            tally.counts.add_to(&mut histogram);
        }
        sum.lag = LatencySummary::of(&histogram);
        (sum.runtimes > 0).then_some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn lag(tally: &LagTally) -> RuntimeLag {
        LagTally::sum([tally].into_iter()).unwrap()
    }

    #[test]
    fn a_blocking_is_felt_by_every_probe_that_was_due_during_it() {
        let mut tally = LagTally::new();
        assert_eq!(tally.book(100 * MS, 100 * MS + 5), 110 * MS);
        // Ready at 110, run at 165: those due at 120 to 160 waited as well.
        assert_eq!(tally.book(110 * MS, 165 * MS), 170 * MS);
        let lag = lag(&tally);
        assert_eq!((lag.lag.count, lag.blockings), (7, 1));
        assert_eq!(lag.lag.min_ns, 5);
        assert!(lag.lag.max_ns.abs_diff(55 * MS) < MS);
        assert!(lag.lag.p50_ns.abs_diff(25 * MS) < MS);
    }

    #[test]
    fn a_runtime_that_never_came_back_is_blocked_until_the_end() {
        let mut tally = LagTally::new();
        tally.expect(10 * MS);
        tally.close(1_010 * MS);
        let stuck = lag(&tally);
        assert_eq!(stuck.blockings, 1);
        assert_eq!(stuck.lag.count, 101);
        assert!(stuck.lag.max_ns.abs_diff(1_000 * MS) < MS);

        let mut healthy = LagTally::new();
        healthy.expect(10 * MS);
        healthy.close(11 * MS);
        assert_eq!((lag(&healthy).blockings, lag(&healthy).lag.count), (0, 0));
    }
}
