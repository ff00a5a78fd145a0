//! Tenants: what they may hold, and what is left of one that is gone.

use std::fs;
use std::path::Path;

use memory_store::{
    AgentRun, Edge, Error, Expected, MemoryStore, Namespace, NewMemory, Quota, verify_store,
};

use super::{any_word, at, id, memory, namespace, near_to, open_temporary, relation};

#[test]
fn a_quota_refuses_what_is_too_much_and_nothing_else() {
    let (directory, store) = open_temporary();
    let quota = Quota {
        items: Some(3),
        bytes: Some(1_000),
    };
    store.set_quota(&namespace(), quota).unwrap();
    for _ in 0..3 {
        store.remember(memory("small")).unwrap();
    }
    let error = store.remember(memory("small")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "namespace team holds as many items as it may: 3"
    );
    let other = Namespace::new("other").unwrap();
    store
        .remember(NewMemory::new(other, "free", at(0)))
        .unwrap();

    // An update adds no item, but leaves a version behind.
    store.update(id(1), memory(&"x".repeat(900))).unwrap();
    let error = store.update(id(2), memory(&"x".repeat(100))).unwrap_err();
    assert!(
        matches!(error, Error::QuotaExceeded { what: "bytes", .. }),
        "{error}"
    );
    assert_eq!(
        store.get(&namespace(), id(2)).unwrap().unwrap().text,
        "small"
    );
    let usage = store.usage(&namespace()).unwrap();
    assert_eq!((usage.items, usage.bytes), (3, 3 * 9 + 904));
    assert!(store.check().unwrap().is_clean());

    drop(store);
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.usage(&namespace()).unwrap(), usage);
    assert!(store.remember(memory("small")).is_err());
    store.forget(&namespace(), id(1)).unwrap();
    assert_eq!(store.usage(&namespace()).unwrap().bytes, 18);
    store.remember(memory("small")).unwrap();
    store.set_quota(&namespace(), Quota::default()).unwrap();
    store.remember(memory("small")).unwrap();
}

#[test]
fn a_quota_holds_under_many_writers() {
    let (_directory, store) = open_temporary();
    let quota = Quota {
        items: Some(50),
        bytes: None,
    };
    store.set_quota(&namespace(), quota).unwrap();
    let stored: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    (0..5)
                        .filter(|_| store.remember(memory("m")).is_ok())
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((stored, store.stats().items), (50, 50));
}

/// Words, labels and names that nothing else contains.
const MARKERS: [&str; 6] = [
    "zqtextmarker",
    "zqtagmarker",
    "zqvaluemarker",
    "zqstatemarker",
    "zqnamespace",
    "zqagent",
];

