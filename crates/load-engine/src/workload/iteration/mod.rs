//! The view that a workload has of the run: its iteration, its steps and their effects.

pub(crate) mod lent;

use std::time::Duration;

use crate::clock::Clock;
use crate::context::RunContext;
use crate::context::counter::Counter;
use crate::context::slot::Slot;
use crate::ledger::digest::Digest;
use crate::ledger::{Effect, Ledger};
use crate::record::recorder::{Recorder, StepTimes};
use crate::step::{Failure, StepSpec};
use crate::workload::rng::Rng;

pub(crate) use self::lent::Lent;

/// One iteration of one user.
pub struct Iteration<'r> {
    context: &'r RunContext<'r>,
    clock: &'r dyn Clock,
    recorder: &'r Slot<Recorder>,
    ledger: &'r Slot<Ledger>,
    counter: &'r Counter,
    user: u32,
    index: u64,
    began_ns: u64,
    deadline_ns: u64,
    last_ns: u64,
    /// The phase in which the iteration began, or was due.
    phase: usize,
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
    /// Entries of the ledger that the step has made.
    noted: usize,
}

impl<'r> Iteration<'r> {
    pub(crate) fn new(context: &'r RunContext<'r>, user: u32, began_ns: u64) -> Self {
        Self {
            context,
            clock: &*context.clock,
            recorder: context.recorder_of(user),
            ledger: context.ledger_of(user),
            counter: context.counter_of(user),
            user,
            index: 0,
            began_ns,
            deadline_ns: u64::MAX,
            last_ns: 0,
            phase: 0,
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
        self.rng.get_or_insert_with(|| {
            Rng::for_iteration(self.context.plan.seed, self.stream, self.index)
        })
    }

    /// Time since the load began, on the run's clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.now_ns().saturating_sub(self.began_ns))
    }

    /// The number of the plan's phase to which the iteration's figures belong, from 0.
    #[must_use]
    pub fn phase(&self) -> usize {
        self.phase
    }

    /// The number of the plan's phase that it is now, from 0; as many as there are when the last one is
    /// over. An iteration's figures belong to the phase in which it began, or was due, which may be an
    /// earlier one.
    #[must_use]
    pub fn phase_now(&self) -> usize {
        if self.context.phases.is_empty() {
            return 0;
        }
        self.context.phases.advance(self.phase, self.clock.now_ns())
    }

