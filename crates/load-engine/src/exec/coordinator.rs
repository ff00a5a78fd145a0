//! The thread that called: waits for the users to be ready, lets them go, and takes what they leave.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::context::counter::Doing;
use crate::context::start_barrier::Signal;
use crate::context::{Dismissal, RunContext};
use crate::error::{RunError, panicked};
use crate::exec::abort;
use crate::exec::deadline::{Cut, PROGRESS_PERIOD, WaitLimit};
use crate::exec::live::LiveSnapshot;
use crate::exec::messages::{Left, Load, UserReport};
use crate::exec::progress::{Progress, Stage};
use crate::monitor::Monitor;
use crate::monitor::usage::cpu_time_ns;
use crate::record::RunRecord;
use crate::record::failures::FailureTally;
use crate::record::recorder::{Recorder, StepTimes};
use crate::step::Failure;

/// So many calls of `on_progress` are between two judgements of the thresholds that may end the run:
/// what they are judged on changes about once a second.
const JUDGED_EACH: u32 = 5;

/// So many calls of `on_progress` are between two looks at the record: it changes once a second.
const LOOKED_EACH: u32 = 10;

/// Time between opening the start barrier and the first arrival of an open model.
const LEAD_NS: u64 = 10_000_000;

/// How long it waits for threads that have no more to do to end.
const LAST_MOMENT: Duration = Duration::from_millis(10);

/// How long a thread may have its figures in hand: it writes a few numbers, if it is let run.
const CLAIM_PATIENCE_NS: u64 = 10_000_000_000;

/// Reports that a user sends at most, and its thread besides: so much room lets no send ever wait.
const REPORTS_A_USER: usize = 4;

/// The thread that called, at its work.
struct Coordinator<'r, 'c> {
    context: &'r RunContext<'c>,
    /// Whether the run may end without its threads.
    may_leave: bool,
    inbox: Receiver<UserReport>,
    on_progress: &'r mut dyn FnMut(&Progress),
    /// The users whose load has not ended.
    standing: Vec<bool>,
    /// Those of the others who are not torn down.
    to_tear_down: u32,
    /// Threads that have not ended.
    threads: u32,
    /// If somebody wants to see the record meanwhile.
    live: Option<LiveSnapshot>,
    record: Option<Arc<RunRecord>>,
}

/// Puts the load on. `start` starts the threads of all users, which report to whom it is given.
pub(crate) fn coordinate<T>(
    context: &RunContext<'_>,
    may_leave: bool,
    monitor: &Monitor,
    on_progress: &mut dyn FnMut(&Progress),
    start: impl FnOnce(SyncSender<UserReport>) -> Result<Vec<T>, RunError>,
    join: impl Fn(T) -> std::thread::Result<()>,
) -> Result<(Load, Left, Vec<T>), RunError> {
    let users = context.users();
    let (reports, inbox) = sync_channel(REPORTS_A_USER * users as usize);
    let _dismissal = Dismissal(context);
    let threads = start(reports)?;
    let mut coordinator = Coordinator {
        context,
        may_leave,
        inbox,
        on_progress,
        standing: vec![true; users as usize],
        to_tear_down: 0,
        threads: context.threads(),
        live: context
            .plan
            .record_so_far
            .then(|| LiveSnapshot::new(context)),
        record: None,
    };
    if let Err(error) = coordinator.await_set_up() {
        context.start_barrier.give(Signal::GiveUp);
        coordinator.await_threads();
        return Err(error);
    }
    let mut load = coordinator.begin(monitor);
    coordinator.await_end(&mut load, monitor)?;
    coordinator.claim(&mut load)?;
    let left = coordinator.await_tear_down(&mut load);
    if left.threads > 0 {
        return Ok((load, left, threads));
    }
    for thread in threads {
        join(thread)
            .map_err(|panic| panicked("load-engine:user", &Failure::from_panic(&*panic)))?;
    }
    Ok((load, left, Vec::new()))
}

