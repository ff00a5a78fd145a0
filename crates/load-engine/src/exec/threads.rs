//! The executor for blocking workloads: a thread for each user.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use crate::clock::Clock;
use crate::context::RunContext;
use crate::context::start_barrier::Signal;
use crate::error::RunError;
use crate::exec::messages::UserReport;
use crate::exec::user::drive;
use crate::step::Failure;
use crate::workload::Workload;

/// Starts threads that end before the scope does.
pub(crate) fn start_scoped<'scope, W: Workload>(
    context: &'scope RunContext<'_>,
    threads: &'scope Scope<'scope, '_>,
    workload: &'scope W,
    reports: &SyncSender<UserReport>,
) -> Result<Vec<ScopedJoinHandle<'scope, ()>>, RunError> {
    let start = |user| {
        let reports = reports.clone();
        user_thread()
            .spawn_scoped(threads, move || be_user(context, workload, user, &reports))
            .map_err(|source| spawn_failed(context, user, source))
    };
    (0..context.users()).map(start).collect()
}

/// Starts threads that may outlive the run.
pub(crate) fn start_free<W: Workload + Send + 'static>(
    context: &Arc<RunContext<'static>>,
    workload: &Arc<W>,
    reports: &SyncSender<UserReport>,
) -> Result<Vec<JoinHandle<()>>, RunError> {
    let start = |user| {
        let (reports, context, workload) =
            (reports.clone(), Arc::clone(context), Arc::clone(workload));
        let spawned = user_thread().spawn({
            let context = Arc::clone(&context);
            move || be_user(&context, &*workload, user, &reports)
        });
        spawned.map_err(|source| spawn_failed(&context, user, source))
    };
    (0..context.users()).map(start).collect()
}

fn user_thread() -> Builder {
    Builder::new().name("load-engine:user".to_owned())
}

fn spawn_failed(context: &RunContext<'_>, user: u32, source: std::io::Error) -> RunError {
    RunError::Spawn {
        thread: format!("load-engine:user {user}"),
        users: context.users(),
        source,
    }
}

/// The whole life of a user's thread. The engine's own panics are reported too: the coordinator
/// would wait for ever for a user that vanished.
fn be_user<W: Workload>(
    context: &RunContext<'_>,
    workload: &W,
    user: u32,
    reports: &SyncSender<UserReport>,
) {
    let life = AssertUnwindSafe(|| live(context, workload, user, reports));
    if let Err(panic) = catch_unwind(life) {
        send(reports, UserReport::Panicked(Failure::from_panic(&*panic)));
    }
    send(reports, UserReport::ThreadEnded);
}

fn live<W: Workload>(
    context: &RunContext<'_>,
    workload: &W,
    user: u32,
    reports: &SyncSender<UserReport>,
) {
    let mut state = match guarded(|| workload.set_up(user)) {
        Ok(state) => state,
        Err(failure) => return send(reports, UserReport::SetUpFailed { user, failure }),
    };
    send(reports, UserReport::Ready);
    match context.start_barrier.wait() {
        // The run ends with an error of its own, beside which this one's would be noise.
        Signal::GiveUp => drop(guarded(|| workload.tear_down(state))),
        Signal::Begin { at_ns } => {
            let end = {
                let _retirement = Retirement {
                    clock: &*context.clock,
                };
                drive(context, workload, &mut state, user, at_ns)
            };
            send(reports, UserReport::LoadEnded { user, end });
            let failure = guarded(|| workload.tear_down(state)).err();
            send(reports, UserReport::TornDown { user, failure });
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
pub(crate) fn send(reports: &SyncSender<UserReport>, report: UserReport) {
    drop(reports.send(report));
}
