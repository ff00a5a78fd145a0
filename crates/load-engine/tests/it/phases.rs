//! Users who come, think and go, and phases with figures of their own.

use std::time::Duration;

use load_engine::{
    Clock, Condition, Failure, Iteration, Model, PhaseSummary, Plan, RunRecord, Schedule,
    SimulatedClock, StepSpec, StopHandle, ThinkTime, Threshold, UserStage, Workload, run_on,
};

use crate::store::users;

const CALL: StepSpec = StepSpec::new("call");
const SECOND: Duration = Duration::from_secs(1);

/// A target that takes as long as it is told.
struct Steady<'c> {
    clock: &'c SimulatedClock,
    service: Duration,
}

impl Workload for Steady<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&CALL, |_| {
            self.clock
                .sleep_until(self.clock.now_ns() + self.service.as_nanos() as u64);
            Ok(())
        })
    }
}

fn simulate(service: Duration, plan: &Plan) -> RunRecord {
    let clock = SimulatedClock::new();
    let target = Steady {
        clock: &clock,
        service,
    };
    run_on(&clock, &target, plan, &StopHandle::new(), |_| {})
        .unwrap()
        .0
}

fn render(phases: &[PhaseSummary]) -> String {
    let line = |phase: &PhaseSummary| {
        let (from, to) = (phase.start_ns / 1_000_000_000, phase.end_ns / 1_000_000_000);
        let (done, in_flight) = (phase.completed, phase.in_flight);
        let p99_ms = phase.steps[0].latency.p99_ns / 1_000_000;
        format!(
            "{} {from}..{to} s: {done}, {in_flight} in flight, p99 {p99_ms} ms\n",
            phase.name
        )
    };
    phases.iter().map(line).collect()
}

#[test]
fn users_ramp_up_hold_and_ramp_down_and_each_phase_counts_its_own() {
    let stages = [
        UserStage::ramp(0, 10, 10 * SECOND),
        UserStage::hold(10, 10 * SECOND),
        UserStage::ramp(10, 0, 10 * SECOND),
    ];
    let plan = Plan::new("peak", Model::staged(stages))
        .phase("ramp-up", 10 * SECOND)
        .phase("peak", 10 * SECOND)
        .phase("ramp-down", 10 * SECOND);
    let record = simulate(Duration::from_millis(300), &plan);
    assert_eq!(record.users, 10);
    assert!(!record.interrupted);
    // User n comes at second n + 1, so that 45 user-seconds of 300 ms each are in a ramp.
    assert_eq!(
        render(&record.phases),
        "ramp-up 0..10 s: 153, 9 in flight, p99 300 ms\n\
         peak 10..20 s: 334, 10 in flight, p99 300 ms\n\
         ramp-down 20..30 s: 153, 0 in flight, p99 300 ms\n"
    );
    let in_phases: u64 = record.phases.iter().map(|phase| phase.completed).sum();
    assert_eq!(in_phases, record.iterations.completed);
}

#[test]
fn think_time_is_no_part_of_a_latency() {
    let model = Model::elapsed(users(2), 10 * SECOND);
    let plan =
        Plan::new("think", model).think_time(ThinkTime::Constant(Duration::from_millis(400)));
    let record = simulate(Duration::from_millis(100), &plan);
    assert_eq!(record.iterations.completed, 2 * 20);
    assert!(record.step("call").unwrap().service_time.max_ns < 101_000_000);
    assert_eq!(record.wall_ns, 10_000_000_000);
}

#[test]
fn an_exponential_think_time_gives_the_load_that_its_mean_promises() {
    let model = Model::elapsed(users(20), 100 * SECOND);
    let plan =
        Plan::new("think", model).think_time(ThinkTime::Exponential(Duration::from_millis(900)));
    let record = simulate(Duration::from_millis(100), &plan);
    // One iteration a second and user; the standard deviation of the sum is about 40.
    assert!(
        (1_850..2_150).contains(&record.iterations.completed),
        "{:?}",
        record.iterations
    );
}

#[test]
fn arrivals_belong_to_the_phase_in_which_they_were_due() {
    let schedule = Schedule::constant(10.0, 5 * SECOND).then_at(100.0, 5 * SECOND);
    let plan = Plan::new("spike", Model::open(schedule, users(10)))
        .phase("calm", 5 * SECOND)
        .phase("spike", 5 * SECOND);
    // Ten threads of 200 ms do 50 a second: the spike is twice too much.
    let record = simulate(Duration::from_millis(200), &plan);
    let (calm, spike) = (&record.phases[0], &record.phases[1]);
    assert_eq!((calm.completed, calm.in_flight), (50, 2));
    assert_eq!(spike.completed, 500);
    assert!(
        spike.in_flight > 240,
        "half of the spike waits at its end: {}",
        spike.in_flight
    );
    assert!(calm.steps[0].latency.max_ns < 201_000_000);
    assert!(spike.steps[0].latency.max_ns > 4_500_000_000);
}

