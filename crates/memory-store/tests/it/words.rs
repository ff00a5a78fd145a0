//! Words of the world: what is written in other scripts, or in other ways, is found.

use memory_store::{Filter, Language, MemoryStore, Namespace, NewMemory};

use super::{any_word, at, listed, memory, namespace, near_to, open_temporary, vector_of};

fn store_of(texts: &[&str]) -> (tempfile::TempDir, MemoryStore) {
    let (directory, store) = open_temporary();
    for text in texts {
        store.remember(memory(text)).unwrap();
    }
    (directory, store)
}

/// The numbers of the texts that are found, the best first.
fn found(store: &MemoryStore, words: &str) -> Vec<u64> {
    let found = store.recall(&namespace(), &any_word(words, 9)).unwrap();
    found.iter().map(|found| found.memory.id.get()).collect()
}

#[test]
fn scripts_without_spaces_find_what_they_contain() {
    let (_directory, store) = store_of(&[
        "我们昨天在北京开会讨论了内存泄漏",
        "東京タワーの近くで会いましょう",
        "ประชุมเรื่องหน่วยความจำเมื่อวานนี้",
        "어제 서울에서 메모리 누수를 논의했다",
        "a meeting about memory leaks",
    ]);
    for (words, first) in [
        ("内存泄漏", 1),
        ("北京", 1),
        ("タワー", 2),
        ("東京", 2),
        ("หน่วยความจำ", 3),
        ("서울", 4),
        ("누수", 4),
        ("leak", 5),
    ] {
        assert_eq!(found(&store, words).first(), Some(&first), "{words}");
    }
    assert_eq!(found(&store, "泄"), [1], "a single letter");
    assert_eq!(found(&store, "上海"), [0; 0]);
}

#[test]
fn one_word_in_several_ways_of_writing_is_one_word() {
    let (_directory, store) = store_of(&[
        "Café in Zürich",
        "İstanbul'da ılık bir gün",
        "ＦＵＬＬ width ｔｅｘｔ",
        "private \u{e001}\u{e002} letters",
        "deploy 🚀 done 👍🏽",
        "resume 42 ERR_CONN_7f",
    ]);
    for (words, expected) in [
        ("cafe\u{301}", 1),
        ("CAFÉ", 1),
        ("cafe", 1),
        ("zurich", 1),
        ("istanbul", 2),
        ("ISTANBUL", 2),
        ("ilik", 2),
        ("full", 3),
        ("text", 3),
        ("\u{e001}\u{e002}", 4),
        ("🚀", 5),
        ("👍", 5),
        ("err conn 7F", 6),
    ] {
        assert_eq!(found(&store, words).first(), Some(&expected), "{words}");
    }
}

#[test]
fn labels_and_vectors_are_the_same_in_both_ways_of_composing_letters() {
    let (_directory, store) = open_temporary();
    let composed = memory("Müller sagt hallo")
        .tag("Zürich")
        .attribute("ort", "Köln");
    let composed = composed.vector(vector_of("Müller sagt hallo"));
    store.remember(composed).unwrap();
    for filter in [
        Filter::new().tag("Zu\u{308}rich"),
        Filter::new().attribute("ort", "Ko\u{308}ln"),
    ] {
        assert_eq!(listed(&store, &namespace(), &filter).len(), 1);
    }
    assert!(listed(&store, &namespace(), &Filter::new().tag("zürich")).is_empty());
    let about = near_to(&vector_of("Mu\u{308}ller sagt hallo"), 1);
    let found = store.recall(&namespace(), &about).unwrap();
    assert!(found[0].reasons[0].score > 0.999);
}

#[test]
fn a_namespace_reads_its_texts_in_its_language() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    let german = Namespace::new("german").unwrap();
    store.set_language(&german, Language::German).unwrap();
    let new = |text: &str| NewMemory::new(german.clone(), text, at(0));
    store
        .remember(new("Die Häuser der Stadt sind alt"))
        .unwrap();
    store.remember(new("der Server antwortet nicht")).unwrap();
    let find = |store: &MemoryStore, words: &str| {
        let found = store.recall(&german, &any_word(words, 9)).unwrap();
        found
            .iter()
            .map(|found| found.memory.id.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(find(&store, "Haus"), [1]);
    assert_eq!(
        find(&store, "wo ist der Server"),
        [2],
        "function words do not count"
    );
    assert!(store.check().unwrap().is_clean());
    drop(store);

    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.language(&german), Language::German);
    assert_eq!(find(&store, "Haus"), [1]);
    store.set_language(&german, Language::Exact).unwrap();
    assert_eq!(find(&store, "Haus"), [0; 0]);
    assert_eq!(find(&store, "der"), [2, 1]);
    assert_eq!(find(&store, "häuser"), [1]);
    assert!(store.repair().unwrap().is_clean());
    let mut exported = Vec::new();
    store.export(&mut exported, None).unwrap();
    let other = tempfile::tempdir().unwrap();
    let copy = MemoryStore::open(other.path()).unwrap();
    copy.import(&exported[..]).unwrap();
    assert_eq!(copy.language(&german), Language::Exact);
    assert_eq!(find(&copy, "der"), [2, 1]);
    assert_eq!(copy.namespaces().unwrap(), [german]);
}

#[test]
fn identifiers_are_found_as_they_are_written() {
    let (_directory, store) = store_of(&["call getUser2s now", "users of the call"]);
    assert_eq!(found(&store, "getuser2s"), [1]);
    assert_eq!(found(&store, "getuser2"), [0; 0], "no ending is cut off");
    assert_eq!(found(&store, "calling"), [1, 2]);
}