    /// Whether the run is to end: its time is up or it was stopped. An iteration that takes long
    /// looks at this between its steps.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.context.stop.is_stopped() || self.clock.now_ns() >= self.deadline_ns
    }

    /// Counts whether something holds that should, and gives it back.
    ///
    /// A check that does not hold is no failure: the step and the iteration go on and succeed. It is
    /// counted by name in [`RunRecord::checks`](crate::RunRecord::checks).
    #[inline]
    pub fn check(&mut self, name: &'static str, holds: bool) -> bool {
        self.recorder.with(|recorder| recorder.check(name, holds));
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
        step: &StepSpec,
        body: impl FnOnce(&mut Effects<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let result = body(&mut self.open_step(step)?);
        self.close_step(result.as_ref().err());
        result.map_err(Failure::into_counted)
    }

    /// Like [`step`](Self::step), of an [`AsyncWorkload`](crate::AsyncWorkload).
    ///
    /// ```
    /// use load_engine::{Failure, Iteration, StepSpec};
    ///
    /// const CALL: StepSpec = StepSpec::new("call");
    ///
    /// async fn call(it: &mut Iteration<'_>) -> Result<u32, Failure> {
    ///     it.step_async(&CALL, async |_effects| Ok(42)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub async fn step_async<T>(
        &mut self,
        step: &StepSpec,
        body: impl AsyncFnOnce(&mut Effects<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let result = body(&mut self.open_step(step)?).await;
        self.close_step(result.as_ref().err());
        result.map_err(Failure::into_counted)
    }

    fn open_step(&mut self, step: &StepSpec) -> Result<Effects<'_>, Failure> {
        let Some(position) = position(&self.context.steps, step) else {
            return Err(undeclared(step));
        };
        let started_ns = self.clock.now_ns();
        let intended_ns = self.due_ns.unwrap_or(started_ns);
        self.counter.enter_step(position, intended_ns);
        let open = self.open_step.insert(OpenStep {
            step: position,
            started_ns,
            noted: 0,
        });
        Ok(Effects {
            ledger: self.ledger,
            noted: &mut open.noted,
            user: self.user,
            started_ns,
        })
    }

    /// Begins an iteration now, by the last reading of the clock.
    pub(crate) fn begin(&mut self, index: u64) {
        self.begin_at(index, self.last_ns);
    }

    fn begin_at(&mut self, index: u64, start_ns: u64) {
        self.phase = self.context.phases.advance(self.phase, start_ns);
        self.index = index;
        self.due_ns = None;
        self.rng = None;
        self.counter.begin(start_ns);
    }

    /// Begins an arrival that was due at a time of its own.
    pub(crate) fn begin_arrival(&mut self, number: u64, due_ns: u64) {
        self.begin_at(number, due_ns);
        self.due_ns = Some(due_ns);
        self.stream = ANY_USER;
    }

    /// Ends the iteration, by the last reading of the clock.
    #[inline]
    pub(crate) fn end(&mut self, succeeded: bool) {
        if !self.context.phases.is_empty() {
            let late = self.context.phases.is_over(self.phase, self.last_ns);
            let (phase, ended_ns) = (self.phase, self.last_ns);
            self.recorder
                .with(|recorder| recorder.count_in_phase(phase, succeeded, late, ended_ns));
        }
        self.counter.end(succeeded);
    }

    /// Ends an arrival, which is booked at the same moment as it is no longer under way.
    pub(crate) fn end_arrival(&mut self, succeeded: bool, book: impl FnOnce(&mut Recorder, u64)) {
        self.touch();
        let late = self.context.phases.is_over(self.phase, self.last_ns);
        self.recorder.with(|recorder| {
            recorder.count_in_phase(self.phase, succeeded, late, self.last_ns);
            book(recorder, self.last_ns);
            self.counter.end(succeeded);
        });
    }

    /// Changes the user's figures outside an iteration.
    pub(crate) fn book(&self, change: impl FnOnce(&mut Recorder)) {
        self.recorder.with(change);
    }

    pub(crate) fn set_deadline(&mut self, deadline_ns: u64) {
        self.deadline_ns = deadline_ns;
    }

    /// The last reading of the clock, which saves the loop one of its own.
    pub(crate) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// What was left out of the phases so far.
    pub(crate) fn skipped_ns(&self) -> u64 {
        self.context.skips.total_ns()
    }

    /// Reads the clock, for an iteration that took no step.
    pub(crate) fn touch(&mut self) -> u64 {
        self.last_ns = self.clock.now_ns();
        self.last_ns
    }

    /// Books how the workload's code ended, be it by a panic. Says whether the iteration succeeded.
    #[inline]
    pub(crate) fn settle(&mut self, before_ns: u64, ended: Result<(), Failed>) -> bool {
        let succeeded = ended.is_ok();
        match ended {
            Ok(()) => {}
            Err(Failed::Returned(failure)) => self.fail(&failure),
            Err(Failed::Panicked(failure)) if self.open_step.is_some() => {
                self.close_step(Some(&failure));
            }
            Err(Failed::Panicked(failure)) => self.fail(&failure),
        }
        if self.last_ns == before_ns {
            // It took no step, so nobody has looked at the clock, by which the run has to end.
            self.touch();
        }
        succeeded
    }

    /// Books the failure of an iteration, unless the step that it comes from has done so.
    fn fail(&mut self, failure: &Failure) {
        if !failure.is_counted() {
            self.counter.fail_outside();
            self.recorder
                .with(|recorder| recorder.fail_outside(self.phase, failure));
        }
    }

    #[inline]
    fn close_step(&mut self, failure: Option<&Failure>) {
        let Some(open) = self.open_step.take() else {
            return;
        };
        self.last_ns = self.clock.now_ns();
        let acknowledged = if open.noted == 0 {
            0
        } else {
            let settle = |ledger: &mut Ledger| {
                let acknowledged = ledger.settle(open.noted, self.last_ns, failure.is_none());
                if let Some(spill) = &self.context.spill
                    && ledger.len() >= spill.each
                {
                    spill.take(ledger);
                }
                acknowledged
            };
            self.ledger.with(settle).unwrap_or_default()
        };
        let since = |from_ns| self.last_ns.saturating_sub(from_ns);
        let times = StepTimes {
            service_ns: since(open.started_ns),
            response_ns: since(self.due_ns.take().unwrap_or(open.started_ns)),
            ended_ns: self.last_ns,
            user: self.user,
        };
        self.recorder.with(|recorder| {
            recorder.book(open.step, self.phase, times, acknowledged, failure);
            // Before anybody can claim the figures: the attempt is in them, so it is not under way.
            self.counter.leave_step();
        });
    }
}

/// How the workload's code failed.
pub(crate) enum Failed {
    Returned(Failure),
    Panicked(Failure),
}

/// Steps are few, and a name compares its address first, which most often is the whole search.
#[inline]
fn position(steps: &[StepSpec], step: &StepSpec) -> Option<usize> {
    steps.iter().position(|known| known.name == step.name)
}

/// Where a step says which effects the target acknowledged.
///
/// `kind` and `key` name the thing in the target (`"request"`, its id); the digest is of what should
/// be found there later. Whoever reads the target back after the load uses the same three.
pub struct Effects<'a> {
    ledger: &'a Slot<Ledger>,
    noted: &'a mut usize,
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
    ///
    /// # Panics
    ///
    /// When the run has ended without this user, whose ledger is read already: a write of which nobody
    /// would know must not be made. The engine catches the panic, which has no message.
    pub fn attempted(&mut self, kind: &'static str, key: &str) {
        if !self.push(kind, key, Effect::Attempted) {
            std::panic::resume_unwind(Box::new("the run has ended"));
        }
    }

    /// When the step began, in nanoseconds of the run's clock, as the ledger's entries have it.
    #[must_use]
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Says whether the entry could be made.
    fn push(&mut self, kind: &'static str, key: &str, effect: Effect) -> bool {
        let noted = self
            .ledger
            .with(|ledger| ledger.note(kind, key, effect, self.user, self.started_ns));
        *self.noted += usize::from(noted.is_some());
        noted.is_some()
    }
}

#[cold]
fn undeclared(step: &StepSpec) -> Failure {
    Failure::new(format!(
        "step `{}` is not declared by the workload",
        step.name
    ))
}
