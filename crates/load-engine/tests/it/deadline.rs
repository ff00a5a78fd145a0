//! Runs that end when the plan says, whatever the workload does.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use load_engine::{
    Clock, Digest, Effects, Failure, Found, Iteration, Model, MonotonicClock, Outcome, Plan,
    Ruling, Schedule, StepSpec, StopHandle, Threshold, Workload, run_shared, verify,
};

use crate::store::users;

const WRITE: StepSpec = StepSpec::effectful("write");
const SPIN: StepSpec = StepSpec::effectful("spin");
const PATIENCE: Duration = Duration::from_secs(60);

/// Each user writes once in good order. The next write never yields, until the test lets it go.
#[derive(Default)]
struct Spinning {
    released: AtomicBool,
    spinning: AtomicU32,
}

impl Spinning {
    fn spin(&self, effects: &mut Effects<'_>, key: &str) {
        effects.attempted("row", key);
        self.spinning.fetch_add(1, Ordering::Relaxed);
        while !self.released.load(Ordering::Relaxed) {
            spin_loop();
        }
        effects.created("row", key, Digest::of(b"too late"));
    }
}

impl Workload for Spinning {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE, SPIN]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let key = format!("{}-{}", it.user(), it.index());
        it.step(&WRITE, |effects| {
            effects.created("row", &key, Digest::of(b"in time"));
            Ok(())
        })?;
        it.step(&SPIN, |effects| {
            self.spin(effects, &key);
            Ok(())
        })
    }
}

/// More users than processors, none of which ever yields.
fn spin(plan: &Plan) -> (Arc<Spinning>, Outcome, Duration) {
    let target = Arc::new(Spinning::default());
    let clock = MonotonicClock::new();
    let outcome = run_shared(Arc::clone(&target), plan, &StopHandle::new(), |_| {}).unwrap();
    (target, outcome, Duration::from_nanos(clock.now_ns()))
}

#[test]
fn a_workload_that_never_yields_is_left_at_the_deadline_and_counted_as_in_flight() {
    let time = Duration::from_millis(500);
    let (target, mut outcome, took) = spin(&Plan::new("spin", Model::elapsed(users(4), time)));
    let record = &outcome.record;
    assert!(Duration::from_nanos(record.wall_ns) >= time);
    // It would be for ever; how much later than asked it ends is for a machine that is quiet.
    assert!(took < PATIENCE, "{took:?}");
    assert!(!record.interrupted, "its time was up");
    let iterations = record.iterations;
    assert_eq!((iterations.completed, iterations.failed), (0, 0));
    assert_eq!(iterations.in_flight, 4);
    let step = |name| record.step(name).unwrap();
    assert_eq!((step("write").succeeded, step("write").in_flight), (4, 0));
    assert_eq!((step("spin").attempted, step("spin").in_flight), (0, 4));
    assert_eq!(step("write").service_time.count, 4);
    assert!(step("spin").longest_in_flight_ns > 0);
    assert_eq!(outcome.stragglers.count(), 4);

    // What was acknowledged is there, and what was under way may be.
    let in_time = |user| {
        Ok::<_, Failure>(Found::new(
            "row",
            format!("{user}-0"),
            Digest::of(b"in time"),
        ))
    };
    let too_late = |user| {
        Ok::<_, Failure>(Found::new(
            "row",
            format!("{user}-0"),
            Digest::of(b"too late"),
        ))
    };
    assert!(verify(&outcome.ledger, (0..4).map(in_time)).holds());
    assert!(verify(&outcome.ledger, (0..4).map(too_late)).holds());

    let before = outcome.record.clone();
    target.released.store(true, Ordering::Relaxed);
    assert_eq!(outcome.stragglers.wait(PATIENCE).unwrap(), 0);
    assert!(
        Arc::try_unwrap(target).is_ok(),
        "no thread holds it any more"
    );
    assert_eq!(outcome.record, before, "what came later is in no figure");
}

/// Waits until the run is over, and writes then.
#[derive(Default)]
struct TooLate {
    released: AtomicBool,
    written: AtomicU32,
}

impl Workload for TooLate {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&WRITE, |effects| {
            while !self.released.load(Ordering::Relaxed) {
                spin_loop();
            }
            effects.attempted("row", "late");
            self.written.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }
}

/// A user that came out of a wait when its ledger had been read used to write all the same: the target was
/// then said to have altered what it had acknowledged before.
#[test]
fn what_can_no_longer_be_noted_is_not_written() {
    let target = Arc::new(TooLate::default());
    let plan = Plan::new("late", Model::elapsed(users(2), Duration::from_millis(50)));
    let stop = StopHandle::new();
    let mut outcome = run_shared(Arc::clone(&target), &plan, &stop, |_| {}).unwrap();
    assert_eq!((outcome.stragglers.count(), outcome.ledger.len()), (2, 0));
    target.released.store(true, Ordering::Relaxed);
    assert_eq!(outcome.stragglers.wait(PATIENCE).unwrap(), 0);
    assert_eq!(target.written.load(Ordering::Relaxed), 0);
}

