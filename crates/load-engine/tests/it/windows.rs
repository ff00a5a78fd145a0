//! What belongs to which time: the scheduled window, its phases and the drain; and failures, which are no
//! successes.

use std::num::NonZeroU32;
use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Model, Plan, RunRecord, Schedule, SimulatedClock, StepSpec,
    StopHandle, Threshold, UserStage, Workload, run_on,
};

use crate::store::users;

const CALL: StepSpec = StepSpec::new("call");
const SECOND: Duration = Duration::from_secs(1);
const SECOND_NS: u64 = 1_000_000_000;

/// Answers after a time that depends on the iteration, and may fail, in the step or outside of it.
struct Target<'c, F> {
    clock: &'c SimulatedClock,
    answer: F,
}

enum Answer {
    After(Duration),
    FailsAfter(Duration),
    BadRow,
}

impl<F: Fn(u64) -> Answer + Sync> Workload for Target<'_, F> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let (time, succeeds) = match (self.answer)(it.index()) {
            Answer::BadRow => {
                self.clock.sleep_until(self.clock.now_ns() + 1_000_000);
                return Err(Failure::new("line 7 of users.csv: 1 fields"));
            }
            Answer::After(time) => (time, true),
            Answer::FailsAfter(time) => (time, false),
        };
        it.step(&CALL, |_| {
            self.clock
                .sleep_until(self.clock.now_ns() + time.as_nanos() as u64);
            if succeeds {
                Ok(())
            } else {
                Err(Failure::new("refused"))
            }
        })
    }
}

fn simulate(plan: &Plan, answer: impl Fn(u64) -> Answer + Sync) -> RunRecord {
    let clock = SimulatedClock::new();
    let target = Target {
        clock: &clock,
        answer,
    };
    let (record, _) = run_on(&clock, &target, plan, &StopHandle::new(), |_| {}).unwrap();
    assert_eq!(record.inconsistency(), None);
    record
}

fn observed(text: &str, record: &RunRecord) -> f64 {
    let threshold: Threshold = text.parse().unwrap();
    threshold.judge(record, None).observed.unwrap()
}

#[test]
fn the_rate_is_what_completed_in_the_window_and_the_drain_is_apart() {
    // 10 arrivals a second for 2 s at one server that takes 250 ms: 8 complete in time, 12 are drained.
    let schedule = Schedule::constant(10.0, 2 * SECOND);
    let plan = Plan::new("slow", Model::open(schedule, NonZeroU32::MIN)).phase("a", 2 * SECOND);
    let record = simulate(&plan, |_| Answer::After(Duration::from_millis(250)));
    let step = record.step("call").unwrap();
    assert_eq!(
        (step.succeeded, step.completed(), step.drained),
        (20, 7, 13)
    );
    assert_eq!(record.window_ns(), 2 * SECOND_NS);
    assert_eq!(record.drain_ns(), 3 * SECOND_NS);
    let rates = ["rate > 0/s", "rate(call) > 0/s", "rate(@ a) > 0/s"];
    assert_eq!(rates.map(|rate| observed(rate, &record)), [3.5; 3]);
    assert_eq!(record.operations_per_second(), 3.5);
    assert_eq!(observed("offered_rate > 0/s", &record), 10.0);
    assert_eq!(observed("drained < 99", &record), 13.0);
    let arrivals = record.open.unwrap().arrivals;
    assert_eq!(
        (arrivals.done + arrivals.drained(), arrivals.scheduled),
        (20, 20)
    );
}

#[test]
fn a_phase_owns_the_latency_that_its_load_caused_and_the_rate_of_what_completed_in_it() {
    // A stall from 0.9 s to 1.5 s: the operation began in the first phase and completed in the second.
    let plan = Plan::new("stall", Model::elapsed(users(1), 2 * SECOND))
        .phase("first", SECOND)
        .phase("second", SECOND);
    let record = simulate(&plan, |n| {
        Answer::After(Duration::from_millis(if n == 9 { 600 } else { 100 }))
    });
    let [first, second] = &record.phases[..] else {
        panic!("two phases")
    };
    let of = |phase: &load_engine::PhaseSummary| {
        let step = &phase.steps[0];
        (
            step.attempted(),
            step.completed.unwrap(),
            step.latency.max_ns / 100_000_000,
        )
    };
    assert_eq!((of(first), of(second)), ((10, 9, 6), (5, 5, 1)));
    assert_eq!(
        record.step("call").unwrap().drained,
        1,
        "the last ends as the window does"
    );
}

