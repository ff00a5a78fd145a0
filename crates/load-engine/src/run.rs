//! The run: all users set up, then the load, then all torn down; nobody's end is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};
use std::time::Duration;

use crossbeam::utils::CachePadded;

use crate::arrival::{Desk, serve};
use crate::clock::{Clock, MonotonicClock};
use crate::error::RunError;
use crate::generator::{GeneratorRecord, calibrate};
use crate::ledger::Ledger;
use crate::monitor::Monitor;
use crate::phase::{PhaseCounts, PhaseSummary};
use crate::plan::{Model, Plan, StopHandle};
use crate::record::{FailureCounts, IterationCounts, OpenSummary, RunRecord, StepSummary};
use crate::recorder::{FailureTally, UserRecorder};
use crate::timeline::Timeline;
use crate::usage::cpu_time_ns;
use crate::user::{Pace, Seat, UserEnd, UserOutcome, drive};
use crate::workload::{Failure, StepSpec, Workload};

/// Time between two calls of `on_progress`.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// Time between opening the gate and the first arrival of an open model.
const LEAD_NS: u64 = 10_000_000;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is going on.
    pub stage: Stage,
    /// Time since the load began; zero during set-up.
    pub elapsed: Duration,
    /// Users that stand and have not ended.
    pub users: u32,
    /// Iterations that have ended, failed ones included.
    pub done: u64,
    /// Failed iterations.
    pub failed: u64,
    /// Iterations that the model asks for, if it says.
    pub planned: Option<u64>,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Users are being set up; there is no load yet.
    SettingUp,
    /// Users iterate.
    Running,
}

/// Puts the planned load on a workload, and gives what was measured and what was acknowledged.
///
/// `on_progress` is called from this thread about each 100 ms. After the run, read the target back
/// and pass what is there to [`verify`](crate::verify).
///
/// # Errors
///
/// When a user could not be set up or a thread not be started, and for a plan or a workload that
/// makes no sense. Failed operations are no error.
pub fn run<W: Workload>(
    workload: &W,
    plan: &Plan,
    stop: &StopHandle,
    on_progress: impl FnMut(&Progress),
) -> Result<(RunRecord, Ledger), RunError> {
    run_on(&MonotonicClock::new(), workload, plan, stop, on_progress)
}

/// Like [`run`], by a clock of the caller's, such as a simulated one.
///
/// # Errors
///
/// As [`run`].
pub fn run_on<W: Workload>(
    clock: &dyn Clock,
    workload: &W,
    plan: &Plan,
    stop: &StopHandle,
    mut on_progress: impl FnMut(&Progress),
) -> Result<(RunRecord, Ledger), RunError> {
    plan.check()?;
    let steps = checked_steps(workload)?;
    let operation_overhead_ns = calibrate();
    let monitor = Monitor::start(plan.sample_period).map_err(|source| RunError::Spawn {
        thread: "load-engine:monitor".to_owned(),
        users: plan.model.users().get(),
        source,
    })?;
    let crew = Crew::new(plan, stop, clock, &steps);
    let load = scope(|threads| crew.work(threads, workload, &monitor, &mut on_progress))?;
    let wall_ns = load.ended_ns.saturating_sub(load.began_ns);
    let monitored = monitor
        .finish(load.monitor_began_ns, load.cpu_ns, wall_ns)
        .map_err(|failure| panicked("load-engine:monitor", &failure))?;
    let (total, mut record) = load.into_record(&crew);
    record.wall_ns = wall_ns;
    record.monitor = monitored;
    record.generator = GeneratorRecord::new(
        operation_overhead_ns,
        record.operations(),
        record.monitor.summary.cpu_ns,
        wall_ns,
    );
    Ok((record, total))
}

/// All that the users of one run share.
pub(crate) struct Crew<'r> {
    pub(crate) plan: &'r Plan,
    pub(crate) stop: &'r StopHandle,
    pub(crate) clock: &'r dyn Clock,
    pub(crate) steps: &'r [StepSpec],
    counters: Vec<CachePadded<Counter>>,
    gate: Gate,
    timeline: Arc<Timeline>,
    /// Where the arrivals of an open model are handed out.
    desk: Option<Desk>,
}

/// One user's progress, which only that user writes.
#[derive(Default)]
pub(crate) struct Counter {
    done: AtomicU64,
    failed: AtomicU64,
}

