//! Set-up, end and the engine's account of itself.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Model, Plan, RunError, RunRecord, SimulatedClock, Stage, StepSpec,
    StopHandle, Workload, run, run_on,
};

use crate::store::{Honesty, Store, load, plan, users};

const STEP: StepSpec = StepSpec::new("step");

/// A workload made of closures.
struct Custom<S, I> {
    set_up: S,
    iterate: I,
    torn_down: AtomicU32,
}

impl<S, I> Custom<S, I>
where
    S: Fn(u32) -> Result<(), Failure> + Sync,
    I: Fn(&mut Iteration<'_>) -> Result<(), Failure> + Sync,
{
    fn new(set_up: S, iterate: I) -> Self {
        Self {
            set_up,
            iterate,
            torn_down: AtomicU32::new(0),
        }
    }
}

impl<S, I> Workload for Custom<S, I>
where
    S: Fn(u32) -> Result<(), Failure> + Sync,
    I: Fn(&mut Iteration<'_>) -> Result<(), Failure> + Sync,
{
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![STEP]
    }

    fn set_up(&self, user: u32) -> Result<(), Failure> {
        (self.set_up)(user)
    }

    fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        (self.iterate)(it)
    }

    fn tear_down(&self, (): ()) -> Result<(), Failure> {
        self.torn_down.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn refused(result: Result<(RunRecord, load_engine::Ledger), RunError>) -> RunError {
    result.map(|(record, _)| record).unwrap_err()
}

fn idle(it: &mut Iteration<'_>) -> Result<(), Failure> {
    it.step(&STEP, |_| Ok(()))
}

#[test]
fn checks_are_counted_by_name_apart_from_failures() {
    let workload = Custom::new(
        |_| Ok(()),
        |it| {
            let even = it.index() % 2 == 0;
            assert_eq!(it.check("the index is even", even), even);
            if it.user() == 1 {
                it.check("asked of one user", true);
            }
            idle(it)
        },
    );
    let plan = Plan::new(
        "checks",
        Model::iterations(users(3), 10.try_into().unwrap()),
    );
    let (record, _) = run(&workload, &plan, &StopHandle::new(), |_| {}).unwrap();
    let render = |check: &load_engine::CheckCount| {
        format!("{}: {}/{}", check.name, check.passed, check.failed)
    };
    let checks: Vec<_> = record.checks.iter().map(render).collect();
    assert_eq!(
        checks,
        ["asked of one user: 10/0", "the index is even: 15/15"]
    );
    assert_eq!(
        (record.iterations.completed, record.iterations.failed),
        (30, 0)
    );
    assert_eq!(record.check("the index is even").unwrap().failed, 15);
    assert_eq!(record.check("no such"), None);
    let json = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), record);
}

#[test]
fn a_failed_set_up_ends_the_run_with_an_error_and_without_load() {
    let iterated = AtomicU32::new(0);
    let workload = Custom::new(
        |user| {
            if user % 3 == 1 {
                Err(Failure::new("connection refused"))
            } else {
                Ok(())
            }
        },
        |_| {
            iterated.fetch_add(1, Ordering::Relaxed);
            Ok(())
        },
    );
    let error = refused(run(&workload, &plan(6, 5), &StopHandle::new(), |_| {}));
    assert_eq!(
        error.to_string(),
        "set-up of user 1 failed (2 of 6 users failed): connection refused"
    );
    assert_eq!(iterated.load(Ordering::Relaxed), 0);
    assert_eq!(
        workload.torn_down.into_inner(),
        4,
        "users that stood are torn down"
    );
}

#[test]
fn a_panic_in_set_up_is_an_error_and_no_hang() {
    let workload = Custom::new(|_| panic!("no such file"), idle);
    let error = refused(run(&workload, &plan(3, 5), &StopHandle::new(), |_| {}));
    assert!(
        matches!(&error, RunError::SetUp { failed: 3, message, .. } if message == "panicked: no such file"),
        "{error}"
    );
}

#[test]
fn every_user_is_ready_before_the_first_iteration() {
    let ready = AtomicU32::new(0);
    let workload = Custom::new(
        |_| {
            ready.fetch_add(1, Ordering::SeqCst);
            Ok(())
        },
        |it| {
            let ready = ready.load(Ordering::SeqCst);
            it.step(&STEP, |_| {
                if ready == 20 {
                    Ok(())
                } else {
                    Err(Failure::new("too early"))
                }
            })
        },
    );
    let (record, _) = load(&workload, &plan(20, 3));
    assert_eq!(record.step("step").unwrap().succeeded, 60);
    assert_eq!(workload.torn_down.into_inner(), 20);
}

