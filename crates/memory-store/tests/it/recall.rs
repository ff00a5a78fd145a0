//! Each tier finds what was remembered, and never what was forgotten.

use std::num::NonZeroU32;

use memory_store::{
    Direction, Error, Filter, MemoryStore, Namespace, NewMemory, Query, Traversal, When,
};

use super::{
    at, edge, id, ids, listed, memory, namespace, near_to, open_temporary, reached_by, relation,
    strength,
};

#[test]
fn a_memory_is_read_back_exactly() {
    let (_directory, store) = open_temporary();
    let new = memory("ünïcode \u{0} and \"quotes\"")
        .tag("a tag")
        .attribute("agent", "seven")
        .attribute("turn", -3)
        .attribute("urgent", true)
        .vector(vec![1.5e-40, -0.0, 3.0]);
    let stored = store.remember(new.clone()).unwrap();
    let read = store.get(&namespace(), stored).unwrap().unwrap();
    assert_eq!(read.digest(), new.digest());
    assert_eq!(
        (read.text.as_str(), read.vector.as_deref()),
        (&*new.text, new.vector.as_deref())
    );
    assert_eq!((&read.tags, &read.attributes), (&new.tags, &new.attributes));
}

#[test]
fn a_reopened_store_has_everything_in_every_tier() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    let first = store
        .remember(memory("first").tag("t").vector(vec![1.0, 0.0]))
        .unwrap();
    let second = store
        .remember(memory("second").vector(vec![0.0, 1.0]))
        .unwrap();
    store
        .link(edge(first, "before", second).weight(0.5))
        .unwrap();
    store.close().unwrap();
    drop(store);

    let store = MemoryStore::open(directory.path()).unwrap();
    let similar = store
        .recall(&namespace(), &near_to(&[0.1, 0.9], 1))
        .unwrap();
    assert_eq!(similar[0].memory.id, second);
    let related = store
        .recall(&namespace(), &reached_by(&Traversal::new(first)))
        .unwrap();
    assert_eq!(related[0].memory.id, second);
    assert_eq!(strength(&related[0]), 0.5);
    let tagged = listed(&store, &namespace(), &Filter::new().tag("t"));
    assert_eq!(ids(&tagged), [first.get()]);
    let stats = store.stats();
    assert_eq!((stats.items, stats.edges, stats.vectors), (2, 1, 2));
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_forgotten_memory_is_gone_from_every_tier_and_its_edges_with_it() {
    let (_directory, store) = open_temporary();
    for number in 1..=3 {
        let new = memory("m")
            .id(id(number))
            .tag("t")
            .attribute("n", 1)
            .vector(vec![1.0]);
        store.remember(new).unwrap();
        store.get(&namespace(), id(number)).unwrap().unwrap();
    }
    store.link(edge(id(1), "r", id(2))).unwrap();
    store.link(edge(id(2), "r", id(3))).unwrap();
    store.link(edge(id(3), "r", id(1))).unwrap();

    assert!(store.forget(&namespace(), id(2)).unwrap());
    assert!(!store.forget(&namespace(), id(2)).unwrap());
    assert!(store.get(&namespace(), id(2)).unwrap().is_none());
    let similar = store.recall(&namespace(), &near_to(&[1.0], 9)).unwrap();
    assert_eq!(ids(similar.iter().map(|found| &*found.memory)), [1, 3]);
    for filter in [
        Filter::new().tag("t"),
        Filter::new().attribute("n", 1),
        Filter::new(),
    ] {
        assert_eq!(ids(&listed(&store, &namespace(), &filter)), [3, 1]);
    }
    let hops = NonZeroU32::new(5).unwrap();
    let walk = Traversal::new(id(1)).direction(Direction::Both).hops(hops);
    let related = store.recall(&namespace(), &reached_by(&walk)).unwrap();
    assert_eq!(ids(related.iter().map(|found| &*found.memory)), [3]);
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    assert_eq!((report.items, report.edges, report.vectors), (2, 1, 2));
}

#[test]
fn nothing_is_found_across_namespaces() {
    let (_directory, store) = open_temporary();
    let other = Namespace::new("other").unwrap();
    let ours = store
        .remember(memory("ours").tag("t").vector(vec![1.0, 0.0]))
        .unwrap();
    let theirs = NewMemory::new(other.clone(), "theirs", at(0))
        .tag("t")
        .vector(vec![1.0]);
    let theirs = store.remember(theirs).unwrap();
    assert_eq!(ours, theirs, "each namespace counts its own ids");

    assert_eq!(store.get(&namespace(), ours).unwrap().unwrap().text, "ours");
    assert_eq!(store.get(&other, theirs).unwrap().unwrap().text, "theirs");
    let similar = store.recall(&other, &near_to(&[1.0], 9)).unwrap();
    assert_eq!(similar.len(), 1);
    assert_eq!(similar[0].memory.text, "theirs");
    let tagged = listed(&store, &other, &Filter::new().tag("t"));
    assert_eq!(tagged.len(), 1);
    assert!(store.forget(&other, theirs).unwrap());
    assert!(store.get(&namespace(), ours).unwrap().is_some());
}

