//! What one thread writes down, without a lock and without allocating. Once a second it brings its latencies to the timeline.

use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::plan::phase::PhaseCounts;
use crate::record::CheckCount;
use crate::record::counts::Counts;
use crate::record::failures::FailureTally;
use crate::record::timeline::{INTERVAL_NS, Timeline};
use crate::workload::{Failure, StepSpec};

/// The highest latency that is told apart; a longer one is recorded as this.
pub const MAX_LATENCY_NS: u64 = 3_600_000_000_000;

/// An empty histogram of the engine's one shape: 1 ns to 1 h, 3 significant digits.
#[must_use]
pub fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_NS, 3).expect("the constants are valid bounds")
}

/// The figures of one user, or of several that take turns on one thread.
pub(crate) struct Recorder {
    pub(crate) steps: Vec<StepTally>,
    /// Failures outside any step.
    pub(crate) failures: FailureTally,
    /// By name, in the order in which they were first made.
    pub(crate) checks: Vec<CheckTally>,
    /// What became of arrivals; only in an open model.
    pub(crate) open: Option<OpenTally>,
    pub(crate) phases: Vec<PhaseCounts>,
    /// The phase of which the steps hold latencies.
    phase: usize,
    timeline: Arc<Timeline>,
    began_ns: u64,
    /// When the interval ends whose latencies the steps hold.
    interval_end_ns: u64,
}

/// How long a step took, and when it ended.
#[derive(Clone, Copy)]
pub(crate) struct StepTimes {
    /// From its actual start.
    pub(crate) service_ns: u64,
    /// From when it was due, if that is known.
    pub(crate) response_ns: u64,
    pub(crate) ended_ns: u64,
}

impl Recorder {
    pub(crate) fn new(steps: &[StepSpec], phases: usize, timeline: Arc<Timeline>) -> Self {
        Self {
            steps: steps.iter().copied().map(StepTally::new).collect(),
            failures: FailureTally::default(),
            checks: Vec::new(),
            open: None,
            phases: vec![PhaseCounts::default(); phases],
            phase: 0,
            timeline,
            began_ns: 0,
            interval_end_ns: INTERVAL_NS,
        }
    }

    /// Records response times and what becomes of arrivals as well.
    pub(crate) fn with_arrivals(mut self) -> Self {
        self.open = Some(OpenTally::new());
        for step in &mut self.steps {
            step.response = Some(Counts::new());
        }
        self
    }

    /// What became of arrivals.
    pub(crate) fn arrivals(&mut self) -> &mut OpenTally {
        self.open.get_or_insert_with(OpenTally::new)
    }

    /// Says when the load began, from which on intervals are counted.
    pub(crate) fn begin(&mut self, began_ns: u64) {
        self.began_ns = began_ns;
        self.interval_end_ns = began_ns + INTERVAL_NS;
    }

    /// Counts an iteration of a phase, and whether it ended when the phase was over.
    pub(crate) fn count_in_phase(&mut self, phase: usize, succeeded: bool, late: bool) {
        if let Some(counts) = self.phases.get_mut(phase) {
            counts.add(PhaseCounts::one(succeeded, late));
        }
    }

    /// Counts the failure of an iteration outside every step.
    #[cold]
    pub(crate) fn fail_outside(&mut self, phase: usize, failure: &Failure) {
        self.failures.add(failure.message());
        if let Some(counts) = self.phases.get_mut(phase) {
            counts.outside_failures += 1;
        }
    }

    /// Counts a check. Names are constants of the program, so there are few.
    #[inline]
    pub(crate) fn check(&mut self, name: &'static str, passed: bool) {
        self.tally_of(name)
            .count(u64::from(passed), u64::from(!passed));
    }

    fn tally_of(&mut self, name: &'static str) -> &mut CheckTally {
        let known = self
            .checks
            .iter()
            .position(|tally| std::ptr::eq(tally.name, name) || tally.name == name);
        let position = known.unwrap_or_else(|| {
            self.checks.push(CheckTally {
                name,
                passed: 0,
                failed: 0,
            });
            self.checks.len() - 1
        });
        &mut self.checks[position]
    }

    #[inline]
    pub(crate) fn book(
        &mut self,
        step: usize,
        phase: usize,
        times: StepTimes,
        acknowledged: u64,
        failure: Option<&Failure>,
    ) {
        if times.ended_ns >= self.interval_end_ns {
            self.turn(times.ended_ns);
        }
        if phase != self.phase && !self.move_to(phase) {
            return self.book_late(step, phase, times, acknowledged, failure);
        }
        let tally = &mut self.steps[step];
        tally.service.record(times.service_ns);
        if let Some(response) = &mut tally.response {
            response.record(times.response_ns);
        }
        tally.interval_failed += u64::from(failure.is_some());
        tally.count(acknowledged, failure);
    }

    /// Goes on to a later phase. Says whether it could: there is no way back.
    #[cold]
    fn move_to(&mut self, phase: usize) -> bool {
        if phase < self.phase {
            return false;
        }
        self.flush();
        self.phase = phase;
        true
    }

