//! The index of vectors as a store's callers see it: built behind the writes, saved at closing, and
//! whatever becomes of the file, mended at opening.

use std::fs;
use std::path::{Path, PathBuf};

use memory_store::{
    DuplicateKind, IndexHealth, IndexOptions, IndexOrigin, MemoryStore, Namespace, NewMemory, Query,
};

use super::{at, id, memory, namespace, near_to, open_temporary};

const VECTORS: u64 = 1_100;

fn open(directory: &Path) -> MemoryStore {
    let index = IndexOptions::new().build_effort(30).exact_below(500);
    MemoryStore::options().index(index).open(directory).unwrap()
}

/// Points on a torus, along a line that winds around it: the nearest of each are those before and
/// after it.
fn vector(number: u64) -> Vec<f32> {
    let (around, along) = (number as f32 * 0.114, number as f32 * 0.0041);
    vec![along.cos(), along.sin(), around.cos(), around.sin()]
}

fn fill(store: &MemoryStore, numbers: std::ops::RangeInclusive<u64>) {
    let numbers: Vec<u64> = numbers.collect();
    std::thread::scope(|scope| {
        for share in numbers.chunks(numbers.len().div_ceil(8)) {
            scope.spawn(move || {
                for number in share {
                    let new = memory(&format!("m{number}")).id(id(*number));
                    store.remember(new.vector(vector(*number))).unwrap();
                }
            });
        }
    });
}

fn build(store: &MemoryStore) {
    let mut waiting = usize::MAX;
    store.build_index(|coverage| waiting = coverage.waiting);
    assert_eq!(waiting, 0);
}

fn health(store: &MemoryStore) -> IndexHealth {
    store.index_health().remove(0)
}

fn nearest(store: &MemoryStore, number: u64) -> Vec<u64> {
    let found = store
        .recall(&namespace(), &near_to(&vector(number), 3))
        .unwrap();
    found.iter().map(|found| found.memory.id.get()).collect()
}

/// A store with a graph that was saved.
fn saved_store() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 1..=VECTORS);
    build(&store);
    assert_eq!(health(&store).origin, IndexOrigin::New);
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let files = fs::read_dir(directory.path().join("similarity")).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    (directory, files[0].clone())
}

fn assert_whole(store: &MemoryStore) {
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    for number in [2, 300, 1_000] {
        let mut found = nearest(store, number);
        found.sort_unstable();
        assert_eq!(found, [number - 1, number, number + 1]);
    }
}

#[test]
fn a_saved_index_is_used_at_the_next_opening() {
    let (directory, _) = saved_store();
    let store = open(directory.path());
    let IndexOrigin::Loaded { added, removed } = health(&store).origin else {
        panic!("{:?}", health(&store));
    };
    // Those that were in no full block when the store was closed.
    assert!(
        added < 512 && removed == 0,
        "{added} added, {removed} removed"
    );
    assert_whole(&store);
}

#[test]
fn a_damaged_index_is_built_anew_and_the_reason_told() {
    let (directory, file) = saved_store();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let store = open(directory.path());
    let reason = "differs from its checksum".to_owned();
    assert_eq!(health(&store).origin, IndexOrigin::Rebuilt { reason });
    // Found before the graph is there, and after.
    assert_whole(&store);
    build(&store);
    assert_whole(&store);
    drop(store);
    let store = open(directory.path());
    assert!(matches!(health(&store).origin, IndexOrigin::Loaded { .. }));
}

#[test]
fn an_index_older_than_the_database_is_brought_up_to_date() {
    let (directory, file) = saved_store();
    let outdated = fs::read(&file).unwrap();
    let store = open(directory.path());
    for number in (50..200).step_by(3) {
        store.forget(&namespace(), id(number)).unwrap();
    }
    fill(&store, VECTORS + 1..=VECTORS + 200);
    drop(store);
    // As if the process had been killed before it could save the graph.
    fs::write(&file, outdated).unwrap();
    fs::write(file.with_extension("unfinished"), b"half of a file").unwrap();
    let store = open(directory.path());
    let IndexOrigin::Loaded { added, removed } = health(&store).origin else {
        panic!("{:?}", health(&store));
    };
    // Some may not have been in the file: what is in no full block yet is not.
    assert!((1..=50).contains(&removed), "{removed}");
    assert!(added >= 200, "{added}");
    assert!(!nearest(&store, 50).contains(&50));
    assert_whole(&store);
    assert!(!file.with_extension("unfinished").exists());
}