#[test]
fn a_filter_combines_its_conditions() {
    let (_directory, store) = open_temporary();
    for number in 1..=20_i64 {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let new = memory(&format!("number {number}!"))
            .id(id(number.unsigned_abs()))
            .tag(parity)
            .attribute("third", number % 3 == 0);
        store
            .remember(NewMemory {
                at: at(number * 10),
                ..new
            })
            .unwrap();
    }
    let found = |filter: Filter| ids(&listed(&store, &namespace(), &filter));
    assert_eq!(
        found(Filter::new().tag("even").attribute("third", true)),
        [18, 12, 6]
    );
    assert_eq!(
        found(Filter::new().tag("odd").from(at(150)).until(at(190))),
        [17, 15]
    );
    assert_eq!(found(Filter::new().text_contains("number 2")), [20, 2]);
    assert_eq!(found(Filter::new().tag("even").tag("odd")), [0; 0]);
    let newest = |limit| {
        let found = store
            .recall(&namespace(), &Query::new().limit(limit))
            .unwrap();
        ids(found.iter().map(|found| &*found.memory))
    };
    assert_eq!(newest(2), [20, 19]);
    assert_eq!(newest(0), [0; 0]);
}

#[test]
fn a_taken_id_is_refused_and_the_old_memory_stays() {
    let (_directory, store) = open_temporary();
    store.remember(memory("old").id(id(5)).tag("old")).unwrap();
    let error = store
        .remember(memory("new").id(id(5)).tag("new"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory 5 already exists in namespace team"
    );
    assert_eq!(store.get(&namespace(), id(5)).unwrap().unwrap().text, "old");
    assert!(listed(&store, &namespace(), &Filter::new().tag("new")).is_empty());
    assert_eq!(store.remember(memory("next")).unwrap(), id(6));
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn an_id_may_be_used_again_after_it_was_forgotten() {
    let (_directory, store) = open_temporary();
    for text in ["first", "second", "third"] {
        store
            .remember(memory(text).id(id(1)).vector(vec![1.0]))
            .unwrap();
        assert_eq!(store.get(&namespace(), id(1)).unwrap().unwrap().text, text);
        let similar = store.recall(&namespace(), &near_to(&[1.0], 9)).unwrap();
        assert_eq!(similar.len(), 1);
        store.forget(&namespace(), id(1)).unwrap();
    }
}

#[test]
fn a_bad_vector_is_refused_and_named() {
    let (_directory, store) = open_temporary();
    store
        .remember(memory("two").vector(vec![1.0, 0.0]))
        .unwrap();
    let refused = |new: NewMemory| store.remember(new).unwrap_err().to_string();
    assert_eq!(
        refused(memory("three").id(id(9)).vector(vec![1.0; 3])),
        "vector of memory 9 in namespace team has 3 dimensions, namespace team has 2"
    );
    assert_eq!(
        refused(memory("nan").vector(vec![0.0, f32::NAN])),
        "vector of a new memory in namespace team has NaN at index 1"
    );
    assert_eq!(
        refused(memory("zero").id(id(9)).vector(vec![0.0, 0.0])),
        "vector of memory 9 in namespace team is zero, so it has no direction"
    );
    assert_eq!(store.stats().items, 1);
    assert!(store.get(&namespace(), id(9)).unwrap().is_none());
}

#[test]
fn an_edge_needs_both_of_its_ends_and_a_finite_weight() {
    let (_directory, store) = open_temporary();
    let there = store.remember(memory("there")).unwrap();
    for (source, target) in [(there, id(77)), (id(77), there)] {
        let error = store.link(edge(source, "r", target)).unwrap_err();
        assert_eq!(error.to_string(), "no memory 77 in namespace team");
    }
    let error = store
        .link(edge(there, "r", there).weight(f64::NAN))
        .unwrap_err();
    assert!(matches!(error, Error::InvalidWeight { .. }), "{error}");
    assert_eq!(store.stats().edges, 0);
}

#[test]
fn linking_again_replaces_the_weight_and_unlinking_removes_one_relation_only() {
    let (_directory, store) = open_temporary();
    let a = store.remember(memory("a")).unwrap();
    let b = store.remember(memory("b")).unwrap();
    store.link(edge(a, "r", b)).unwrap();
    store.link(edge(a, "r", b).weight(2.0)).unwrap();
    store.link(edge(a, "s", b)).unwrap();
    assert_eq!(store.stats().edges, 2);
    assert_eq!(
        store.edges_of(&namespace(), b, Direction::Incoming, When::Current)[0].weight,
        2.0
    );
    assert!(store.unlink(&namespace(), a, &relation("r"), b).unwrap());
    assert!(!store.unlink(&namespace(), a, &relation("r"), b).unwrap());
    let left = store.edges_of(&namespace(), a, Direction::Both, When::Current);
    assert_eq!(left, [edge(a, "s", b)]);
    assert!(store.check().unwrap().is_clean());
}
