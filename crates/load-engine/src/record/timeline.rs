//! Where the threads' latencies come together: a total per step, and a histogram per interval.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use crate::plan::phase::PhaseEnds;
use crate::record::IntervalSummary;
use crate::record::counts::{Counts, lowest_of};
use crate::record::histogram::empty_histogram;
use crate::record::latency::LatencySummary;
use crate::record::phase::PhaseStep;

/// How long an interval is in a run that is not too long for it.
pub(crate) const INTERVAL_NS: u64 = 1_000_000_000;

/// Intervals that are kept, 20 minutes of seconds. When there are more, neighbours are merged and
/// intervals get twice as long: a run of hours costs what one of minutes does.
const MAX_INTERVALS: usize = 1200;

/// The latencies of all threads. Each thread brings its own once a second and locks a step for as long
/// as it takes to add them.
pub(crate) struct Timeline {
    steps: Vec<Mutex<StepTimeline>>,
    /// The phases and what is scheduled after them. What completes later was drained.
    pub(crate) windows: PhaseEnds,
}

/// The latencies of one step.
pub(crate) struct StepTimeline {
    pub(crate) service: Histogram<u64>,
    pub(crate) response: Histogram<u64>,
    pub(crate) intervals: Intervals,
    /// Of failed attempts.
    pub(crate) failure: Histogram<u64>,
    phases: Vec<Slot>,
    /// Successes by the window in which they completed: the phases, the rest of the schedule, the drain.
    completed: Vec<u64>,
}

impl StepTimeline {
    /// Counts successes that completed in a window.
    pub(crate) fn complete(&mut self, window: usize, succeeded: u64) {
        self.completed[window] += succeeded;
    }

    /// Successes that completed after the schedule's end.
    pub(crate) fn drained(&self) -> u64 {
        self.completed.last().copied().unwrap_or_default()
    }

    /// Adds to a phase, or to none when the last phase is over.
    pub(crate) fn add_to_phase(&mut self, phase: usize, failed: u64, counts: &Counts) {
        if let Some(slot) = self.phases.get_mut(phase) {
            slot.add(failed, counts.iter());
        }
    }

    pub(crate) fn phase(&self, phase: usize, name: &str) -> PhaseStep {
        let slot = &self.phases[phase];
        PhaseStep {
            name: name.to_owned(),
            completed: Some(self.completed[phase]),
            attempted: slot.count() + slot.failed,
            failed: slot.failed,
            latency: slot.summary(),
        }
    }
}

impl Timeline {
    pub(crate) fn new(steps: usize, phases: usize) -> Self {
        let step = || StepTimeline {
            service: empty_histogram(),
            response: empty_histogram(),
            failure: empty_histogram(),
            intervals: Intervals::default(),
            completed: vec![0; phases + 2],
            phases: (0..phases).map(|_| Slot::default()).collect(),
        };
        Self {
            steps: (0..steps).map(|_| Mutex::new(step())).collect(),
            windows: PhaseEnds::new(phases + 1),
        }
    }

    pub(crate) fn step(&self, step: usize) -> MutexGuard<'_, StepTimeline> {
        // Adding numbers does not panic half-way.
        self.steps[step]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The width of the widest step's intervals, to which all are brought.
    pub(crate) fn align(&self) -> u64 {
        let width = |step| self.step(step).intervals.width_ns;
        let widest = (0..self.steps.len())
            .map(width)
            .max()
            .unwrap_or(INTERVAL_NS);
        for step in 0..self.steps.len() {
            self.step(step).intervals.widen_to(widest);
        }
        widest
    }
}

/// Latencies by the interval in which they ended.
pub(crate) struct Intervals {
    width_ns: u64,
    slots: Vec<Slot>, // at most MAX_INTERVALS
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            width_ns: INTERVAL_NS,
            slots: Vec::new(),
        }
    }
}

/// One interval or phase. A histogram's 270 KB would be almost all zeros, so only the counts are kept.
#[derive(Clone, Default)]
struct Slot {
    failed: u64,
    counts: Vec<(u16, u64)>, // by rising bucket
}

impl Intervals {
    /// Adds what ended at `at_ns`, from the start of the load, or at most a second later.
    pub(crate) fn add(&mut self, at_ns: u64, failed: u64, counts: &Counts) {
        while at_ns / self.width_ns >= MAX_INTERVALS as u64 {
            self.widen_to(self.width_ns * 2);
        }
        let slot = (at_ns / self.width_ns) as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, Slot::default);
        }
        self.slots[slot].add(failed, counts.iter());
    }

    /// Attempts that failed in all intervals.
    pub(crate) fn failed(&self) -> u64 {
        self.slots.iter().map(|slot| slot.failed).sum()
    }

    pub(crate) fn summaries(&self) -> Vec<IntervalSummary> {
        let starts = (0u64..).map(|slot| slot * self.width_ns);
        starts
            .zip(&self.slots)
            .map(|(start_ns, slot)| slot.interval(start_ns))
            .collect()
    }

    /// What is not as `known` has it, of the same width.
    pub(crate) fn changed_since(&self, known: &[IntervalSummary]) -> ChangedIntervals {
        let same = |number: usize, slot: &Slot| {
            known.get(number).is_some_and(|known| {
                known.failed == slot.failed && known.latency.count == slot.count()
            })
        };
        let slots = self.slots.iter().enumerate();
        let changed = slots.filter(|(number, slot)| !same(*number, slot));
        ChangedIntervals {
            width_ns: self.width_ns,
            slots: changed
                .map(|(number, slot)| (number, slot.clone()))
                .collect(),
        }
    }

    fn widen_to(&mut self, width_ns: u64) {
        while self.width_ns < width_ns {
            self.width_ns *= 2;
            let narrow = std::mem::take(&mut self.slots);
            self.slots
                .resize_with(narrow.len().div_ceil(2), Slot::default);
            for (number, slot) in narrow.into_iter().enumerate() {
                self.slots[number / 2].add(slot.failed, slot.counts.into_iter());
            }
        }
    }
}

