//! What is known of the load that goes on, for whoever shows it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use load_engine::{Judgement, Model, Phase, Plan, Progress, RunRecord, Threshold};
use report::{Finding, findings};

/// Calls, ten a second, over which the achieved rate is taken.
const RATE_OVER: usize = 20;

/// The last interval is not whole yet, and users bring the one before up to a second late.
const NOT_WHOLE: Duration = Duration::from_secs(2);

/// Looking for findings takes at most one part in so many of the time.
const SHARE_OF_FINDINGS: u32 = 20;

/// What is known of one load.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) scenario: String,
    pub(crate) load: String,
    pub(crate) model: Option<Model>,
    pub(crate) phases: Vec<Phase>,
    /// Whether phases may end early: then nobody can say from the time what is asked.
    pub(crate) may_skip: bool,
    pub(crate) elapsed: Duration,
    pub(crate) users: u32,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) planned: Option<u64>,
    pub(crate) record: Option<Arc<RunRecord>>,
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) findings: Vec<Finding>,
    /// Whether keys are read, so that they may be told of.
    pub(crate) reads_keys: bool,
    thresholds: Vec<Threshold>,
    past: VecDeque<(Duration, u64)>,
    /// What the last look found: a finding counts when the next look finds it too.
    suspected: Vec<Finding>,
    next_findings: Option<Instant>,
}

impl State {
    /// The state of a load that is about to begin, which is judged by these thresholds.
    pub(crate) fn new(plan: &Plan, thresholds: Vec<Threshold>) -> Self {
        Self {
            scenario: plan.label.clone(),
            model: Some(plan.model.clone()),
            phases: plan.phases.clone(),
            may_skip: !plan.phase_ends.is_empty(),
            thresholds,
            ..Self::default()
        }
    }

    /// Takes what is new.
    pub(crate) fn update(&mut self, progress: &Progress) {
        self.elapsed = progress.elapsed;
        self.users = progress.users;
        self.done = progress.done;
        self.failed = progress.failed;
        self.planned = progress.planned;
        if self.past.len() == RATE_OVER {
            self.past.pop_front();
        }
        self.past.push_back((progress.elapsed, progress.done));
        if let Some(record) = &progress.record {
            let known = self.record.as_ref();
            if known.is_none_or(|known| !Arc::ptr_eq(known, record)) {
                self.look_at(record);
            }
        }
    }

    /// Takes a new record: judges it, and looks for findings if that does not take too much time.
    pub(crate) fn look_at(&mut self, record: &Arc<RunRecord>) {
        let thresholds = self.thresholds.iter();
        self.judgements = thresholds
            .flat_map(|threshold| threshold.judge_each(record, None))
            .collect();
        let began = Instant::now();
        if self.next_findings.is_none_or(|next| began >= next) {
            let found = findings::find_in(&self.scenario, &whole_intervals(record));
            let suspected = std::mem::replace(&mut self.suspected, found);
            self.findings = self.suspected.clone();
            self.findings.retain(|finding| {
                let same =
                    |other: &Finding| other.kind == finding.kind && other.step == finding.step;
                suspected.iter().any(same)
            });
            self.next_findings = Some(Instant::now() + began.elapsed() * SHARE_OF_FINDINGS);
        }
        self.record = Some(Arc::clone(record));
    }

    /// Iterations a second, over the last two seconds.
    pub(crate) fn rate(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.past.front()?, self.past.back()?);
        let seconds = to.checked_sub(*from)?.as_secs_f64();
        (seconds > 0.0).then(|| after.saturating_sub(*before) as f64 / seconds)
    }

    /// How many users the model asks for at this moment, if it says.
    pub(crate) fn users_asked(&self) -> Option<u32> {
        match self.model.as_ref()? {
            Model::Closed { users, .. } => Some(users.get()),
            Model::Staged { stages } if !self.may_skip => {
                let mut from = Duration::ZERO;
                for stage in stages {
                    if self.elapsed < from + stage.duration {
                        let part = (self.elapsed - from).div_duration_f64(stage.duration);
                        let (low, high) = (f64::from(stage.from), f64::from(stage.to));
                        return Some((low + (high - low) * part).round() as u32);
                    }
                    from += stage.duration;
                }
                Some(0)
            }
            _ => None,
        }
    }

    /// Arrivals a second that the model asks for at this moment, if it is an open one.
    pub(crate) fn rate_asked(&self) -> Option<f64> {
        match self.model.as_ref()? {
            Model::Open { schedule, .. } if !self.may_skip => Some(schedule.rate_at(self.elapsed)),
            _ => None,
        }
    }

    /// The phase that goes on, by its number from 1.
    pub(crate) fn phase(&self) -> Option<(usize, &str)> {
        if self.may_skip {
            // The record knows which phases have begun, as of a second ago.
            let begun = &self.record.as_ref()?.phases;
            return Some((begun.len(), begun.last()?.name.as_str()));
        }
        let mut end = Duration::ZERO;
        let found = self.phases.iter().position(|phase| {
            end += phase.duration;
            self.elapsed < end
        })?;
        Some((found + 1, &self.phases[found].name))
    }

    /// How far it is, from 0 to 1, if there is an end in sight.
    pub(crate) fn share_done(&self) -> Option<f64> {
        let length = self.model.as_ref().and_then(Model::length);
        let share = match (length, self.planned) {
            (Some(length), _) if !length.is_zero() => self.elapsed.div_duration_f64(length),
            (None, Some(planned)) if planned > 0 => self.done as f64 / planned as f64,
            _ => return None,
        };
        Some(share.clamp(0.0, 1.0))
    }

    /// Operations of all steps in a second, in each interval that is whole.
    pub(crate) fn throughput(&self) -> Vec<u64> {
        let Some(record) = &self.record else {
            return Vec::new();
        };
        let record = whole_intervals(record);
        let longest = record.steps.iter().map(|step| step.intervals.len()).max();
        let mut sums = vec![0; longest.unwrap_or(0)];
        for step in &record.steps {
            for (sum, interval) in sums.iter_mut().zip(&step.intervals) {
                *sum += interval.latency.count;
            }
        }
        let seconds = (record.interval_ns as f64 / 1e9).max(1e-9);
        sums.iter()
            .map(|sum| (*sum as f64 / seconds).round() as u64)
            .collect()
    }

    /// The highest p99 of a step in each interval that is whole.
    pub(crate) fn p99(&self) -> Vec<u64> {
        let Some(record) = &self.record else {
            return Vec::new();
        };
        let record = whole_intervals(record);
        let longest = record.steps.iter().map(|step| step.intervals.len()).max();
        let slowest = |number: usize| {
            let of_step = |step: &load_engine::StepSummary| {
                let interval = step.intervals.get(number)?;
                Some(interval.latency.p99_ns)
            };
            record.steps.iter().filter_map(of_step).max().unwrap_or(0)
        };
        (0..longest.unwrap_or(0)).map(slowest).collect()
    }
}

/// The record without the intervals that are not whole.
fn whole_intervals(record: &RunRecord) -> RunRecord {
    let mut record = record.clone();
    let until_ns = record.wall_ns.saturating_sub(NOT_WHOLE.as_nanos() as u64);
    let width_ns = record.interval_ns;
    for step in &mut record.steps {
        step.intervals
            .retain(|interval| interval.start_ns + width_ns <= until_ns);
    }
    record.wall_ns = until_ns;
    record
}
