//! No argument makes a search panic, run for ever, or take all memory; and no path leads around a
//! quota or to two truths.

use std::num::NonZeroU32;
use std::ops::Bound;

use memory_store::{
    AgentRun, Error, Expected, Filter, MemoryStore, NewMemory, Query, Quota, Traversal, When,
};

use super::{
    any_word, at, edge, found_when, id, ids, listed, memory, namespace, near_to, open_temporary,
    strength,
};

#[test]
fn any_limit_is_answered_with_what_there_is() {
    let (_directory, store) = open_temporary();
    for number in 1..=30_u64 {
        let new = memory("word")
            .id(id(number))
            .tag("t")
            .vector(vec![number as f32, 1.0]);
        store.remember(new).unwrap();
    }
    store.link(edge(id(1), "r", id(2))).unwrap();
    for limit in [0, 1, 1_000_000_000, usize::MAX] {
        let queries = [
            any_word("word", limit),
            near_to(&[1.0, 1.0], limit),
            Query::new().recency().limit(limit),
            Query::new().prefer(Filter::new().tag("t")).limit(limit),
            Query::new().limit(limit),
            Query::new().only(Filter::new().tag("t")).limit(limit),
            any_word("word", limit)
                .vector(vec![1.0, 0.0])
                .recency()
                .diversity(0.5),
            any_word("word", limit).max_tokens(usize::MAX),
        ];
        for query in queries {
            let found = store.recall(&namespace(), &query).unwrap();
            assert_eq!(found.len(), limit.min(30), "{query:?}");
        }
    }
}

#[test]
fn a_walk_is_bounded_in_what_it_follows_and_what_it_tells() {
    let (_directory, store) = open_temporary();
    const LENGTH: u64 = 4_000;
    store
        .remember_all((1..=LENGTH).map(|number| memory("m").id(id(number))))
        .unwrap();
    std::thread::scope(|scope| {
        for first in 1..=50 {
            let store = &store;
            scope.spawn(move || {
                for number in (first..LENGTH).step_by(50) {
                    store
                        .link(edge(id(number), "next", id(number + 1)))
                        .unwrap();
                }
            });
        }
    });
    let walk = |hops: u32| {
        let walk = Traversal::new(id(1)).hops(NonZeroU32::new(hops).unwrap());
        Query::new().related(walk)
    };
    let near = store.recall(&namespace(), &walk(u32::MAX)).unwrap();
    assert_eq!(near.len(), 10);
    let far = store
        .recall(&namespace(), &walk(2_000).limit(usize::MAX))
        .unwrap();
    assert_eq!(far.len(), 2_000);
    assert_eq!(far[1_999].path().len(), 2_001);
    let error = store
        .recall(&namespace(), &walk(u32::MAX).limit(usize::MAX))
        .unwrap_err();
    assert!(matches!(error, Error::QueryTooLarge { .. }), "{error}");
    let whole = Traversal::new(id(1)).hops(NonZeroU32::MAX);
    let path = store
        .shortest_path(&namespace(), &whole, id(LENGTH))
        .unwrap()
        .unwrap();
    assert_eq!(path.path().len() as u64, LENGTH);
}

#[test]
fn a_question_of_too_many_words_is_refused_with_the_limit() {
    let (_directory, store) = open_temporary();
    store.remember(memory("word7 word8")).unwrap();
    let words = |count: usize| {
        let words: Vec<String> = (0..count).map(|n| format!("word{n}")).collect();
        Query::new().text(words.join(" "))
    };
    assert_eq!(store.recall(&namespace(), &words(1_024)).unwrap().len(), 1);
    let error = store.recall(&namespace(), &words(60_000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query has 60000 distinct words, the limit is 1024"
    );
    let error = store.recall(&namespace(), &words(200_000)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::QueryTooLarge {
                what: "bytes of text",
                ..
            }
        ),
        "{error}"
    );
    let repeated = Query::new().text("word7 ".repeat(10_000));
    assert_eq!(store.recall(&namespace(), &repeated).unwrap().len(), 1);
}

#[test]
fn a_filter_may_have_any_number_of_conditions() {
    let (_directory, store) = open_temporary();
    let tags: Vec<String> = (0..200).map(|n| format!("tag-{n}")).collect();
    let mut new = memory("many");
    let mut filter = Filter::new();
    for tag in &tags {
        new = new.tag(tag);
        filter = filter.tag(tag).attribute(tag.clone(), 7);
        new = new.attribute(tag.clone(), 7);
    }
    store.remember(new).unwrap();
    store.remember(memory("none")).unwrap();
    assert_eq!(ids(&listed(&store, &namespace(), &filter)), [1]);
    assert!(listed(&store, &namespace(), &filter.tag("another")).is_empty());
}