#[test]
fn arrivals_that_never_end_are_in_flight_and_the_rest_is_cut() {
    let schedule = Schedule::constant(100.0, Duration::from_millis(200));
    let plan = Plan::new("spin", Model::open(schedule, users(3))).grace(Duration::from_millis(5));
    let (target, mut outcome, _) = spin(&plan);
    let arrivals = outcome.record.open.as_ref().unwrap().arrivals;
    assert_eq!(
        (arrivals.scheduled, arrivals.in_flight, arrivals.done),
        (20, 3, 0)
    );
    assert_eq!(arrivals.cut, 17);
    assert!(arrivals.balance());
    let record = &outcome.record;
    assert_eq!(
        (record.iterations.failed, record.iterations.in_flight),
        (3, 0)
    );
    assert_eq!(record.inconsistency(), None);
    target.released.store(true, Ordering::Relaxed);
    assert_eq!(outcome.stragglers.wait(PATIENCE).unwrap(), 0);
}

#[test]
fn a_stop_ends_a_run_that_would_never_end_and_says_that_it_was_interrupted() {
    let target = Arc::new(Spinning::default());
    let stop = StopHandle::new();
    let model = Model::iterations(users(2), std::num::NonZeroU64::MIN);
    let plan = Plan::new("spin", model).grace(Duration::from_millis(1));
    let mut outcome = run_shared(Arc::clone(&target), &plan, &stop, |_| {
        if target.spinning.load(Ordering::Relaxed) == 2 {
            stop.stop();
        }
    })
    .unwrap();
    assert!(outcome.record.interrupted);
    assert_eq!(outcome.record.iterations.in_flight, 2);
    target.released.store(true, Ordering::Relaxed);
    assert_eq!(outcome.stragglers.wait(PATIENCE).unwrap(), 0);
}

/// A target that answered nothing had an error rate of 0 of nothing.
#[test]
fn what_does_not_finish_in_its_time_has_failed_and_counts_with_what_it_waited() {
    let time = Duration::from_millis(100);
    let (before, last) = (Duration::from_millis(10), Duration::from_secs(1));
    let plan = Plan::new("spin", Model::elapsed(users(2), time))
        .phase("before", before)
        .phase("last", last)
        .grace(Duration::from_millis(20));
    let (target, mut outcome, _) = spin(&plan);
    let record = &outcome.record;
    let iterations = record.iterations;
    assert_eq!((iterations.failed, iterations.in_flight), (2, 0));
    let spin = record.step("spin").unwrap();
    assert_eq!((spin.attempted, spin.failed, spin.in_flight), (2, 2, 0));
    assert_eq!(
        spin.failures.messages[0].message,
        "had not finished 20ms after the load's end"
    );
    let waited = spin.failure_time.as_ref().unwrap();
    assert_eq!(waited.count, 2);
    assert!(
        Duration::from_nanos(waited.max_ns) <= Duration::from_nanos(record.wall_ns + 1_000_000)
    );
    assert_eq!(spin.service_time.count, 0, "no success is made of it");
    assert_eq!(record.error_rate(), 0.5, "2 of 4 operations");
    let failed: u64 = record.phases.iter().map(|phase| phase.failed).sum();
    assert_eq!(failed, 2, "each in the phase in which it began");
    assert_eq!(record.inconsistency(), None);
    let limit: Threshold = "error_rate < 5%".parse().unwrap();
    assert_eq!(limit.judge(record, None).ruling, Ruling::Violated);
    target.released.store(true, Ordering::Relaxed);
    assert_eq!(outcome.stragglers.wait(PATIENCE).unwrap(), 0);
}

/// Takes 1 ms a write.
struct Obliging(MonotonicClock);

impl Workload for Obliging {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let key = format!("{}-{}", it.user(), it.index());
        it.step(&WRITE, |effects| {
            self.0.sleep_until(self.0.now_ns() + 1_000_000);
            effects.created("row", &key, Digest::of(b"in time"));
            Ok(())
        })
    }
}

#[test]
fn a_workload_that_returns_is_not_cut_and_lets_go_of_what_is_shared() {
    let target = Arc::new(Obliging(MonotonicClock::new()));
    let model = Model::elapsed(users(3), Duration::from_millis(100));
    // As much grace as a machine that is busy with other tests may need.
    let plan = Plan::new("obliging", model).grace(PATIENCE);
    let mut outcome = run_shared(Arc::clone(&target), &plan, &StopHandle::new(), |_| {}).unwrap();
    assert_eq!(outcome.record.iterations.in_flight, 0);
    assert_eq!(outcome.stragglers.count(), 0);
    let completed = outcome.record.iterations.completed;
    assert!(completed > 3);
    assert_eq!(outcome.ledger.len() as u64, completed);
    assert!(Arc::try_unwrap(target).is_ok());
}
