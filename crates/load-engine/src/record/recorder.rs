//! What one thread writes down, without a lock and without allocating. Once a second it brings its latencies to the timeline.

use std::sync::Arc;

use crate::plan::phase::PhaseCounts;
use crate::record::counts::Counts;
use crate::record::failures::FailureTally;
use crate::record::timeline::{INTERVAL_NS, Timeline};
use crate::record::{CheckCount, SlowOperation};
use crate::step::{Failure, StepSpec};

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
    /// When the interval began whose latencies the steps hold.
    interval_start_ns: u64,
    /// When it ends, or the window does.
    interval_end_ns: u64,
    /// The window in which what completes now does.
    window: usize,
    pub(crate) slow: SlowLog,
}

/// How long a step took, and when it ended.
#[derive(Clone, Copy)]
pub(crate) struct StepTimes {
    /// From its actual start.
    pub(crate) service_ns: u64,
    /// From when it was due, if that is known.
    pub(crate) response_ns: u64,
    pub(crate) ended_ns: u64,
    pub(crate) user: u32,
}

impl Recorder {
    pub(crate) fn new(steps: &[StepSpec], phases: usize, timeline: Arc<Timeline>) -> Self {
        Self {
            steps: steps.iter().cloned().map(StepTally::new).collect(),
            failures: FailureTally::default(),
            checks: Vec::new(),
            open: None,
            phases: vec![PhaseCounts::default(); phases],
            phase: 0,
            timeline,
            began_ns: 0,
            interval_start_ns: 0,
            interval_end_ns: INTERVAL_NS,
            window: 0,
            slow: SlowLog::default(),
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
        self.interval_start_ns = began_ns;
        self.interval_end_ns = self.next_turn(began_ns);
    }

    /// Counts an iteration of a phase, when it ended, and whether the phase was over then.
    pub(crate) fn count_in_phase(
        &mut self,
        phase: usize,
        succeeded: bool,
        late: bool,
        ended_ns: u64,
    ) {
        if let Some(counts) = self.phases.get_mut(phase) {
            counts.add(PhaseCounts::one(succeeded, late, ended_ns));
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
        self.steps[step].book(times, acknowledged, failure);
        if times.service_ns >= SLOW_NS {
            self.slow.note(step, times, self.began_ns);
        }
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
        late.book(times, acknowledged, failure);
        late.flush(&self.timeline, step, at_ns, phase, self.window);
        tally.absorb(late);
        if times.service_ns >= SLOW_NS {
            self.slow.note(step, times, self.began_ns);
        }
    }

    /// Ends the recording, maybe of a thread that does not come back.
    pub(crate) fn close(&mut self) {
        self.flush();
    }

    /// Brings the interval's latencies to the timeline.
    fn flush(&mut self) {
        let at_ns = self.interval_start_ns - self.began_ns;
        for (step, tally) in self.steps.iter_mut().enumerate() {
            if tally.has_news() {
                tally.flush(&self.timeline, step, at_ns, self.phase, self.window);
            }
        }
    }

    /// Adds another recorder's figures to these; both have the same steps and phases.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (mine, theirs) in self.steps.iter_mut().zip(other.steps) {
            mine.absorb(theirs);
        }
        self.failures.absorb(other.failures);
        self.slow.operations.extend(other.slow.operations);
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
        self.interval_start_ns = self.began_ns + seconds * INTERVAL_NS;
        self.window = self.timeline.windows.advance(self.window, now_ns);
        self.interval_end_ns = self.next_turn(now_ns);
    }

    /// When the interval of `now_ns` ends, or its window.
    fn next_turn(&self, now_ns: u64) -> u64 {
        let window_end_ns = self.timeline.windows.end_ns(self.window);
        let interval_end_ns = self.interval_start_ns + INTERVAL_NS;
        // A window that was cut short while it went on is over already.
        let window_end_ns = window_end_ns.filter(|end_ns| *end_ns > now_ns);
        interval_end_ns.min(window_end_ns.unwrap_or(u64::MAX))
    }
}

/// Operations that took at least so long are logged with their start and end: a stall is many of them
/// at once.
const SLOW_NS: u64 = 50_000_000;

/// So many of them are kept for each recorder. When there are more, the limit doubles.
const MAX_SLOW: usize = 1_000;

/// The slow operations of one recorder.
#[derive(Default)]
pub(crate) struct SlowLog {
    at_least_ns: u64,
    pub(crate) operations: Vec<SlowOperation>, // at most MAX_SLOW
}

