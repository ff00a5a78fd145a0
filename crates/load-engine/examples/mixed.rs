//! A custom workload: users register themselves from a data feed, then read and write in a mix.
//!
//! Run it with `cargo run -p proofload-load-engine --example mixed`.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Mutex;

use load_engine::{
    Digest, Failure, Feed, Iteration, Mix, Model, Plan, RunError, StepSpec, StopHandle, Workload,
    run,
};

const READ: StepSpec = StepSpec::new("read");
const WRITE: StepSpec = StepSpec::effectful("write");
const NAMES: &str = "name\nAda\nGrace\nBarbara\nFrances\n";

struct Directory {
    names: Feed<&'static [u8]>,
    traffic: Mix<StepSpec>,
    entries: Mutex<HashMap<String, u64>>,
}

impl Workload for Directory {
    type User = String;

    fn steps(&self) -> Vec<StepSpec> {
        vec![READ, WRITE]
    }

    fn set_up(&self, _user: u32) -> Result<String, Failure> {
        let record = self.names.next()?.ok_or(Failure::new("no name is left"))?;
        Ok(record.concat())
    }

    fn iterate(&self, name: &mut String, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let (step, value) = (self.traffic.draw(it.rng()), it.index());
        it.step(step, |effects| {
            let mut entries = self.entries.lock().unwrap();
            if *step == READ {
                std::hint::black_box(entries.get(name));
                return Ok(());
            }
            entries.insert(name.clone(), value);
            effects.updated("entry", name, Digest::of(&value.to_le_bytes()));
            Ok(())
        })
    }
}

fn main() -> Result<(), RunError> {
    let directory = Directory {
        names: Feed::csv(NAMES.as_bytes())?,
        traffic: Mix::new([(READ, 60), (WRITE, 40)])?,
        entries: Mutex::default(),
    };
    let (users, each) = (NonZeroU32::new(4).unwrap(), NonZeroU64::new(1000).unwrap());
    let plan = Plan::new("directory", Model::iterations(users, each)).seed(7);
    let (record, ledger) = run(&directory, &plan, &StopHandle::new(), |_| {})?;

    let found = directory.entries.into_inner().unwrap();
    let found = found.iter().map(|(name, value)| {
        let digest = Digest::of(&value.to_le_bytes());
        Ok::<_, RunError>(load_engine::Found::new("entry", name.clone(), digest))
    });
    assert!(load_engine::verify(&ledger, found).holds());
    let (reads, writes) = (record.step("read").unwrap(), record.step("write").unwrap());
    assert_eq!(reads.attempted + writes.attempted, 4000);
    assert!((2250..2550).contains(&reads.attempted));
    Ok(())
}
