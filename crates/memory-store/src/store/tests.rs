//! Failures that cannot be brought about from outside.

mod crash;
mod migration;

use super::*;
use crate::edge::Edge;
use crate::error::Error;
use crate::filter::Filter;
use crate::names::{Relation, Timestamp};

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

/// A store with two linked memories that are in every tier.
fn store_to_damage() -> (tempfile::TempDir, MemoryStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    for text in ["first", "second"] {
        let new = memory(text)
            .tag("t")
            .attribute("a", true)
            .vector(vec![1.0, 2.0]);
        let id = store.remember(new).unwrap();
        store.get(&namespace(), id).unwrap().unwrap();
    }
    store.link(edge(1, 2)).unwrap();
    assert!(store.check().unwrap().is_clean());
    (directory, store)
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

/// Plants damage, and tells what a check finds before and after the repair, one line each.
fn found_and_left(plant: impl FnOnce(&MemoryStore)) -> (Vec<String>, Vec<String>) {
    let (_directory, store) = store_to_damage();
    plant(&store);
    let lines = |report: Report| {
        report
            .disagreements
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    (
        lines(store.check().unwrap()),
        lines(store.repair().unwrap()),
    )
}

/// Changes the database behind the store's back.
fn sql(statement: &'static str) -> impl FnOnce(&MemoryStore) {
    move |store| {
        let damage = |session: &mut Session| session.connection().execute_batch(statement).unwrap();
        store.writer.inspect(damage).unwrap();
    }
}

#[test]
fn every_planted_disagreement_of_the_database_is_named_and_mended() {
    let plants = [
        (
            "DELETE FROM tags WHERE row = 1",
            "index of tags: 1 rows missing, 0 too many",
        ),
        (
            "INSERT INTO attributes VALUES(1, 'a', 'false', 2)",
            "index of attributes: 0 rows missing, 1 too many",
        ),
        (
            "INSERT INTO memories_text(memories_text, rowid, terms)
             VALUES('delete', 1, 'n1zfirst')",
            "n/1: text missing from the full-text index",
        ),
        (
            "INSERT INTO memories_text(rowid, terms) VALUES(9, 'n1zghost')",
            "full-text index: 1 documents of no memory",
        ),
        (
            "INSERT INTO memories_text(memories_text, rowid, terms)
                 VALUES('delete', 1, 'n1zfirst');
             INSERT INTO memories_text(rowid, terms) VALUES(1, 'n1zother')",
            "full-text index: its words differ from the texts",
        ),
        ("UPDATE namespaces SET next_id = 2", "n: next id is taken"),
    ];
    for (statement, expected) in plants {
        assert_eq!(
            found_and_left(sql(statement)),
            (vec![expected.to_owned()], vec![])
        );
    }
    let history = [
        (
            "UPDATE versions SET at = 7",
            vec!["n/1: version 1 of its history is damaged"],
            false,
        ),
        (
            "UPDATE versions SET version = 9",
            vec!["n/1: version 9 of its history is damaged"],
            true,
        ),
        (
            "INSERT INTO edge_versions VALUES(1, 1, 'r', 77, 0, NULL, 1.0, 0, 0)",
            vec!["history of edges: 1 versions of no memory"],
            true,
        ),
        (
            "UPDATE namespaces SET bytes = bytes + 1",
            vec!["n: holds another number of items or bytes than it says"],
            true,
        ),
        (
            "INSERT INTO edges VALUES(1, 1, 'r', 2, 5, NULL, 1.0, 0)",
            vec![
                "n: two edges 1 -r-> 2 hold at the same time",
                "n: edge 1 -r-> 2 missing from the relation tier",
            ],
            true,
        ),
    ];
    for (statement, expected, is_mended) in history {
        let (found, left) = found_and_left(|store| {
            store.update(id(1), memory("again")).unwrap();
            sql(statement)(store);
        });
        assert_eq!(found, expected);
        assert_eq!(left.is_empty(), is_mended, "{left:?}");
    }
    let dangling = "INSERT INTO edges VALUES(1, 1, 'r', 77, 0, NULL, 1.0, 0)";
    let (found, left) = found_and_left(sql(dangling));
    assert_eq!(found[0], "n: edge 1 -r-> 77 ends at no memory");
    assert_eq!(left, [""; 0]);
}

#[test]
fn every_planted_disagreement_of_a_derived_tier_is_named_and_mended() {
    type Plant = fn(&MemoryStore);
    let plants: [(Plant, &str); 8] = [
        (
            |store| store.tiers.similarity.remove(&namespace(), id(1)),
            "n/1: vector missing from the similarity tier",
        ),
        (
            |store| {
                let unit = [1.0, 0.0];
                store.tiers.similarity.insert(&namespace(), id(9), &unit);
            },
            "n/9: vector only in the similarity tier",
        ),
        (
            |store| {
                let unit = [1.0, 0.0];
                store.tiers.similarity.insert(&namespace(), id(1), &unit);
            },
            "n/1: vector differs in the similarity tier",
        ),
        (
            |store| {
                let Edge {
                    namespace,
                    source,
                    relation,
                    target,
                    ..
                } = edge(1, 2);
                store
                    .tiers
                    .relations
                    .remove(&namespace, source, &relation, target);
            },
            "n: edge 1 -r-> 2 missing from the relation tier",
        ),
        (
            |store| store.tiers.relations.insert(&edge(2, 1)),
            "n: edge 2 -r-> 1 only in the relation tier",
        ),
        (
            |store| store.tiers.relations.insert(&edge(1, 2).weight(3.0)),
            "n: edge 1 -r-> 2 differs in the relation tier",
        ),
        (
            |store| store.tiers.counters().items.add(1),
            "count of memories: 3, stored are 2",
        ),
        (
            |store| {
                let stale = (*store.get(&namespace(), id(2)).unwrap().unwrap()).clone();
                store.tiers.cache.remove(&namespace(), id(2));
                let stale = Memory {
                    text: "stale".into(),
                    ..stale
                };
                store
                    .tiers
                    .cache
                    .get_or_load(&namespace(), id(2), || Ok(Some(stale)))
                    .unwrap();
            },
            "n/2: stale in the cache",
        ),
    ];
    for (plant, expected) in plants {
        assert_eq!(found_and_left(plant), (vec![expected.to_owned()], vec![]));
    }
}

#[test]
fn an_altered_memory_is_named_and_no_repair_hides_it() {
    let altered = sql("UPDATE memories SET at = 7 WHERE row = 1");
    let (found, left) = found_and_left(altered);
    assert_eq!(found[0], "n/1: content differs from its digest");
    assert_eq!(left, ["n/1: content differs from its digest"]);
}
