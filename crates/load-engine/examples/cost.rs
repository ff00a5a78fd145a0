//! What the engine costs in time and memory, printed.
//!
//! ```text
//! cargo run --release -p load-engine --example cost -- operations 100000000
//! cargo run --release -p load-engine --example cost -- threads 1000
//! cargo run --release -p load-engine --example cost -- tasks 10000
//! ```
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use load_engine::{
    AsyncWorkload, Failure, Iteration, Model, Plan, RunRecord, StepSpec, StopHandle, ThinkTime,
    Workload, run_async, run_shared,
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
        it.step(NOTHING, |_| Ok(()))
    }
}

/// The same, as a task.
struct NoTask;

impl AsyncWorkload for NoTask {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![NOTHING]
    }

    async fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    async fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step_async(NOTHING, async |_| Ok(())).await
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or("operations".to_owned());
    let count: u64 = arguments.next().unwrap_or("1000000".to_owned()).parse()?;
    let users = |count: u64| u32::try_from(count).ok().and_then(NonZeroU32::new);
    let each = |count: u64| NonZeroU64::new(count).ok_or("not 0");
    let plan = |users, each| Plan::new(&what, Model::iterations(users, each));
    let thinking = ThinkTime::Constant(std::time::Duration::from_millis(300));
    let stop = StopHandle::new();
    // What the process and the engine take once.
    run_shared(
        Arc::new(NoOp),
        &plan(NonZeroU32::MIN, each(1000)?),
        &stop,
        |_| {},
    )?;
    let record = match what.as_str() {
        "operations" => {
            let one = run_shared(
                Arc::new(NoOp),
                &plan(NonZeroU32::MIN, each(count)?),
                &stop,
                |_| {},
            )?;
            println!(
                "one user: {:.2} M/s",
                one.record.operations_per_second() / 1e6
            );
            let two = plan(users(2).ok_or("not 0")?, each(count / 2)?);
            let two = run_shared(Arc::new(NoOp), &two, &stop, |_| {})?.record;
            println!("two users: {:.2} M/s", two.operations_per_second() / 1e6);
            two
        }
        "threads" => {
            let plan = plan(users(count).ok_or("not 0")?, each(3)?).think_time(thinking);
            run_shared(Arc::new(NoOp), &plan, &stop, |_| {})?.record
        }
        "tasks" => {
            let plan = plan(users(count).ok_or("not 0")?, each(3)?).think_time(thinking);
            run_async(Arc::new(NoTask), &plan, &stop, |_| {})?.record
        }
        other => return Err(format!("operations, threads or tasks, not {other}").into()),
    };
    print_memory(&record, if what == "operations" { 2 } else { count });
    Ok(())
}

fn print_memory(record: &RunRecord, users: u64) {
    let memory = record.monitor.summary;
    let before = memory.resident_before_bytes.unwrap_or_default();
    let peak = memory.resident_peak_bytes.unwrap_or_default();
    let grown = peak.saturating_sub(before);
    println!(
        "{} operations: resident {before} before, {peak} at its peak: {} bytes a user",
        record.operations(),
        grown / users
    );
}
