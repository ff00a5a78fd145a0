//! Facts that change, end and expire.

use std::num::NonZeroU32;
use std::time::Duration;

use memory_store::{Direction, Edge, Error, Filter, MemoryStore, Moment, Query, Traversal, When};

use super::{
    any_word, at, edge, found_when, id, ids, listed, memory, namespace, near_to, open_temporary,
    reached_by, relation,
};

fn where_(store: &MemoryStore, when: When) -> Vec<u64> {
    ids(&listed(store, &namespace(), &Filter::new().when(when)))
}

#[test]
fn an_update_leaves_what_was_known_before_in_the_history() {
    let (directory, store) = open_temporary();
    let own = store
        .remember(
            memory("lives in Rome")
                .recorded_at(at(10))
                .tag("old")
                .vector(vec![1.0, 0.0]),
        )
        .unwrap();
    let corrected = memory("lives in Oslo")
        .recorded_at(at(20))
        .vector(vec![0.0, 1.0]);
    assert_eq!(store.update(own, corrected.clone()).unwrap(), 2);
    assert_eq!(
        store
            .update(own, memory("lives in Bonn").recorded_at(at(5)))
            .unwrap(),
        3
    );

    let text = |moment| {
        let known = store
            .get_when(&namespace(), own, Moment::KnownAt(at(moment)))
            .unwrap();
        known.map(|memory| memory.text.clone())
    };
    assert_eq!(text(9), None);
    assert_eq!(text(19).as_deref(), Some("lives in Rome"));
    // The third was said to be recorded before the second, which it replaced.
    assert_eq!(text(20).as_deref(), Some("lives in Bonn"));
    let history = store.history(&namespace(), own).unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|version| {
            (
                version.fact.version,
                version.fact.recorded_at,
                version.replaced_at,
            )
        })
        .collect();
    let expected = [
        (1, at(10), Some(at(20))),
        (2, at(20), Some(at(20))),
        (3, at(20), None),
    ];
    assert_eq!(told, expected);
    assert_eq!(history[1].fact.digest(), corrected.digest());

    // No tier finds what is known no more.
    assert!(
        store
            .recall(&namespace(), &any_word("Rome Oslo", 9))
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store
            .recall(&namespace(), &any_word("Bonn", 9))
            .unwrap()
            .len(),
        1
    );
    assert!(
        store
            .recall(&namespace(), &near_to(&[1.0, 0.0], 9))
            .unwrap()
            .is_empty()
    );
    assert!(listed(&store, &namespace(), &Filter::new().tag("old")).is_empty());
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.history(&namespace(), own).unwrap(), history);
    store.forget(&namespace(), own).unwrap();
    assert!(store.history(&namespace(), own).unwrap().is_empty());
    let unknown = store.update(own, memory("gone")).unwrap_err();
    assert!(matches!(unknown, Error::UnknownMemory { .. }), "{unknown}");
}

