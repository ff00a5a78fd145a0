//! A blocking workload as tasks: the same plan gives the same record as on threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use load_engine::{
    Failure, Iteration, Ledger, Model, Outcome, Plan, RunRecord, Schedule, StepSpec, StopHandle,
    ThinkTime, UserStage, Workload, run_pooled, run_shared, verify,
};

use crate::store::{Honesty, READ, Store, WRITE, plan, users};

const CALL: StepSpec = StepSpec::effectful("call");
const PATIENCE: Duration = Duration::from_secs(60);

fn pooled<W: Workload<User: 'static> + Send + 'static>(workload: W, plan: &Plan) -> Outcome {
    run_pooled(Arc::new(workload), plan, &StopHandle::new(), |_| {}).unwrap()
}

/// What does not depend on when things happened.
fn counted(record: &RunRecord, ledger: &Ledger) -> String {
    let step = |name: &str| {
        let step = record.step(name).unwrap();
        format!(
            "{name}: {} succeeded, {} failed, {} effects, {:?}",
            step.succeeded, step.failed, step.effects, step.failures.messages
        )
    };
    let (iterations, entries) = (&record.iterations, ledger.len());
    format!(
        "{iterations:?}\n{}\n{}\n{entries}",
        step("write"),
        step("read")
    )
}

#[test]
fn threads_and_tasks_write_down_the_same_of_the_same_plan() {
    for honesty in [
        Honesty::Honest,
        Honesty::FailsEvery(7),
        Honesty::PanicsEvery(7),
        Honesty::DropsEvery(7),
    ] {
        let plan = plan(13, 40);
        let (on_threads, as_tasks) = (Arc::new(Store::new(honesty)), Arc::new(Store::new(honesty)));
        let stop = StopHandle::new();
        let threads = run_shared(Arc::clone(&on_threads), &plan, &stop, |_| {}).unwrap();
        let tasks = run_pooled(Arc::clone(&as_tasks), &plan, &stop, |_| {}).unwrap();
        assert_eq!(
            counted(&threads.record, &threads.ledger),
            counted(&tasks.record, &tasks.ledger)
        );
        // What they wrote comes from the seed, whoever ran it.
        assert_eq!(on_threads.keys(), as_tasks.keys());
        let found = |store: &Store, ledger| {
            let found = verify(ledger, store.contents());
            (found.verified, found.lost, found.indeterminate)
        };
        assert_eq!(
            found(&on_threads, &threads.ledger),
            found(&as_tasks, &tasks.ledger)
        );
        assert!(threads.record.runtime_lag.is_none() && tasks.record.runtime_lag.is_some());
    }
}

/// Acknowledges an effect in each iteration, which only one user's thread at a time does.
struct Phases(AtomicU64);

impl Workload for Phases {
    /// The phase of the last iteration, and how many there were.
    type User = (usize, u64);

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(usize, u64), Failure> {
        Ok((0, 0))
    }

    fn iterate(&self, user: &mut (usize, u64), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let phase = it.phase_now();
        it.check("phases only go on", phase >= user.0);
        it.check("no iteration is lost", it.index() == user.1);
        *user = (phase, user.1 + 1);
        it.step(&CALL, |effects| {
            self.0.fetch_add(1, Ordering::Relaxed);
            effects.attempted("call", "any");
            Ok(())
        })
    }
}

#[test]
fn users_who_come_and_go_are_counted_in_their_phases_as_tasks_too() {
    let half = Duration::from_millis(150);
    let stages = [UserStage::ramp(1, 20, half), UserStage::hold(20, half)];
    let plan = Plan::new("staged", Model::staged(stages))
        .think_time(ThinkTime::Constant(Duration::from_millis(5)))
        .grace(PATIENCE)
        .phase("ramp", half)
        .phase("hold", half);
    let record = pooled(Phases(AtomicU64::new(0)), &plan).record;
    assert!(record.iterations.completed > 20);
    assert_eq!(record.iterations.in_flight, 0);
    let in_phases: u64 = record.phases.iter().map(|phase| phase.completed).sum();
    assert_eq!(in_phases, record.iterations.completed);
    assert!(record.phases.iter().all(|phase| phase.completed > 0));
    for check in &record.checks {
        assert_eq!(
            (check.passed, check.failed),
            (record.iterations.completed, 0)
        );
    }
    assert_eq!(record.checks.len(), 2);
}

