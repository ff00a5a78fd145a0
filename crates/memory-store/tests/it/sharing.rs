//! Many threads on one store.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use memory_store::{AgentRun, Expected, Filter, MemoryStore, Moment, Query, When};

use super::{
    any_word, at, edge, found_when, id, listed, memory, namespace, near_to, open_temporary,
};

const THREADS: u64 = 100;

/// Runs the same work on many threads, each with its number.
fn on_threads(work: impl Fn(u64) + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
}

#[test]
fn a_hundred_writers_read_their_own_writes_and_share_commits() {
    let (directory, store) = open_temporary();
    on_threads(|thread| {
        for turn in 0..10 {
            let own = id(thread * 10 + turn + 1);
            let new = memory("shared")
                .id(own)
                .vector(vec![thread as f32 + 1.0, turn as f32]);
            assert_eq!(store.remember(new.clone()).unwrap(), own);
            assert_eq!(
                store.get(&namespace(), own).unwrap().unwrap().digest(),
                new.digest()
            );
            store.link(edge(own, "self", own)).unwrap();
            if turn % 2 == 0 {
                assert!(store.forget(&namespace(), own).unwrap());
                assert!(store.get(&namespace(), own).unwrap().is_none());
            }
        }
    });
    let stats = store.stats();
    assert_eq!((stats.items, stats.edges, stats.vectors), (500, 500, 500));
    assert!(stats.commits * 2 < stats.writes, "{stats:?}");
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(listed(&store, &namespace(), &Filter::new()).len(), 500);
}

#[test]
fn no_reader_sees_a_memory_after_its_forget_was_acknowledged() {
    let (_directory, store) = open_temporary();
    let own = id(1);
    let gone = AtomicBool::new(false);
    for _ in 0..100 {
        store
            .remember(memory("short-lived").id(own).vector(vec![1.0]))
            .unwrap();
        gone.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        // Asked before the read: what was gone then must be gone in the read.
                        let was_gone = gone.load(Ordering::SeqCst);
                        let read = store.get(&namespace(), own).unwrap();
                        let similar = store.recall(&namespace(), &near_to(&[1.0], 1)).unwrap();
                        if was_gone {
                            assert!(read.is_none() && similar.is_empty());
                            break;
                        }
                    }
                });
            }
            store.forget(&namespace(), own).unwrap();
            gone.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn a_hundred_threads_of_reads_and_writes_leave_what_their_ledger_says() {
    let (directory, store) = open_temporary();
    let ledger = Mutex::new(BTreeMap::new());
    on_threads(|thread| {
        let mut own = BTreeMap::new();
        for turn in 0..25 {
            // Two of five are writes: 60 reads to 40 writes.
            let number = id(thread * 100 + turn + 1);
            match turn % 5 {
                0 => {
                    let new = memory(&format!("thread {thread} turn {turn}")).id(number);
                    let new = new.tag("t").vector(vec![thread as f32 + 1.0, turn as f32]);
                    own.insert(number, new.digest());
                    store.remember(new).unwrap();
                }
                1 if turn % 2 == 0 => {
                    let (oldest, _) = own.pop_first().unwrap();
                    assert!(store.forget(&namespace(), oldest).unwrap());
                }
                1 => {
                    let (newest, _) = own.last_key_value().unwrap();
                    store.link(edge(*newest, "self", *newest)).unwrap();
                }
                2 => {
                    for (id, digest) in &own {
                        let read = store.get(&namespace(), *id).unwrap().unwrap();
                        assert_eq!(read.digest(), *digest);
                    }
                }
                3 => {
                    let query = [thread as f32 + 1.0, turn as f32];
                    assert!(
                        !store
                            .recall(&namespace(), &near_to(&query, 3))
                            .unwrap()
                            .is_empty()
                    );
                }
                _ => {
                    let query = Query::new().only(Filter::new().tag("t")).limit(3);
                    assert!(!store.recall(&namespace(), &query).unwrap().is_empty());
                }
            }
        }
        ledger.lock().unwrap().append(&mut own);
    });
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let mut stored = BTreeMap::new();
    for entry in memory_store::read_all(directory.path()).unwrap() {
        if let memory_store::Entry::Memory(memory, digest) = entry.unwrap() {
            stored.insert(memory.id, digest);
        }
    }
    assert_eq!(stored, ledger.into_inner().unwrap());
}

#[test]
fn a_hundred_threads_of_every_kind_of_operation_leave_what_their_ledger_says() {
    let (directory, store) = open_temporary();
    let ledger = Mutex::new((BTreeMap::new(), BTreeMap::new()));
    on_threads(|thread| {
        let run = AgentRun::new(namespace(), format!("agent {thread}"), "run").unwrap();
        let mut memories = BTreeMap::new();
        let mut state = Vec::new();
        for turn in 0..10 {
            // Two of five operations write.
            let own = id(thread * 100 + turn + 1);
            let word = format!("word{thread}");
            match turn % 5 {
                0 => {
                    let new = memory(&word)
                        .id(own)
                        .vector(vec![thread as f32 + 1.0, turn as f32]);
                    memories.insert(own, new.digest());
                    store.remember(new).unwrap();
                }
                1 if turn == 1 => {
                    let first = id(thread * 100 + 1);
                    let new = memory(&word).tag("updated");
                    memories.insert(first, new.digest());
                    assert_eq!(store.update(first, new).unwrap(), 2);
                    state = vec![thread as u8; 10_000];
                    store
                        .put_state(&run, "k", state.clone(), Expected::Absent)
                        .unwrap();
                    store.checkpoint(&run, "mark", at(0)).unwrap();
                }
                1 => {
                    let first = id(thread * 100 + 1);
                    let new = memory(&word).id(own).valid_from(at(50));
                    memories.insert(own, new.digest());
                    store.supersede(first, new).unwrap();
                    let ended = store.get(&namespace(), first).unwrap().unwrap();
                    assert_eq!(ended.valid_until, Some(at(50)));
                    memories.insert(first, ended.digest());
                }
                2 => {
                    let found = store
                        .recall(&namespace(), &found_when(any_word(&word, 9), When::Ever))
                        .unwrap();
                    assert_eq!(found.len(), memories.len());
                }
                3 => {
                    for (id, digest) in &memories {
                        let read = store
                            .get_when(&namespace(), *id, Moment::TrueAt(at(50)))
                            .unwrap();
                        assert!(read.is_none_or(|read| read.digest() == *digest));
                    }
                }
                _ => {
                    let read = store.state(&run, "k").unwrap().unwrap();
                    assert!(read.value == state);
                }
            }
        }
        let mut ledger = ledger.lock().unwrap();
        ledger.0.append(&mut memories);
        ledger.1.insert(run, state);
    });
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    drop(store);
    let (memories, states) = ledger.into_inner().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    let mut stored = BTreeMap::new();
    for entry in store.iter_all().unwrap() {
        if let memory_store::Entry::Memory(memory, digest) = entry.unwrap() {
            stored.insert(memory.id, digest);
        }
    }
    assert_eq!(stored, memories);
    for (run, state) in states {
        assert!(
            store.state(&run, "k").unwrap().unwrap().value == state,
            "{run}"
        );
    }
}
