//! Runs that a broken threshold ends.

use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Model, Plan, RunError, RunRecord, SimulatedClock, StepSpec,
    StopHandle, Workload, run_on,
};

use crate::store::users;

const CALL: StepSpec = StepSpec::new("call");
const REFUSED: StepSpec = StepSpec::new("refused");

/// Every call takes 10 ms; every tenth iteration is refused as well.
struct Target<'c>(&'c SimulatedClock);

impl Workload for Target<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL, REFUSED]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&CALL, |_| {
            self.0.sleep_until(self.0.now_ns() + 10_000_000);
            Ok(())
        })?;
        if it.index() % 10 == 9 {
            it.step(&REFUSED, |_| Err::<(), _>(Failure::new("refused")))?;
        }
        Ok(())
    }
}

/// The simulated load would last for centuries, so only a rule or a handle ends it.
fn endless() -> Plan {
    let time = Duration::from_secs(10_000_000_000);
    Plan::new("endless", Model::elapsed(users(2), time)).phase("soak", time)
}

fn simulate(plan: &Plan, stop: &StopHandle) -> Result<RunRecord, RunError> {
    let clock = SimulatedClock::new();
    run_on(&clock, &Target(&clock), plan, stop, |_| {}).map(|(record, _)| record)
}

#[test]
fn a_broken_threshold_ends_the_run_and_the_record_says_which_and_when() {
    for (rule, observed) in [
        ("p99(call) < 5ms", 10_000_000.0..10_010_000.0),
        ("error_rate < 1%", 0.08..0.1),
        ("failed(refused) == 0", 1.0..f64::MAX),
        ("failed_iterations == 0", 1.0..f64::MAX),
        ("max(call @ soak) < 5ms", 10_000_000.0..10_010_000.0),
    ] {
        let plan = endless()
            .abort_on_fail("p50(call) < 1s".parse().unwrap(), Duration::ZERO)
            .abort_on_fail(rule.parse().unwrap(), Duration::from_secs(2));
        let stop = StopHandle::new();
        let record = simulate(&plan, &stop).unwrap();
        let end = record.abort.as_ref().unwrap();
        assert_eq!(end.judgement.threshold.to_string(), rule);
        let figure = end.judgement.observed.unwrap();
        assert!(observed.contains(&figure), "{rule}: {figure}");
        assert!((2_000_000_000..=record.wall_ns).contains(&end.at_ns));
        assert!(record.interrupted);
        assert!(!stop.is_stopped(), "the caller's handle is the caller's");
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), record);
    }
}

#[test]
fn a_run_that_keeps_its_thresholds_goes_on_to_its_end() {
    let plan = Plan::new("kept", Model::elapsed(users(2), Duration::from_secs(60)))
        .abort_on_fail("p99(call) < 1s".parse().unwrap(), Duration::ZERO);
    let record = simulate(&plan, &StopHandle::new()).unwrap();
    assert_eq!(record.abort, None);
    assert!(!record.interrupted);
    assert_eq!(record.wall_ns, 60_000_000_000);
}

#[test]
fn a_figure_that_is_known_only_afterwards_is_refused_before_the_load() {
    let refused = |rule: &str| {
        let plan = endless().abort_on_fail(rule.parse().unwrap(), Duration::ZERO);
        simulate(&plan, &StopHandle::new()).unwrap_err().to_string()
    };
    assert_eq!(
        refused("lost == 0"),
        "threshold `lost == 0`, column 1: this figure is known only when the load is over, so it cannot end it: take a time, `failed`, `error_rate` or `failed_iterations`"
    );
    assert!(refused("p99(cull) < 1s").contains("column 5"));
}
