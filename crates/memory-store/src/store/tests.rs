//! Failures that cannot be brought about from outside.

use super::*;
use crate::error::Error;
use crate::names::Timestamp;

fn namespace() -> Namespace {
    Namespace::new("n").unwrap()
}

fn memory(text: &str) -> NewMemory {
    NewMemory::new(namespace(), text, Timestamp::default())
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
        store
            .recall_where(&namespace(), &Filter::new().tag("t"))
            .unwrap()
            .len(),
        16
    );
    assert!(store.check().unwrap().is_clean());
}
