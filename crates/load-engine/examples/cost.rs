//! What the engine costs in time and memory, printed.
//!
//! ```text
//! cargo run --release -p proofload-load-engine --example cost -- operations 100000000
//! cargo run --release -p proofload-load-engine --example cost -- cores 20000000   # one user and two, in turns
//! cargo run --release -p proofload-load-engine --example cost -- threads 1000
//! cargo run --release -p proofload-load-engine --example cost -- tasks 10000
//! cargo run --release -p proofload-load-engine --example cost -- pooled 10000
//! cargo run --release -p proofload-load-engine --example cost -- rate 10000       # arrivals a second, for 10 s
//! taskset -c 0 cargo run --release -p proofload-load-engine --example cost -- stop 5
//! ```
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use load_engine::{
    AsyncWorkload, Failure, Iteration, Model, Plan, RunRecord, Schedule, StepSpec, StopHandle,
    ThinkTime, Workload, run_async, run_pooled, run_shared,
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
        it.step_async(&NOTHING, async |_| Ok(())).await
    }
}

/// A target that never answers and never waits.
struct Spinning;

impl Workload for Spinning {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![NOTHING]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&NOTHING, |_| {
            loop {
                std::hint::spin_loop();
            }
        })
    }
}

/// Rounds of a comparison.
const ROUNDS: usize = 11;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or("operations".to_owned());
    let count: u64 = arguments.next().unwrap_or("1000000".to_owned()).parse()?;
    let users = |count: u64| u32::try_from(count).ok().and_then(NonZeroU32::new);
    let each = |count: u64| NonZeroU64::new(count).ok_or("not 0");
    let plan = |users, each| Plan::new(&what, Model::iterations(users, each));
    let thinking = ThinkTime::Constant(Duration::from_millis(300));
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
        "cores" => {
            let half = plan(users(2).ok_or("not 0")?, each(count / 2)?);
            let one = plan(NonZeroU32::MIN, each(count)?);
            return compare_cores(&one, &half);
        }
        "rate" => {
            let schedule = Schedule::constant(count as f64, Duration::from_secs(10));
            let plan = Plan::new("rate", Model::open(schedule, users(50).ok_or("not 0")?));
            return print_rate(&run_shared(Arc::new(NoOp), &plan, &stop, |_| {})?.record);
        }
        "stop" => {
            let asked = Duration::from_secs(count);
            let plan = Plan::new("stop", Model::elapsed(users(4).ok_or("not 0")?, asked));
            let record = run_shared(Arc::new(Spinning), &plan, &stop, |_| {})?.record;
            let took = Duration::from_nanos(record.wall_ns);
            println!(
                "asked for {asked:?}, ended after {took:?}: {:?}",
                record.iterations
            );
            // The threads that spin end with the process.
            return Ok(());
        }
        "pooled" => {
            let plan = plan(users(count).ok_or("not 0")?, each(3)?).think_time(thinking);
            run_pooled(Arc::new(NoOp), &plan, &stop, |_| {})?.record
        }
        "threads" => {
            let plan = plan(users(count).ok_or("not 0")?, each(3)?).think_time(thinking);
            run_shared(Arc::new(NoOp), &plan, &stop, |_| {})?.record
        }
        "tasks" => {
            let plan = plan(users(count).ok_or("not 0")?, each(3)?).think_time(thinking);
            run_async(Arc::new(NoTask), &plan, &stop, |_| {})?.record
        }
        other => return Err(format!("there is no `{other}`: see the source").into()),
    };
    print_memory(&record, if what == "operations" { 2 } else { count });
    Ok(())
}

/// In turns, so that what the machine does in the meantime falls on both.
fn compare_cores(one: &Plan, two: &Plan) -> Result<(), Box<dyn Error>> {
    let rate = |plan: &Plan| -> Result<f64, Box<dyn Error>> {
        let outcome = run_shared(Arc::new(NoOp), plan, &StopHandle::new(), |_| {})?;
        Ok(outcome.record.operations_per_second())
    };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((rate(one)?, rate(two)?));
    }
    let median = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures[ROUNDS / 2]
    };
    println!(
        "medians of {ROUNDS} rounds: one user {:.2} M/s, two {:.2} M/s, {:.2} times as many",
        median(&|round| round.0) / 1e6,
        median(&|round| round.1) / 1e6,
        median(&|round| round.1 / round.0)
    );
    Ok(())
}

fn print_rate(record: &RunRecord) -> Result<(), Box<dyn Error>> {
    let open = record.open.as_ref().ok_or("the model is open")?;
    let arrivals = &open.arrivals;
    println!(
        "{arrivals:?} in {:.4} s: {:.2} a second; started late by {} ns (p50), {} ns (p99)",
        record.wall_ns as f64 / 1e9,
        arrivals.done as f64 / (record.wall_ns as f64 / 1e9),
        open.schedule_lag.p50_ns,
        open.schedule_lag.p99_ns
    );
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
