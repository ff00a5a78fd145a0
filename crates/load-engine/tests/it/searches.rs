//! Searches over simulated targets whose limits are known.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use load_engine::search::{ProbeResult, RateSearch, breaking_point, scalability};
use load_engine::{
    Clock, Failure, Iteration, Model, Plan, RunError, RunRecord, Schedule, SimulatedClock,
    StepSpec, StopHandle, Threshold, Workload, run_on,
};

use crate::store::users;

const CALL: StepSpec = StepSpec::new("call");
const MS: u64 = 1_000_000;

/// Does one call after the other, each in a time of its own: what comes meanwhile waits.
struct OneServer<'c> {
    clock: &'c SimulatedClock,
    service_ns: u64,
    free_ns: Mutex<u64>,
}

/// Takes a time for each call that does not depend on others.
struct Independent<'c> {
    clock: &'c SimulatedClock,
    service_ns: u64,
}

macro_rules! simulated_workload {
    ($target:ident, $ends:expr) => {
        impl Workload for $target<'_> {
            type User = ();

            fn steps(&self) -> Vec<StepSpec> {
                vec![CALL]
            }

            fn set_up(&self, _user: u32) -> Result<(), Failure> {
                Ok(())
            }

            fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
                it.step(&CALL, |_| {
                    let ends: fn(&Self) -> u64 = $ends;
                    self.clock.sleep_until(ends(self));
                    Ok(())
                })
            }
        }
    };
}

simulated_workload!(OneServer, |server| {
    let mut free_ns = server.free_ns.lock().unwrap();
    *free_ns = server.clock.now_ns().max(*free_ns) + server.service_ns;
    *free_ns
});

simulated_workload!(Independent, |target| target.clock.now_ns()
    + target.service_ns);

/// Arrivals at a target that does 100 a second.
fn arrive(per_s: f64) -> Result<RunRecord, RunError> {
    let clock = SimulatedClock::new();
    let server = OneServer {
        clock: &clock,
        service_ns: 10 * MS,
        free_ns: Mutex::default(),
    };
    let schedule = Schedule::constant(per_s, Duration::from_secs(20));
    let plan = Plan::new("search", Model::open(schedule, users(40)));
    run_on(&clock, &server, &plan, &StopHandle::new(), |_| {}).map(|(record, _)| record)
}

#[test]
fn the_breaking_point_of_a_server_is_its_capacity() {
    let thresholds: [Threshold; 1] = ["p99(call) < 50ms".parse().unwrap()];
    let search = RateSearch::between(30.0, 1_000.0)
        .precision(0.02)
        .agreeing(1);
    let found = breaking_point(&search, |per_s| {
        arrive(per_s).map(|record| ProbeResult::of(&record, None, &thresholds))
    })
    .unwrap();
    let (held, broken) = (
        found.highest_held_per_s.unwrap(),
        found.lowest_violated_per_s.unwrap(),
    );
    assert!(held <= 101.0 && broken >= 100.0, "{held} {broken}");
    assert!(broken / held <= 1.02);
    let reason = found.trials.iter().find_map(|trial| match &trial.ruling {
        ProbeResult::Violated(reason) => Some(reason),
        _ => None,
    });
    assert!(
        reason.unwrap().starts_with("p99(call) < 50ms: it was "),
        "{reason:?}"
    );
}

#[test]
fn a_sweep_over_a_target_with_a_law_gives_the_law_back_within_its_intervals() {
    let (one_per_s, contention, coherence) = (100.0, 0.05, 0.002);
    let swept = scalability(&[1, 2, 4, 8, 16, 32], 2, 7, |count| {
        let others = f64::from(count) - 1.0;
        let slower = 1.0 + contention * others + coherence * f64::from(count) * others;
        let clock = SimulatedClock::new();
        let target = Independent {
            clock: &clock,
            service_ns: (1e9 / one_per_s * slower) as u64,
        };
        let count = NonZeroU32::new(count).unwrap();
        let plan = Plan::new("sweep", Model::elapsed(count, Duration::from_secs(20)));
        run_on(&clock, &target, &plan, &StopHandle::new(), |_| {})
            .map(|(record, _)| record.operations_per_second())
    })
    .unwrap();
    assert_eq!(swept.points.len(), 12);
    let fit = &swept.fit;
    assert!((fit.contention - contention).abs() < 0.002, "{fit:?}");
    assert!((fit.coherence - coherence).abs() < 0.000_1, "{fit:?}");
    // √((1 − σ) / κ)
    assert!((fit.peak_users.unwrap() - 21.8).abs() < 0.5, "{fit:?}");
    let peak = fit.peak_users_interval;
    assert!(
        peak.low.unwrap() <= 21.9 && 21.7 <= peak.high.unwrap(),
        "{peak:?}"
    );
}

#[test]
fn a_sweep_of_too_few_sizes_is_refused() {
    let error =
        scalability(&[1, 2], 3, 0, |users| Ok::<_, RunError>(f64::from(users))).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it takes 6 different numbers of users, and these are 2"),
        "{error}"
    );
}
