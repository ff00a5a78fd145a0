//! Any sequence of operations on states does to the store what it does to plain maps, also when the
//! store is exported and imported in between.

use std::collections::BTreeMap;

use memory_store::{AgentRun, CheckpointId, Expected, MemoryStore, Retention};
use proptest::prelude::*;

use super::{at, namespace};

const RUNS: usize = 3;
const KEYS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Operation {
    /// Length and seed; a few lengths lie above what is kept whole.
    Put {
        run: usize,
        key: usize,
        length: usize,
        seed: u8,
    },
    Remove {
        run: usize,
        key: usize,
    },
    /// A write that expects another version.
    Conflict {
        run: usize,
        key: usize,
    },
    Checkpoint {
        run: usize,
        millis: i64,
    },
    Restore {
        run: usize,
        place: usize,
    },
    Fork {
        run: usize,
        place: usize,
        name: usize,
    },
    Retain {
        run: usize,
        last: usize,
        since: Option<i64>,
    },
    Repair,
    Reopen,
    Transfer,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{
        Checkpoint, Conflict, Fork, Put, Remove, Reopen, Repair, Restore, Retain, Transfer,
    };
    let run = || 0..RUNS;
    let key = || 0..KEYS.len();
    let length = prop_oneof![Just(0_usize), Just(10), Just(20_000), Just(60_000)];
    let put = (run(), key(), length, 0..3_u8);
    let retain = (run(), 0..3_usize, proptest::option::of(0..9_i64));
    prop_oneof![
        8 => put.prop_map(|(run, key, length, seed)| Put { run, key, length, seed }),
        2 => (run(), key()).prop_map(|(run, key)| Remove { run, key }),
        1 => (run(), key()).prop_map(|(run, key)| Conflict { run, key }),
        4 => (run(), 0..9_i64).prop_map(|(run, millis)| Checkpoint { run, millis }),
        3 => (run(), 0..4_usize).prop_map(|(run, place)| Restore { run, place }),
        2 => (run(), 0..4_usize, run()).prop_map(|(run, place, name)| Fork { run, place, name }),
        2 => retain.prop_map(|(run, last, since)| Retain { run, last, since }),
        1 => Just(Repair),
        1 => Just(Reopen),
        1 => Just(Transfer),
    ]
}

type Values = BTreeMap<usize, Vec<u8>>;

#[derive(Debug, Default, Clone)]
struct Run {
    values: Values,
    checkpoints: Vec<(CheckpointId, i64, Values)>,
}

#[derive(Debug, Default)]
struct Model {
    runs: BTreeMap<usize, Run>,
}

fn run_of(number: usize) -> AgentRun {
    AgentRun::new(namespace(), "agent", format!("run {number}")).unwrap()
}

/// Bytes of which those of another seed differ in the middle only.
fn bytes(length: usize, seed: u8) -> Vec<u8> {
    let mut state = 7_u64;
    let mut byte = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut bytes: Vec<u8> = (0..length).map(|_| byte()).collect();
    if let Some(middle) = bytes.get_mut(length / 2) {
        *middle = seed;
    }
    bytes
}

