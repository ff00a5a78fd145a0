//! A target in memory that can be told to lie.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Mutex;

use load_engine::{
    Digest, Failure, Found, Iteration, Ledger, Model, Plan, RunRecord, StepSpec, StopHandle,
    Workload, run,
};

pub(crate) const WRITE: StepSpec = StepSpec::effectful("write");
pub(crate) const READ: StepSpec = StepSpec::new("read");

/// What the store does with a write that it acknowledges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honesty {
    Honest,
    DropsEvery(u64),
    AltersEvery(u64),
    DuplicatesEvery(u64),
    InventsEvery(u64),
    FailsEvery(u64),
    PanicsEvery(u64),
    DoesNothing,
}

pub(crate) struct Store {
    honesty: Honesty,
    rows: Mutex<Vec<(String, String)>>,
}

impl Store {
    pub(crate) fn new(honesty: Honesty) -> Self {
        Self {
            honesty,
            rows: Mutex::default(),
        }
    }

    /// What a reader of the closed and reopened store would find.
    pub(crate) fn contents(&self) -> Vec<Result<Found, Infallible>> {
        let rows = self.rows.lock().unwrap();
        rows.iter()
            .map(|(key, value)| Ok(Found::new("row", key.clone(), Digest::of(value.as_bytes()))))
            .collect()
    }

    pub(crate) fn keys(&self) -> BTreeMap<String, String> {
        self.rows.lock().unwrap().iter().cloned().collect()
    }

    fn write(&self, number: u64, key: &str, value: &str) -> Result<(), Failure> {
        let mut rows = self.rows.lock().unwrap();
        let row = (key.to_owned(), value.to_owned());
        match self.honesty {
            Honesty::DoesNothing => {}
            Honesty::DropsEvery(n) if number.is_multiple_of(n) => {}
            Honesty::AltersEvery(n) if number.is_multiple_of(n) => {
                rows.push((row.0, "other".to_owned()));
            }
            Honesty::DuplicatesEvery(n) if number.is_multiple_of(n) => {
                rows.extend([row.clone(), row]);
            }
            Honesty::InventsEvery(n) if number.is_multiple_of(n) => {
                rows.extend([row, (format!("invented-{key}"), String::new())]);
            }
            Honesty::FailsEvery(n) if number.is_multiple_of(n) => {
                // Half of the failed writes are made all the same.
                if number.is_multiple_of(2 * n) {
                    rows.push(row);
                }
                return Err(Failure::new("disk full"));
            }
            Honesty::PanicsEvery(n) if number.is_multiple_of(n) => {
                drop(rows);
                panic!("index {number} out of range");
            }
            _ => rows.push(row),
        }
        Ok(())
    }
}

impl Workload for Store {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE, READ]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let number = u64::from(it.user()) * 1000 + it.index();
        let key = format!("{}-{}", it.user(), it.index());
        let value = it.rng().next_u64().to_string();
        it.step(&WRITE, |effects| {
            effects.attempted("row", &key);
            self.write(number, &key, &value)?;
            if self.honesty != Honesty::DoesNothing {
                effects.created("row", &key, Digest::of(value.as_bytes()));
            }
            Ok(())
        })?;
        it.step(&READ, |_| Ok(()))
    }
}

pub(crate) fn users(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

pub(crate) fn plan(count: u32, each: u64) -> Plan {
    Plan::new(
        "test",
        Model::iterations(users(count), NonZeroU64::new(each).unwrap()),
    )
    .seed(1)
}

pub(crate) fn load<W: Workload>(workload: &W, plan: &Plan) -> (RunRecord, Ledger) {
    run(workload, plan, &StopHandle::new(), |_| {}).unwrap()
}
