//! What the users of one run share: the plan, the clock, and a place for each one's figures.

pub(crate) mod arrival_queue;
pub(crate) mod counter;
pub(crate) mod skips;
pub(crate) mod slot;
pub(crate) mod start_barrier;
pub(crate) mod timer;

use std::ops::Deref;
use std::sync::Arc;

use crossbeam::utils::CachePadded;

use crate::clock::Clock;
use crate::clock::StopHandle;
use crate::context::arrival_queue::ArrivalQueue;
use crate::context::counter::Counter;
use crate::context::skips::Skips;
use crate::context::slot::Slot;
use crate::context::start_barrier::{Signal, StartBarrier};
use crate::context::timer::Timer;
use crate::ledger::Ledger;
use crate::ledger::spill::Spill;
use crate::plan::Plan;
use crate::plan::model::Model;
use crate::plan::phase::PhaseEnds;
use crate::record::lag::LagTally;
use crate::record::recorder::Recorder;
use crate::record::timeline::Timeline;
use crate::step::StepSpec;

/// All that the users of one run share. It owns what threads need that may outlive the run.
pub(crate) struct RunContext<'c> {
    pub(crate) plan: Plan,
    pub(crate) stop: StopHandle,
    pub(crate) clock: ClockOf<'c>,
    pub(crate) steps: Vec<StepSpec>,
    counters: Vec<CachePadded<Counter>>,
    ledgers: Vec<Slot<Ledger>>,
    /// One for each user; users that take turns on a thread have one together.
    recorders: Vec<CachePadded<Slot<Recorder>>>,
    /// One for each runtime, if users are tasks.
    lags: Vec<Slot<LagTally>>,
    pub(crate) start_barrier: StartBarrier,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) phases: PhaseEnds,
    /// What was left out of phases.
    pub(crate) skips: Skips,
    /// Where ledgers go that get too long.
    pub(crate) spill: Option<Spill>,
    /// Where the arrivals of an open model are handed out.
    pub(crate) arrival_queue: Option<ArrivalQueue>,
    /// Given when the run ends, with or without its users.
    pub(crate) over: StartBarrier,
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

impl<'c> RunContext<'c> {
    /// A context whose users write down what they do each for itself, or so many threads for all of them.
    pub(crate) fn new(
        plan: &Plan,
        stop: StopHandle,
        clock: ClockOf<'c>,
        steps: Vec<StepSpec>,
        writers: Option<usize>,
    ) -> Self {
        let users = plan.model.users().get() as usize;
        let writers = writers.map_or(users, |writers| writers.min(users));
        let phases = plan.phases.len();
        let timeline = Arc::new(Timeline::new(steps.len(), phases));
        let arrival_queue = match &plan.model {
            Model::Closed { .. } | Model::Staged { .. } => None,
            Model::Open {
                schedule,
                max_start_delay,
                ..
            } => Some(ArrivalQueue::new(schedule, *max_start_delay, plan.seed)),
        };
        let mut context = Self {
            plan: plan.clone(),
            stop,
            clock,
            steps,
            counters: (0..users).map(|_| CachePadded::default()).collect(),
            ledgers: (0..users).map(|_| Slot::new(Ledger::new())).collect(),
            recorders: Vec::new(),
            lags: Vec::new(),
            start_barrier: StartBarrier::default(),
            timeline,
            phases: PhaseEnds::new(phases),
            skips: Skips::new(!plan.phase_ends.is_empty()),
            spill: None,
            arrival_queue,
            over: StartBarrier::default(),
            timer: None,
        };
        context.recorders = (0..writers)
            .map(|_| CachePadded::new(Slot::new(context.recorder())))
            .collect();
        context
    }

    /// A context whose ledgers go to disk.
    pub(crate) fn with_spill(mut self, spill: Option<Spill>) -> Self {
        self.spill = spill;
        self
    }

    /// A context of tasks on so many runtimes, which are probed for their lag.
    pub(crate) fn with_timer(mut self, timer: Arc<Timer>, runtimes: usize) -> Self {
        self.timer = Some(timer);
        let runtimes = runtimes.min(self.counters.len());
        self.lags = (0..runtimes).map(|_| Slot::new(LagTally::new())).collect();
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

    /// The threads that the run starts: one for each runtime, or else for each user.
    pub(crate) fn threads(&self) -> u32 {
        match self.lags.len() {
            0 => self.users(),
            runtimes => runtimes as u32,
        }
    }

    /// An empty recorder of this run's steps.
    pub(crate) fn recorder(&self) -> Recorder {
        let timeline = Arc::clone(&self.timeline);
        let recorder = Recorder::new(&self.steps, self.plan.phases.len(), timeline);
        if self.arrival_queue.is_some() {
            recorder.with_arrivals()
        } else {
            recorder
        }
    }

    pub(crate) fn recorder_of(&self, user: u32) -> &Slot<Recorder> {
        &self.recorders[user as usize % self.recorders.len()]
    }

    /// The lag of a runtime, by its number.
    pub(crate) fn lag_of(&self, runtime: u32) -> &Slot<LagTally> {
        &self.lags[runtime as usize]
    }

    pub(crate) fn lags(&self) -> &[Slot<LagTally>] {
        &self.lags
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
        self.phases.begin(&self.plan.phases, began_ns, u64::MAX);
        let length = self.plan.model.length();
        let end_ns = length.map_or(u64::MAX, |length| {
            began_ns.saturating_add(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
        });
        self.timeline
            .windows
            .begin(&self.plan.phases, began_ns, end_ns);
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

/// Sends the waiting users home when the coordinator leaves before it has opened the start barrier, be it by an
/// error or by a panic of `on_progress`: they would wait for ever.
pub(crate) struct Dismissal<'c, 'r>(pub(crate) &'c RunContext<'r>);

impl Drop for Dismissal<'_, '_> {
    fn drop(&mut self) {
        self.0.start_barrier.give(Signal::GiveUp);
        self.0.stop.stop();
        self.0.wake_sleepers();
        self.0.over.give(Signal::GiveUp);
    }
}