impl SlowLog {
    #[cold]
    fn note(&mut self, step: usize, times: StepTimes, began_ns: u64) {
        if times.service_ns < self.at_least_ns {
            return;
        }
        if self.operations.len() == MAX_SLOW {
            self.at_least_ns = (self.at_least_ns * 2).max(SLOW_NS * 2);
            self.operations
                .retain(|slow| slow.end_ns - slow.start_ns >= self.at_least_ns);
        }
        if self.operations.len() < MAX_SLOW && times.service_ns >= self.at_least_ns {
            let end_ns = times.ended_ns.saturating_sub(began_ns);
            self.operations.push(SlowOperation {
                step: step as u32,
                user: times.user,
                start_ns: end_ns.saturating_sub(times.service_ns),
                end_ns,
            });
        }
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
    /// Successes that were brought to the timeline.
    flushed: u64,
    /// Of this interval, as the next four.
    interval_failed: u64,
    service: Counts,
    /// Of failures; made when there is one.
    failure: Option<Counts>,
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
            flushed: 0,
            interval_failed: 0,
            service: Counts::new(),
            failure: None,
            response: None,
        }
    }

    /// An empty tally of the same step.
    fn like(other: &Self) -> Self {
        Self {
            response: other.response.as_ref().map(|_| Counts::new()),
            ..Self::new(other.spec.clone())
        }
    }

    /// Books an attempt by its end.
    #[inline]
    fn book(&mut self, times: StepTimes, acknowledged: u64, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            return self.fail(times, failure);
        }
        self.service.record(times.service_ns);
        if let Some(response) = &mut self.response {
            response.record(times.response_ns);
        }
        self.succeeded += 1;
        self.effects += acknowledged;
        self.unacknowledged += u64::from(acknowledged == 0);
    }

    #[cold]
    fn fail(&mut self, times: StepTimes, failure: &Failure) {
        let felt_ns = match self.response {
            Some(_) => times.response_ns,
            None => times.service_ns,
        };
        self.failure.get_or_insert_with(Counts::new).record(felt_ns);
        self.failed += 1;
        self.interval_failed += 1;
        self.failures.add(failure.message());
    }

    /// Whether response times are recorded.
    pub(crate) fn is_open(&self) -> bool {
        self.response.is_some()
    }

    /// Whether something is to be brought to the timeline.
    fn has_news(&self) -> bool {
        self.succeeded > self.flushed || self.interval_failed > 0
    }

    fn flush(&mut self, timeline: &Timeline, step: usize, at_ns: u64, phase: usize, window: usize) {
        let failed = std::mem::take(&mut self.interval_failed);
        {
            let mut shared = timeline.step(step);
            shared.complete(window, self.succeeded - self.flushed);
            self.service.add_to(&mut shared.service);
            if let Some(response) = &self.response {
                response.add_to(&mut shared.response);
            }
            if let Some(failure) = &self.failure {
                failure.add_to(&mut shared.failure);
            }
            // What users felt is what intervals and phases show.
            let felt = self.response.as_ref().unwrap_or(&self.service);
            shared.intervals.add(at_ns, failed, felt);
            shared.add_to_phase(phase, failed, felt);
        }
        self.flushed = self.succeeded;
        self.service.clear();
        let others = self.response.iter_mut().chain(&mut self.failure);
        others.for_each(Counts::clear);
    }

    fn absorb(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.flushed += other.flushed;
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
    /// Arrivals that started after one that was due later.
    pub(crate) overtaken: u64,
    pub(crate) response: Counts,
    pub(crate) service: Counts,
    pub(crate) lag: Counts,
    /// The largest lateness of arrivals that were due in a second, by rising second.
    pub(crate) latest: Vec<(u32, u64)>,
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
            overtaken: 0,
            response: Counts::new(),
            service: Counts::new(),
            lag: Counts::new(),
            latest: Vec::new(),
        }
    }

    /// Books how late an arrival started for which a slot was free, by when it was due since the load
    /// began.
    #[inline]
    pub(crate) fn start_late(&mut self, after_ns: u64, late_ns: u64) {
        self.lag.record(late_ns);
        let second = (after_ns / INTERVAL_NS) as u32;
        match self.latest.last_mut() {
            Some((last, most_ns)) if *last == second => *most_ns = late_ns.max(*most_ns),
            _ => self.latest.push((second, late_ns)),
        }
    }
}