#[test]
fn all_users_iterate_at_once() {
    let together = Barrier::new(8);
    let workload = Custom::new(
        |_| Ok(()),
        |it| {
            it.step(&STEP, |_| {
                together.wait();
                Ok(())
            })
        },
    );
    let (record, _) = load(&workload, &plan(8, 5));
    assert_eq!(record.iterations.completed, 40);
}

#[test]
fn a_stopped_run_ends_with_what_it_has() {
    let stop = StopHandle::new();
    let workload = Custom::new(
        |_| Ok(()),
        |it| {
            if it.user() == 0 && it.index() == 10 {
                stop.stop();
            }
            idle(it)
        },
    );
    let forever = Plan::new("soak", Model::elapsed(users(2), Duration::from_secs(3600)));
    let (record, _) = run(&workload, &forever, &stop, |_| {}).unwrap();
    assert!(record.interrupted);
    assert!(record.iterations.completed >= 11);
    assert_eq!(record.iterations.planned, None);
    assert_eq!(workload.torn_down.into_inner(), 2);
}

#[test]
fn a_run_that_is_stopped_before_it_begins_does_nothing_and_says_so() {
    let stop = StopHandle::new();
    stop.stop();
    let (record, ledger) = run(&Store::new(Honesty::Honest), &plan(3, 5), &stop, |_| {}).unwrap();
    assert!(record.interrupted && ledger.is_empty());
    assert_eq!(record.operations(), 0);
    assert_eq!(
        (
            record.error_rate(),
            record.operations_per_second().is_finite()
        ),
        (0.0, true)
    );
}

#[test]
fn a_run_of_an_hour_ends_in_time_by_its_clock() {
    let clock = SimulatedClock::new();
    let workload = Custom::new(
        |_| Ok(()),
        |it| {
            it.step(&STEP, |_| {
                clock.sleep_until(clock.now_ns() + 1_000_000_000);
                Ok(())
            })
        },
    );
    let hour = Plan::new("hour", Model::elapsed(users(4), Duration::from_secs(3600)));
    let (record, _) = run_on(&clock, &workload, &hour, &StopHandle::new(), |_| {}).unwrap();
    assert_eq!(record.iterations.completed, 4 * 3600);
    assert_eq!(record.wall_ns, 3_600_000_000_000);
    let latency = &record.step("step").unwrap().service_time;
    assert!((999_000_000..1_001_000_000).contains(&latency.p50_ns));
    assert!(!record.interrupted);
}

#[test]
fn an_iteration_without_a_step_ends_in_time_too() {
    let workload = Custom::new(|_| Ok(()), |_| Ok(()));
    let short = Plan::new("short", Model::elapsed(users(1), Duration::from_millis(20)));
    let (record, _) = load(&workload, &short);
    assert!(record.wall_ns >= 20_000_000);
    assert!(record.iterations.completed > 0);
}

#[test]
fn progress_is_told_while_the_run_lasts_and_at_its_end() {
    let clock = SimulatedClock::new();
    let proceed = Barrier::new(2);
    let workload = Custom::new(
        |_| Ok(()),
        |it| {
            if it.index() == 3 {
                proceed.wait();
            }
            if it.index() % 2 == 1 {
                Err(Failure::new("odd"))
            } else {
                idle(it)
            }
        },
    );
    let mut seen = Vec::new();
    let (record, _) = run_on(
        &clock,
        &workload,
        &plan(1, 5),
        &StopHandle::new(),
        |progress| {
            let waits_in_the_fourth = progress.done == 3 && seen.last() != Some(progress);
            seen.push(progress.clone());
            if waits_in_the_fourth {
                proceed.wait();
            }
        },
    )
    .unwrap();
    let fourth = seen.iter().find(|progress| progress.done == 3).unwrap();
    assert_eq!((fourth.stage, fourth.users), (Stage::Running, 1));
    let last = seen.last().unwrap();
    assert_eq!(
        (last.done, last.failed, last.planned, last.users),
        (5, 2, Some(5), 0)
    );
    assert_eq!(record.failures.messages[0].message, "odd");
    assert_eq!(record.failures.total(), 2);
}

