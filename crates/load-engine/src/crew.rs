//! The users' threads: all set up, then the load, then all torn down; nobody's end is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;

use crossbeam::utils::CachePadded;

use crate::arrival::{Desk, serve};
use crate::clock::Clock;
use crate::early_end::{self, EarlyEnd};
use crate::error::RunError;
use crate::gate::{Gate, Signal};
use crate::monitor::Monitor;
use crate::plan::{Model, Plan, StopHandle};
use crate::recorder::{FailureTally, UserRecorder};
use crate::run::{Progress, Stage};
use crate::timeline::Timeline;
use crate::usage::cpu_time_ns;
use crate::user::{Pace, Seat, UserEnd, UserOutcome, drive};
use crate::workload::{Failure, StepSpec, Workload};

/// Time between two calls of `on_progress`.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// So many calls of `on_progress` are between two judgements of the thresholds that may end the run:
/// what they are judged on changes about once a second.
const JUDGED_EACH: u32 = 5;

/// Time between opening the gate and the first arrival of an open model.
const LEAD_NS: u64 = 10_000_000;

/// All that the users of one run share.
pub(crate) struct Crew<'r> {
    pub(crate) plan: &'r Plan,
    pub(crate) stop: &'r StopHandle,
    pub(crate) clock: &'r dyn Clock,
    pub(crate) steps: &'r [StepSpec],
    counters: Vec<CachePadded<Counter>>,
    gate: Gate,
    pub(crate) timeline: Arc<Timeline>,
    /// Where the arrivals of an open model are handed out.
    pub(crate) desk: Option<Desk>,
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

/// What a user's thread tells the coordinating one.
enum Report {
    Ready,
    SetUpFailed { user: u32, failure: Failure },
    Ended(Box<UserOutcome>),
    Panicked(Failure),
}

/// What a load left behind.
pub(crate) struct Load {
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
    pub(crate) monitor_began_ns: u64,
    pub(crate) cpu_ns: Option<u64>,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) interrupted: bool,
    pub(crate) early_end: Option<EarlyEnd>,
    pub(crate) recorders: Vec<UserRecorder>,
    pub(crate) tear_down_failures: FailureTally,
}

impl<'r> Crew<'r> {
    pub(crate) fn new(
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

    pub(crate) fn work<'scope, W: Workload>(
        &'scope self,
        threads: &'scope Scope<'scope, '_>,
        workload: &'scope W,
        monitor: &Monitor,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Load, RunError> {
        // Each user sends at most twice, so that no send ever waits.
        let (reports, inbox) = sync_channel(2 * self.counters.len());
        let _dismissal = Dismissal { crew: self };
        let handles = self.start_users(threads, workload, &reports)?;
        drop(reports);
        self.await_set_up(&inbox, on_progress)?;
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
            // The run ends with an error of its own, beside which this one's would be noise.
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
                let end = {
                    let _retirement = Retirement { clock: self.clock };
                    self.iterate(workload, seat)
                };
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

    pub(crate) fn recorder(&self) -> UserRecorder {
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
                Err(RecvTimeoutError::Disconnected) => return Err(vanished()),
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
            early_end: None,
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
        let mut calls = 0;
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
                    calls += 1;
                    if calls % JUDGED_EACH == 0 && load.early_end.is_none() {
                        load.early_end = early_end::judge(self, load.began_ns);
                        if load.early_end.is_some() {
                            self.stop.stop();
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(vanished()),
            }
        }
        let (began, ended) = (load.cpu_ns, cpu_time_ns());
        load.cpu_ns = began
            .zip(ended)
            .map(|(began, ended)| ended.saturating_sub(began));
        on_progress(&self.progress(Stage::Running, load.began_ns, standing));
        panic.map_or(Ok(()), Err)
    }

    /// Iterations that have ended, and how many of them failed.
    pub(crate) fn counted(&self) -> (u64, u64) {
        // Failures first: one that ends in between is then in neither or in the first alone.
        let failed = self.counters.iter().map(|counter| counter.failed()).sum();
        let done = self.counters.iter().map(|counter| counter.done()).sum();
        (done, failed)
    }

    fn progress(&self, stage: Stage, began_ns: u64, users: u32) -> Progress {
        let elapsed_ns = match stage {
            Stage::SettingUp => 0,
            Stage::Running => self.clock.now_ns().saturating_sub(began_ns),
        };
        let (done, failed) = self.counted();
        Progress {
            stage,
            elapsed: Duration::from_nanos(elapsed_ns),
            users,
            done,
            failed,
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

/// Sends the waiting users home when the coordinator leaves before it has opened the gate, be it by an
/// error or by a panic of `on_progress`: the scope would wait for them for ever.
struct Dismissal<'c, 'r> {
    crew: &'c Crew<'r>,
}

impl Drop for Dismissal<'_, '_> {
    fn drop(&mut self) {
        self.crew.gate.give(Signal::GiveUp);
        if std::thread::panicking() {
            self.crew.stop.stop();
        }
    }
}

/// Tells a simulated clock that a thread is through, however it ends.
struct Retirement<'c> {
    clock: &'c dyn Clock,
}

impl Drop for Retirement<'_> {
    fn drop(&mut self) {
        self.clock.retire();
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

/// Every user's thread reports before it ends, so this is a defect of the engine.
fn vanished() -> RunError {
    panicked(
        "load-engine:user",
        &Failure::new("it ended without a report"),
    )
}

pub(crate) fn panicked(thread: &'static str, failure: &Failure) -> RunError {
    RunError::ThreadPanicked {
        thread,
        message: failure.message().to_owned(),
    }
}