#[test]
fn conditions_of_every_kind_hold_for_every_way_of_searching() {
    let (_directory, store) = open_temporary();
    for number in 1..=40_i64 {
        let mut new = memory("word")
            .id(id(number.unsigned_abs()))
            .tag(["red", "green", "blue"][number as usize % 3])
            .attribute("size", number)
            .attribute("shape", if number % 2 == 0 { "round" } else { "square" })
            .vector(vec![number as f32, 1.0]);
        new.at = at(number);
        store.remember(new).unwrap();
    }
    store.end(&namespace(), id(8), at(20), at(50)).unwrap();
    type Meets = fn(u64) -> bool;
    let filters: [(Filter, Meets); 8] = [
        (Filter::new().any_tag(["red", "blue"]), |n| n % 3 != 1),
        (Filter::new().without_tag("red"), |n| n % 3 != 0),
        (Filter::new().any_value("size", [3, 5, 99]), |n| {
            n == 3 || n == 5
        }),
        (Filter::new().number("size", 10..20), |n| {
            (10..20).contains(&n)
        }),
        (Filter::new().number("size", ..=3), |n| n <= 3),
        (Filter::new().without_value("shape", "round"), |n| {
            n % 2 == 1
        }),
        (
            Filter::new()
                .any_tag(["green"])
                .any_tag(["green", "red"])
                .number("size", 5..),
            |n| n % 3 == 1 && n >= 5,
        ),
        // From 9 up, and at most 2.
        (
            Filter::new()
                .number("size", (Bound::Included(9), Bound::Included(2)))
                .tag("red"),
            |_| false,
        ),
    ];
    for (filter, meets) in filters {
        let expected: Vec<u64> = (1..=40).filter(|n| *n != 8 && meets(*n)).collect();
        let queries = [
            Query::new(),
            any_word("word", 99),
            near_to(&[1.0, 1.0], 99),
            Query::new().recency().limit(99),
            Query::new()
                .prefer(Filter::new().tag("red").when(When::Ever))
                .recency()
                .limit(99),
        ];
        for query in queries {
            let query = query.only(filter.clone());
            let mut found: Vec<u64> = store
                .recall(&namespace(), &query)
                .unwrap()
                .iter()
                .map(|found| found.memory.id.get())
                .collect();
            found.sort_unstable();
            let prefers = query.preferred.is_some();
            if prefers {
                assert!(found.iter().all(|id| expected.contains(id)), "{query:?}");
            } else {
                assert_eq!(found, expected, "{query:?}");
            }
        }
    }
    let ever = found_when(any_word("word", 99), When::Ever);
    assert_eq!(store.recall(&namespace(), &ever).unwrap().len(), 40);
}

#[test]
fn a_path_of_huge_weights_has_a_finite_strength() {
    let (_directory, store) = open_temporary();
    for number in 1..=4 {
        store.remember(memory("m").id(id(number))).unwrap();
    }
    for number in 1..=3 {
        store
            .link(edge(id(number), "r", id(number + 1)).weight(-1e300))
            .unwrap();
    }
    let walk = Traversal::new(id(1)).hops(NonZeroU32::new(3).unwrap());
    let found = store
        .recall(&namespace(), &Query::new().related(walk))
        .unwrap();
    assert!(found.iter().all(|found| strength(found).is_finite()));
    let infinite = edge(id(1), "r", id(2)).weight(f64::INFINITY);
    assert!(matches!(
        store.link(infinite),
        Err(Error::InvalidWeight { .. })
    ));
}

fn limited(bytes: u64) -> (tempfile::TempDir, MemoryStore) {
    let (directory, store) = open_temporary();
    let bytes = Some(bytes);
    store
        .set_quota(
            &namespace(),
            Quota {
                bytes,
                ..Quota::default()
            },
        )
        .unwrap();
    (directory, store)
}

fn is_exceeded<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(
        result.unwrap_err(),
        Error::QuotaExceeded { what: "bytes", .. }
    )
}

