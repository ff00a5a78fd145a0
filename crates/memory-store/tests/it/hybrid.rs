//! Full text, and all signals in one call.

use memory_store::{Filter, Found, MemoryStore, Namespace, NewMemory, Query, Traversal};

use super::{any_word, at, edge, id, ids, memory, namespace, open_temporary, vector_of};

/// One line a result: its id and its reasons.
fn render(found: &[Found]) -> Vec<String> {
    let line = |found: &Found| {
        let reasons: Vec<String> = found.reasons.iter().map(ToString::to_string).collect();
        format!("{}: {}", found.memory.id, reasons.join(", "))
    };
    found.iter().map(line).collect()
}

fn store_of(texts: &[&str]) -> (tempfile::TempDir, MemoryStore) {
    let (directory, store) = open_temporary();
    for (number, text) in (1..).zip(texts) {
        let new = memory(text).id(id(number)).vector(vector_of(text));
        store
            .remember(NewMemory {
                at: at(number as i64),
                ..new
            })
            .unwrap();
    }
    (directory, store)
}

const TEXTS: [&str; 4] = [
    "the linker ran out of memory",
    "the garden is full of flowers",
    "linking failed: out of memory, memory, memory",
    "a postcard from the sea",
];

#[test]
fn words_are_found_by_bm25_whatever_their_ending_or_case() {
    let (_directory, store) = store_of(&TEXTS);
    let found = |words: &str| {
        let recalled = store.recall(&namespace(), &any_word(words, 9)).unwrap();
        ids(recalled.iter().map(|recalled| &*recalled.memory))
    };
    assert_eq!(found("MEMORIES"), [3, 1]);
    assert_eq!(found("flower"), [2]);
    assert_eq!(found("sea memory"), [4, 3, 1]);
    assert_eq!(found("absent"), [0; 0]);
}

#[test]
fn no_text_is_read_as_an_operator_of_the_index() {
    let (_directory, store) = store_of(&["plain"]);
    for words in [
        "",
        "\"",
        "plain AND",
        "a OR",
        "NEAR(",
        "space:n1",
        "*",
        "^",
        "( )",
        "n1",
        "-",
    ] {
        let found = store.recall(&namespace(), &any_word(words, 9)).unwrap();
        assert_eq!(found.len(), usize::from(words.contains("plain")), "{words}");
    }
}

#[test]
fn text_of_a_forgotten_memory_or_of_another_namespace_is_not_found() {
    let (_directory, store) = store_of(&TEXTS);
    let other = Namespace::new("other").unwrap();
    store
        .remember(NewMemory::new(other.clone(), "their memory", at(0)))
        .unwrap();
    store.forget(&namespace(), id(3)).unwrap();
    let ours = store.recall(&namespace(), &any_word("memory", 9)).unwrap();
    assert_eq!(ids(ours.iter().map(|recalled| &*recalled.memory)), [1]);
    let theirs = store.recall(&other, &any_word("memory", 9)).unwrap();
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].memory.text, "their memory");
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn all_signals_are_fused_and_each_result_is_explained() {
    let (_directory, store) = store_of(&TEXTS);
    store.link(edge(id(4), "after", id(1)).weight(0.5)).unwrap();
    let query = Query::new()
        .text("memory")
        .related(Traversal::new(id(4)))
        .prefer(Filter::new().text_contains("garden"))
        .recency();
    let found = store.recall(&namespace(), &query).unwrap();
    let rendered = render(&found);
    assert_eq!(rendered.len(), 3);
    assert!(rendered[0].starts_with("1: text #2 ("), "{rendered:?}");
    assert!(rendered[0].ends_with("), relation #1 (0.500) by 4 > 1, recency #3 (1.000)"));
    assert_eq!(rendered[2], "2: metadata #1 (2.000), recency #2 (2.000)");
}

#[test]
fn a_question_in_other_words_finds_by_similarity_and_text_together() {
    let (_directory, store) = store_of(&TEXTS);
    let question = "linkers and memory";
    let query = any_word(question, 2).vector(vector_of(question));
    let found = store.recall(&namespace(), &query).unwrap();
    let mut best = ids(found.iter().map(|found| &*found.memory));
    best.sort_unstable();
    assert_eq!(best, [1, 3]);
    assert!(
        found.iter().all(|found| found.reasons.len() == 2),
        "{:?}",
        render(&found)
    );
}

#[test]
fn a_filter_holds_for_every_signal() {
    let (_directory, store) = store_of(&TEXTS);
    store.link(edge(id(4), "after", id(1))).unwrap();
    let vector = vector_of("memory");
    let only = Filter::new().from(at(3));
    let signals = [
        Query::new().text("memory"),
        Query::new().vector(vector),
        Query::new().related(Traversal::new(id(4))),
        Query::new().prefer(Filter::new()),
        Query::new().recency(),
    ];
    for query in signals {
        let found = store
            .recall(&namespace(), &query.only(only.clone()))
            .unwrap();
        assert!(
            found.iter().all(|found| found.memory.at >= at(3)),
            "{:?}",
            render(&found)
        );
    }
}

#[test]
fn a_budget_of_tokens_leaves_out_what_does_not_fit() {
    let (_directory, store) = store_of(&[&"long ".repeat(100), "long", "long ago"]);
    let query = Query::new().recency();
    let found = |query: &Query| {
        let found = store.recall(&namespace(), query).unwrap();
        ids(found.iter().map(|found| &*found.memory))
    };
    assert_eq!(found(&query), [3, 2, 1]);
    assert_eq!(found(&query.clone().max_tokens(3)), [3, 2]);
    assert_eq!(found(&query.clone().max_tokens(1)), [2]);
    assert_eq!(found(&query.clone().limit(1)), [3]);
    assert_eq!(found(&Query::new()), [3, 2, 1]);
    assert_eq!(found(&Query::new().max_tokens(3)), [3, 2]);
}
