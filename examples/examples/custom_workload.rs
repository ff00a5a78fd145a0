//! Loads a map with a workload of its own, and verifies every write that was acknowledged.

#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Mutex;

use load_engine::{
    Digest, Failure, Found, Iteration, Model, Plan, StepSpec, StopHandle, Threshold, Workload, run,
    verify,
};

const PUT: StepSpec = StepSpec::effectful("put");

/// A target in this process.
#[derive(Default)]
struct MapUnderLoad(Mutex<HashMap<String, u64>>);

impl Workload for MapUnderLoad {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![PUT]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let (key, value) = (format!("{}-{}", it.user(), it.index()), it.rng().next_u64());
        it.step(&PUT, |effects| {
            self.0.lock().unwrap().insert(key.clone(), value);
            effects.created("entry", &key, Digest::of(&value.to_le_bytes()));
            Ok(())
        })
    }
}

fn main() -> Result<(), load_engine::RunError> {
    let (users, each) = (NonZeroU32::new(4).unwrap(), NonZeroU64::new(250).unwrap());
    let plan = Plan::new("map", Model::iterations(users, each)).seed(7);
    let target = MapUnderLoad::default();
    let (record, ledger) = run(&target, &plan, &StopHandle::new(), |_| {})?;

    let entries = target.0.into_inner().unwrap().into_iter();
    let found = entries.map(|(key, value)| {
        Ok::<_, Infallible>(Found::new("entry", key, Digest::of(&value.to_le_bytes())))
    });
    let verification = verify(&ledger, found);
    let fast: Threshold = "p99(put) < 100ms".parse()?;
    println!("{:?}", fast.judge(&record, Some(&verification)).ruling);
    println!("{} effects verified", verification.verified);
    Ok(())
}
