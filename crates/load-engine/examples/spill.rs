//! The memory that a ledger on disk takes: writes effects, verifies them, and prints the peak.
//!
//! Run it with `cargo run --release -p proofload-load-engine --example spill -- 10000000`.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use load_engine::{
    Digest, Failure, Found, Iteration, Model, Plan, SpillPolicy, StepSpec, StopHandle, Workload,
    run_shared,
};

const WRITE: StepSpec = StepSpec::effectful("write");

/// Acknowledges an effect in each iteration.
struct Acknowledging;

impl Workload for Acknowledging {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let key = key(it.user().into(), it.index());
        it.step(&WRITE, |effects| {
            effects.created("record", &key, Digest::from_blake3([7; 32]));
            Ok(())
        })
    }
}

fn key(user: u64, index: u64) -> String {
    format!("record-{user}-{index:012}")
}

fn main() -> Result<(), Box<dyn Error>> {
    let effects: u64 = std::env::args().nth(1).unwrap_or("100000".into()).parse()?;
    let folder = std::env::temp_dir().join(format!("ledger-{}", std::process::id()));
    let users = NonZeroU32::new(2).ok_or("not 0")?;
    let each = NonZeroU64::new(effects / 2).ok_or("at least 2 effects")?;
    let plan = Plan::new("spill", Model::iterations(users, each))
        .spill(SpillPolicy::new(&folder).entries_in_memory(100_000));
    let outcome = run_shared(Arc::new(Acknowledging), &plan, &StopHandle::new(), |_| {})?;
    let spilled = outcome.spilled.ok_or("the plan asks for it")?;
    println!(
        "{} entries after {:.1} s",
        spilled.len(),
        seconds(outcome.record.wall_ns)
    );
    println!("peak of the run: {}", peak()?);
    let found = (0..2).flat_map(|user| (0..each.get()).map(move |index| key(user, index)));
    let digest = Digest::from_blake3([7; 32]);
    let found = found.map(|key| Ok::<_, Failure>(Found::new("record", key, digest)));
    let verification = spilled.verify(found, 2.try_into()?, |_| {}, |_| {})?;
    println!(
        "{} verified, holds: {}",
        verification.verified,
        verification.holds()
    );
    println!("peak with verification: {}", peak()?);
    drop(spilled);
    std::fs::remove_dir(folder)?;
    Ok(())
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// As the kernel counts it.
fn peak() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    Ok(line.ok_or("the kernel does not tell")?.to_owned())
}
