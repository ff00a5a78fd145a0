//! The view that a workload has of the run: its iteration, its steps and their effects.

use std::time::Duration;

use crate::clock::Clock;
use crate::ledger::{Digest, Effect, Ledger};
use crate::plan::StopHandle;
use crate::recorder::{StepTimes, UserRecorder};
use crate::rng::Rng;
use crate::workload::{Failure, StepSpec};

/// One iteration of one user.
pub struct Iteration<'r> {
    recorder: &'r mut UserRecorder,
    clock: &'r dyn Clock,
    stop: &'r StopHandle,
    seed: u64,
    user: u32,
    index: u64,
    began_ns: u64,
    deadline_ns: u64,
    last_ns: u64,
    /// Of whom the random numbers are.
    stream: u32,
    /// When the iteration was due, until its first step has borne the delay.
    due_ns: Option<u64>,
    rng: Option<Rng>,
    open_step: Option<OpenStep>,
}

/// The user of whom an arrival's random numbers are.
const ANY_USER: u32 = u32::MAX;

/// A step that has begun and not ended: what a panic has to be booked to.
#[derive(Clone, Copy)]
struct OpenStep {
    step: usize,
    started_ns: u64,
    ledger_mark: usize,
}

impl<'r> Iteration<'r> {
    pub(crate) fn new(
        recorder: &'r mut UserRecorder,
        clock: &'r dyn Clock,
        stop: &'r StopHandle,
        seed: u64,
        user: u32,
        began_ns: u64,
    ) -> Self {
        Self {
            recorder,
            clock,
            stop,
            seed,
            user,
            index: 0,
            began_ns,
            deadline_ns: u64::MAX,
            last_ns: 0,
            stream: user,
            due_ns: None,
            rng: None,
            open_step: None,
        }
    }

    /// The user's number, from 0.
    #[must_use]
    pub fn user(&self) -> u32 {
        self.user
    }

    /// The iteration's number, from 0: the user's own in a closed model, the arrival's in an open one.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Random numbers that depend on the plan's seed, the user and the iteration alone.
    pub fn rng(&mut self) -> &mut Rng {
        self.rng
            .get_or_insert_with(|| Rng::for_iteration(self.seed, self.stream, self.index))
    }