/// Intervals to which something was added, or that are new, by their number.
pub(crate) struct ChangedIntervals {
    width_ns: u64,
    slots: Vec<(usize, Slot)>, // by rising number
}

impl ChangedIntervals {
    /// Replaces those of `known` that have changed, and adds those that are new.
    pub(crate) fn bring_up_to_date(self, known: &mut Vec<IntervalSummary>) {
        for (number, slot) in self.slots {
            if number >= known.len() {
                known.resize_with(number + 1, IntervalSummary::default);
            }
            known[number] = slot.interval(number as u64 * self.width_ns);
        }
    }
}

impl Slot {
    fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    fn interval(&self, start_ns: u64) -> IntervalSummary {
        IntervalSummary {
            start_ns,
            failed: self.failed,
            latency: self.summary(),
        }
    }

    fn add(&mut self, failed: u64, counts: impl Iterator<Item = (u16, u64)>) {
        self.failed += failed;
        self.counts = merged(std::mem::take(&mut self.counts), counts);
    }

    fn summary(&self) -> LatencySummary {
        let mut histogram = empty_histogram();
        for &(bucket, count) in &self.counts {
            histogram.saturating_record_n(lowest_of(bucket), count);
        }
        LatencySummary::of(&histogram)
    }
}

/// The sum of two sorted lists of counts.
fn merged(mine: Vec<(u16, u64)>, theirs: impl Iterator<Item = (u16, u64)>) -> Vec<(u16, u64)> {
    let mut sum = Vec::with_capacity(mine.len());
    let mut mine = mine.into_iter().peekable();
    for (bucket, count) in theirs {
        while let Some(lower) = mine.next_if(|(other, _)| *other < bucket) {
            sum.push(lower);
        }
        let same = mine.next_if(|(other, _)| *other == bucket);
        sum.push((bucket, count + same.map_or(0, |(_, count)| count)));
    }
    sum.extend(mine);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = INTERVAL_NS;

    fn counts(values: &[u64]) -> Counts {
        let mut counts = Counts::new();
        for &value in values {
            counts.record(value);
        }
        counts
    }

    fn render(intervals: &Intervals) -> String {
        let line = |interval: IntervalSummary| {
            let latency = interval.latency;
            let start = interval.start_ns / SECOND;
            let (failed, count) = (interval.failed, latency.count);
            format!(
                "{start}s {failed}/{count} {}..{}\n",
                latency.min_ns, latency.max_ns
            )
        };
        intervals.summaries().into_iter().map(line).collect()
    }

    #[test]
    fn threads_add_to_an_interval_in_any_order() {
        let mut intervals = Intervals::default();
        intervals.add(2 * SECOND, 1, &counts(&[50, 10]));
        intervals.add(0, 0, &counts(&[7]));
        intervals.add(2 * SECOND + 5, 0, &counts(&[10, 90]));
        assert_eq!(
            render(&intervals),
            "0s 0/1 7..7\n1s 0/0 0..0\n2s 1/4 10..90\n"
        );
    }

    #[test]
    fn a_long_run_has_a_bounded_number_of_intervals_and_loses_none() {
        let mut intervals = Intervals::default();
        for second in 0..10_000 {
            intervals.add(second * SECOND, 1, &counts(&[second]));
        }
        let summaries = intervals.summaries();
        assert!(summaries.len() <= MAX_INTERVALS);
        assert_eq!(intervals.width_ns, 16 * SECOND);
        assert_eq!(
            summaries
                .iter()
                .map(|interval| interval.latency.count)
                .sum::<u64>(),
            10_000
        );
        assert_eq!(summaries[1].latency.min_ns, 16);
        assert_eq!(summaries[1].latency.max_ns, 31);
    }

    #[test]
    fn only_intervals_that_changed_are_summed_up_again() {
        let mut intervals = Intervals::default();
        let mut known = Vec::new();
        intervals.add(SECOND, 0, &counts(&[10]));
        intervals.changed_since(&known).bring_up_to_date(&mut known);
        assert_eq!(known, intervals.summaries());

        intervals.add(0, 1, &counts(&[30])); // by a thread that was late
        intervals.add(2 * SECOND, 0, &counts(&[20]));
        let changed = intervals.changed_since(&known);
        let numbers: Vec<_> = changed.slots.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 2]);
        changed.bring_up_to_date(&mut known);
        assert_eq!(known, intervals.summaries());
        assert_eq!(intervals.changed_since(&known).slots.len(), 0);
    }

    #[test]
    fn merged_counts_stay_sorted() {
        let sum = merged(
            vec![(1, 1), (5, 1), (9, 1)],
            [(0, 2), (5, 2), (10, 2)].into_iter(),
        );
        assert_eq!(sum, [(0, 2), (1, 1), (5, 3), (9, 1), (10, 2)]);
    }
}