impl Coordinator<'_, '_> {
    fn await_set_up(&mut self) -> Result<(), RunError> {
        let users = self.context.users();
        let mut ready = 0;
        let mut failed: Vec<(u32, Failure)> = Vec::new();
        while ready + (failed.len() as u32) < users {
            match self.inbox.recv_timeout(PROGRESS_PERIOD) {
                Ok(UserReport::Ready) => ready += 1,
                Ok(UserReport::SetUpFailed { user, failure }) => failed.push((user, failure)),
                Ok(UserReport::Panicked(failure)) => {
                    return Err(panicked("load-engine:user", &failure));
                }
                Ok(UserReport::ThreadEnded) => self.threads -= 1,
                Ok(UserReport::LoadEnded { .. } | UserReport::TornDown { .. }) => {
                    unreachable!("no user begins before the start barrier opens")
                }
                Err(RecvTimeoutError::Timeout) => self.tell(Stage::SettingUp, 0, ready),
                Err(RecvTimeoutError::Disconnected) => return Err(vanished()),
            }
        }
        let count = failed.len() as u32;
        match failed.into_iter().min_by_key(|(user, _)| *user) {
            None => Ok(()),
            Some((user, failure)) => Err(RunError::SetUp {
                user,
                failed: count,
                users,
                message: failure.message().to_owned(),
            }),
        }
    }

    fn begin(&self, monitor: &Monitor) -> Load {
        let context = self.context;
        let cpu_ns = cpu_time_ns();
        let monitor_began_ns = monitor.now_ns();
        context.clock.enlist(context.users());
        // Arrivals are due by the clock, so their threads need a moment to come to their places.
        let lead_ns = if context.arrival_queue.is_some() {
            LEAD_NS
        } else {
            0
        };
        let began_ns = context.clock.now_ns() + lead_ns;
        context.begin(began_ns);
        context
            .start_barrier
            .give(Signal::Begin { at_ns: began_ns });
        Load {
            began_ns,
            ended_ns: began_ns,
            user_ends_ns: vec![None; context.users() as usize],
            monitor_began_ns,
            cpu_ns,
            completed: 0,
            failed: 0,
            interrupted: false,
            abort: None,
            overslept_ns: 0,
            recorders: Vec::new(),
            ledgers: Vec::new(),
            lags: Vec::new(),
            tear_down_failures: FailureTally::default(),
            in_flight: Vec::new(),
            unfinished: 0,
        }
    }