#[test]
fn what_was_superseded_is_found_as_of_the_time_when_it_was_true() {
    let (_directory, store) = open_temporary();
    let rome = store
        .remember(memory("Ada lives in Rome").vector(vec![1.0, 0.1]))
        .unwrap();
    let new = memory("Ada lives in Oslo")
        .vector(vec![1.0, 0.2])
        .valid_from(at(100));
    let oslo = store.supersede(rome, new.recorded_at(at(150))).unwrap();
    let found = |when| {
        let mut similar = store
            .recall(&namespace(), &found_when(near_to(&[1.0, 0.0], 9), when))
            .unwrap();
        let text = store
            .recall(&namespace(), &found_when(any_word("lives", 9), when))
            .unwrap();
        similar.sort_by_key(|found| found.memory.id);
        assert_eq!(
            similar
                .iter()
                .map(|found| found.memory.id)
                .collect::<Vec<_>>(),
            text.iter().map(|found| found.memory.id).collect::<Vec<_>>()
        );
        let similar = ids(similar.iter().map(|found| &*found.memory));
        let mut filtered = where_(&store, when);
        filtered.sort_unstable();
        assert_eq!(similar, filtered);
        similar
    };
    assert_eq!(found(When::Current), [oslo.get()]);
    assert_eq!(found(When::AsOf(at(99))), [rome.get()]);
    assert_eq!(found(When::AsOf(at(100))), [oslo.get()]);
    assert_eq!(found(When::Ever), [rome.get(), oslo.get()]);
    assert!(
        store
            .get_when(&namespace(), rome, Moment::TrueAt(at(100)))
            .unwrap()
            .is_none()
    );
    // Until it was recorded, it was not known that it would end.
    let known = store
        .get_when(&namespace(), rome, Moment::KnownAt(at(149)))
        .unwrap()
        .unwrap();
    assert_eq!(known.valid_until, None);

    let successors = Traversal::new(oslo)
        .relation(relation("supersedes"))
        .when(When::Ever);
    let related = store
        .recall(&namespace(), &reached_by(&successors))
        .unwrap();
    assert_eq!(
        ids(related.iter().map(|related| &*related.memory)),
        [rome.get()]
    );
    let query = Query::new()
        .text("lives")
        .vector(vec![1.0, 0.0])
        .as_of(at(50));
    let recalled = store.recall(&namespace(), &query).unwrap();
    assert_eq!(
        ids(recalled.iter().map(|found| &*found.memory)),
        [rome.get()]
    );
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn an_expired_memory_is_never_found_at_the_callers_moment_and_a_sweep_removes_it() {
    let (_directory, store) = open_temporary();
    for number in 1..=1_100 {
        let new = memory("short-lived").id(id(number)).vector(vec![1.0]);
        let new = new.expires_at(at(if number <= 1_050 { 10 } else { 20 }));
        store.remember(new).unwrap();
    }
    let lasting = store.remember(memory("lasting")).unwrap();
    store.link(edge(lasting, "saw", id(1))).unwrap();
    let found = |moment| {
        let when = When::AsOf(at(moment));
        let similar = store
            .recall(&namespace(), &found_when(near_to(&[1.0], 10_000), when))
            .unwrap();
        let text = store
            .recall(&namespace(), &found_when(any_word("short", 10_000), when))
            .unwrap();
        // From the cache, which holds them all by now.
        let read = (1..=1_100)
            .filter(|number| {
                store
                    .get_when(&namespace(), id(*number), Moment::TrueAt(at(moment)))
                    .unwrap()
                    .is_some()
            })
            .count();
        assert_eq!((similar.len(), text.len()), (read, read));
        assert_eq!(where_(&store, when).len(), read + 1);
        read
    };
    assert_eq!([found(9), found(10), found(20)], [1_100, 50, 0]);
    let walk = Traversal::new(lasting).when(When::AsOf(at(10)));
    assert!(
        store
            .recall(&namespace(), &reached_by(&walk))
            .unwrap()
            .is_empty()
    );

    // Another life: it was updated after somebody had found it expired.
    store.update(id(1), memory("kept")).unwrap();
    assert_eq!(store.sweep(at(10)).unwrap(), 1_049);
    assert_eq!(store.sweep(at(10)).unwrap(), 0);
    assert_eq!(store.stats().items, 52);
    assert!(store.get(&namespace(), id(2)).unwrap().is_none());
    assert_eq!(
        store.get(&namespace(), id(1)).unwrap().unwrap().text,
        "kept"
    );
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_few_best_that_have_ended_do_not_hide_those_behind_them() {
    let (_directory, store) = open_temporary();
    for number in 1..=600_u16 {
        let own = id(number.into());
        let new = memory("same words").id(own).vector(vec![
            1.0 - f32::from(number) / 1_000.0,
            f32::from(number) / 1_000.0,
        ]);
        store.remember(new).unwrap();
        if number > 60 {
            store.end(&namespace(), own, at(50), at(50)).unwrap();
        }
    }
    let similar = |k, when| {
        let found = store
            .recall(&namespace(), &found_when(near_to(&[0.0, 1.0], k), when))
            .unwrap();
        ids(found.iter().map(|found| &*found.memory))
    };
    // Those with high numbers are nearer.
    assert_eq!(similar(3, When::AsOf(at(10))), [600, 599, 598]);
    assert_eq!(similar(3, When::Current), [60, 59, 58]);
    assert_eq!(similar(100, When::Current).len(), 60);
    let text = store.recall(&namespace(), &any_word("words", 5)).unwrap();
    assert_eq!(
        ids(text.iter().map(|found| &*found.memory)),
        [1, 2, 3, 4, 5]
    );
    assert!(!store.end(&namespace(), id(600), at(70), at(70)).unwrap());
    assert!(store.end(&namespace(), id(600), at(5), at(70)).unwrap());
    assert_eq!(similar(1, When::AsOf(at(10))), [599]);
}

#[test]
fn edges_of_one_kind_follow_each_other_in_time() {
    let (directory, store) = open_temporary();
    for _ in 0..3 {
        store.remember(memory("m").valid_from(at(-1_000))).unwrap();
    }
    let link = |from: i64, weight: f64| {
        let new = Edge::new(namespace(), id(1), relation("r"), id(2), at(from));
        store.link(new.weight(weight)).unwrap();
    };
    link(10, 1.0);
    link(20, 2.0);
    link(0, 3.0);
    link(20, 4.0);
    let held = |store: &MemoryStore| -> Vec<(i64, Option<i64>, f64)> {
        let edges = store.edges_of(&namespace(), id(1), Direction::Outgoing, When::Ever);
        let times = edges.iter().map(|edge| {
            let until = edge.valid_until.map(memory_store::Timestamp::as_millis);
            (edge.valid_from.as_millis(), until, edge.weight)
        });
        times.collect()
    };
    let expected = [(0, Some(10), 3.0), (10, Some(20), 1.0), (20, None, 4.0)];
    assert_eq!(held(&store), expected);
    assert_eq!(
        store
            .edges_of(&namespace(), id(1), Direction::Both, When::Current)
            .len(),
        1
    );
    let history = store
        .edge_history(&namespace(), id(1), &relation("r"), id(2))
        .unwrap();
    let replaced: Vec<f64> = history
        .iter()
        .filter(|version| version.replaced_at.is_some())
        .map(|version| version.fact.weight)
        .collect();
    assert_eq!(replaced, [1.0, 2.0]);

    store
        .link(edge(id(2), "r", id(3)).valid_from(at(-5)))
        .unwrap();
    let walk = |moment| {
        Traversal::new(id(1))
            .hops(NonZeroU32::new(2).unwrap())
            .when(When::AsOf(at(moment)))
    };
    let weights = super::strength;
    let strength = |moment| {
        let path = store
            .shortest_path(&namespace(), &walk(moment), id(3))
            .unwrap();
        path.map(|found| (found.path().len() - 1, weights(&found)))
    };
    assert_eq!(strength(-1), None);
    assert_eq!(
        [strength(5), strength(15), strength(25)],
        [Some((2, 3.0)), Some((2, 1.0)), Some((2, 4.0))]
    );
    let triple = (id(1), &relation("r"), id(2));
    assert!(
        store
            .end_edge(&namespace(), triple, at(30), at(30))
            .unwrap()
    );
    assert!(
        !store
            .end_edge(&namespace(), triple, at(30), at(30))
            .unwrap()
    );
    assert_eq!(strength(30), None);
    assert!(
        store
            .edges_of(&namespace(), id(1), Direction::Both, When::Current)
            .is_empty()
    );
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(held(&store)[2], (20, Some(30), 4.0));
    assert!(
        store
            .unlink(&namespace(), id(1), &relation("r"), id(2))
            .unwrap()
    );
    assert!(held(&store).is_empty());
}

#[test]
fn decay_weighs_age_and_not_only_its_order() {
    let (_directory, store) = open_temporary();
    let day = |days: i64| at(days * 86_400_000);
    let new = |text: &str, days| {
        let mut new = memory(text);
        new.at = day(days);
        store.remember(new).unwrap().get()
    };
    let best = new("linker linker memory", 0);
    let young = new("the linker is slow today as it was before", 99);
    let found = |query: Query| {
        let found = store.recall(&namespace(), &query).unwrap();
        ids(found.iter().map(|found| &*found.memory))
    };
    let query = Query::new().text("linker memory");
    assert_eq!(found(query.clone()), [best, young]);
    let decay = |days: u64| {
        query
            .clone()
            .decay(Duration::from_secs(days * 86_400_u64), day(100))
    };
    assert_eq!(found(decay(10)), [young, best]);
    assert_eq!(found(decay(1_000_000)), [best, young]);
}

#[test]
fn what_would_end_before_it_begins_is_refused() {
    let (_directory, store) = open_temporary();
    let refused = store
        .remember(memory("m").valid_from(at(5)).valid_until(at(4)))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a new memory in namespace team would be valid from 5 until 4"
    );
    let own = store.remember(memory("m")).unwrap();
    let refused = store
        .link(edge(own, "r", own).valid_until(at(-1)))
        .unwrap_err();
    assert!(
        matches!(refused, Error::InvalidInterval { .. }),
        "{refused}"
    );
}