/// Users that wait for the start barrier, or iterate for an hour, would otherwise keep the caller for ever.
#[test]
fn a_panic_of_the_callers_own_code_ends_the_run() {
    let model = Model::elapsed(users(2), Duration::from_secs(3600));
    let plan = Plan::new("panic", model);
    for in_set_up in [true, false] {
        let called = Barrier::new(2);
        let workload = Custom::new(
            |user| {
                if user == 1 && in_set_up {
                    called.wait();
                }
                Ok(())
            },
            idle,
        );
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&workload, &plan, &StopHandle::new(), |_| {
                if in_set_up {
                    called.wait();
                }
                panic!("no terminal");
            })
        }));
        assert!(caught.is_err());
        assert_eq!(workload.torn_down.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn a_step_that_was_not_declared_fails_without_being_run() {
    let workload = Custom::new(
        |_| Ok(()),
        |it| {
            it.step(&StepSpec::new("stpe"), |_| -> Result<(), Failure> {
                unreachable!()
            })
        },
    );
    let (record, _) = load(&workload, &plan(1, 2));
    assert_eq!(
        record.failures.messages[0].message,
        "step `stpe` is not declared by the workload"
    );
    assert_eq!(record.iterations.failed, 2);
}

#[test]
fn steps_must_be_declared_and_have_different_names() {
    struct Steps(Vec<StepSpec>);
    impl Workload for Steps {
        type User = ();
        fn steps(&self) -> Vec<StepSpec> {
            self.0.clone()
        }
        fn set_up(&self, _: u32) -> Result<(), Failure> {
            Ok(())
        }
        fn iterate(&self, (): &mut (), _: &mut Iteration<'_>) -> Result<(), Failure> {
            Ok(())
        }
    }
    let message =
        |steps| refused(run(&Steps(steps), &plan(1, 1), &StopHandle::new(), |_| {})).to_string();
    assert_eq!(message(vec![]), "the workload declares no step");
    assert_eq!(
        message(vec![STEP, StepSpec::new("other"), STEP]),
        "step `step` is declared twice (as step 0 and step 2)"
    );
}

#[test]
fn a_failed_tear_down_is_counted() {
    struct Sticky;
    impl Workload for Sticky {
        type User = u32;
        fn steps(&self) -> Vec<StepSpec> {
            vec![STEP]
        }
        fn set_up(&self, user: u32) -> Result<u32, Failure> {
            Ok(user)
        }
        fn iterate(&self, _: &mut u32, it: &mut Iteration<'_>) -> Result<(), Failure> {
            idle(it)
        }
        fn tear_down(&self, user: u32) -> Result<(), Failure> {
            if user == 1 {
                panic!("still open")
            } else {
                Err(Failure::new("busy"))
            }
        }
    }
    let (record, _) = load(&Sticky, &plan(3, 1));
    let failures = record.tear_down_failures;
    assert_eq!(
        (
            failures.messages[0].message.as_str(),
            failures.messages[0].count
        ),
        ("busy", 2)
    );
    assert_eq!(failures.messages[1].message, "panicked: still open");
}

#[test]
fn the_record_tells_what_the_process_and_the_engine_used() {
    let busy = Custom::new(
        |_| Ok(()),
        |it| {
            it.step(&STEP, |_| {
                std::hint::black_box((0..20_000u64).fold(0, |sum, n| sum ^ n));
                Ok(())
            })
        },
    );
    let plan = Plan::new("busy", Model::elapsed(users(1), Duration::from_millis(60)))
        .sample_period(Duration::from_millis(5));
    let (record, _) = load(&busy, &plan);
    let monitor = &record.monitor;
    assert!(monitor.samples.len() >= 3, "{}", monitor.samples.len());
    assert!(
        monitor.samples[0].at_ns < 0,
        "the first is from before the load"
    );
    assert!(monitor.samples.last().unwrap().at_ns >= record.wall_ns as i64);
    assert!(monitor.summary.resident_peak_bytes >= monitor.summary.resident_before_bytes);
    assert!(monitor.summary.cpu_ns.unwrap() > 0);
    assert!(record.generator.operation_overhead_ns > 0.0);
    let share = record.generator.cpu_share.unwrap();
    assert!(share > 0.0 && share <= 1.0, "{share}");
}

#[test]
fn a_record_survives_being_saved() {
    let (record, _) = load(&Store::new(Honesty::FailsEvery(7)), &plan(3, 30));
    let json = serde_json::to_string(&record).unwrap();
    let read: RunRecord = serde_json::from_str(&json).unwrap();
    assert_eq!(
        serde_json::to_value(&read).unwrap(),
        serde_json::to_value(&record).unwrap()
    );
    let schema = schemars::schema_for!(RunRecord).to_value();
    assert!(schema["properties"]["steps"].is_object());
}
