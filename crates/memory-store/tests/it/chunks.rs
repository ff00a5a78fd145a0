//! Large states: what a version costs, and what is left when nothing can see it any more.

use std::path::Path;

use memory_store::{AgentRun, CheckpointId, Expected, MemoryStore, Retention};
use rusqlite::Connection;

use super::{at, namespace, open_temporary};

fn run(name: &str) -> AgentRun {
    AgentRun::new(namespace(), "builder", name).unwrap()
}

/// Bytes without structure.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut byte = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| byte()).collect()
}

/// The bytes of all values and chunks, and how many chunks there are.
fn stored(directory: &Path) -> (i64, i64) {
    let connection = Connection::open(directory.join("memory.sqlite")).unwrap();
    let sql =
        "SELECT (SELECT coalesce(sum(coalesce(length(value), 0) + coalesce(length(chunks), 0)), 0)
                       FROM state)
                   + (SELECT coalesce(sum(length(bytes) + length(digest)), 0) FROM chunks),
               (SELECT count(*) FROM chunks)";
    connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
}

fn put(store: &MemoryStore, run: &AgentRun, key: &str, value: &[u8]) {
    store
        .put_state(run, key, value, Expected::Anything)
        .unwrap();
}

fn value(store: &MemoryStore, run: &AgentRun, key: &str) -> Option<Vec<u8>> {
    store
        .state(run, key)
        .unwrap()
        .map(|versioned| versioned.value)
}

#[test]
fn a_version_of_a_megabyte_with_a_hundredth_changed_stores_a_twentieth_at_most() {
    let (directory, store) = open_temporary();
    let run = run("large");
    let mut state = noise(1 << 20, 1);
    put(&store, &run, "state", &state);
    let mark = store.checkpoint(&run, "full", at(0)).unwrap();
    let (full, _) = stored(directory.path());
    let before = state.clone();
    let changed = noise(state.len() / 100, 2);
    state[300_000..300_000 + changed.len()].copy_from_slice(&changed);
    put(&store, &run, "state", &state);
    store.checkpoint(&run, "changed", at(1)).unwrap();
    let (both, _) = stored(directory.path());
    assert!((both - full) * 20 <= full, "{} after {full}", both - full);
    assert_eq!(value(&store, &run, "state").unwrap(), state);
    store.restore(&run, mark).unwrap();
    assert_eq!(value(&store, &run, "state").unwrap(), before);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_state_of_many_keys_stores_those_that_changed() {
    let (directory, store) = open_temporary();
    let run = run("many");
    for key in 0..100 {
        put(&store, &run, &key.to_string(), &noise(10_000, key));
    }
    let (full, _) = stored(directory.path());
    for label in ["first", "second", "third"] {
        store.checkpoint(&run, label, at(0)).unwrap();
        put(&store, &run, "7", &noise(10_000, 1_000));
        put(
            &store,
            &run,
            "7",
            &noise(10_000, label.len() as u64 + 2_000),
        );
    }
    let (now, _) = stored(directory.path());
    assert!((now - full) * 25 <= full, "{} of {full}", now - full);
}

#[test]
fn what_nothing_can_see_any_more_is_removed() {
    let (directory, store) = open_temporary();
    let run = run("long");
    let mut marks = Vec::new();
    for turn in 0..10 {
        put(&store, &run, "state", &noise(100_000, turn));
        marks.push(
            store
                .checkpoint(&run, "mark", at(turn.cast_signed()))
                .unwrap(),
        );
    }
    let (all, _) = stored(directory.path());
    let fork = store.fork(&run, marks[2], "fork").unwrap();
    assert_eq!(
        store
            .retain_checkpoints(&run, Retention::last(2).since(at(7)))
            .unwrap(),
        7
    );
    let left: Vec<CheckpointId> = store
        .checkpoints(&run)
        .unwrap()
        .into_iter()
        .map(|checkpoint| checkpoint.id)
        .collect();
    assert_eq!(left, marks[7..]);
    // Three checkpoints, of which the last is also the head, and the fork.
    let (now, _) = stored(directory.path());
    assert!(now * 2 < all, "{now} of {all}");
    assert_eq!(value(&store, &fork, "state").unwrap(), noise(100_000, 2));
    store.restore(&run, marks[7]).unwrap();
    assert_eq!(value(&store, &run, "state").unwrap(), noise(100_000, 7));
    assert!(store.restore(&run, marks[0]).is_err());

    assert_eq!(
        store.retain_checkpoints(&run, Retention::last(0)).unwrap(),
        3
    );
    put(&store, &run, "state", b"small");
    put(&store, &fork, "state", b"small");
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    // The fork's beginning is kept for the fork's own checkpoints and forks.
    let (_, chunks) = stored(directory.path());
    assert!((20..60).contains(&chunks), "{chunks}");
}

#[test]
fn equal_values_are_stored_once_and_survive_each_other() {
    let (directory, store) = open_temporary();
    let (one, other) = (run("one"), run("other"));
    let large = noise(200_000, 5);
    put(&store, &one, "a", &large);
    let (first, _) = stored(directory.path());
    put(&store, &one, "b", &large);
    put(&store, &other, "a", &large);
    let (all, _) = stored(directory.path());
    assert!(all - first < 1_000, "{all} {first}");
    put(&store, &one, "a", b"");
    store.remove_state(&one, "b", Expected::Anything).unwrap();
    assert_eq!(value(&store, &other, "a").unwrap(), large);
    assert_eq!(value(&store, &one, "b"), None);
    assert_eq!(value(&store, &one, "a").unwrap(), b"");
    store.remove_state(&other, "a", Expected::Anything).unwrap();
    assert_eq!(stored(directory.path()).1, 0);
    assert!(store.check().unwrap().is_clean());
}
