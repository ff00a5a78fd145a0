//! The stall test: 500 arrivals a second for 14 s at a target that answers nobody for 2 s. Prints the
//! truth that follows from the schedule beside what the engine reports.
//!
//! `cargo run --release -p proofload-load-engine --example stall`
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::num::NonZeroU32;
use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Model, MonotonicClock, Plan, RunError, Schedule, StepSpec,
    StopHandle, Workload, empty_histogram, run_on,
};

const CALL: StepSpec = StepSpec::new("call");

struct Stalling<'c> {
    clock: &'c MonotonicClock,
    stall_ns: std::ops::Range<u64>,
}

impl Workload for Stalling<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&CALL, |_| {
            if self.stall_ns.contains(&self.clock.now_ns()) {
                self.clock.sleep_until(self.stall_ns.end);
            }
            Ok(())
        })
    }
}

fn main() -> Result<(), RunError> {
    let clock = MonotonicClock::new();
    let schedule = Schedule::constant(500.0, Duration::from_secs(14));
    let stall_ns = clock.now_ns() + 6_000_000_000..clock.now_ns() + 8_000_000_000;
    let target = Stalling {
        clock: &clock,
        stall_ns,
    };
    let threads = NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN);
    let plan = Plan::new("stall", Model::open(schedule.clone(), threads));
    let (record, _) = run_on(&clock, &target, &plan, &StopHandle::new(), |_| {})?;

    // Where in the stall an arrival falls differs by less than the 2 ms between two arrivals.
    let mut truth = empty_histogram();
    for due in schedule.times(0) {
        let stalled = (6.0..8.0).contains(&due.as_secs_f64());
        let wait = if stalled {
            Duration::from_secs(8) - due
        } else {
            Duration::ZERO
        };
        truth.saturating_record(wait.as_nanos() as u64);
    }
    let open = record.open.unwrap_or_default();
    println!("{:?}", open.arrivals);
    let response = open.response_time.to_histogram()?;
    let lag = open.schedule_lag.to_histogram()?;
    println!("quantile   truth ms   response ms   schedule lag ms");
    for quantile in [0.5, 0.9, 0.99, 0.999] {
        let ms = |ns: u64| ns as f64 / 1e6;
        println!(
            "{quantile:8} {:10.3} {:13.3} {:17.3}",
            ms(truth.value_at_quantile(quantile)),
            ms(response.value_at_quantile(quantile)),
            ms(lag.value_at_quantile(quantile)),
        );
    }
    Ok(())
}
