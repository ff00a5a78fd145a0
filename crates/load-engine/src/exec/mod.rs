//! A run from its plan to its record.

pub(crate) mod abort;
pub(crate) mod arrivals;
pub(crate) mod coordinator;
pub(crate) mod deadline;
pub(crate) mod live;
pub(crate) mod messages;
pub(crate) mod outcome;
pub(crate) mod pooled;
pub(crate) mod prepared;
pub(crate) mod progress;
pub(crate) mod stragglers;
pub(crate) mod tasks;
pub(crate) mod threads;
pub(crate) mod turn;
pub(crate) mod user;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{JoinHandle, ScopedJoinHandle, available_parallelism, scope};

use crate::clock::StopHandle;
use crate::clock::{Clock, MonotonicClock};
use crate::context::timer::Timer;
use crate::context::{ClockOf, RunContext};
use crate::error::RunError;
use crate::exec::coordinator::coordinate;
use crate::exec::messages::UserReport;
use crate::exec::outcome::Outcome;
use crate::exec::pooled::Pooled;
use crate::exec::prepared::Prepared;
use crate::exec::progress::Progress;
use crate::exec::stragglers::Stragglers;
use crate::exec::threads::{start_free, start_scoped};
use crate::ledger::Ledger;
use crate::ledger::spill::Spill;
use crate::plan::Plan;
use crate::record::RunRecord;
use crate::workload::{AsyncWorkload, Workload};

/// Puts the planned load on a workload, and gives what was measured and what was acknowledged.
///
/// `on_progress` is called from this thread about each 100 ms. After the run, read the target back
/// and pass what is there to [`verify`](crate::verify).
///
/// The run ends when every user has: one whose iteration never returns keeps it from ending. A
/// workload that can be shared is better run by [`run_shared`].
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
    if let Some(spill) = &plan.spill {
        return Err(RunError::Plan {
            field: "ledger on disk",
            value: spill.folder.display().to_string(),
            expected: "`run_shared` and `run_async` keep one there",
        });
    }
    let prepared = Prepared::new(plan, workload.steps())?;
    let clock = ClockOf::Borrowed(clock);
    let context = RunContext::new(plan, stop.inner(), clock, prepared.steps.clone(), None);
    let load = scope(|threads| {
        let start = |reports| start_scoped(&context, threads, workload, &reports);
        let join = ScopedJoinHandle::join;
        let monitor = &prepared.monitor;
        coordinate(&context, false, monitor, &mut on_progress, start, join).map(|(load, _, _)| load)
    })?;
    let (record, ledger, _) = prepared.finish(load, &context)?;
    Ok((record, ledger))
}

/// Like [`run`], and ends when the plan says, whatever the workload does.
///
/// When the load's time is up, or the run is stopped, iterations under way may take the plan's
/// [`grace`](Plan::grace) longer. Those that have not ended then have failed, if the plan says how long they
/// may take; those that a stop, an abort rule or a plan without a grace cuts off are counted as
/// [in flight](crate::IterationCounts::in_flight). What either were about to write is *attempted* in the
/// ledger, and the run ends without their threads: see [`Stragglers`].
///
/// ```
/// # use std::num::NonZeroU32;
/// # use std::sync::{Arc, Barrier};
/// # use std::time::Duration;
/// # use load_engine::{Failure, Iteration, Model, Plan, StepSpec, StopHandle, Workload, run_shared};
/// const CALL: StepSpec = StepSpec::new("call");
///
/// /// A target that does not answer until it is told.
/// struct Hanging(Barrier);
///
/// impl Workload for Hanging {
/// #   type User = ();
/// #   fn steps(&self) -> Vec<StepSpec> { vec![CALL] }
/// #   fn set_up(&self, _: u32) -> Result<(), Failure> { Ok(()) }
///     fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
///         it.step(&CALL, |_| { self.0.wait(); Ok(()) })
///     }
/// }
///
/// let target = Arc::new(Hanging(Barrier::new(2)));
/// let model = Model::elapsed(NonZeroU32::MIN, Duration::from_millis(20));
/// let plan = Plan::new("hanging", model);
/// let mut outcome = run_shared(Arc::clone(&target), &plan, &StopHandle::new(), |_| {})?;
/// assert_eq!(outcome.record.iterations.in_flight, 1);
/// assert_eq!(outcome.record.step("call").unwrap().in_flight, 1);
///
/// target.0.wait();
/// assert_eq!(outcome.stragglers.wait(Duration::from_secs(10))?, 0);
/// # Ok::<(), load_engine::RunError>(())
/// ```
///
/// # Errors
///
/// As [`run`].
pub fn run_shared<W: Workload + Send + 'static>(
    workload: Arc<W>,
    plan: &Plan,
    stop: &StopHandle,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Outcome, RunError> {
    let prepared = Prepared::new(plan, workload.steps())?;
    let clock = ClockOf::Owned(Box::new(MonotonicClock::new()));
    let steps = prepared.steps.clone();
    let context = RunContext::new(plan, stop.inner(), clock, steps, None);
    let context = Arc::new(context.with_spill(spill_of(plan)?));
    // The last use of this function's share: from here on the threads alone hold the workload.
    let start = |reports| start_free(&context, &workload, &reports).inspect(|_| drop(workload));
    conclude(prepared, &context, &mut on_progress, start)
}