    /// Books what began in a phase that others of this thread have left. There are few of them: as
    /// many as were under way at the phase's end.
    #[cold]
    fn book_late(
        &mut self,
        step: usize,
        phase: usize,
        times: StepTimes,
        acknowledged: u64,
        failure: Option<&Failure>,
    ) {
        let at_ns = times.ended_ns.saturating_sub(self.began_ns);
        let tally = &mut self.steps[step];
        let mut late = StepTally::like(tally);
        late.service.record(times.service_ns);
        if let Some(response) = &mut late.response {
            response.record(times.response_ns);
        }
        late.interval_failed = u64::from(failure.is_some());
        late.flush(&self.timeline, step, at_ns, phase);
        tally.count(acknowledged, failure);
    }

    /// Ends the recording, maybe of a thread that does not come back.
    pub(crate) fn close(&mut self) {
        self.flush();
    }

    /// Brings the interval's latencies to the timeline.
    fn flush(&mut self) {
        let at_ns = self.interval_end_ns - INTERVAL_NS - self.began_ns;
        for (step, tally) in self.steps.iter_mut().enumerate() {
            if !tally.service.is_empty() {
                tally.flush(&self.timeline, step, at_ns, self.phase);
            }
        }
    }

    /// Adds another recorder's figures to these; both have the same steps and phases.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (mine, theirs) in self.steps.iter_mut().zip(other.steps) {
            mine.absorb(theirs);
        }
        self.failures.absorb(other.failures);
        for (mine, theirs) in self.phases.iter_mut().zip(other.phases) {
            mine.add(theirs);
        }
        for check in other.checks {
            self.tally_of(check.name).count(check.passed, check.failed);
        }
    }

    /// Ends the interval and begins the one of `now_ns`.
    #[cold]
    fn turn(&mut self, now_ns: u64) {
        self.flush();
        let seconds = (now_ns - self.began_ns) / INTERVAL_NS;
        self.interval_end_ns = self.began_ns + (seconds + 1) * INTERVAL_NS;
    }
}

/// One check of one user.
#[derive(Clone, Copy)]
pub(crate) struct CheckTally {
    name: &'static str,
    passed: u64,
    failed: u64,
}

impl CheckTally {
    fn count(&mut self, passed: u64, failed: u64) {
        self.passed += passed;
        self.failed += failed;
    }
}

impl From<CheckTally> for CheckCount {
    fn from(tally: CheckTally) -> Self {
        Self {
            name: tally.name.to_owned(),
            passed: tally.passed,
            failed: tally.failed,
        }
    }
}

/// The figures of one step of one user.
pub(crate) struct StepTally {
    pub(crate) spec: StepSpec,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) effects: u64,
    /// Successes that acknowledged nothing.
    pub(crate) unacknowledged: u64,
    pub(crate) failures: FailureTally,
    /// Of this interval, as the next three.
    interval_failed: u64,
    service: Counts,
    /// Only in an open model.
    response: Option<Counts>,
}

impl StepTally {
    fn new(spec: StepSpec) -> Self {
        Self {
            spec,
            succeeded: 0,
            failed: 0,
            effects: 0,
            unacknowledged: 0,
            failures: FailureTally::default(),
            interval_failed: 0,
            service: Counts::new(),
            response: None,
        }
    }

    /// An empty tally of the same step.
    fn like(other: &Self) -> Self {
        Self {
            response: other.response.as_ref().map(|_| Counts::new()),
            ..Self::new(other.spec)
        }
    }

    /// Counts an attempt by its end.
    #[inline]
    fn count(&mut self, acknowledged: u64, failure: Option<&Failure>) {
        match failure {
            None => {
                self.succeeded += 1;
                self.effects += acknowledged;
                self.unacknowledged += u64::from(acknowledged == 0);
            }
            Some(failure) => {
                self.failed += 1;
                self.failures.add(failure.message());
            }
        }
    }

    fn flush(&mut self, timeline: &Timeline, step: usize, at_ns: u64, phase: usize) {
        let failed = std::mem::take(&mut self.interval_failed);
        {
            let mut shared = timeline.step(step);
            self.service.add_to(&mut shared.service);
            if let Some(response) = &self.response {
                response.add_to(&mut shared.response);
            }
            // What users felt is what intervals and phases show.
            let felt = self.response.as_ref().unwrap_or(&self.service);
            shared.intervals.add(at_ns, failed, felt);
            shared.add_to_phase(phase, failed, felt);
        }
        self.service.clear();
        if let Some(response) = &mut self.response {
            response.clear();
        }
    }

    fn absorb(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.effects += other.effects;
        self.unacknowledged += other.unacknowledged;
        self.failures.absorb(other.failures);
    }
}

/// What became of one thread's arrivals.
pub(crate) struct OpenTally {
    pub(crate) done: u64,
    pub(crate) in_flight: u64,
    pub(crate) queued: u64,
    pub(crate) dropped: u64,
    pub(crate) skipped: u64,
    pub(crate) late: u64,
    pub(crate) response: Counts,
    pub(crate) service: Counts,
    pub(crate) lag: Counts,
}

impl OpenTally {
    fn new() -> Self {
        Self {
            done: 0,
            in_flight: 0,
            queued: 0,
            dropped: 0,
            skipped: 0,
            late: 0,
            response: Counts::new(),
            service: Counts::new(),
            lag: Counts::new(),
        }
    }
}