    /// Time since the load began, on the run's clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.now_ns().saturating_sub(self.began_ns))
    }

    /// Whether the run is to end: its time is up or it was stopped. An iteration that takes long
    /// looks at this between its steps.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_stopped() || self.clock.now_ns() >= self.deadline_ns
    }

    /// Counts whether something holds that should, and gives it back.
    ///
    /// A check that does not hold is no failure: the step and the iteration go on and succeed. It is
    /// counted by name in [`RunRecord::checks`](crate::RunRecord::checks).
    #[inline]
    pub fn check(&mut self, name: &'static str, holds: bool) -> bool {
        self.recorder.check(name, holds);
        holds
    }

    /// Times a step and books what it did.
    ///
    /// The effects that `body` acknowledges enter the ledger when it returns `Ok`; those of a step
    /// that fails or panics are *indeterminate* (the target may have made them or not).
    ///
    /// # Errors
    ///
    /// The failure of `body`, which is already counted: pass it on with `?`, or go on. A step that
    /// [`Workload::steps`](crate::Workload::steps) did not declare fails without being run.
    pub fn step<T>(
        &mut self,
        step: StepSpec,
        body: impl FnOnce(&mut Effects<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(position) = self.recorder.position(step) else {
            return Err(undeclared(step));
        };
        let ledger_mark = self.recorder.ledger.len();
        let started_ns = self.clock.now_ns();
        self.open_step = Some(OpenStep {
            step: position,
            started_ns,
            ledger_mark,
        });
        let result = body(&mut Effects {
            ledger: &mut self.recorder.ledger,
            user: self.user,
            started_ns,
        });
        self.close_step(result.as_ref().err());
        result.map_err(Failure::into_counted)
    }

    /// Begins an iteration now, by the last reading of the clock.
    pub(crate) fn begin(&mut self, index: u64) {
        self.begin_at(index, self.last_ns);
    }

    fn begin_at(&mut self, index: u64, start_ns: u64) {
        self.recorder.enter(start_ns);
        self.index = index;
        self.due_ns = None;
        self.rng = None;
    }

    /// Begins an arrival that was due at a time of its own.
    pub(crate) fn begin_arrival(&mut self, number: u64, due_ns: u64) {
        self.begin_at(number, due_ns);
        self.due_ns = Some(due_ns);
        self.stream = ANY_USER;
    }

    /// Ends the iteration, by the last reading of the clock.
    pub(crate) fn end(&mut self, succeeded: bool) {
        self.recorder.phases.count(self.last_ns, succeeded);
    }

    pub(crate) fn set_deadline(&mut self, deadline_ns: u64) {
        self.deadline_ns = deadline_ns;
    }

    /// The last reading of the clock, which saves the loop one of its own.
    pub(crate) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Reads the clock, for an iteration that took no step.
    pub(crate) fn touch(&mut self) {
        self.last_ns = self.clock.now_ns();
    }

    /// Books the failure of an iteration, unless the step that it comes from has done so.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if !failure.is_counted() {
            self.recorder.failures.add(failure.message());
        }
    }

    /// Books a panic to the step in which it happened, or to the iteration.
    pub(crate) fn fail_by_panic(&mut self, failure: &Failure) {
        if self.open_step.is_some() {
            self.close_step(Some(failure));
        } else {
            self.fail(failure);
        }
    }

    fn close_step(&mut self, failure: Option<&Failure>) {
        let Some(open) = self.open_step.take() else {
            return;
        };
        self.last_ns = self.clock.now_ns();
        let acknowledged =
            self.recorder
                .ledger
                .settle(open.ledger_mark, self.last_ns, failure.is_none());
        let since = |from_ns| self.last_ns.saturating_sub(from_ns);
        let times = StepTimes {
            service_ns: since(open.started_ns),
            response_ns: since(self.due_ns.take().unwrap_or(open.started_ns)),
            ended_ns: self.last_ns,
        };
        self.recorder.book(open.step, times, acknowledged, failure);
    }
}

/// Where a step says which effects the target acknowledged.
///
/// `kind` and `key` name the thing in the target (`"request"`, its id); the digest is of what should
/// be found there later. Whoever reads the target back after the load uses the same three.
pub struct Effects<'a> {
    ledger: &'a mut Ledger,
    user: u32,
    started_ns: u64,
}

impl Effects<'_> {
    /// A thing was made that was not there before. Two acknowledged creations of one key, without a
    /// removal between them, count as one lost effect: use [`updated`](Self::updated) for a key that
    /// the workload writes again on purpose.
    pub fn created(&mut self, kind: &'static str, key: &str, digest: Digest) {
        self.push(kind, key, Effect::Created(digest));
    }

    /// A thing was written, whether or not it was there before.
    pub fn updated(&mut self, kind: &'static str, key: &str, digest: Digest) {
        self.push(kind, key, Effect::Updated(digest));
    }

    /// A thing was removed.
    pub fn removed(&mut self, kind: &'static str, key: &str) {
        self.push(kind, key, Effect::Removed);
    }

    /// A write is about to be asked for. If no acknowledgement comes (the step fails, the run ends),
    /// the target may have made it or not, and neither is held against it.
    pub fn attempted(&mut self, kind: &'static str, key: &str) {
        self.push(kind, key, Effect::Attempted);
    }

    fn push(&mut self, kind: &'static str, key: &str, effect: Effect) {
        self.ledger
            .note(kind, key, effect, self.user, self.started_ns);
    }
}

#[cold]
fn undeclared(step: StepSpec) -> Failure {
    Failure::new(format!(
        "step `{}` is not declared by the workload",
        step.name
    ))
}
