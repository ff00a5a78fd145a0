//! Users that are served worse than others, on simulated time.

use std::num::NonZeroU32;
use std::time::Duration;

use load_engine::{
    Clock, Failure, Fairness, Iteration, Model, Plan, Schedule, SimulatedClock, StepSpec,
    StopHandle, Workload, run_on,
};

const CALL: StepSpec = StepSpec::new("call");

/// Serves the first users ten times as slowly as the others.
struct Favouring {
    clock: SimulatedClock,
    slow: u32,
}

impl Workload for Favouring {
    type User = u64;

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, user: u32) -> Result<u64, Failure> {
        Ok(if user < self.slow {
            100_000_000
        } else {
            10_000_000
        })
    }

    fn iterate(&self, ns: &mut u64, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&CALL, |_| {
            self.clock.sleep_until(self.clock.now_ns() + *ns);
            Ok(())
        })
    }
}

fn fairness(model: Model, slow: u32) -> Option<Fairness> {
    let target = Favouring {
        clock: SimulatedClock::new(),
        slow,
    };
    let plan = Plan::new("favouring", model);
    let ran = run_on(&target.clock, &target, &plan, &StopHandle::new(), |_| {});
    ran.unwrap().0.fairness
}

fn users() -> NonZeroU32 {
    NonZeroU32::new(8).unwrap()
}

#[test]
fn users_are_compared_by_what_they_came_to_in_their_time() {
    let by_time = Model::elapsed(users(), Duration::from_secs(10));
    let by_count = Model::iterations(users(), 100.try_into().unwrap());
    for model in [by_time, by_count] {
        let fairness = fairness(model.clone(), 2).unwrap();
        assert_eq!((fairness.users, fairness.behind), (8, 2), "{model:?}");
        assert_eq!(fairness.least.user, 0, "{model:?}");
        let rates = (
            fairness.min_per_s,
            fairness.median_per_s,
            fairness.max_per_s,
        );
        assert_eq!(rates, (10.0, 100.0, 100.0), "{model:?}");
        // (6 · 10 + 2)² / 8 · (6 · 100 + 2).
        assert_eq!(fairness.jain_index, 0.798173, "{model:?}");
    }
}

#[test]
fn users_who_are_served_alike_are_even() {
    let fairness = fairness(Model::elapsed(users(), Duration::from_secs(10)), 0).unwrap();
    assert_eq!((fairness.behind, fairness.median_iterations), (0, 1_000));
    assert_eq!(
        (fairness.coefficient_of_variation, fairness.jain_index),
        (0.0, 1.0)
    );
}

#[test]
fn users_who_ask_for_different_things_are_not_compared() {
    let schedule = Schedule::constant(50.0, Duration::from_secs(1));
    assert_eq!(fairness(Model::open(schedule, users()), 0), None);
}
