//! How large the load was over time, and where it stood still.

use std::time::Duration;

use load_engine::{Model, RunRecord, UserStage};

use crate::Span;

/// Two loads that differ by less than this share count as the same.
const SAME: f64 = 0.02;

/// The load that the model asks for.
pub(super) struct Load<'r> {
    run: &'r RunRecord,
}

impl<'r> Load<'r> {
    pub(super) fn of(run: &'r RunRecord) -> Self {
        Self { run }
    }

    /// Users, or arrivals a second, at a time from the start of the load.
    pub(super) fn at(&self, ns: u64) -> f64 {
        match &self.run.model {
            Model::Staged { stages } => users_at(stages, ns),
            Model::Open { schedule, .. } => schedule.rate_at(Duration::from_nanos(ns)),
            Model::Closed { users, .. } => f64::from(users.get()),
            _ => 0.0,
        }
    }

    /// The times in which the load stood, as numbers of intervals, first and past the last. Only
    /// whole intervals belong to one.
    pub(super) fn plateaus(&self) -> Vec<Plateau> {
        let mut plateaus: Vec<Plateau> = Vec::new();
        for interval in 0..whole_intervals(self.run) {
            let start = interval as u64 * self.run.interval_ns;
            let (load, end) = (self.at(start), self.at(start + self.run.interval_ns - 1));
            let stands = |of: f64, other: f64| (of - other).abs() <= SAME * of.max(other);
            match plateaus.last_mut() {
                Some(last)
                    if last.until == interval && stands(last.load, load) && stands(load, end) =>
                {
                    last.until += 1;
                }
                _ if stands(load, end) => plateaus.push(Plateau {
                    load,
                    from: interval,
                    until: interval + 1,
                }),
                _ => {}
            }
        }
        plateaus
    }
}

/// A time in which the load stood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plateau {
    /// Users, or arrivals a second.
    pub(super) load: f64,
    pub(super) from: usize,
    pub(super) until: usize,
}

impl Plateau {
    pub(super) fn intervals(&self) -> std::ops::Range<usize> {
        self.from..self.until
    }

    pub(super) fn span(&self, run: &RunRecord) -> Span {
        Span {
            start_ns: self.from as u64 * run.interval_ns,
            end_ns: self.until as u64 * run.interval_ns,
        }
    }
}

fn users_at(stages: &[UserStage], ns: u64) -> f64 {
    let mut began = 0;
    for stage in stages {
        let length = u64::try_from(stage.duration.as_nanos()).unwrap_or(u64::MAX);
        if ns < began + length {
            let part = (ns - began) as f64 / length as f64;
            return f64::from(stage.from) + part * (f64::from(stage.to) - f64::from(stage.from));
        }
        began = began.saturating_add(length);
    }
    0.0
}

/// The intervals that were over when the scheduled window was: the last one is cut short, and what comes
/// later is the drain.
pub(super) fn whole_intervals(run: &RunRecord) -> usize {
    let recorded = run.steps.iter().map(|step| step.intervals.len()).max();
    let over = run.window_ns().checked_div(run.interval_ns).unwrap_or(0);
    usize::try_from(over)
        .unwrap_or(usize::MAX)
        .min(recorded.unwrap_or(0))
}

/// Successful attempts of all steps that ended in an interval.
pub(super) fn ended_in(run: &RunRecord, interval: usize) -> u64 {
    let of_step = |step: &load_engine::StepSummary| {
        let summary = step.intervals.get(interval);
        summary.map_or(0, |summary| summary.latency.count)
    };
    run.steps.iter().map(of_step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plateaus_are_where_the_load_stands() {
        let seconds = Duration::from_secs;
        let mut run = RunRecord::default();
        run.model = Model::staged([
            UserStage::hold(10, seconds(5)),
            UserStage::ramp(10, 50, seconds(4)),
            UserStage::hold(50, seconds(3)),
        ]);
        run.interval_ns = 1_000_000_000;
        run.wall_ns = 12_000_000_000;
        let mut step = load_engine::StepSummary::default();
        step.intervals = vec![load_engine::IntervalSummary::default(); 12];
        run.steps = vec![step];
        let found = Load::of(&run).plateaus();
        let found: Vec<_> = found.iter().map(|p| (p.load, p.from, p.until)).collect();
        assert_eq!(found, [(10.0, 0, 5), (50.0, 9, 12)]);
    }
}