    /// Waits until every user's load has ended, or until it is time to go without the others.
    fn await_end(&mut self, load: &mut Load, monitor: &Monitor) -> Result<(), RunError> {
        let mut panic = None;
        let mut standing = self.context.users();
        let mut calls = 0;
        let mut cut = Cut::new(self.context, load.began_ns, self.may_leave);
        while standing > 0 {
            let wait = cut.next_look(self.context);
            if wait.is_zero() {
                break;
            }
            match self.inbox.recv_timeout(wait) {
                Ok(UserReport::LoadEnded { user, end }) => {
                    standing -= 1;
                    self.standing[user as usize] = false;
                    self.to_tear_down += 1;
                    load.ended_ns = load.ended_ns.max(end.at_ns);
                    load.user_ends_ns[user as usize] = Some(end.at_ns);
                    load.overslept_ns += end.overslept_ns;
                    load.interrupted |= end.interrupted;
                }
                Ok(UserReport::Panicked(failure)) => {
                    standing -= 1;
                    panic = Some(panicked("load-engine:user", &failure));
                }
                Ok(report) => self.hear(report, load),
                Err(RecvTimeoutError::Timeout) => {
                    calls += 1;
                    self.tick(calls, standing, load, monitor);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(vanished()),
            }
        }
        if standing > 0 {
            load.ended_ns = self.context.clock.now_ns();
            load.interrupted |= self.context.stop.is_stopped();
        } else {
            self.idle_to_the_end(load, monitor);
        }
        // Whoever comes back later finds that there is no more to do.
        self.context.stop.stop();
        self.context.wake_sleepers();
        let (began, ended) = (load.cpu_ns, cpu_time_ns());
        load.cpu_ns = began
            .zip(ended)
            .map(|(began, ended)| ended.saturating_sub(began));
        self.tell(Stage::Running, load.began_ns, standing);
        panic.map_or(Ok(()), Err)
    }

    /// Waits for the end of the schedule when nobody is wanted any more: a phase without users lasts as
    /// long as the plan says, with the monitors on.
    fn idle_to_the_end(&mut self, load: &mut Load, monitor: &Monitor) {
        let context = self.context;
        let mut calls = 0;
        let end_ns = || context.timeline.windows.end_ns(context.plan.phases.len());
        while let Some(end_ns) = end_ns().filter(|end_ns| *end_ns != u64::MAX) {
            let now_ns = context.clock.now_ns();
            if now_ns >= end_ns {
                load.ended_ns = load.ended_ns.max(end_ns);
                return;
            }
            if context.stop.is_stopped() {
                load.interrupted = true;
                load.ended_ns = load.ended_ns.max(now_ns);
                return;
            }
            let until_ns = end_ns.min(now_ns + PROGRESS_PERIOD.as_nanos() as u64);
            context
                .clock
                .sleep_until_or_stopped(until_ns, &context.stop);
            while let Ok(report) = self.inbox.try_recv() {
                self.hear(report, load);
            }
            calls += 1;
            self.tick(calls, 0, load, monitor);
        }
    }

    /// What is done about each 100 ms while the load runs.
    fn tick(&mut self, calls: u32, standing: u32, load: &mut Load, monitor: &Monitor) {
        if calls.is_multiple_of(LOOKED_EACH) {
            self.look(load, monitor);
        }
        self.tell(Stage::Running, load.began_ns, standing);
        if calls.is_multiple_of(JUDGED_EACH) {
            self.judge(load);
        }
    }

    fn look(&mut self, load: &Load, monitor: &Monitor) {
        if let Some(live) = &mut self.live {
            let (began_ns, monitor_began_ns) = (load.began_ns, load.monitor_began_ns);
            self.record = Some(live.look(self.context, monitor, began_ns, monitor_began_ns));
        }
    }

    /// Ends the phase or the run if what is known by now says so.
    fn judge(&self, load: &mut Load) {
        if load.abort.is_some() {
            return;
        }
        abort::end_phase(self.context, load.began_ns);
        load.abort = abort::judge(self.context, load.began_ns);
        if let Some(abort) = &load.abort {
            let windows = &self.context.timeline.windows;
            windows.close(load.began_ns + abort.at_ns);
            self.context.stop.stop();
        }
    }

    fn hear(&mut self, report: UserReport, load: &mut Load) {
        match report {
            UserReport::ThreadEnded => self.threads -= 1,
            // What a user says of itself that the run has ended without comes too late.
            UserReport::TornDown { user, failure } if !self.standing[user as usize] => {
                self.to_tear_down -= 1;
                if let Some(failure) = failure {
                    load.tear_down_failures.add(failure.message());
                }
            }
            _ => {}
        }
    }

    /// Takes everybody's figures, of those who did not come back too.
    fn claim(&self, load: &mut Load) -> Result<(), RunError> {
        let context = self.context;
        for recorder in context.recorders() {
            let recorder = self.claimed(|| recorder.claim())?;
            load.recorders.push(*recorder);
        }
        let unfinished = unfinished(context, load);
        for lag in context.lags() {
            let mut lag = self.claimed(|| lag.claim())?;
            lag.close(load.ended_ns);
            load.lags.push(*lag);
        }
        for (user, ledger) in (0..).zip(context.ledgers()) {
            let mut ledger = self.claimed(|| ledger.claim())?;
            ledger.abandon(load.ended_ns);
            load.ledgers.push(*ledger);
            let doing = context.counter_of(user).doing();
            if !self.standing[user as usize] || doing == Doing::Nothing {
                continue;
            }
            match &unfinished {
                Some(failure) => {
                    let recorders = load.recorders.len();
                    let recorder = &mut load.recorders[user as usize % recorders];
                    fail_unfinished(context, recorder, (user, doing), load.ended_ns, failure);
                    load.unfinished += 1;
                }
                None => load.in_flight.push(doing),
            }
        }
        load.recorders.iter_mut().for_each(Recorder::close);
        let (done, failed) = context.counted();
        load.completed = done.saturating_sub(failed);
        load.failed = failed + load.unfinished;
        Ok(())
    }

    /// Claims what a thread may have in hand at this moment, which it puts back at once.
    fn claimed<T>(&self, claim: impl Fn() -> Option<T>) -> Result<T, RunError> {
        let clock = MonotonicClock::new();
        loop {
            if let Some(value) = claim() {
                return Ok(value);
            }
            if clock.now_ns() > CLAIM_PATIENCE_NS {
                return Err(vanished());
            }
            std::thread::yield_now();
        }
    }

    fn await_tear_down(mut self, load: &mut Load) -> Left {
        let all_came_back = !self.standing.contains(&true);
        let mut limit = WaitLimit::new(self.may_leave);
        // Those whom the run ended without have no claim to be waited for.
        while self.to_tear_down > 0 || (self.threads > 0 && all_came_back) {
            let Some(report) = limit.next(&self.inbox) else {
                break;
            };
            self.hear(report, load);
        }
        // A runtime that is not blocked ends at once; only what is stuck is left.
        self.context.over.give(Signal::GiveUp);
        let mut moment = WaitLimit::of(LAST_MOMENT, self.may_leave);
        while self.threads > 0
            && let Some(report) = moment.next(&self.inbox)
        {
            self.hear(report, load);
        }
        Left {
            inbox: self.inbox,
            threads: self.threads,
        }
    }

    /// Waits for users that were sent home.
    fn await_threads(&mut self) {
        let mut limit = WaitLimit::new(self.may_leave);
        while self.threads > 0
            && let Some(report) = limit.next(&self.inbox)
        {
            self.threads -= u32::from(matches!(report, UserReport::ThreadEnded));
        }
    }

    fn tell(&mut self, stage: Stage, began_ns: u64, users: u32) {
        let elapsed_ns = match stage {
            Stage::SettingUp => 0,
            Stage::Running => self.context.clock.now_ns().saturating_sub(began_ns),
        };
        let (done, failed) = self.context.counted();
        (self.on_progress)(&Progress {
            stage,
            elapsed: Duration::from_nanos(elapsed_ns),
            users,
            done,
            failed,
            planned: self.context.plan.model.planned_iterations(),
            record: self.record.clone(),
        });
    }
}

/// Why an iteration under way failed, if it did: its time was up, and it had been given time to finish. One
/// that a signal or an abort rule cut off has neither succeeded nor failed.
fn unfinished(context: &RunContext<'_>, load: &Load) -> Option<Failure> {
    let grace = context.plan.grace?;
    let was_cut = load.interrupted || load.abort.is_some();
    (!was_cut).then(|| Failure::new(format!("had not finished {grace:?} after the load's end")))
}

/// Books a user's iteration as failed, with the time that it was waited for.
fn fail_unfinished(
    context: &RunContext<'_>,
    recorder: &mut Recorder,
    (user, doing): (u32, Doing),
    ended_ns: u64,
    failure: &Failure,
) {
    let phase = |since_ns| context.phases.advance(0, since_ns);
    let phase = match doing {
        Doing::Nothing => return,
        Doing::Iteration { since_ns } => {
            recorder.fail_outside(phase(since_ns), failure);
            phase(since_ns)
        }
        Doing::Step { step, since_ns } => {
            let waited_ns = ended_ns.saturating_sub(since_ns);
            let times = StepTimes {
                service_ns: waited_ns,
                response_ns: waited_ns,
                ended_ns,
                user,
            };
            recorder.book(step, phase(since_ns), times, 0, Some(failure));
            phase(since_ns)
        }
    };
    recorder.count_in_phase(
        phase,
        false,
        context.phases.is_over(phase, ended_ns),
        ended_ns,
    );
}

/// Every user's thread reports before it ends, so this is a defect of the engine.
fn vanished() -> RunError {
    panicked(
        "load-engine:user",
        &Failure::new("it ended without a report"),
    )
}
