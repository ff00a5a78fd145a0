//! Agent state: versions, checkpoints and forks.

use std::thread;

use memory_store::{AgentRun, CheckpointId, Difference, Error, Expected, MemoryStore, Namespace};

use super::{at, namespace, open_temporary};

fn run(name: &str) -> AgentRun {
    AgentRun::new(namespace(), "builder", name).unwrap()
}

/// All keys and values of a run, as one line.
fn render(store: &MemoryStore, run: &AgentRun) -> String {
    let pair = |key: String| {
        let value = store.state(run, &key).unwrap().unwrap().value;
        format!("{key}={}", String::from_utf8(value).unwrap())
    };
    store
        .state_keys(run)
        .unwrap()
        .into_iter()
        .map(pair)
        .collect::<Vec<_>>()
        .join(" ")
}

fn put(store: &MemoryStore, run: &AgentRun, key: &str, value: &str) -> u64 {
    store
        .put_state(run, key, value, Expected::Anything)
        .unwrap()
}

#[test]
fn a_write_that_expects_another_version_is_refused_and_changes_nothing() {
    let (_directory, store) = open_temporary();
    let run = run("1");
    let first = store
        .put_state(&run, "goal", "a", Expected::Absent)
        .unwrap();
    let second = store
        .put_state(&run, "goal", "b", Expected::Version(first))
        .unwrap();
    assert!(second > first);
    let error = store
        .put_state(&run, "goal", "c", Expected::Version(first))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "state \"goal\" of team/builder/1 has version 2, expected version 1"
    );
    assert!(
        store
            .put_state(&run, "goal", "c", Expected::Absent)
            .is_err()
    );
    assert_eq!(render(&store, &run), "goal=b");
    store
        .remove_state(&run, "goal", Expected::Version(second))
        .unwrap();
    assert_eq!(store.state(&run, "goal").unwrap(), None);
    store
        .put_state(&run, "goal", "d", Expected::Absent)
        .unwrap();
    assert_eq!(render(&store, &run), "goal=d");
}

#[test]
fn a_hundred_threads_that_compare_and_set_count_without_a_gap() {
    let (_directory, store) = open_temporary();
    let run = run("counter");
    put(&store, &run, "n", "0");
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                loop {
                    let read = store.state(&run, "n").unwrap().unwrap();
                    let n: u32 = String::from_utf8(read.value).unwrap().parse().unwrap();
                    let expected = Expected::Version(read.version);
                    match store.put_state(&run, "n", (n + 1).to_string(), expected) {
                        Ok(_) => break,
                        Err(Error::VersionConflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(render(&store, &run), "n=100");
}

#[test]
fn a_checkpoint_is_returned_to_and_so_is_what_was_restored_over() {
    let (directory, store) = open_temporary();
    let run = run("1");
    put(&store, &run, "kept", "same");
    put(&store, &run, "changed", "old");
    put(&store, &run, "removed", "was here");
    let before = store.checkpoint(&run, "before", at(1)).unwrap();
    put(&store, &run, "changed", "new");
    store
        .remove_state(&run, "removed", Expected::Anything)
        .unwrap();
    put(&store, &run, "added", "later");
    let after = store.checkpoint(&run, "after", at(2)).unwrap();
    let (old, new) = (
        "changed=old kept=same removed=was here",
        "added=later changed=new kept=same",
    );
    assert_eq!(render(&store, &run), new);

    store.restore(&run, before).unwrap();
    assert_eq!(render(&store, &run), old);
    store.restore(&run, after).unwrap();
    assert_eq!(render(&store, &run), new);

    let difference = store.diff(&run, before, after).unwrap();
    let (added, changed, removed) = ("added".into(), "changed".into(), "removed".into());
    let expected = [
        Difference::Added(added),
        Difference::Changed(changed),
        Difference::Removed(removed),
    ];
    assert_eq!(difference, expected);
    assert!(store.diff(&run, after, after).unwrap().is_empty());

    let value_at = |checkpoint, key| {
        let found = store.state_at(&run, checkpoint, key).unwrap();
        found.map(|found| String::from_utf8(found.value).unwrap())
    };
    assert_eq!(value_at(before, "changed").as_deref(), Some("old"));
    assert_eq!(value_at(after, "changed").as_deref(), Some("new"));
    assert_eq!(value_at(before, "removed").as_deref(), Some("was here"));
    assert_eq!(value_at(after, "removed"), None);
    let unknown = store.state_at(&run, CheckpointId::new(77), "changed");
    assert!(matches!(unknown, Err(Error::UnknownCheckpoint { .. })));

    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    let labels: Vec<String> = store
        .checkpoints(&run)
        .unwrap()
        .into_iter()
        .map(|checkpoint| checkpoint.label)
        .collect();
    assert_eq!(labels, ["before", "after"]);
    store.restore(&run, before).unwrap();
    assert_eq!(render(&store, &run), old);
}

#[test]
fn a_fork_starts_from_its_checkpoint_and_neither_sees_the_others_later_writes() {
    let (_directory, store) = open_temporary();
    let parent = run("parent");
    put(&store, &parent, "a", "1");
    put(&store, &parent, "b", "1");
    let mark = store.checkpoint(&parent, "mark", at(1)).unwrap();
    put(&store, &parent, "a", "2");
    let fork = store.fork(&parent, mark, "fork").unwrap();
    assert_eq!(render(&store, &fork), "a=1 b=1");
    store.remove_state(&fork, "b", Expected::Anything).unwrap();
    put(&store, &fork, "c", "1");
    let again = store.checkpoint(&fork, "again", at(2)).unwrap();
    let fork_of_fork = store.fork(&fork, again, "fork of fork").unwrap();
    put(&store, &fork_of_fork, "a", "3");
    assert_eq!(render(&store, &parent), "a=2 b=1");
    assert_eq!(render(&store, &fork), "a=1 c=1");
    assert_eq!(render(&store, &fork_of_fork), "a=3 c=1");
}

#[test]
fn nothing_of_another_run_or_namespace_can_be_reached() {
    let (_directory, store) = open_temporary();
    let (ours, other) = (run("ours"), run("other"));
    let foreign = AgentRun::new(Namespace::new("foreign").unwrap(), "builder", "ours").unwrap();
    put(&store, &ours, "k", "v");
    put(&store, &other, "k", "theirs");
    let mark = store.checkpoint(&ours, "mark", at(0)).unwrap();
    assert_eq!(store.state(&foreign, "k").unwrap(), None);
    assert!(store.checkpoints(&foreign).unwrap().is_empty());
    let refused = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert_eq!(
        refused(store.restore(&foreign, mark)),
        "no run foreign/builder/ours"
    );
    assert_eq!(
        refused(store.restore(&other, mark)),
        "no checkpoint 1 of team/builder/other"
    );
    let unknown = CheckpointId::new(u64::MAX);
    assert!(store.diff(&ours, mark, unknown).is_err());
    let taken = store.fork(&ours, mark, "other").unwrap_err();
    assert_eq!(taken.to_string(), "run team/builder/other already exists");
    let conflict = store
        .put_state(&foreign, "k", "v", Expected::Version(1))
        .unwrap_err();
    assert!(
        matches!(conflict, Error::VersionConflict { found: None, .. }),
        "{conflict}"
    );
    assert_eq!(
        store.check().unwrap().namespaces,
        1,
        "a refused write leaves no namespace behind"
    );
}