#[test]
fn arrivals_are_accounted_for_as_tasks_too() {
    let schedule = Schedule::constant(1_000.0, Duration::from_millis(300));
    let plan = Plan::new("open", Model::open(schedule, users(30)));
    let record = pooled(Store::new(Honesty::Honest), &plan).record;
    let open = record.open.as_ref().unwrap();
    assert_eq!(open.arrivals.scheduled, 300);
    assert!(open.arrivals.balance());
    assert_eq!(open.response_time.count, 300);
    let write = record.step("write").unwrap();
    assert_eq!(write.response_time.as_ref().unwrap().count, 300);
    assert!(record.wall_ns >= 299_000_000);
}

#[test]
fn thousands_of_users_who_think_share_the_threads_of_a_pool() {
    let plan = plan(2_000, 2).think_time(ThinkTime::Uniform {
        from: Duration::from_millis(100),
        to: Duration::from_millis(600),
    });
    let record = pooled(Store::new(Honesty::Honest), &plan).record;
    assert_eq!(record.iterations.completed, 4_000);
    let samples = record.monitor.samples.iter();
    let threads = samples.filter_map(|sample| sample.threads).max();
    let processors = std::thread::available_parallelism().unwrap().get() as u64;
    // The test runner has some of its own.
    assert!(threads.unwrap() < 512 * processors + 500, "{threads:?}");
}

/// A target that does not answer until it is told.
struct Hanging(Barrier);

impl Workload for Hanging {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE, READ]
    }

    fn set_up(&self, user: u32) -> Result<(), Failure> {
        if user == 5 {
            return Err(Failure::new("no connection"));
        }
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&WRITE, |_| {
            self.0.wait();
            Ok(())
        })
    }
}

#[test]
fn what_hangs_at_the_deadline_is_in_flight_and_its_threads_are_left_behind() {
    let target = Arc::new(Hanging(Barrier::new(4)));
    let plan = Plan::new(
        "hanging",
        Model::elapsed(users(3), Duration::from_millis(30)),
    );
    let stop = StopHandle::new();
    let mut outcome = run_pooled(Arc::clone(&target), &plan, &stop, |_| {}).unwrap();
    assert_eq!(outcome.record.iterations.in_flight, 3);
    assert_eq!(outcome.record.step("write").unwrap().in_flight, 3);
    assert!(outcome.stragglers.count() > 0);
    target.0.wait();
    assert_eq!(outcome.stragglers.wait(PATIENCE).unwrap(), 0);
    assert!(
        Arc::into_inner(target).is_some(),
        "nobody holds it any more"
    );
}

#[test]
fn a_failed_set_up_ends_a_run_of_pooled_users_with_an_error() {
    let target = Arc::new(Hanging(Barrier::new(1)));
    let refused = run_pooled(target, &plan(6, 1), &StopHandle::new(), |_| {});
    assert_eq!(
        refused.unwrap_err().to_string(),
        "set-up of user 5 failed (1 of 6 users failed): no connection"
    );
}

#[test]
fn a_stop_wakes_pooled_users_who_think() {
    let an_hour = Duration::from_secs(3_600);
    let plan = Plan::new("stopped", Model::elapsed(users(3), an_hour))
        .think_time(ThinkTime::Constant(an_hour));
    let stop = StopHandle::new();
    let workload = Arc::new(Store::new(Honesty::Honest));
    let outcome = run_pooled(workload, &plan, &stop, |progress| {
        if progress.done == 3 {
            stop.stop();
        }
    })
    .unwrap();
    assert!(outcome.record.interrupted);
    assert_eq!(outcome.record.iterations.completed, 3);
}