#[test]
fn a_trailing_phase_lasts_as_long_as_the_plan_says() {
    let stage = |from, to, seconds| UserStage {
        from,
        to,
        duration: seconds * SECOND,
    };
    let stages = [stage(2, 2, 2), stage(2, 0, 1), stage(0, 0, 4)];
    let plan = Plan::new("cool", Model::staged(stages))
        .phase("a", 3 * SECOND)
        .phase("cool", 4 * SECOND);
    let closed = simulate(&plan, |_| Answer::After(Duration::from_millis(50)));
    assert_eq!(
        (closed.wall_ns, closed.window_ns()),
        (7 * SECOND_NS, 7 * SECOND_NS)
    );
    assert!(!closed.interrupted);

    let schedule = Schedule::constant(10.0, SECOND).then_at(0.0, 4 * SECOND);
    let plan = Plan::new("quiet", Model::open(schedule, users(2)));
    let open = simulate(&plan, |_| Answer::After(Duration::from_millis(50)));
    assert_eq!(open.wall_ns, 5 * SECOND_NS);
    assert_eq!(observed("rate > 0/s", &open), 2.0, "idle time counts");
}

#[test]
fn failing_fast_is_not_fast() {
    let plan = Plan::new("refusing", Model::elapsed(users(1), 10 * SECOND));
    let record = simulate(&plan, |n| {
        if n % 10 == 0 {
            Answer::After(Duration::from_millis(900))
        } else {
            Answer::FailsAfter(Duration::from_millis(10))
        }
    });
    let step = record.step("call").unwrap();
    assert_eq!(step.service_time.min_ns.div_ceil(1_000_000), 900);
    let failures = step.failure_time.as_ref().unwrap();
    assert_eq!(failures.count, step.failed);
    assert_eq!(failures.max_ns.div_ceil(1_000_000), 11);
    assert_eq!((observed("p50 < 1s", &record) / 1e6).round(), 900.0);
    assert_eq!(observed("rate > 0/s", &record), 1.0);
    assert!(observed("error_rate < 99%", &record) > 0.89);
}

#[test]
fn iterations_that_fail_outside_every_step_are_errors() {
    let plan = Plan::new("rows", Model::elapsed(users(2), SECOND)).phase("a", SECOND);
    let record = simulate(&plan, |n| {
        if n % 10 == 0 {
            Answer::After(Duration::from_millis(1))
        } else {
            Answer::BadRow
        }
    });
    for figure in ["error_rate < 99%", "error_rate(@ a) < 99%"] {
        assert!((observed(figure, &record) - 0.9).abs() < 0.001, "{figure}");
    }
    assert!((record.error_rate() - 0.9).abs() < 0.001);
    let rule: Threshold = "error_rate < 50%".parse().unwrap();
    let record = simulate(&plan.abort_on_fail(rule, Duration::ZERO), |_| {
        Answer::BadRow
    });
    assert_eq!(
        record.failures.messages[0].message,
        "line 7 of users.csv: 1 fields"
    );
}

#[test]
fn operations_of_a_stall_are_logged_with_their_start_and_end() {
    let plan = Plan::new("stalls", Model::elapsed(users(3), 2 * SECOND));
    let record = simulate(&plan, |n| {
        Answer::After(Duration::from_millis(if n == 100 { 500 } else { 5 }))
    });
    let slow: Vec<_> = record
        .slow_operations
        .iter()
        .map(|slow| {
            (
                slow.user,
                slow.start_ns / 1_000_000,
                slow.end_ns / 1_000_000,
            )
        })
        .collect();
    assert_eq!(slow, [(0, 500, 1_000), (1, 500, 1_000), (2, 500, 1_000)]);
}

#[test]
fn a_record_whose_sums_differ_says_which() {
    let plan = Plan::new("sums", Model::elapsed(users(1), SECOND));
    let mut record = simulate(&plan, |_| Answer::After(Duration::from_millis(10)));
    record.steps[0].failed += 1;
    assert_eq!(
        record.inconsistency().unwrap(),
        "operations of `call`: 100 are not the 101 of its parts"
    );
}