#[test]
fn a_repair_builds_the_index_anew() {
    let (directory, _) = saved_store();
    let store = open(directory.path());
    assert!(store.repair().unwrap().is_clean());
    assert_eq!(health(&store).origin, IndexOrigin::New);
    build(&store);
    assert_whole(&store);
}

#[test]
fn a_file_that_went_bad_is_named_by_a_check_and_mended_by_a_repair() {
    let (directory, file) = saved_store();
    let store = open(directory.path());
    assert_whole(&store);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let found: Vec<String> = store
        .check()
        .unwrap()
        .disagreements
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = "team: saved graph of vectors differs from its checksum";
    assert_eq!(found, [expected]);
    assert!(store.repair().unwrap().is_clean());
    build(&store);
    drop(store);
    let store = open(directory.path());
    assert!(matches!(health(&store).origin, IndexOrigin::Loaded { .. }));
    assert_whole(&store);
}

#[test]
fn namespaces_have_an_index_each_and_nothing_is_found_across() {
    let (directory, store) = open_temporary();
    let other = Namespace::new("other").unwrap();
    for number in 1..=30 {
        let new = |namespace| NewMemory::new(namespace, "m", at(0)).vector(vector(number));
        store.remember(new(namespace())).unwrap();
        store.remember(new(other.clone())).unwrap();
    }
    store.forget(&other, id(7)).unwrap();
    let found = store.recall(&other, &near_to(&vector(7), 30)).unwrap();
    assert_eq!(found.len(), 29);
    assert!(found.iter().all(|found| found.memory.namespace == other));
    assert_eq!(nearest(&store, 7)[0], 7);
    let names: Vec<Namespace> = store
        .index_health()
        .into_iter()
        .map(|health| health.namespace)
        .collect();
    assert_eq!(names, [other, namespace()]);
    drop((store, directory));
}

#[test]
fn diversity_puts_what_is_new_before_copies() {
    let (_directory, store) = open_temporary();
    let remember = |vector: [f32; 2]| {
        let new = memory("the build failed").vector(vector.to_vec());
        store.remember(new).unwrap().get()
    };
    let copies = [
        remember([1.0, 0.0]),
        remember([1.0, 0.0]),
        remember([1.0, 0.01]),
    ];
    let other = remember([0.6, 0.8]);
    let order = |diversity| -> Vec<u64> {
        let query = Query::new()
            .vector(vec![1.0, 0.0])
            .diversity(diversity)
            .limit(2);
        let found = store.recall(&namespace(), &query).unwrap();
        found.iter().map(|found| found.memory.id.get()).collect()
    };
    assert_eq!(order(0.0), [copies[0], copies[1]]);
    assert_eq!(order(0.3), [copies[0], other]);
    assert_eq!(order(f64::NAN), order(0.0));
}

#[test]
fn duplicates_are_found_by_content_and_by_vector() {
    let (_directory, store) = open_temporary();
    let remember = |text: &str, vector: [f32; 2]| {
        store
            .remember(memory(text).vector(vector.to_vec()))
            .unwrap()
    };
    let a = remember("the build failed", [1.0, 0.0]);
    let b = remember("the build failed", [1.0, 0.0]);
    let c = remember("the build broke", [1.0, 0.05]);
    let d = remember("lunch is at noon", [0.0, 1.0]);
    let no_vector = store.remember(memory("no vector")).unwrap();
    let same_without = store.remember(memory("no vector")).unwrap();
    let found = store.duplicates(&namespace(), 0.99).unwrap();
    let pairs: Vec<_> = found.iter().map(|pair| (pair.first, pair.second)).collect();
    assert_eq!(pairs, [(a, b), (a, c), (b, c), (no_vector, same_without)]);
    assert_eq!(found[0].kind, DuplicateKind::SameContent);
    let DuplicateKind::Near { cosine } = found[1].kind else {
        panic!("{:?}", found[1]);
    };
    assert!((cosine - 0.998_75).abs() < 1e-4, "{cosine}");
    let near = store.near_duplicates_of(&namespace(), c, 0.99).unwrap();
    assert_eq!(near.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [a, b]);
    assert!(
        store
            .near_duplicates_of(&namespace(), d, 0.99)
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .near_duplicates_of(&namespace(), no_vector, 0.1)
            .unwrap()
            .is_empty()
    );
}
