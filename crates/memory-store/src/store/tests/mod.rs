//! Failures that cannot be brought about from outside.

mod crash;
mod migration;
mod planted;

use action::Timestamp;

use super::*;
use crate::error::Error;
use crate::model::edge::Edge;
use crate::model::filter::Filter;
use crate::model::names::Relation;
use crate::model::query::Query;

fn namespace() -> Namespace {
    Namespace::new("n").unwrap()
}

fn memory(text: &str) -> NewMemory {
    NewMemory::new(namespace(), text, Timestamp::default())
}

fn id(id: u64) -> MemoryId {
    MemoryId::new(id).unwrap()
}

fn edge(source: u64, target: u64) -> Edge {
    let relation = Relation::new("r").unwrap();
    Edge::new(
        namespace(),
        id(source),
        relation,
        id(target),
        Timestamp::default(),
    )
}

/// What a filter lets through, the newest first.
fn listed(store: &MemoryStore, namespace: &Namespace, filter: &Filter) -> Vec<Arc<Memory>> {
    let query = Query::new().only(filter.clone());
    let found = store.recall(namespace, &query).unwrap();
    found.into_iter().map(|found| found.memory).collect()
}

#[test]
fn after_the_writer_died_writes_fail_honestly_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    let kept = store.remember(memory("kept")).unwrap();
    let died = store.writer.inspect(|_| panic!("on purpose, in a test"));
    assert!(matches!(died, Err(Error::Poisoned { .. })));
    let error = store.remember(memory("late")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store accepts no more writes: the writer panicked"
    );
    assert_eq!(store.get(&namespace(), kept).unwrap().unwrap().text, "kept");
    assert!(store.close().is_err());
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.stats().items, 1);
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    // To SQLite, a database that may not grow is a disk that is full.
    store
        .writer
        .inspect(|session| {
            let set = |pages: i64| {
                session
                    .connection()
                    .pragma_update_and_check(None, "max_page_count", pages, |row| {
                        row.get::<_, i64>(0)
                    })
            };
            set(1).and_then(|pages_now| set(pages_now + 4)).unwrap();
        })
        .unwrap();
    let large = memory(&"x".repeat(100_000)).tag("large");
    let error = store.remember(large).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    let small = store.remember(memory("small")).unwrap();
    assert_eq!(
        store.get(&namespace(), small).unwrap().unwrap().text,
        "small"
    );
    assert_eq!(store.stats().items, 1);
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_what_was_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    let kept = store.remember(memory("kept").tag("t")).unwrap();
    store
        .writer
        .inspect(|_| crate::model::fault::fail_next_sync())
        .unwrap();
    let acknowledged = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| store.remember(memory("lost").tag("t")).is_ok()))
            .collect();
        writers
            .into_iter()
            .map(|writer| usize::from(writer.join().unwrap()))
            .sum::<usize>()
    });
    assert_eq!(
        acknowledged, 0,
        "a retry could report success for pages that are gone"
    );
    let error = store.remember(memory("late")).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    let tagged = Filter::new().tag("t");
    assert_eq!(listed(&store, &namespace(), &tagged).len(), 1);
    assert!(
        store
            .recall(&namespace(), &Query::new().text("lost"))
            .unwrap()
            .is_empty()
    );
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert!(store.check().unwrap().is_clean());
    assert_eq!(store.get(&namespace(), kept).unwrap().unwrap().text, "kept");
    assert_eq!(store.stats().items, 1);
    store.remember(memory("anew")).unwrap();
}

#[test]
fn a_sync_that_fails_in_an_import_ends_the_writes_as_well() {
    let exported = {
        let (_directory, store) = planted::store_to_damage();
        let mut exported = Vec::new();
        store.export(&mut exported, None).unwrap();
        exported
    };
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    store
        .writer
        .inspect(|_| crate::model::fault::fail_next_sync())
        .unwrap();
    assert!(store.import(&exported[..]).is_err());
    let error = store.remember(memory("late")).unwrap_err();
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    assert!(store.get(&namespace(), id(1)).unwrap().is_none());
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.stats().items, 0);
    store.import(&exported[..]).unwrap();
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn one_write_that_fails_does_not_fail_its_group() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    store
        .writer
        .inspect(|session| {
            let trap = "CREATE TEMP TRIGGER trap BEFORE INSERT ON main.memories
                        WHEN NEW.text = 'bad' BEGIN SELECT RAISE(ABORT, 'trapped'); END";
            session.connection().execute_batch(trap).unwrap();
        })
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..20 {
            let store = &store;
            scope.spawn(move || {
                let text = if thread % 5 == 0 { "bad" } else { "good" };
                let result = store.remember(memory(text).tag("t"));
                assert_eq!(result.is_ok(), text == "good", "{result:?}");
            });
        }
    });
    assert_eq!(
        listed(&store, &namespace(), &Filter::new().tag("t")).len(),
        16
    );
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_write_that_races_with_the_closing_is_answered() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let store = MemoryStore::open(directory.path()).unwrap();
        let acknowledged: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        (0..)
                            .take_while(|_| store.remember(memory("m")).is_ok())
                            .count()
                    })
                })
                .collect();
            store.remember(memory("first")).unwrap();
            store.close().unwrap();
            writers
                .into_iter()
                .map(|writer| writer.join().unwrap())
                .sum()
        });
        drop(store);
        let store = MemoryStore::open(directory.path()).unwrap();
        assert_eq!(store.stats().items, acknowledged as u64 + 1);
    }
}
