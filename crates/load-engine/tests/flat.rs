//! Memory does not grow with the operations. In a process of its own, since it is the process's memory
//! that is looked at.

use std::num::{NonZeroU32, NonZeroU64};

use load_engine::{
    Failure, Iteration, Model, Plan, RunRecord, StepSpec, StopHandle, Workload, run,
};

const NOTHING: StepSpec = StepSpec::new("nothing");

struct NoOp;

impl Workload for NoOp {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![NOTHING]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&NOTHING, |_| Ok(()))
    }
}

fn run_of(each: u64) -> RunRecord {
    let model = Model::iterations(NonZeroU32::new(2).unwrap(), NonZeroU64::new(each).unwrap());
    run(&NoOp, &Plan::new("flat", model), &StopHandle::new(), |_| {})
        .unwrap()
        .0
}

/// `FLAT_OPERATIONS` sets how many; the figure in the documentation is of 100,000,000.
#[test]
fn memory_is_flat_over_many_operations() {
    let operations: u64 =
        std::env::var("FLAT_OPERATIONS").map_or(1_000_000, |text| text.parse().unwrap());
    // What is allocated once is not growth.
    run_of(10_000);
    let record = run_of(operations / 2);
    assert_eq!(record.operations(), operations / 2 * 2);
    let memory = record.monitor.summary;
    let peak = memory.resident_peak_bytes.unwrap();
    let grown = peak.saturating_sub(memory.resident_before_bytes.unwrap());
    // Two users' figures and the timeline; 16 bytes an operation would be 16 MB.
    assert!(
        grown < 6_000_000,
        "{grown} bytes over {operations} operations"
    );
}
