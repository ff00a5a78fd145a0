//! Many threads on one store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use memory_store::{Filter, MemoryStore};

use super::{edge, id, memory, namespace, open_temporary};

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
    assert_eq!(
        store
            .recall_where(&namespace(), &Filter::new())
            .unwrap()
            .len(),
        500
    );
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
                        let similar = store.recall_similar(&namespace(), &[1.0], 1).unwrap();
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