impl Model {
    fn apply(&mut self, store: &MemoryStore, operation: &Operation) {
        match *operation {
            Operation::Put {
                run,
                key,
                length,
                seed,
            } => {
                let value = bytes(length, seed);
                let before = store.state(&run_of(run), KEYS[key]).unwrap();
                let expected =
                    before.map_or(Expected::Absent, |old| Expected::Version(old.version));
                store
                    .put_state(&run_of(run), KEYS[key], value.clone(), expected)
                    .unwrap();
                self.runs.entry(run).or_default().values.insert(key, value);
            }
            Operation::Remove { run, key } => {
                if let Some(known) = self.runs.get_mut(&run) {
                    store
                        .remove_state(&run_of(run), KEYS[key], Expected::Anything)
                        .unwrap();
                    known.values.remove(&key);
                }
            }
            Operation::Conflict { run, key } => {
                let wrong = Expected::Version(u64::MAX);
                assert!(
                    store
                        .put_state(&run_of(run), KEYS[key], "x", wrong)
                        .is_err()
                );
            }
            Operation::Checkpoint { run, millis } => {
                let mark = store.checkpoint(&run_of(run), "mark", at(millis)).ok();
                assert_eq!(mark.is_some(), self.runs.contains_key(&run));
                if let (Some(mark), Some(known)) = (mark, self.runs.get_mut(&run)) {
                    known.checkpoints.push((mark, millis, known.values.clone()));
                }
            }
            Operation::Restore { run, place } => {
                let Some(known) = self.runs.get_mut(&run) else {
                    return;
                };
                if let Some((mark, _, values)) = known.checkpoints.get(place).cloned() {
                    store.restore(&run_of(run), mark).unwrap();
                    known.values = values;
                }
            }
            Operation::Fork { run, place, name } => {
                let Some(known) = self.runs.get(&run) else {
                    return;
                };
                let Some((mark, _, values)) = known.checkpoints.get(place).cloned() else {
                    return;
                };
                let forked = store.fork(&run_of(run), mark, run_of(name).run);
                assert_eq!(forked.is_ok(), !self.runs.contains_key(&name));
                self.runs.entry(name).or_insert(Run {
                    values,
                    checkpoints: Vec::new(),
                });
            }
            Operation::Retain { run, last, since } => {
                let Some(known) = self.runs.get_mut(&run) else {
                    return;
                };
                let mut retention = Retention::last(last);
                retention.since = since.map(at);
                let count = known.checkpoints.len();
                let mut place = 0;
                known.checkpoints.retain(|(_, millis, _)| {
                    place += 1;
                    place + last > count || since.is_some_and(|since| *millis >= since)
                });
                let removed = store.retain_checkpoints(&run_of(run), retention).unwrap();
                assert_eq!(removed as usize, count - known.checkpoints.len());
            }
            Operation::Repair => assert!(store.repair().unwrap().is_clean()),
            Operation::Reopen | Operation::Transfer => {}
        }
    }

    fn compare(&self, store: &MemoryStore) {
        for (number, known) in &self.runs {
            let run = run_of(*number);
            let marks: Vec<CheckpointId> = store
                .checkpoints(&run)
                .unwrap()
                .into_iter()
                .map(|checkpoint| checkpoint.id)
                .collect();
            let expected: Vec<CheckpointId> =
                known.checkpoints.iter().map(|(mark, ..)| *mark).collect();
            assert_eq!(marks, expected);
            compare_values(store, &run, &known.values);
        }
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.disagreements);
    }

    /// Returns to every checkpoint of every run.
    fn restore_all(&mut self, store: &MemoryStore) {
        for (number, known) in &mut self.runs {
            for (mark, _, values) in &known.checkpoints {
                store.restore(&run_of(*number), *mark).unwrap();
                compare_values(store, &run_of(*number), values);
                known.values.clone_from(values);
            }
        }
    }
}

fn compare_values(store: &MemoryStore, run: &AgentRun, values: &Values) {
    let keys: Vec<&str> = values.keys().map(|key| KEYS[*key]).collect();
    assert_eq!(store.state_keys(run).unwrap(), keys);
    for (key, value) in values {
        let found = store.state(run, KEYS[*key]).unwrap().unwrap();
        assert!(found.value == *value, "{run} {}", KEYS[*key]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn states_do_what_plain_maps_do(
        operations in proptest::collection::vec(operation(), 1..40),
    ) {
        let mut directory = tempfile::tempdir().unwrap();
        let mut store = MemoryStore::open(directory.path()).unwrap();
        let mut model = Model::default();
        for operation in &operations {
            if matches!(operation, Operation::Reopen) {
                drop(store);
                store = MemoryStore::open(directory.path()).unwrap();
            }
            if matches!(operation, Operation::Transfer) {
                let next = tempfile::tempdir().unwrap();
                store = super::transferred(&store, next.path());
                directory = next;
            }
            model.apply(&store, operation);
        }
        model.compare(&store);
        model.restore_all(&store);
        model.compare(&store);
        drop(store);
        model.compare(&MemoryStore::open(directory.path()).unwrap());
    }
}
