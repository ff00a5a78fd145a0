//! The same plan on tokio's runtimes.

use std::future::pending;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use load_engine::{
    AsyncWorkload, Clock, Digest, Failure, Found, Iteration, Model, MonotonicClock, Outcome, Plan,
    RunError, Schedule, StepSpec, StopHandle, ThinkTime, run_async, verify,
};

use crate::store::users;

const WRITE: StepSpec = StepSpec::effectful("write");
const PATIENCE: Duration = Duration::from_secs(60);

/// What a task does besides its write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Yields,
    NeverWaits,
    Fails,
    Panics,
    NeverReturns,
    /// Once, in the first user's first iteration.
    BlocksItsThread(Duration),
}

struct Writer(Manner);

impl AsyncWorkload for Writer {
    type User = u32;

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE]
    }

    async fn set_up(&self, user: u32) -> Result<u32, Failure> {
        tokio::task::yield_now().await;
        Ok(user)
    }

    async fn iterate(&self, user: &mut u32, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let number = it.index();
        let key = format!("{user}-{number}");
        it.step_async(&WRITE, async |effects| {
            effects.attempted("row", &key);
            match self.0 {
                Manner::Fails if number == 1 => return Err(Failure::new("refused")),
                Manner::Panics if number == 1 => panic!("no such row"),
                Manner::NeverReturns if number == 1 => pending().await,
                Manner::BlocksItsThread(time) if *user == 0 && number == 0 => {
                    let clock = MonotonicClock::new();
                    clock.sleep_until(time.as_nanos() as u64);
                }
                Manner::NeverWaits => {}
                _ => tokio::task::yield_now().await,
            }
            effects.created("row", &key, Digest::of(key.as_bytes()));
            Ok(())
        })
        .await
    }

    async fn tear_down(&self, user: u32) -> Result<(), Failure> {
        if self.0 == Manner::Fails && user == 7 {
            return Err(Failure::new("would not go"));
        }
        Ok(())
    }
}

fn write(manner: Manner, plan: &Plan) -> Result<Outcome, RunError> {
    run_async(Arc::new(Writer(manner)), plan, &StopHandle::new(), |_| {})
}

fn three_each(count: u32) -> Plan {
    let each = NonZeroU64::new(3).unwrap();
    Plan::new("tasks", Model::iterations(users(count), each))
}

#[test]
fn thousands_of_users_are_tasks_and_every_effect_is_in_the_ledger() {
    let mut outcome = write(Manner::Yields, &three_each(2_000)).unwrap();
    assert_eq!(outcome.record.iterations.completed, 6_000);
    assert_eq!(outcome.record.step("write").unwrap().effects, 6_000);
    let key = |n: u32| format!("{}-{}", n / 3, n % 3);
    let found = (0..6_000)
        .map(|n| Ok::<_, Failure>(Found::new("row", key(n), Digest::of(key(n).as_bytes()))));
    assert!(verify(&outcome.ledger, found).holds());
    assert_eq!(outcome.stragglers.count(), 0);
    let threads = outcome
        .record
        .monitor
        .samples
        .iter()
        .filter_map(|sample| sample.threads);
    // The test runner has some of its own; but there is not one for each user.
    assert!(threads.max().unwrap() < 1_000);
}

#[test]
fn failures_and_panics_are_booked_as_those_of_threads() {
    for (manner, message) in [
        (Manner::Fails, "refused"),
        (Manner::Panics, "panicked: no such row"),
    ] {
        let record = write(manner, &three_each(10)).unwrap().record;
        let step = record.step("write").unwrap();
        assert_eq!((step.succeeded, step.failed), (20, 10));
        assert_eq!(step.failures.messages[0].message, message);
        assert_eq!(
            (record.iterations.completed, record.iterations.failed),
            (20, 10)
        );
        let torn_down = u64::from(manner == Manner::Fails);
        assert_eq!(record.tear_down_failures.total(), torn_down);
    }
}

#[test]
fn a_task_that_never_returns_is_dropped_at_the_deadline_and_counted() {
    let model = Model::elapsed(users(5), Duration::from_millis(50));
    let mut outcome = write(Manner::NeverReturns, &Plan::new("stuck", model)).unwrap();
    let record = &outcome.record;
    assert_eq!(record.iterations.completed, 5);
    assert_eq!(record.iterations.in_flight, 5);
    assert_eq!(record.step("write").unwrap().in_flight, 5);
    let attempted = |user: u32| {
        Ok::<_, Failure>(Found::new(
            "row",
            format!("{user}-0"),
            Digest::of(format!("{user}-0").as_bytes()),
        ))
    };
    let verification = verify(&outcome.ledger, (0..5).map(attempted));
    assert!(verification.holds());
    assert_eq!((verification.verified, verification.indeterminate), (5, 5));
    assert_eq!(
        outcome.stragglers.wait(PATIENCE).unwrap(),
        0,
        "runtimes are not stuck"
    );
}