/// Like [`run_shared`], for a workload of tasks: one current-thread tokio runtime for each processor,
/// with its users as tasks on it.
///
/// The record is the same, with the runtimes' [lag](RunRecord::runtime_lag) besides, which tells of
/// calls that block them. A user costs what its task does, a few kilobytes, so there can be thousands.
///
/// ```
/// use std::num::{NonZeroU32, NonZeroU64};
/// use std::sync::Arc;
/// use load_engine::{AsyncWorkload, Failure, Iteration, Model, Plan, StepSpec, StopHandle, run_async};
///
/// const CALL: StepSpec = StepSpec::new("call");
///
/// struct Yielding;
///
/// impl AsyncWorkload for Yielding {
///     type User = ();
///
///     fn steps(&self) -> Vec<StepSpec> {
///         vec![CALL]
///     }
///
///     async fn set_up(&self, _user: u32) -> Result<(), Failure> {
///         Ok(())
///     }
///
///     async fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
///         it.step_async(&CALL, async |_effects| {
///             tokio::task::yield_now().await;
///             Ok(())
///         })
///         .await
///     }
/// }
///
/// let model = Model::iterations(NonZeroU32::new(1_000).unwrap(), NonZeroU64::new(3).unwrap());
/// let plan = Plan::new("yielding", model);
/// let outcome = run_async(Arc::new(Yielding), &plan, &StopHandle::new(), |_| {})?;
/// assert_eq!(outcome.record.step("call").unwrap().succeeded, 3_000);
/// # Ok::<(), load_engine::RunError>(())
/// ```
///
/// # Errors
///
/// As [`run`].
pub fn run_async<W: AsyncWorkload>(
    workload: Arc<W>,
    plan: &Plan,
    stop: &StopHandle,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Outcome, RunError> {
    let prepared = Prepared::new(plan, workload.steps())?;
    // Users that take turns on a thread write to one place.
    let runtimes = runtimes(plan);
    let (context, timer) = context_of_tasks(&prepared, plan, stop, Some(runtimes))?;
    let start =
        |reports| tasks::start(&context, &timer, &workload, &reports).inspect(|_| drop(workload));
    conclude(prepared, &context, &mut on_progress, start)
}

/// Like [`run_shared`], with the users as tasks on tokio's runtimes, as [`run_async`] has them: each
/// iteration goes to a thread of a pool for as long as it lasts, as an asynchronous server does with
/// code that blocks (`spawn_blocking`).
///
/// So there are as many threads as iterations are under way, not as many as users, and 512 for each
/// processor at most: ten thousand users who think most of the time take a few. The record is the same as
/// that of threads, and has the runtimes' [lag](RunRecord::runtime_lag) besides. Handing an iteration
/// over takes some microseconds, and longer where more than those 512 are under way; that time is in
/// the response time of an open model and in no service time.
///
/// ```
/// # use std::num::{NonZeroU32, NonZeroU64};
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// # use load_engine::{
/// #     Failure, Iteration, Model, Plan, StepSpec, StopHandle, ThinkTime, Workload, run_pooled,
/// # };
/// # const CALL: StepSpec = StepSpec::new("call");
/// # struct Blocking;
/// # impl Workload for Blocking {
/// #   type User = ();
/// #   fn steps(&self) -> Vec<StepSpec> { vec![CALL] }
/// #   fn set_up(&self, _: u32) -> Result<(), Failure> { Ok(()) }
/// #   fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
/// #       it.step(&CALL, |_| Ok(()))
/// #   }
/// # }
/// let model = Model::iterations(NonZeroU32::new(1_000).unwrap(), NonZeroU64::new(2).unwrap());
/// let plan = Plan::new("pooled", model).think_time(ThinkTime::Constant(Duration::from_millis(20)));
/// let outcome = run_pooled(Arc::new(Blocking), &plan, &StopHandle::new(), |_| {})?;
/// assert_eq!(outcome.record.step("call").unwrap().succeeded, 2_000);
/// # Ok::<(), load_engine::RunError>(())
/// ```
///
/// # Errors
///
/// As [`run`].
pub fn run_pooled<W: Workload<User: 'static> + Send + 'static>(
    workload: Arc<W>,
    plan: &Plan,
    stop: &StopHandle,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Outcome, RunError> {
    let prepared = Prepared::new(plan, workload.steps())?;
    let (context, timer) = context_of_tasks(&prepared, plan, stop, None)?;
    let workload = Arc::new(Pooled {
        workload,
        context: Arc::clone(&context),
    });
    let start =
        |reports| tasks::start(&context, &timer, &workload, &reports).inspect(|_| drop(workload));
    conclude(prepared, &context, &mut on_progress, start)
}

fn runtimes(plan: &Plan) -> usize {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    plan.most_runtimes
        .map_or(processors, |most| processors.min(most.get()))
}

/// A context of tasks, and what wakes them. Without a number of writers each user has a place of its own
/// to write to.
fn context_of_tasks(
    prepared: &Prepared,
    plan: &Plan,
    stop: &StopHandle,
    writers: Option<usize>,
) -> Result<(Arc<RunContext<'static>>, Arc<Timer>), RunError> {
    let clock = MonotonicClock::new();
    let timer = Timer::start(clock.clone()).map_err(|source| RunError::Spawn {
        thread: "load-engine:timer".to_owned(),
        users: plan.model.users().get(),
        source,
    })?;
    let timer = Arc::new(timer);
    let clock = ClockOf::Owned(Box::new(clock));
    let context = RunContext::new(plan, stop.inner(), clock, prepared.steps.clone(), writers)
        .with_timer(Arc::clone(&timer), runtimes(plan))
        .with_spill(spill_of(plan)?);
    Ok((Arc::new(context), timer))
}

fn spill_of(plan: &Plan) -> Result<Option<Spill>, RunError> {
    let create = |policy| Spill::create(policy, plan.model.users().get());
    plan.spill.as_ref().map(create).transpose()
}

/// A run whose threads may be left behind.
fn conclude(
    prepared: Prepared,
    context: &RunContext<'_>,
    on_progress: &mut dyn FnMut(&Progress),
    start: impl FnOnce(SyncSender<UserReport>) -> Result<Vec<JoinHandle<()>>, RunError>,
) -> Result<Outcome, RunError> {
    let monitor = &prepared.monitor;
    let (load, left, threads) =
        coordinate(context, true, monitor, on_progress, start, JoinHandle::join)?;
    let (record, ledger, spilled) = prepared.finish(load, context)?;
    let stragglers = Stragglers::new(threads, left);
    Ok(Outcome {
        record,
        ledger,
        spilled,
        stragglers,
    })
}