impl Counter {
    /// A load and a store, since there is only one writer: no locked instruction.
    pub(crate) fn count(&self, succeeded: bool) {
        self.done
            .store(self.done.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !succeeded {
            self.failed
                .store(self.failed.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Holds the users that are ready until all are.
#[derive(Default)]
struct Gate {
    signal: Mutex<Option<Signal>>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
enum Signal {
    Begin { at_ns: u64 },
    GiveUp,
}

impl Gate {
    fn give(&self, signal: Signal) {
        *self.signal.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
        self.changed.notify_all();
    }

    fn wait(&self) -> Signal {
        let mut signal = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(signal) = *signal {
                return signal;
            }
            signal = self
                .changed
                .wait(signal)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a user's thread tells the coordinating one.
enum Report {
    Ready,
    SetUpFailed { user: u32, failure: Failure },
    Ended(Box<UserOutcome>),
    Panicked(Failure),
}

/// What a load left behind.
struct Load {
    began_ns: u64,
    ended_ns: u64,
    monitor_began_ns: u64,
    cpu_ns: Option<u64>,
    completed: u64,
    failed: u64,
    interrupted: bool,
    recorders: Vec<UserRecorder>,
    tear_down_failures: FailureTally,
}

impl Load {
    fn into_record(self, crew: &Crew<'_>) -> (Ledger, RunRecord) {
        let plan = crew.plan;
        let mut total = crew.recorder();
        let ledgers: Vec<&Ledger> = self.recorders.iter().map(|user| &user.ledger).collect();
        total.ledger.reserve(&ledgers);
        let arrivals = self.recorders.iter().filter_map(|user| user.open.as_ref());
        let scheduled = plan.model.planned_iterations().unwrap_or_default();
        let open = crew
            .desk
            .as_ref()
            .map(|_| OpenSummary::new(arrivals, scheduled));
        let phases = crew.phases(&self.recorders);
        for recorder in self.recorders {
            total.absorb(recorder);
        }
        let interval_ns = crew.timeline.align();
        let summary = |(step, tally)| StepSummary::new(tally, &crew.timeline.step(step));
        let steps = total.steps.into_iter().enumerate().map(summary).collect();
        let planned = plan.model.planned_iterations();
        let record = RunRecord {
            label: plan.label.clone(),
            model: plan.model.clone(),
            seed: plan.seed,
            users: plan.model.users().get(),
            interrupted: self.interrupted,
            iterations: IterationCounts {
                planned,
                completed: self.completed,
                failed: self.failed,
            },
            failures: total.failures.into(),
            tear_down_failures: FailureCounts::from(self.tear_down_failures),
            steps,
            think_time: plan.think_time,
            phases,
            interval_ns,
            open,
            ..RunRecord::default()
        };
        (total.ledger, record)
    }
}

impl<'r> Crew<'r> {
    fn new(
        plan: &'r Plan,
        stop: &'r StopHandle,
        clock: &'r dyn Clock,
        steps: &'r [StepSpec],
    ) -> Self {
        let users = plan.model.users().get();
        Self {
            plan,
            stop,
            clock,
            steps,
            counters: (0..users).map(|_| CachePadded::default()).collect(),
            gate: Gate::default(),
            timeline: Arc::new(Timeline::new(steps.len(), plan.phases.len())),
            desk: match &plan.model {
                Model::Closed { .. } | Model::Staged { .. } => None,
                Model::Open {
                    schedule, patience, ..
                } => Some(Desk::new(schedule, *patience, plan.seed)),
            },
        }
    }

    fn users(&self) -> u32 {
        self.counters.len() as u32
    }

    fn work<'scope, W: Workload>(
        &'scope self,
        threads: &'scope Scope<'scope, '_>,
        workload: &'scope W,
        monitor: &Monitor,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Load, RunError> {
        // Each user sends at most twice, so that no send ever waits.
        let (reports, inbox) = sync_channel(2 * self.counters.len());
        let handles = match self.start_users(threads, workload, &reports) {
            Ok(handles) => handles,
            Err(error) => {
                self.gate.give(Signal::GiveUp);
                return Err(error);
            }
        };
        drop(reports);
        if let Err(error) = self.await_set_up(&inbox, on_progress) {
            self.gate.give(Signal::GiveUp);
            return Err(error);
        }
        let mut load = self.begin(monitor);
        let ended = self.await_end(&inbox, &mut load, on_progress);
        join_all(handles)?;
        ended.map(|()| load)
    }

    fn start_users<'scope, W: Workload>(
        &'scope self,
        threads: &'scope Scope<'scope, '_>,
        workload: &'scope W,
        reports: &SyncSender<Report>,
    ) -> Result<Vec<ScopedJoinHandle<'scope, ()>>, RunError> {
        let start = |user| {
            let reports = reports.clone();
            Builder::new()
                .name("load-engine:user".to_owned())
                .spawn_scoped(threads, move || self.be_user(workload, user, &reports))
                .map_err(|source| RunError::Spawn {
                    thread: format!("load-engine:user {user}"),
                    users: self.users(),
                    source,
                })
        };
        (0..self.users()).map(start).collect()
    }

    /// The whole life of a user's thread. The engine's own panics are reported too: the coordinator
    /// would wait for ever for a user that vanished.
    fn be_user<W: Workload>(&self, workload: &W, user: u32, reports: &SyncSender<Report>) {
        let life = AssertUnwindSafe(|| self.live(workload, user, reports));
        if let Err(panic) = catch_unwind(life) {
            send(reports, Report::Panicked(Failure::from_panic(&*panic)));
        }
    }

    fn live<W: Workload>(&self, workload: &W, user: u32, reports: &SyncSender<Report>) {
        let mut state = match guarded(|| workload.set_up(user)) {
            Ok(state) => state,
            Err(failure) => return send(reports, Report::SetUpFailed { user, failure }),
        };
        let mut recorder = self.recorder();
        send(reports, Report::Ready);
        match self.gate.wait() {
            Signal::GiveUp => drop(guarded(|| workload.tear_down(state))),
            Signal::Begin { at_ns } => {
                recorder.begin(at_ns, &self.plan.phases);
                let seat = Seat {
                    user,
                    state: &mut state,
                    recorder: &mut recorder,
                    counter: &self.counters[user as usize],
                    began_ns: at_ns,
                };
                let end = self.iterate(workload, seat);
                self.clock.retire();
                recorder.flush();
                let tear_down = guarded(|| workload.tear_down(state)).err();
                let outcome = UserOutcome {
                    recorder,
                    end,
                    tear_down,
                };
                send(reports, Report::Ended(Box::new(outcome)));
            }
        }
    }

    fn iterate<W: Workload>(&self, workload: &W, seat: Seat<'_, W>) -> UserEnd {
        let (think, began_ns) = (self.plan.think_time, seat.began_ns);
        match (&self.plan.model, &self.desk) {
            (Model::Closed { until, .. }, _) => {
                drive(self, &Pace::fixed(*until, think, began_ns), workload, seat)
            }
            (Model::Staged { stages }, _) => {
                drive(self, &Pace::staged(stages, think, began_ns), workload, seat)
            }
            (Model::Open { .. }, Some(desk)) => serve(self, desk, workload, seat),
            (Model::Open { .. }, None) => unreachable!("an open model has a desk"),
        }
    }

    fn recorder(&self) -> UserRecorder {
        let recorder = UserRecorder::new(self.steps, Arc::clone(&self.timeline));
        if self.desk.is_some() {
            recorder.with_arrivals()
        } else {
            recorder
        }
    }

    fn await_set_up(
        &self,
        inbox: &Receiver<Report>,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), RunError> {
        let mut ready = 0;
        let mut failed: Vec<(u32, Failure)> = Vec::new();
        while ready + (failed.len() as u32) < self.users() {
            match inbox.recv_timeout(PROGRESS_PERIOD) {
                Ok(Report::Ready) => ready += 1,
                Ok(Report::SetUpFailed { user, failure }) => failed.push((user, failure)),
                Ok(Report::Panicked(failure)) => {
                    return Err(panicked("load-engine:user", &failure));
                }
                Ok(Report::Ended(_)) => unreachable!("no user begins before the gate opens"),
                Err(RecvTimeoutError::Timeout) => {
                    on_progress(&self.progress(Stage::SettingUp, 0, ready));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let count = failed.len() as u32;
        match failed.into_iter().min_by_key(|(user, _)| *user) {
            None => Ok(()),
            Some((user, failure)) => Err(RunError::SetUp {
                user,
                failed: count,
                users: self.users(),
                message: failure.message().to_owned(),
            }),
        }
    }

    fn begin(&self, monitor: &Monitor) -> Load {
        let cpu_ns = cpu_time_ns();
        let monitor_began_ns = monitor.now_ns();
        self.clock.enlist(self.users());
        // Arrivals are due by the clock, so their threads need a moment to come to their places.
        let lead_ns = if self.desk.is_some() { LEAD_NS } else { 0 };
        let began_ns = self.clock.now_ns() + lead_ns;
        self.gate.give(Signal::Begin { at_ns: began_ns });
        Load {
            began_ns,
            ended_ns: began_ns,
            monitor_began_ns,
            cpu_ns,
            completed: 0,
            failed: 0,
            interrupted: false,
            recorders: Vec::new(),
            tear_down_failures: FailureTally::default(),
        }
    }

    fn await_end(
        &self,
        inbox: &Receiver<Report>,
        load: &mut Load,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), RunError> {
        let mut panic = None;
        let mut standing = self.users();
        while standing > 0 {
            match inbox.recv_timeout(PROGRESS_PERIOD) {
                Ok(Report::Ended(outcome)) => {
                    standing -= 1;
                    load.add(*outcome);
                }
                Ok(Report::Panicked(failure)) => {
                    standing -= 1;
                    panic = Some(panicked("load-engine:user", &failure));
                }
                Ok(Report::Ready | Report::SetUpFailed { .. }) => {
                    unreachable!("every user was ready before the gate opened")
                }
                Err(RecvTimeoutError::Timeout) => {
                    on_progress(&self.progress(Stage::Running, load.began_ns, standing));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let (began, ended) = (load.cpu_ns, cpu_time_ns());
        load.cpu_ns = began
            .zip(ended)
            .map(|(began, ended)| ended.saturating_sub(began));
        on_progress(&self.progress(Stage::Running, load.began_ns, standing));
        panic.map_or(Ok(()), Err)
    }

    /// The figures of each phase, when all users have brought theirs to the timeline.
    fn phases(&self, recorders: &[UserRecorder]) -> Vec<PhaseSummary> {
        let mut start_ns = 0;
        let mut summaries = Vec::with_capacity(self.plan.phases.len());
        for (number, phase) in self.plan.phases.iter().enumerate() {
            let mut counts = PhaseCounts::default();
            for recorder in recorders {
                counts.add(recorder.phases.counts[number]);
            }
            let end_ns = start_ns + phase.duration.as_nanos() as u64;
            let step = |(step, spec): (usize, &StepSpec)| {
                self.timeline.step(step).phase(number, spec.name)
            };
            summaries.push(PhaseSummary {
                name: phase.name.clone(),
                start_ns,
                end_ns,
                completed: counts.completed,
                failed: counts.failed,
                in_flight: counts.in_flight,
                steps: self.steps.iter().enumerate().map(step).collect(),
            });
            start_ns = end_ns;
        }
        summaries
    }

    fn progress(&self, stage: Stage, began_ns: u64, users: u32) -> Progress {
        let sum = |read: fn(&Counter) -> u64| self.counters.iter().map(|c| read(c)).sum();
        let elapsed_ns = match stage {
            Stage::SettingUp => 0,
            Stage::Running => self.clock.now_ns().saturating_sub(began_ns),
        };
        Progress {
            stage,
            elapsed: Duration::from_nanos(elapsed_ns),
            users,
            done: sum(Counter::done),
            failed: sum(Counter::failed),
            planned: self.plan.model.planned_iterations(),
        }
    }
}

impl Load {
    fn add(&mut self, outcome: UserOutcome) {
        self.ended_ns = self.ended_ns.max(outcome.end.at_ns);
        self.completed += outcome.end.completed;
        self.failed += outcome.end.failed;
        self.interrupted |= outcome.end.interrupted;
        if let Some(failure) = outcome.tear_down {
            self.tear_down_failures.add(failure.message());
        }
        self.recorders.push(outcome.recorder);
    }
}

/// Calls the workload's code, taking a panic for a failure.
fn guarded<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Failure::from_panic(&*panic)))
}

/// The coordinator hangs up early only when it gives the run up, and then wants no report.
fn send(reports: &SyncSender<Report>, report: Report) {
    drop(reports.send(report));
}

fn join_all(handles: Vec<ScopedJoinHandle<'_, ()>>) -> Result<(), RunError> {
    for handle in handles {
        handle
            .join()
            .map_err(|panic| panicked("load-engine:user", &Failure::from_panic(&*panic)))?;
    }
    Ok(())
}

fn panicked(thread: &'static str, failure: &Failure) -> RunError {
    RunError::ThreadPanicked {
        thread,
        message: failure.message().to_owned(),
    }
}

fn checked_steps(workload: &impl Workload) -> Result<Vec<StepSpec>, RunError> {
    let steps = workload.steps();
    if steps.is_empty() {
        return Err(RunError::NoSteps);
    }
    for (second, step) in steps.iter().enumerate() {
        if let Some(first) = steps[..second]
            .iter()
            .position(|earlier| earlier.name == step.name)
        {
            return Err(RunError::DuplicateStep {
                name: step.name,
                first,
                second,
            });
        }
    }
    Ok(steps)
}