#[test]
fn a_task_that_never_waits_leaves_others_their_turn_and_ends_in_time() {
    let model = Model::elapsed(users(6), Duration::from_millis(100));
    let record = write(
        Manner::NeverWaits,
        &Plan::new("busy", model).grace(PATIENCE),
    )
    .unwrap()
    .record;
    assert!(record.iterations.completed > 6);
    assert_eq!(record.iterations.in_flight, 0);
}

#[test]
fn a_call_that_blocks_a_runtime_is_found_and_a_healthy_run_has_none_as_long() {
    let blocked_for = Duration::from_millis(400);
    let model = Model::elapsed(users(4), Duration::from_millis(600));
    let plan = Plan::new("lag", model).think_time(ThinkTime::Constant(Duration::from_millis(5)));
    let lag = |manner| write(manner, &plan).unwrap().record.runtime_lag.unwrap();

    let blocked = lag(Manner::BlocksItsThread(blocked_for));
    assert!(blocked.blockings >= 1);
    let longest = Duration::from_nanos(blocked.lag.max_ns);
    assert!(
        longest >= blocked_for - Duration::from_millis(20),
        "{longest:?}"
    );
    // Probes that were due meanwhile count too: 40 of the at most 120 of the run.
    assert!(blocked.lag.p90_ns > 50_000_000, "{}", blocked.lag.p90_ns);

    let healthy = lag(Manner::Yields);
    assert!(healthy.lag.count > 20);
    assert!(healthy.lag.p50_ns < 50_000_000, "{}", healthy.lag.p50_ns);
    assert!(healthy.lag.max_ns < blocked.lag.max_ns);
}

/// It was taken for a blocked one: the probes that it missed after its end counted until that of the load.
#[test]
fn a_runtime_that_is_through_before_the_others_does_not_lag() {
    let blocked_for = Duration::from_millis(600);
    let model = Model::iterations(users(2), NonZeroU64::new(3).unwrap());
    let plan = Plan::new("early", model);
    let record = write(Manner::BlocksItsThread(blocked_for), &plan)
        .unwrap()
        .record;
    let lag = record.runtime_lag.unwrap();
    // 60 probes of the blocked runtime; of the other one, if there is one, those of its first moments.
    assert!((40..90).contains(&lag.lag.count), "{lag:?}");
}

#[test]
fn arrivals_come_by_the_schedule_and_are_accounted_for() {
    let schedule = Schedule::constant(1_000.0, Duration::from_millis(300));
    let plan = Plan::new("open", Model::open(schedule, users(50)));
    let record = write(Manner::Yields, &plan).unwrap().record;
    let open = record.open.unwrap();
    assert_eq!(open.arrivals.scheduled, 300);
    assert!(open.arrivals.balance());
    assert_eq!(record.iterations.completed, 300);
    assert_eq!(open.response_time.count, 300);
    assert!(record.wall_ns >= 299_000_000);
}

#[test]
fn a_stop_wakes_those_who_wait() {
    let an_hour = Duration::from_secs(3_600);
    let plan = Plan::new("stopped", Model::elapsed(users(3), an_hour))
        .think_time(ThinkTime::Constant(an_hour));
    let stop = StopHandle::new();
    let workload = Arc::new(Writer(Manner::Yields));
    let outcome = run_async(workload, &plan, &stop, |progress| {
        if progress.done == 3 {
            stop.stop();
        }
    })
    .unwrap();
    assert!(outcome.record.interrupted);
    assert_eq!(outcome.record.iterations.completed, 3);
    assert!(outcome.record.wall_ns < an_hour.as_nanos() as u64);
}

#[test]
fn a_failed_set_up_ends_the_run_with_an_error() {
    struct Unready;

    impl AsyncWorkload for Unready {
        type User = ();

        fn steps(&self) -> Vec<StepSpec> {
            vec![WRITE]
        }

        async fn set_up(&self, user: u32) -> Result<(), Failure> {
            if user == 3 {
                Err(Failure::new("no connection"))
            } else {
                Ok(())
            }
        }

        async fn iterate(&self, (): &mut (), _: &mut Iteration<'_>) -> Result<(), Failure> {
            Ok(())
        }
    }

    let error = run_async(
        Arc::new(Unready),
        &three_each(5),
        &StopHandle::new(),
        |_| {},
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "set-up of user 3 failed (1 of 5 users failed): no connection"
    );
}
