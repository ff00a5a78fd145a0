//! Another process, watched during the load.

use std::process::{Child, Command};
use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Model, MonotonicClock, Plan, RunError, RunRecord, StepSpec,
    StopHandle, Workload, run,
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

/// A process that does nothing, ended with the test.
struct Idle(Child);

impl Idle {
    fn start() -> Self {
        Self(Command::new("sleep").arg("3600").spawn().unwrap())
    }

    fn end(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        self.0.wait().unwrap();
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.end();
    }
}

fn watch(pid: u32, mut on_progress: impl FnMut()) -> Result<RunRecord, RunError> {
    let model = Model::elapsed(users(1), Duration::from_millis(300));
    let plan = Plan::new("watch", model)
        .sample_period(Duration::from_millis(10))
        .watch(pid);
    let workload = Waiting(MonotonicClock::new());
    run(&workload, &plan, &StopHandle::new(), |_| on_progress()).map(|(record, _)| record)
}

#[test]
fn a_watched_process_is_in_the_record_beside_the_own_one() {
    let idle = Idle::start();
    let record = watch(idle.0.id(), || {}).unwrap();
    let target = record.target.unwrap();
    let process = target.process.unwrap();
    assert_eq!((process.pid, process.name.as_str()), (idle.0.id(), "sleep"));
    assert_eq!(process.gone_at_ns, None);
    assert!(target.samples.len() > 2);
    let sample = target.samples[0];
    assert_eq!(sample.threads, Some(1));
    assert!(sample.resident_bytes.unwrap() > 0 && sample.open_files.unwrap() >= 3);
    assert!(target.summary.resident_peak_bytes.is_some());
    assert!(target.summary.cpu_ns.unwrap() < 300_000_000, "it sleeps");
    assert_eq!(record.monitor.process, None);
}

#[test]
fn a_process_that_ends_during_the_load_is_said_to_be_gone() {
    let mut idle = Idle::start();
    let pid = idle.0.id();
    let record = watch(pid, || idle.end()).unwrap();
    let target = record.target.unwrap();
    let gone_at_ns = target.process.unwrap().gone_at_ns.unwrap();
    assert!(
        target
            .samples
            .iter()
            .all(|sample| sample.at_ns < gone_at_ns)
    );
}

#[test]
fn a_process_that_is_not_there_is_an_error_before_the_load() {
    let mut idle = Idle::start();
    idle.end();
    let error = watch(idle.0.id(), || {}).unwrap_err();
    assert!(matches!(error, RunError::Watch { .. }), "{error}");
}
