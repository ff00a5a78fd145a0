//! What one namespace holds never changes what another one's search finds, or in which order.

use memory_store::{MemoryStore, Namespace, NewMemory, Query, Signal};
use proptest::prelude::*;

use super::{any_word, at, memory, namespace, open_temporary};

fn foreign(text: &str) -> NewMemory {
    NewMemory::new(Namespace::new("other").unwrap(), text, at(0)).vector(vec![1.0, 0.5])
}

/// Ids and scores, to the last bit.
fn answers(store: &MemoryStore, queries: &[Query]) -> Vec<Vec<(u64, u64)>> {
    let answer = |query: &Query| {
        let found = store.recall(&namespace(), query).unwrap();
        let told = found.iter().map(|found| {
            let score: f64 = found.reasons.iter().map(|reason| reason.score).sum();
            (found.memory.id.get(), score.to_bits())
        });
        told.collect()
    };
    queries.iter().map(answer).collect()
}

/// A word with a combining mark was cut in two by the index, whose second part could begin with the
/// mark of another namespace; so it answered to that namespace's queries and took its places.
#[test]
fn a_word_that_imitates_another_namespace_answers_to_its_own_queries_only() {
    let (_directory, store) = open_temporary();
    let right = store
        .remember(memory("the password is kept by the porter"))
        .unwrap();
    let query = any_word("password", 10);
    let before = answers(&store, std::slice::from_ref(&query));
    for ns in 1..=3 {
        for _ in 0..200 {
            let text = format!("a\u{338}n{ns}zpassword n{ns}zpassword password\u{338}password");
            store.remember(foreign(&text)).unwrap();
        }
    }
    assert_eq!(answers(&store, std::slice::from_ref(&query)), before);
    assert_eq!(before, [[(right.get(), before[0][0].1)]]);
    assert!(store.check().unwrap().is_clean());
}

const WORDS: [&str; 8] = [
    "linker",
    "memory",
    "build",
    "a\u{338}n1zlinker",
    "東京都",
    "the",
    "ERR_42",
    "\u{301}x",
];

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..12)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_other_namespaces_leave_every_answer_and_its_order(
        ours in proptest::collection::vec(text(), 1..30),
        theirs in proptest::collection::vec(text(), 1..60),
    ) {
        let (directory, store) = open_temporary();
        for (number, text) in ours.iter().enumerate() {
            let vector = vec![number as f32 + 1.0, 3.0];
            store.remember(memory(text).tag("t").vector(vector)).unwrap();
        }
        let mut queries: Vec<Query> = WORDS.map(|word| any_word(word, 9)).to_vec();
        queries.push(any_word("linker memory 東京", 5));
        queries.push(Query::new().text("build the").vector(vec![1.0, 2.0]));
        let before = answers(&store, &queries);
        for text in &theirs {
            store.remember(foreign(text)).unwrap();
        }
        prop_assert_eq!(answers(&store, &queries), before.clone());
        drop(store);
        let store = MemoryStore::open(directory.path()).unwrap();
        prop_assert_eq!(answers(&store, &queries), before);
    }
}

#[test]
fn how_often_others_use_a_word_weighs_nothing() {
    let (_directory, store) = open_temporary();
    for number in 0..20 {
        let rare = if number == 7 { "rare" } else { "usual" };
        store
            .remember(memory(&format!("{rare} word {number}")))
            .unwrap();
    }
    let score = |store: &MemoryStore| {
        let found = store
            .recall(&namespace(), &any_word("rare usual", 1))
            .unwrap();
        (
            found[0].memory.id,
            found[0].reason(Signal::Text).unwrap().score,
        )
    };
    let before = score(&store);
    store
        .remember_all((0..3_000).map(|_| foreign("rare rare rare")))
        .unwrap();
    assert_eq!(score(&store), before);
}