#[test]
fn a_stopped_staged_run_says_so_and_one_that_is_through_does_not() {
    let clock = SimulatedClock::new();
    let target = Steady {
        clock: &clock,
        service: SECOND,
    };
    let stop = StopHandle::new();
    stop.stop();
    let plan = Plan::new("stopped", Model::staged([UserStage::hold(2, 5 * SECOND)]));
    let (record, _) = run_on(&clock, &target, &plan, &stop, |_| {}).unwrap();
    assert!(record.interrupted);
    assert!(!simulate(SECOND, &plan).interrupted);
}

/// What a phase of centuries is, unless a condition ends it.
const ENDLESS: Duration = Duration::from_secs(10_000_000_000);

#[test]
fn a_phase_ends_when_its_condition_holds_and_what_follows_comes_at_once() {
    let stages = [
        UserStage::hold(4, ENDLESS),
        UserStage::hold(1, 1_000 * SECOND),
    ];
    let enough: Threshold = "p50(call @ stress) >= 100ms".parse().unwrap();
    let plan = Plan::new("early", Model::staged(stages))
        .phase_until("stress", ENDLESS, enough)
        .phase("recovery", 1_000 * SECOND);
    let record = simulate(Duration::from_millis(100), &plan);
    let (stress, recovery) = (&record.phases[0], &record.phases[1]);
    assert!(stress.ended_early && !recovery.ended_early);
    assert_eq!(stress.end_ns, recovery.start_ns);
    assert_eq!(recovery.end_ns - recovery.start_ns, 1_000_000_000_000);
    // One user of 100 ms, less what the simulated clock goes on while the phases are moved.
    let completed = recovery.completed;
    assert!((5_000..=10_010).contains(&completed), "{completed}");
    assert!(!record.interrupted, "it went through all of its stages");
    let spread = record.wall_ns.abs_diff(recovery.end_ns);
    assert!(spread <= 200_000_000, "{spread}");
}

#[test]
fn code_can_end_a_phase_and_the_arrivals_of_what_was_left_are_counted_as_skipped() {
    let schedule = Schedule::constant(100.0, 10_000 * SECOND).then_at(10.0, 30 * SECOND);
    let scheduled = schedule.arrivals();
    let many = Condition::new(|so_far| so_far.iterations.completed > 500);
    let model = Model::Open {
        schedule,
        max_in_flight: users(5),
        max_start_delay: ENDLESS,
    };
    let plan = Plan::new("early", model)
        .phase_until("flood", 10_000 * SECOND, many)
        .phase("calm", 30 * SECOND);
    let record = simulate(Duration::from_millis(10), &plan);
    let arrivals = record.open.unwrap().arrivals;
    assert_eq!(arrivals.scheduled, scheduled);
    assert!(arrivals.balance(), "{arrivals:?}");
    assert_eq!(arrivals.cut, 0);
    assert!(arrivals.skipped > 0, "{arrivals:?}");
    assert!(record.phases[0].ended_early);
    let ended = arrivals.done + arrivals.in_flight + arrivals.queued;
    let in_phases: u64 = record.phases.iter().map(|phase| phase.completed).sum();
    assert_eq!((in_phases, arrivals.dropped), (ended, 0));
    assert!((299..=301).contains(&record.phases[1].completed));
}

#[test]
fn a_workload_is_told_which_phase_it_is_also_when_one_ended_early() {
    struct Asking<'c>(&'c SimulatedClock);

    impl Workload for Asking<'_> {
        type User = ();

        fn steps(&self) -> Vec<StepSpec> {
            vec![CALL]
        }

        fn set_up(&self, _user: u32) -> Result<(), Failure> {
            Ok(())
        }

        fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
            let names = ["is in stress", "is in recovery"];
            let name = names.get(it.phase_now()).copied();
            it.check(name.unwrap_or("is over"), true);
            it.step(&CALL, |_| {
                self.0.sleep_until(self.0.now_ns() + 100_000_000);
                Ok(())
            })
        }
    }

    let clock = SimulatedClock::new();
    let enough: Threshold = "p50(call @ stress) >= 100ms".parse().unwrap();
    let plan = Plan::new("early", Model::elapsed(users(1), ENDLESS + 100 * SECOND))
        .phase_until("stress", ENDLESS, enough)
        .phase("recovery", 100 * SECOND);
    let asking = Asking(&clock);
    let (record, _) = run_on(&clock, &asking, &plan, &StopHandle::new(), |_| {}).unwrap();
    assert!(record.phases[0].ended_early);
    for (name, phase) in [("is in stress", 0), ("is in recovery", 1)] {
        let check = record.check(name).unwrap();
        // The phase may end between the beginning of an iteration and its question.
        let apart = check.passed.abs_diff(record.phases[phase].completed);
        assert!(apart <= 1, "{name}: {check:?} {:?}", record.phases);
    }
}