#[test]
fn a_quota_holds_on_every_path() {
    let (directory, store) = limited(1_000);
    let old = store.remember(memory(&"x".repeat(600))).unwrap();
    let usage = store.usage(&namespace()).unwrap();
    assert!(is_exceeded(store.end(&namespace(), old, at(5), at(5))));
    assert!(is_exceeded(store.supersede(old, memory("short"))));
    // Of what was refused in its second half, nothing is left of the first.
    assert_eq!(store.usage(&namespace()).unwrap(), usage);
    assert_eq!((store.stats().items, store.stats().edges), (1, 0));

    let run = AgentRun::new(namespace(), "a", "r").unwrap();
    let put = |size: usize| store.put_state(&run, "k", vec![7; size], Expected::Anything);
    put(300).unwrap();
    assert_eq!(store.usage(&namespace()).unwrap().bytes, usage.bytes + 300);
    assert!(is_exceeded(put(500)));
    assert_eq!(store.state(&run, "k").unwrap().unwrap().value.len(), 300);
    put(350).unwrap();
    assert!(is_exceeded(store.remember(memory(&"y".repeat(100)))));
    put(10).unwrap();
    store.remember(memory(&"y".repeat(100))).unwrap();
    let large = store.put_state(&run, "large", vec![1; 50_000], Expected::Anything);
    assert!(is_exceeded(large));
    assert!(store.check().unwrap().is_clean());
    let usage = store.usage(&namespace()).unwrap();
    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.usage(&namespace()).unwrap(), usage);
    assert!(is_exceeded(store.remember(memory(&"y".repeat(600)))));
}

#[test]
fn what_was_superseded_is_not_superseded_again() {
    let (_directory, store) = open_temporary();
    let fact = |text: &str, from| memory(text).valid_from(at(from));
    let rome = store.remember(fact("lives in Rome", 10)).unwrap();
    let oslo = store.supersede(rome, fact("lives in Oslo", 20)).unwrap();
    let error = store
        .supersede(rome, fact("lives in Bonn", 30))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory 1 in namespace team was superseded by memory 2 already"
    );
    // Backwards in time: what Rome had ended for ends as well, and no moment has two truths.
    let bonn = store.supersede(oslo, fact("lives in Bonn", 5)).unwrap();
    for moment in 0..40 {
        let query = found_when(Query::new(), When::AsOf(at(moment)));
        let found = store.recall(&namespace(), &query).unwrap();
        let found: Vec<_> = found.iter().map(|found| found.memory.id).collect();
        let expected = if moment < 5 { vec![] } else { vec![bonn] };
        assert_eq!(found, expected, "{moment}");
    }
    store.forget(&namespace(), bonn).unwrap();
    store.supersede(oslo, fact("lives in Kyiv", 50)).unwrap();
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_write_may_expect_the_version_that_was_read() {
    let (_directory, store) = open_temporary();
    let first = store.remember(memory("first")).unwrap();
    assert_eq!(store.update_if(first, 1, memory("second")).unwrap(), 2);
    let conflict = |error: Error| {
        assert_eq!(
            error.to_string(),
            "memory 1 in namespace team has version 2, expected 1"
        );
    };
    conflict(store.update_if(first, 1, memory("third")).unwrap_err());
    conflict(store.supersede_if(first, 1, memory("third")).unwrap_err());
    assert_eq!(
        store.get(&namespace(), first).unwrap().unwrap().text,
        "second"
    );
    assert_eq!(store.stats().items, 1);
    store.supersede_if(first, 2, memory("third")).unwrap();
}

#[test]
fn of_several_memories_all_or_none_are_remembered() {
    let (_directory, store) = open_temporary();
    let stored = store
        .remember_all([memory("a"), memory("b"), memory("c").id(id(9))])
        .unwrap();
    assert_eq!(stored, [id(1), id(2), id(9)]);
    let new: Vec<NewMemory> = vec![memory("d"), memory("e").id(id(9)), memory("f")];
    let error = store.remember_all(new).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(store.stats().items, 3);
    assert!(
        store
            .recall(&namespace(), &any_word("d", 9))
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.remember(memory("next")).unwrap(), id(10));
    assert!(store.remember_all([]).unwrap().is_empty());
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn files_that_are_removed_or_replaced_are_noticed_at_the_next_write() {
    for name in ["memory.sqlite", "memory.sqlite-wal"] {
        for is_replaced in [false, true] {
            let (directory, store) = open_temporary();
            store.remember(memory("kept")).unwrap();
            let path = directory.path().join(name);
            let copy = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            if is_replaced {
                // Held open, so that the new file cannot have the number of the old one.
                std::fs::write(&path, copy).unwrap();
            }
            let error = store.remember(memory("lost")).unwrap_err();
            assert!(matches!(error, Error::Replaced { .. }), "{error}");
            let error = store.remember(memory("lost")).unwrap_err();
            assert!(matches!(error, Error::Poisoned { .. }), "{error}");
        }
    }
}
