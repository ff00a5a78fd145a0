//! Out as JSON Lines, and in again.

use memory_store::{
    AgentRun, Error, Expected, MemoryStore, Namespace, NewMemory, Quota, Traversal,
};

use super::{
    any_word, at, edge, found_when, id, memory, namespace, open_temporary, reached_by, strength,
    transferred,
};

fn other() -> Namespace {
    Namespace::new("other").unwrap()
}

/// Something of every kind, in two namespaces.
fn filled() -> (tempfile::TempDir, MemoryStore) {
    let (directory, store) = open_temporary();
    let odd = [0.1, -0.0, 1e-45, f32::MAX, 1.0 / 3.0];
    let new = memory("line\nbreak, \"quotes\" and \u{1f980}")
        .tag("t")
        .attribute("n", 7);
    store
        .remember(new.attribute("b", true).vector(odd.to_vec()))
        .unwrap();
    store
        .remember(memory("second").expires_at(at(99)).recorded_at(at(3)))
        .unwrap();
    store
        .update(id(2), memory("corrected").recorded_at(at(5)))
        .unwrap();
    store
        .supersede(id(1), memory("third").valid_from(at(10)))
        .unwrap();
    store
        .link(edge(id(1), "r", id(2)).weight(0.1 + 0.2))
        .unwrap();
    store
        .link(edge(id(1), "r", id(2)).valid_from(at(7)).weight(-0.0))
        .unwrap();
    let quota = Quota {
        items: Some(100),
        bytes: None,
    };
    store.set_quota(&other(), quota).unwrap();
    store
        .remember(NewMemory::new(other(), "of another", at(0)).id(id(77)))
        .unwrap();
    for name in [namespace(), other()] {
        let run = AgentRun::new(name, "agent", "run").unwrap();
        store
            .put_state(&run, "large", vec![200; 50_000], Expected::Anything)
            .unwrap();
        let mark = store.checkpoint(&run, "mark", at(1)).unwrap();
        store
            .put_state(&run, "large", "small", Expected::Anything)
            .unwrap();
        store
            .remove_state(&run, "large", Expected::Anything)
            .unwrap();
        let fork = store.fork(&run, mark, "fork").unwrap();
        store
            .put_state(&fork, "k", [0, 255], Expected::Anything)
            .unwrap();
    }
    (directory, store)
}

fn export(store: &MemoryStore, only: Option<&Namespace>) -> String {
    let mut exported = Vec::new();
    store.export(&mut exported, only).unwrap();
    String::from_utf8(exported).unwrap()
}

#[test]
fn all_kinds_come_back_as_they_were_in_every_tier() {
    let (_directory, store) = filled();
    let target = tempfile::tempdir().unwrap();
    let copy = transferred(&store, target.path());
    for (number, text) in [(1, "quotes"), (2, "corrected")] {
        let found = copy
            .recall(
                &namespace(),
                &found_when(any_word(text, 9), memory_store::When::Ever),
            )
            .unwrap();
        assert_eq!(
            found[0].memory,
            store.get(&namespace(), id(number)).unwrap().unwrap()
        );
        let histories =
            [&store, &copy].map(|store| store.history(&namespace(), id(number)).unwrap());
        assert_eq!(histories[0], histories[1]);
        assert_eq!(histories[0].len(), 2);
    }
    let vector = copy
        .get(&namespace(), id(1))
        .unwrap()
        .unwrap()
        .vector
        .clone()
        .unwrap();
    assert!(
        vector[1].is_sign_negative() && vector[1] == 0.0,
        "every bit is kept"
    );
    let walk = Traversal::new(id(1));
    let related = [&store, &copy].map(|store| {
        let related = store.recall(&namespace(), &reached_by(&walk)).unwrap();
        related
            .iter()
            .map(|found| (found.path().to_vec(), strength(found)))
            .collect::<Vec<_>>()
    });
    assert_eq!(related[0], related[1]);
    assert_eq!(
        copy.usage(&other()).unwrap(),
        store.usage(&other()).unwrap()
    );
    assert_eq!(
        copy.remember(NewMemory::new(other(), "next", at(0)))
            .unwrap(),
        id(78)
    );
    let run = AgentRun::new(other(), "agent", "run").unwrap();
    let marks = copy.checkpoints(&run).unwrap();
    assert_eq!(marks, store.checkpoints(&run).unwrap());
    copy.restore(&run, marks[0].id).unwrap();
    assert_eq!(
        copy.state(&run, "large").unwrap().unwrap().value,
        vec![200; 50_000]
    );
    let report = copy.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    drop(copy);
    let copy = MemoryStore::open(target.path()).unwrap();
    assert!(copy.check().unwrap().is_clean());
}

