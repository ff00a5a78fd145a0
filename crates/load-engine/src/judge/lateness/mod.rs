//! What an on-time generator would have measured, as far as it can be told.
//!
//! R is a measured latency, and R′ what it would have been had every arrival started when it was due. With
//! arrivals in the order in which they are due, queues are monotone and non-expansive in the arrivals'
//! times (Lindley 1952; Baccelli et al. 1992), so R − Λ ≤ R′ ≤ R, where Λ is the largest lateness of the
//! arrivals that were due while what R waited for was going on. An arrival's own lateness is not enough:
//! those behind a late burst suffer too.

use hdrhistogram::Histogram;

use crate::error::RunError;
use crate::record::histogram::empty_histogram;
use crate::record::latency::LatencySummary;
use crate::record::phase::{PhaseStep, PhaseSummary};
use crate::record::{IntervalSummary, RunRecord, StepSummary};

/// Where more than this share of arrivals were overtaken, a latency may have been too short as well.
const MAX_OVERTAKEN_SHARE: f64 = 0.001;

/// By how much, at most: found in simulations of stalled threads.
const OVERTAKEN_FACTOR: f64 = 1.1;

/// Lateness of an open model's arrivals over its time.
pub(crate) struct Lateness<'r> {
    record: &'r RunRecord,
    /// By interval.
    latest_ns: Vec<u64>,
    interval_ns: u64,
    /// Besides, how long a ready task may have gone unseen.
    turn_ns: u64,
    /// How many intervals before its end an operation may have begun.
    reach: usize,
}

impl<'r> Lateness<'r> {
    /// None if the model of load is not open, or if nothing was late.
    pub(crate) fn of(record: &'r RunRecord) -> Option<Self> {
        let open = record.open.as_ref()?;
        let lag = &open.schedule_lag;
        let interval_ns = record.interval_ns.max(1);
        let latest_ns = if open.latest_ns.is_empty() && lag.max_ns > 0 {
            // A record of an earlier version does not say when.
            let intervals = record.wall_ns / interval_ns + 1;
            vec![lag.max_ns; intervals as usize]
        } else {
            open.latest_ns.clone()
        };
        let turn_ns = record.runtime_lag.as_ref().map_or(0, |lag| lag.lag.max_ns);
        let steps = record.steps.iter();
        let longest_ns = steps.map(|step| step.felt().max_ns).max().unwrap_or(0);
        let reach = (longest_ns.div_ceil(interval_ns) + 1) as usize;
        (turn_ns > 0 || latest_ns.iter().any(|late_ns| *late_ns > 0)).then_some(Self {
            record,
            latest_ns,
            interval_ns,
            turn_ns,
            reach,
        })
    }

    /// What figures of steps may be above: their latencies, each less by what lateness can have added.
    pub(crate) fn earliest(&self, steps: &[&StepSummary]) -> Result<LatencySummary, RunError> {
        let mut sum = empty_histogram();
        for interval in steps.iter().flat_map(|step| &step.intervals) {
            let number = (interval.start_ns / self.interval_ns) as usize;
            let late_ns = self.most_between(number.saturating_sub(self.reach), number);
            add_shifted(&mut sum, &interval.latency, late_ns)?;
        }
        Ok(LatencySummary::of(&sum))
    }

    /// The same of a phase, whose latencies are not known by interval.
    pub(crate) fn earliest_in_phase<'s>(
        &self,
        phase: &PhaseSummary,
        steps: impl Iterator<Item = &'s PhaseStep>,
    ) -> Result<LatencySummary, RunError> {
        let interval = |at_ns: u64| (at_ns / self.interval_ns) as usize;
        let first = interval(phase.start_ns).saturating_sub(self.reach);
        let late_ns = self.most_between(first, interval(phase.end_ns) + self.reach);
        let mut sum = empty_histogram();
        for step in steps {
            add_shifted(&mut sum, &step.latency, late_ns)?;
        }
        Ok(LatencySummary::of(&sum))
    }

    /// How many successes of steps completed within the largest lateness after the window: with arrivals on
    /// time they may have completed in it. Counted to whole intervals, so at least as many as that.
    pub(crate) fn just_after(&self, steps: &[&StepSummary]) -> u64 {
        let end_ns = self.record.window_ns();
        let last = (end_ns / self.interval_ns) as usize;
        let late_ns = self.most_between(last.saturating_sub(self.reach), last);
        let near = |own: &&IntervalSummary| {
            own.start_ns + self.interval_ns > end_ns && own.start_ns < end_ns + late_ns
        };
        let of_step = |step: &&StepSummary| -> u64 {
            let after: u64 = step
                .intervals
                .iter()
                .filter(near)
                .map(|own| own.latency.count)
                .sum();
            after.min(step.drained)
        };
        steps.iter().map(of_step).sum()
    }

    /// The same of a phase: how many successes completed within the largest lateness after its end. Of an
    /// interval that is longer than that, the same share as of its time.
    pub(crate) fn just_after_phase(&self, phase: &PhaseSummary, steps: &[&StepSummary]) -> u64 {
        let end_ns = phase.end_ns;
        let last = (end_ns / self.interval_ns) as usize;
        let late_ns = self.most_between(last.saturating_sub(self.reach), last);
        let near = |own: &IntervalSummary| -> f64 {
            let from_ns = own.start_ns.max(end_ns);
            let to_ns = (own.start_ns + self.interval_ns).min(end_ns + late_ns);
            let share = to_ns.saturating_sub(from_ns) as f64 / self.interval_ns as f64;
            own.latency.count as f64 * share
        };
        let intervals = steps.iter().flat_map(|step| &step.intervals);
        intervals.map(near).sum::<f64>().ceil() as u64
    }

    /// What a measured figure may have to be multiplied by at the most.
    pub(crate) fn upper_factor(&self) -> f64 {
        let open = self.record.open.as_ref();
        let overtaken = open.map_or(0.0, |open| {
            open.overtaken as f64 / open.arrivals.scheduled.max(1) as f64
        });
        if overtaken > MAX_OVERTAKEN_SHARE {
            OVERTAKEN_FACTOR
        } else {
            1.0
        }
    }

    fn most_between(&self, first: usize, last: usize) -> u64 {
        let end = (last + 1).min(self.latest_ns.len());
        let within = self.latest_ns.get(first..end).unwrap_or_default();
        within.iter().copied().max().unwrap_or(0) + self.turn_ns
    }
}

fn add_shifted(
    sum: &mut Histogram<u64>,
    latency: &LatencySummary,
    by_ns: u64,
) -> Result<(), RunError> {
    for bucket in latency.to_histogram()?.iter_recorded() {
        let shifted_ns = bucket.value_iterated_to().saturating_sub(by_ns);
        sum.saturating_record_n(shifted_ns, bucket.count_at_value());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