/// The files of a store that contain something, in whatever case.
fn files_with(directory: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if fs::read(&path)
            .unwrap()
            .windows(needle.len())
            .any(|window| window == needle)
        {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// A vector whose bytes nothing else contains.
fn marked_vector() -> Vec<f32> {
    (0..8_u8)
        .map(|index| f32::from(index) + 0.123_456_79)
        .collect()
}

fn fill(store: &MemoryStore, name: &Namespace, words: &str) {
    for number in 1..=200 {
        let new = NewMemory::new(name.clone(), format!("{words} {number}"), at(0))
            .id(id(number))
            .tag("zqtagmarker")
            .attribute("a", "zqvaluemarker")
            .vector(marked_vector());
        store.remember(new.clone()).unwrap();
        store.get(name, id(number)).unwrap();
        if number % 3 == 0 {
            store
                .update(id(number), NewMemory { id: None, ..new })
                .unwrap();
        }
        if number % 5 == 0 {
            store.forget(name, id(number)).unwrap();
        }
    }
    let link = |weight| {
        let edge = Edge::new(name.clone(), id(1), relation("zqvaluemarker"), id(2), at(0));
        store.link(edge.weight(weight)).unwrap();
    };
    link(1.0);
    link(2.0);
    let run = AgentRun::new(name.clone(), "zqagent", "run").unwrap();
    let large = "zqstatemarker".repeat(5_000);
    store
        .put_state(&run, "small", "zqstatemarker", Expected::Anything)
        .unwrap();
    store
        .put_state(&run, "large", large.clone(), Expected::Anything)
        .unwrap();
    let mark = store.checkpoint(&run, "mark", at(0)).unwrap();
    store
        .put_state(&run, "large", large + "more", Expected::Anything)
        .unwrap();
    store.fork(&run, mark, "fork").unwrap();
}

#[test]
fn nothing_of_a_deleted_namespace_is_left_in_any_file() {
    let (directory, store) = open_temporary();
    let name = Namespace::new("zqnamespace").unwrap();
    fill(&store, &name, "zqtextmarker stays not");
    for number in 1..=50 {
        store.remember(memory(&format!("kept {number}"))).unwrap();
    }
    let vector: Vec<u8> = marked_vector()
        .iter()
        .flat_map(|part| part.to_le_bytes())
        .collect();
    for marker in MARKERS {
        assert!(
            !files_with(directory.path(), marker.as_bytes()).is_empty(),
            "{marker}"
        );
    }
    assert!(!files_with(directory.path(), &vector).is_empty());

    assert!(store.delete_namespace(&name).unwrap());
    assert!(!store.delete_namespace(&name).unwrap());
    for marker in MARKERS {
        assert_eq!(
            files_with(directory.path(), marker.as_bytes()),
            [""; 0],
            "{marker}"
        );
    }
    // Terms in the index share beginnings, so that a word need not stand in it whole.
    assert_eq!(files_with(directory.path(), b"zqte"), [""; 0]);
    assert_eq!(files_with(directory.path(), &vector), [""; 0]);
    assert!(store.get(&name, id(1)).unwrap().is_none());
    assert!(
        store
            .recall(&name, &any_word("stays", 9))
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .recall(&name, &near_to(&marked_vector(), 9))
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        (
            store.stats().items,
            store.stats().edges,
            store.stats().vectors
        ),
        (50, 0, 0)
    );
    assert_eq!(
        store
            .recall(&namespace(), &any_word("kept", 99))
            .unwrap()
            .len(),
        50
    );
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);

    // The name may be used again, and holds nothing of before.
    store
        .remember(NewMemory::new(name.clone(), "anew", at(0)))
        .unwrap();
    assert_eq!(store.usage(&name).unwrap().items, 1);
    drop(store);
    assert!(verify_store(directory.path()).unwrap().is_clean());
}

#[test]
fn somebody_who_reads_an_older_state_is_named_as_what_keeps_the_bytes() {
    let (directory, store) = open_temporary();
    let name = Namespace::new("zqnamespace").unwrap();
    store
        .remember(NewMemory::new(name.clone(), "zqtextmarker", at(0)))
        .unwrap();
    let stream = store.iter_all().unwrap();
    let error = store.delete_namespace(&name).unwrap_err();
    assert!(matches!(error, Error::LogInUse { .. }), "{error}");
    assert!(
        store.get(&name, id(1)).unwrap().is_none(),
        "it is gone nevertheless"
    );
    drop(stream);
    store.compact().unwrap();
    assert_eq!(files_with(directory.path(), b"zqtextmarker"), [""; 0]);
}

#[test]
fn how_often_another_tenant_uses_a_word_does_not_change_its_rank() {
    let ranks = |others: usize| -> Vec<u64> {
        let (_directory, store) = open_temporary();
        for text in ["rare alpha", "common beta", "common gamma", "common delta"] {
            store.remember(memory(text)).unwrap();
        }
        let other = Namespace::new("other").unwrap();
        for _ in 0..others {
            store
                .remember(NewMemory::new(other.clone(), "rare word", at(0)))
                .unwrap();
        }
        let found = store
            .recall(&namespace(), &any_word("rare common", 9))
            .unwrap();
        super::ids(found.iter().map(|found| &*found.memory))
    };
    // Where all tenants' rows counted, "rare" would be the commoner word with 100 of another's.
    assert_eq!(ranks(100), ranks(0));
    assert_eq!(ranks(100)[0], 1);
}

#[test]
fn compaction_gives_back_the_room_of_what_was_forgotten() {
    let (directory, store) = open_temporary();
    for number in 1..=200 {
        store
            .remember(memory(&format!("{number} {}", "word ".repeat(400))))
            .unwrap();
    }
    store.compact().unwrap();
    let size = || -> u64 {
        let files = fs::read_dir(directory.path()).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    };
    let full = size();
    for number in 1..=190 {
        store.forget(&namespace(), id(number)).unwrap();
    }
    store.compact().unwrap();
    assert!(size() * 4 < full, "{} of {full}", size());
    assert_eq!(
        store
            .recall(&namespace(), &any_word("word", 99))
            .unwrap()
            .len(),
        10
    );
    assert!(store.check().unwrap().is_clean());
}
