//! Disagreements of every kind, planted, found and mended.

use super::*;

/// A store with two linked memories that are in every tier.
pub(super) fn store_to_damage() -> (tempfile::TempDir, MemoryStore) {
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

/// Plants damage, and tells what a check finds before and after the repair, one line each.
fn found_and_left(plant: impl FnOnce(&MemoryStore)) -> (Vec<String>, Vec<String>) {
    let (_directory, store) = store_to_damage();
    plant(&store);
    let lines = |report: CheckReport| {
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
            "UPDATE namespaces SET state_bytes = 7",
            "n: holds another number of items or bytes than it says",
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
    let chunks = [
        (
            "UPDATE chunk_references SET count = 5 WHERE chunk = 1",
            "n: chunk 1 is counted 5 times, referred to 1",
            true,
        ),
        (
            "DELETE FROM chunk_references WHERE chunk = 1",
            "n: chunk 1 is counted 0 times, referred to 1",
            true,
        ),
        (
            "UPDATE chunks SET bytes = zeroblob(octet_length(bytes)) WHERE chunk = 1",
            "n: chunk 1 differs from its digest",
            false,
        ),
        (
            "INSERT INTO chunks(ns, digest, kind, bytes) VALUES(1, zeroblob(32), 1, x'')",
            "n: chunk 99 differs from its digest",
            true,
        ),
    ];
    for (statement, expected, is_mended) in chunks {
        let (found, left) = found_and_left(|store| {
            let run = crate::AgentRun::new(namespace(), "a", "r").unwrap();
            let value = vec![7; 10_000];
            store
                .put_state(&run, "k", value, crate::Expected::Anything)
                .unwrap();
            sql("UPDATE sqlite_sequence SET seq = 98 WHERE name = 'chunks'")(store);
            sql(statement)(store);
        });
        assert_eq!(found[0], expected);
        assert_eq!(left.is_empty(), is_mended, "{left:?}");
    }
    let (found, left) = found_and_left(|store| {
        let run = crate::AgentRun::new(namespace(), "a", "r").unwrap();
        store
            .put_state(&run, "k", vec![7; 10_000], crate::Expected::Anything)
            .unwrap();
        sql("DELETE FROM chunks WHERE kind = 1")(store);
    });
    assert_eq!(found[0], "n: version 1 of \"k\" of a/r lacks chunks");
    assert_eq!(left[0], found[0], "what is lost cannot be mended");
    let dangling = "INSERT INTO edges VALUES(1, 1, 'r', 77, 0, NULL, 1.0, 0)";
    let (found, left) = found_and_left(sql(dangling));
    assert_eq!(found[0], "n: edge 1 -r-> 77 ends at no memory");
    assert_eq!(left, [""; 0]);
}

/// Lets the first memory stand in the text tier as another one.
fn replant(store: &MemoryStore, other: NewMemory) {
    store.tiers.text.remove(&namespace(), id(1), "first");
    store.tiers.text.insert(id(1), &other);
}

#[test]
fn every_planted_disagreement_of_a_derived_tier_is_named_and_mended() {
    type Plant = fn(&MemoryStore);
    let plants: [(Plant, &str); 12] = [
        (
            |store| store.tiers.text.remove(&namespace(), id(1), "first"),
            "n/1: missing from the text tier",
        ),
        (
            |store| store.tiers.text.insert(id(9), &memory("ghost")),
            "text tier: 1 documents of no memory",
        ),
        (
            |store| replant(store, memory("other").tag("t").attribute("a", true)),
            "n/1: words, labels or times differ in the text tier",
        ),
        (
            |store| {
                let labelled = memory("first").tag("t").tag("u").attribute("a", true);
                replant(store, labelled);
            },
            "n: words or labels of no memory in the text tier",
        ),
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