#[test]
fn one_namespace_can_be_moved_and_checkpoints_make_way() {
    let (_directory, store) = filled();
    let (_target, target) = open_temporary();
    let run = AgentRun::new(Namespace::new("third").unwrap(), "agent", "run").unwrap();
    target
        .put_state(&run, "k", "v", Expected::Anything)
        .unwrap();
    let taken = target.checkpoint(&run, "first", at(0)).unwrap();
    let exported = export(&store, Some(&namespace()));
    assert!(!exported.contains("of another"));
    let transferred = target.import(exported.as_bytes()).unwrap();
    assert_eq!(
        (
            transferred.namespaces,
            transferred.memories,
            transferred.versions
        ),
        (1, 3, 3)
    );
    let moved = AgentRun::new(namespace(), "agent", "run").unwrap();
    let marks = target.checkpoints(&moved).unwrap();
    assert_eq!(marks.len(), 1);
    assert_ne!(marks[0].id, taken);
    target.restore(&moved, marks[0].id).unwrap();
    assert!(target.check().unwrap().is_clean());

    let error = target.import(exported.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::NamespaceExists { .. }), "{error}");
}

#[test]
fn of_a_damaged_export_nothing_is_imported_and_the_line_is_named() {
    let (_directory, store) = filled();
    let exported = export(&store, None);
    let lines: Vec<&str> = exported.lines().collect();
    let count = lines.len();
    let without_last = lines[..count - 1].join("\n") + "\n";
    let without_one = [&lines[..3], &lines[4..]].concat().join("\n") + "\n";
    let cases = [
        (
            String::new(),
            "line 1 of the import: the export ends before its last record".to_owned(),
        ),
        (
            without_last,
            format!("line {count} of the import: the export ends before its last record"),
        ),
        (
            without_one,
            format!("line {} of the import: {} records of", count - 1, count - 2),
        ),
        (
            exported.replacen("corrected", "corrupted", 1),
            "is not what its digest says".into(),
        ),
        (
            exported.replacen("\"format\":1", "\"format\":2", 1),
            "format 2 begins, expected 1".into(),
        ),
        (
            lines[1..].join("\n"),
            "line 1 of the import: this is no export".into(),
        ),
        (
            exported.replacen("\"key\":\"large\"", "\"key\":\"other\"", 1),
            "records of digest".into(),
        ),
    ];
    for (damaged, expected) in cases {
        let (_target, target) = open_temporary();
        let error = target.import(damaged.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(&expected), "{error}");
        let report = target.check().unwrap();
        assert!(report.is_clean());
        assert_eq!((report.items, report.namespaces), (0, 0));
    }
}

#[test]
fn an_export_that_cannot_be_written_is_an_error() {
    let (_directory, store) = filled();
    let mut small = [0_u8; 100];
    let error = store.export(&mut small[..], None).unwrap_err();
    assert!(matches!(error, Error::Export { .. }), "{error}");
}

#[test]
fn statistics_are_kept_as_things_happen() {
    let (_directory, store) = filled();
    let query = memory_store::Query::new().text("third");
    for _ in 0..10 {
        assert_eq!(store.recall(&namespace(), &query).unwrap().len(), 1);
    }
    let stats = store.stats();
    assert_eq!((stats.items, stats.recall.count), (4, 10));
    assert_eq!(stats.commit.count, stats.commits);
    assert!(stats.recall.p50 <= stats.recall.p99 && stats.recall.p99 <= stats.recall.max);
    assert!(stats.cache_hit_rate() > 0.0 && stats.cache_hit_rate() < 1.0);
}
