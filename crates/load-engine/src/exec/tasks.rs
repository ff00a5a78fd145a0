//! The executor for asynchronous workloads: tokio's, a current-thread runtime for each processor.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::Poll;
use std::thread::{self, Builder, JoinHandle};

use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::context::RunContext;
use crate::context::start_barrier::Signal;
use crate::context::timer::Timer;
use crate::error::RunError;
use crate::exec::messages::UserReport;
use crate::exec::threads::send;
use crate::exec::turn::{Turn, UserEnd};
use crate::exec::user::{Turns, ended};
use crate::record::lag::{LagTally, PROBE_PERIOD_NS};
use crate::step::Failure;
use crate::workload::AsyncWorkload;
use crate::workload::iteration::Iteration;

/// Threads that a runtime lends at most to code that blocks: tokio's own default, which the
/// documentation of [`run_pooled`](crate::run_pooled) names.
const POOL: usize = 512;

/// Starts a thread with a runtime for each of the run's.
pub(crate) fn start<W: AsyncWorkload>(
    context: &Arc<RunContext<'static>>,
    timer: &Arc<Timer>,
    workload: &Arc<W>,
    reports: &SyncSender<UserReport>,
) -> Result<Vec<JoinHandle<()>>, RunError> {
    let start = |number| {
        let failed = |source| RunError::Spawn {
            thread: format!("load-engine:runtime {number}"),
            users: context.users(),
            source,
        };
        let host = Host {
            context: Arc::clone(context),
            timer: Arc::clone(timer),
            workload: Arc::clone(workload),
            reports: reports.clone(),
            number,
        };
        Builder::new()
            .name("load-engine:runtime".to_owned())
            .spawn(move || host.live())
            .map_err(failed)
    };
    (0..context.threads()).map(start).collect()
}

/// A thread with a runtime, and the users on it.
struct Host<W> {
    context: Arc<RunContext<'static>>,
    timer: Arc<Timer>,
    workload: Arc<W>,
    reports: SyncSender<UserReport>,
    number: u32,
}

impl<W: AsyncWorkload> Host<W> {
    fn live(self) {
        let reports = self.reports.clone();
        let failure = match catch_unwind(AssertUnwindSafe(|| self.serve())) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::from(error)),
            Err(panic) => Some(Failure::from_panic(&*panic)),
        };
        if let Some(failure) = failure {
            send(&reports, UserReport::Panicked(failure));
        }
        send(&reports, UserReport::ThreadEnded);
    }

    fn serve(self) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("load-engine:pool")
            .max_blocking_threads(POOL)
            .build()?;
        let users = LocalSet::new();
        users.block_on(&runtime, self.users());
        Ok(())
    }

    /// Until all users are through, or the run ends without them.
    async fn users(self) {
        let mut users = JoinSet::new();
        for user in (self.number..self.context.users()).step_by(self.context.threads() as usize) {
            let (context, timer) = (Arc::clone(&self.context), Arc::clone(&self.timer));
            let (workload, reports) = (Arc::clone(&self.workload), self.reports.clone());
            users.spawn_local(async move {
                let life = live(&context, &timer, &*workload, user, &reports);
                if let Err(panic) = caught(life).await {
                    send(&reports, UserReport::Panicked(Failure::from_panic(&*panic)));
                }
            });
        }
        let probe = tokio::task::spawn_local(probe(
            Arc::clone(&self.context),
            Arc::clone(&self.timer),
            self.number,
        ));
        poll_fn(|context| {
            if self.context.over.poll(context).is_ready() {
                return Poll::Ready(());
            }
            // Each user has reported its own end.
            while let Poll::Ready(user) = users.poll_join_next(context) {
                if user.is_none() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
        probe.abort();
        self.context.lag_of(self.number).with(LagTally::rest);
    }
}

/// Wakes each 10 ms during the load, and notes how long that took.
async fn probe(context: Arc<RunContext<'static>>, timer: Arc<Timer>, number: u32) {
    let Signal::Begin { at_ns } = context.start_barrier.opened().await else {
        return;
    };
    let lag = context.lag_of(number);
    let mut alarm = timer.alarm();
    let mut due_ns = at_ns + PROBE_PERIOD_NS;
    lag.with(|tally| tally.expect(due_ns));
    while !context.stop.is_stopped() {
        // What kept this task from setting its alarm in time is lag as well.
        let ready_ns = if context.clock.now_ns() < due_ns {
            alarm.wait_until(due_ns).await
        } else {
            due_ns
        };
        let now_ns = context.clock.now_ns();
        match lag.with(|tally| tally.book(ready_ns, now_ns)) {
            Some(next_ns) => due_ns = next_ns,
            None => return,
        }
    }
}

/// The whole life of a user.
async fn live<W: AsyncWorkload>(
    context: &RunContext<'static>,
    timer: &Timer,
    workload: &W,
    user: u32,
    reports: &SyncSender<UserReport>,
) {
    let mut state = match guarded(workload.set_up(user)).await {
        Ok(state) => state,
        Err(failure) => return send(reports, UserReport::SetUpFailed { user, failure }),
    };
    send(reports, UserReport::Ready);
    match context.start_barrier.opened().await {
        // The run ends with an error of its own, beside which this one's would be noise.
        Signal::GiveUp => drop(guarded(workload.tear_down(state)).await),
        Signal::Begin { at_ns } => {
            let end = drive(context, timer, workload, &mut state, user, at_ns).await;
            send(reports, UserReport::LoadEnded { user, end });
            let failure = guarded(workload.tear_down(state)).await.err();
            send(reports, UserReport::TornDown { user, failure });
        }
    }
}

/// Takes a user's turns until it is through.
async fn drive<W: AsyncWorkload>(
    context: &RunContext<'static>,
    timer: &Timer,
    workload: &W,
    state: &mut W::User,
    user: u32,
    began_ns: u64,
) -> UserEnd {
    let mut turns = Turns::new(context, user, began_ns);
    let mut it = Iteration::new(context, user, began_ns);
    let mut alarm = timer.alarm();
    it.touch();
    loop {
        match turns.next(context, &mut it) {
            Turn::Iterate => {
                let before_ns = it.last_ns();
                let caught = caught(workload.iterate(state, &mut it)).await;
                let succeeded = it.settle(before_ns, ended(caught));
                turns.end(&mut it, succeeded);
                // A workload that is always ready would keep the runtime from everybody else.
                tokio::task::consume_budget().await;
            }
            Turn::Pause { until_ns } => {
                alarm.wait_until(until_ns).await;
                it.touch();
            }
            Turn::End { interrupted } => return turns.user_end(&it, interrupted),
        }
    }
}

/// Polls the workload's code, taking a panic for a failure.
async fn guarded<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    caught(call)
        .await
        .unwrap_or_else(|panic| Err(Failure::from_panic(&*panic)))
}

/// Catches a panic of a future, which is not polled again after it.
async fn caught<T>(future: impl Future<Output = T>) -> thread::Result<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