#[test]
fn a_condition_that_never_holds_leaves_a_phase_its_time() {
    let never = Condition::new(|_| false);
    let plan = Plan::new("whole", Model::elapsed(users(2), 20 * SECOND)).phase_until(
        "all",
        20 * SECOND,
        never,
    );
    let record = simulate(Duration::from_millis(100), &plan);
    assert_eq!(record.wall_ns, 20_000_000_000);
    assert!(!record.phases[0].ended_early);
}

#[test]
fn tags_are_in_the_record() {
    struct Tagged;

    const GET: StepSpec = StepSpec::new("get").tagged(&[("tier", "cache"), ("kind", "read")]);

    impl Workload for Tagged {
        type User = ();

        fn steps(&self) -> Vec<StepSpec> {
            vec![GET, CALL]
        }

        fn set_up(&self, _user: u32) -> Result<(), Failure> {
            Ok(())
        }

        fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
            it.step(&GET, |_| Ok(()))
        }
    }

    let plan = Plan::new("tags", Model::default());
    let (record, _) = load_engine::run(&Tagged, &plan, &StopHandle::new(), |_| {}).unwrap();
    let tagged: Vec<&str> = record
        .steps_tagged("tier", "cache")
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(tagged, ["get"]);
    assert_eq!(record.steps[0].tags["kind"], "read");
    assert!(record.steps[1].tags.is_empty());
}

/// A clock on which everybody who sleeps wakes late.
struct LateClock(SimulatedClock, Duration);

impl Clock for LateClock {
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn sleep_until(&self, instant_ns: u64) {
        self.0.sleep_until(instant_ns + self.1.as_nanos() as u64);
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn enlist(&self, threads: u32) {
        self.0.enlist(threads);
    }

    fn retire(&self) {
        self.0.retire();
    }
}

#[test]
fn users_who_come_late_out_of_their_think_time_are_counted() {
    let model = Model::iterations(2.try_into().unwrap(), 10.try_into().unwrap());
    let plan = Plan::new("late", model).think_time(ThinkTime::Constant(Duration::from_millis(400)));
    let share = |late_ms| {
        let clock = LateClock(SimulatedClock::new(), Duration::from_millis(late_ms));
        let (record, _) = run_on(&clock, &Idle, &plan, &StopHandle::new(), |_| {}).unwrap();
        record.generator.overslept_share
    };
    // 100 of each 500 ms.
    assert_eq!(share(100), Some(0.2));
    assert_eq!(share(0), None);
}

struct Idle;

impl Workload for Idle {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![StepSpec::new("idle")]
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), _: &mut Iteration<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn a_phase_has_elapsed_when_the_last_iteration_that_began_in_it_has_ended() {
    let model = Model::open(load_engine::Schedule::constant(1.0, 4 * SECOND), users(10));
    let mut plan = Plan::new("elapsed", model);
    plan.phases = vec![
        load_engine::Phase::new("first", 2 * SECOND),
        load_engine::Phase::new("second", 2 * SECOND),
    ];
    let record = simulate(Duration::from_millis(1_500), &plan);
    let judge = |text: &str| {
        let threshold: load_engine::Threshold = text.parse().unwrap();
        threshold.judge(&record, None)
    };
    // Arrivals are due at 0 and 1 s, and at 2 and 3 s; each takes 1.5 s.
    for phase in ["first", "second"] {
        let judged = judge(&format!("elapsed(@ {phase}) < 2.6s"));
        assert_eq!(judged.observed, Some(2.5e9), "{judged:?}");
        assert_eq!(judged.ruling, load_engine::Ruling::Held);
    }
    assert_eq!(judge("elapsed < 4s").observed, Some(4.5e9));
    let lag = judge("runtime_lag < 10ms");
    assert_eq!(lag.ruling, load_engine::Ruling::Unknown);
    assert!(lag.reason.unwrap().contains("users are threads"));
    let unknown = judge("unknown_rate < 1%");
    assert_eq!(
        unknown.reason.as_deref(),
        Some("the effects were not verified")
    );
}
