//! The record of a run that goes on.

use std::sync::Arc;
use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Model, MonotonicClock, Phase, Plan, RunRecord, StepSpec, StopHandle,
    Workload, run,
};

use crate::store::users;

const CALL: StepSpec = StepSpec::new("call");

struct Waiting(MonotonicClock);

impl Workload for Waiting {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&CALL, |_| {
            self.0.sleep_until(self.0.now_ns() + 1_000_000);
            Ok(())
        })
    }
}

/// Long enough on the slowest machine; the runs are stopped when they have shown what they should.
const LENGTH: Duration = Duration::from_secs(60);

fn plan() -> Plan {
    let mut plan = Plan::new("live record", Model::elapsed(users(2), LENGTH)).seed(7);
    plan.phases = vec![
        Phase::new("first", LENGTH / 2),
        Phase::new("second", LENGTH / 2),
    ];
    plan
}

#[test]
fn who_asks_sees_the_record_so_far_and_it_is_a_part_of_the_whole() {
    let stop = StopHandle::new();
    let mut seen: Option<Arc<RunRecord>> = None;
    let mut looks = 0;
    let target = Waiting(MonotonicClock::new());
    let (whole, _) = run(&target, &plan().record_so_far(), &stop, |progress| {
        let Some(record) = &progress.record else {
            return;
        };
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, record)) {
            looks += 1;
        }
        seen = Some(Arc::clone(record));
        // From the third on something was there before.
        if looks >= 3 && record.steps[0].intervals.len() >= 2 {
            stop.stop();
        }
    })
    .unwrap();

    let seen = seen.expect("the run went on until the record was there");
    assert_eq!(
        (seen.label.as_str(), seen.seed, seen.users),
        ("live record", 7, 2)
    );
    let (part, all) = (&seen.steps[0], &whole.steps[0]);
    assert_eq!(part.name, "call");
    assert!(0 < part.attempted && part.attempted <= all.attempted);
    assert_eq!(part.attempted, part.service_time.count);
    let counted: u64 = part
        .intervals
        .iter()
        .map(|interval| interval.latency.count)
        .sum();
    assert!(counted >= part.attempted, "{counted} of {}", part.attempted);
    // The first second has long been whole.
    assert_eq!(part.intervals[0], all.intervals[0]);
    assert_eq!(seen.phases.len(), 1, "the second phase has not begun");
    assert_eq!(seen.phases[0].name, "first");
    assert!(seen.monitor.samples.len() > 10);
    assert!(seen.monitor.samples.len() < whole.monitor.samples.len());
    assert!(seen.iterations.completed <= whole.iterations.completed);
}

#[test]
fn who_does_not_ask_is_not_told() {
    let stop = StopHandle::new();
    let mut calls = 0;
    let target = Waiting(MonotonicClock::new());
    run(&target, &plan(), &stop, |progress| {
        assert_eq!(progress.record, None);
        calls += 1;
        if calls > 12 {
            stop.stop();
        }
    })
    .unwrap();
    assert!(calls > 12);
}
