//! What the users of one run share: the plan, the clock, and a place for each one's figures.

use std::ops::Deref;
use std::sync::Arc;

use crossbeam::utils::CachePadded;

use crate::arrival::Desk;
use crate::clock::Clock;
use crate::counter::Counter;
use crate::gate::{Gate, Signal};
use crate::lag::LagTally;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::phase::PhaseEnds;
use crate::plan::{Plan, StopHandle};
use crate::recorder::Recorder;
use crate::skips::Skips;
use crate::slot::Slot;
use crate::spill::Spill;
use crate::timeline::Timeline;
use crate::timer::Timer;
use crate::workload::StepSpec;

/// All that the users of one run share. It owns what threads need that may outlive the run.
pub(crate) struct Crew<'c> {
    pub(crate) plan: Plan,
    pub(crate) stop: StopHandle,
    pub(crate) clock: ClockOf<'c>,
    pub(crate) steps: Vec<StepSpec>,
    counters: Vec<CachePadded<Counter>>,
    ledgers: Vec<Slot<Ledger>>,
    /// One for each thread: users that take turns on a thread have it together.
    recorders: Vec<CachePadded<Slot<Recorder>>>,
    pub(crate) gate: Gate,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) phases: PhaseEnds,
    /// What was left out of phases.
    pub(crate) skips: Skips,
    /// Where ledgers go that get too long.
    pub(crate) spill: Option<Spill>,
    /// Where the arrivals of an open model are handed out.
    pub(crate) desk: Option<Desk>,
    /// Given when the run ends, with or without its users.
    pub(crate) over: Gate,
    /// What wakes tasks.
    timer: Option<Arc<Timer>>,
}

/// The run's clock: the caller's, or the run's own if it can outlive its caller.
pub(crate) enum ClockOf<'c> {
    Borrowed(&'c dyn Clock),
    Owned(Box<dyn Clock>),
}

impl<'c> Deref for ClockOf<'c> {
    type Target = dyn Clock + 'c;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Borrowed(clock) => *clock,
            Self::Owned(clock) => &**clock,
        }
    }
}

impl<'c> Crew<'c> {
    /// A crew on so many threads, or on a thread for each user.
    pub(crate) fn new(
        plan: &Plan,
        stop: StopHandle,
        clock: ClockOf<'c>,
        steps: Vec<StepSpec>,
        threads: Option<usize>,
    ) -> Self {
        let users = plan.model.users().get() as usize;
        let threads = threads.map_or(users, |threads| threads.min(users));
        let phases = plan.phases.len();
        let timeline = Arc::new(Timeline::new(steps.len(), phases));
        let desk = match &plan.model {
            Model::Closed { .. } | Model::Staged { .. } => None,
            Model::Open {
                schedule, patience, ..
            } => Some(Desk::new(schedule, *patience, plan.seed)),
        };
        let mut crew = Self {
            plan: plan.clone(),
            stop,
            clock,
            steps,
            counters: (0..users).map(|_| CachePadded::default()).collect(),
            ledgers: (0..users).map(|_| Slot::new(Ledger::new())).collect(),
            recorders: Vec::new(),
            gate: Gate::default(),
            timeline,
            phases: PhaseEnds::new(phases),
            skips: Skips::new(!plan.phase_ends.is_empty()),
            spill: None,
            desk,
            over: Gate::default(),
            timer: None,
        };
        crew.recorders = (0..threads)
            .map(|_| CachePadded::new(Slot::new(crew.recorder())))
            .collect();
        crew
    }

    /// A crew whose ledgers go to disk.
    pub(crate) fn with_spill(mut self, spill: Option<Spill>) -> Self {
        self.spill = spill;
        self
    }

    /// A crew of tasks, whose runtimes are probed for their lag.
    pub(crate) fn with_timer(mut self, timer: Arc<Timer>) -> Self {
        self.timer = Some(timer);
        for recorder in self.recorders() {
            recorder.with(|recorder| recorder.lag = Some(LagTally::new()));
        }
        self
    }

    /// Wakes those tasks that wait for a time: the run is stopped.
    pub(crate) fn wake_sleepers(&self) {
        if let Some(timer) = &self.timer {
            timer.release();
        }
    }

    pub(crate) fn users(&self) -> u32 {
        self.counters.len() as u32
    }

    pub(crate) fn threads(&self) -> u32 {
        self.recorders.len() as u32
    }

    /// An empty recorder of this run's steps.
    pub(crate) fn recorder(&self) -> Recorder {
        let timeline = Arc::clone(&self.timeline);
        let recorder = Recorder::new(&self.steps, self.plan.phases.len(), timeline);
        if self.desk.is_some() {
            recorder.with_arrivals()
        } else {
            recorder
        }
    }

    /// The thread of a user, by its number.
    pub(crate) fn thread_of(&self, user: u32) -> u32 {
        user % self.threads()
    }

    pub(crate) fn recorder_of(&self, user: u32) -> &Slot<Recorder> {
        &self.recorders[self.thread_of(user) as usize]
    }

    pub(crate) fn ledger_of(&self, user: u32) -> &Slot<Ledger> {
        &self.ledgers[user as usize]
    }

    pub(crate) fn counter_of(&self, user: u32) -> &Counter {
        &self.counters[user as usize]
    }

    pub(crate) fn counters(&self) -> impl Iterator<Item = &Counter> {
        self.counters.iter().map(Deref::deref)
    }

    pub(crate) fn recorders(&self) -> impl Iterator<Item = &Slot<Recorder>> {
        self.recorders.iter().map(Deref::deref)
    }

    pub(crate) fn ledgers(&self) -> &[Slot<Ledger>] {
        &self.ledgers
    }

    /// Says when the load begins, before the users are let go.
    pub(crate) fn begin(&self, began_ns: u64) {
        self.phases.begin(&self.plan.phases, began_ns);
        for recorder in self.recorders() {
            recorder.with(|recorder| recorder.begin(began_ns));
        }
    }

    /// Iterations that have ended, and how many of them failed.
    pub(crate) fn counted(&self) -> (u64, u64) {
        // Failures first: one that ends in between is then in neither or in the first alone.
        let failed = self.counters().map(Counter::failed).sum();
        let done = self.counters().map(Counter::done).sum();
        (done, failed)
    }
}

/// Sends the waiting users home when the coordinator leaves before it has opened the gate, be it by an
/// error or by a panic of `on_progress`: they would wait for ever.
pub(crate) struct Dismissal<'c, 'r>(pub(crate) &'c Crew<'r>);

impl Drop for Dismissal<'_, '_> {
    fn drop(&mut self) {
        self.0.gate.give(Signal::GiveUp);
        self.0.stop.stop();
        self.0.wake_sleepers();
        self.0.over.give(Signal::GiveUp);
    }
}
