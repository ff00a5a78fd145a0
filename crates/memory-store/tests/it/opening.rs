//! What opening does with what it finds, and what verifying leaves as it was.

use std::fs;
use std::path::Path;

use memory_store::{
    AgentRun, Disagreement, Entry, Error, Expected, MemoryStore, Query, read_all, verify_store,
};

use super::{any_word, edge, id, memory, namespace, near_to, open_temporary};

fn database(directory: &Path) -> std::path::PathBuf {
    directory.join("memory.sqlite")
}

#[test]
fn a_second_store_on_the_directory_is_refused_with_the_holders_pid() {
    let (directory, store) = open_temporary();
    let error = MemoryStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    drop(store);
    MemoryStore::open(directory.path()).unwrap();
}

#[test]
fn another_schema_version_is_refused_and_both_are_named() {
    let (directory, store) = open_temporary();
    drop(store);
    let connection = rusqlite::Connection::open(database(directory.path())).unwrap();
    let ours: i32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for error in [
        MemoryStore::open(directory.path()).unwrap_err(),
        verify_store(directory.path()).unwrap_err(),
    ] {
        let Error::SchemaVersion {
            found, expected, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((found, expected), (99, ours));
    }
}

#[test]
fn a_database_of_another_application_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE theirs(x)").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let error = MemoryStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, Error::NotAMemoryStore { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_corrupt_database_is_an_error_and_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path());
    fs::write(
        &path,
        "this was never a database, whatever its name says".repeat(100),
    )
    .unwrap();
    let before = fs::read(&path).unwrap();
    for error in [
        MemoryStore::open(directory.path()).unwrap_err(),
        verify_store(directory.path()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn damage_to_a_page_is_found_when_verified() {
    let (directory, store) = open_temporary();
    for number in 1..=200 {
        store
            .remember(memory(&format!("{number} {}", "x".repeat(500))))
            .unwrap();
    }
    drop(store);
    let path = database(directory.path());
    let mut bytes = fs::read(&path).unwrap();
    // One letter of a text: SQLite keeps no checksum and cannot see it, the digest does.
    let place = bytes
        .windows(9)
        .rposition(|window| window == b"200 xxxxx")
        .unwrap();
    bytes[place + 8] = b'y';
    fs::write(&path, bytes).unwrap();
    let report = verify_store(directory.path()).unwrap();
    let said = report.disagreements.iter().map(ToString::to_string);
    let said: Vec<String> = said.collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with("content differs from its digest"));
    assert!(said[1].starts_with("database: altered since it was closed: page "));
}

/// A bit that flipped in a free page, or in a column without a digest, was not found.
#[test]
fn every_page_of_a_closed_store_is_compared_with_what_it_was() {
    const PAGE: usize = 4096;
    let (directory, store) = open_temporary();
    let sums = directory.path().join("memory.sums");
    for number in 1..=60 {
        let text = format!("{number} {}", "x".repeat(500));
        store.remember(memory(&text)).unwrap();
    }
    for number in 1..=40 {
        store.forget(&namespace(), id(number)).unwrap();
    }
    assert!(!sums.exists(), "not while it is open");
    store.close().unwrap();
    drop(store);
    assert!(verify_store(directory.path()).unwrap().is_clean());

    let path = database(directory.path());
    let whole = fs::read(&path).unwrap();
    assert_eq!(u16::from_be_bytes([whole[16], whole[17]]), PAGE as u16);
    for page in 0..whole.len() / PAGE {
        let mut damaged = whole.clone();
        damaged[page * PAGE + PAGE / 2] ^= 1;
        fs::write(&path, damaged).unwrap();
        let pages = vec![page as u32 + 1];
        match verify_store(directory.path()) {
            Ok(report) => {
                let expected = Disagreement::AlteredPages { pages };
                assert!(report.disagreements.contains(&expected), "{report:?}");
            }
            Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
        }
    }
    fs::write(&path, &whole).unwrap();

    let stored = fs::read(&sums).unwrap();
    for byte in (0..stored.len()).step_by(7) {
        let mut damaged = stored.clone();
        damaged[byte] ^= 1;
        fs::write(&sums, damaged).unwrap();
        let report = verify_store(directory.path()).unwrap();
        assert!(
            matches!(report.disagreements[..], [Disagreement::Pages { .. }]),
            "{report:?}"
        );
    }
    // The store itself does not need them.
    drop(MemoryStore::open(directory.path()).unwrap());
    assert!(verify_store(directory.path()).unwrap().is_clean());
}

#[test]
fn a_saved_graph_of_vectors_that_is_damaged_is_named_and_is_no_disagreement() {
    let (directory, store) = open_temporary();
    store.close().unwrap();
    drop(store);
    let folder = directory.path().join("similarity");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("0.hnsw");
    fs::write(&path, "no graph").unwrap();
    let report = verify_store(directory.path()).unwrap();
    assert!(report.is_clean());
    assert_eq!(report.damaged_indexes, [path]);
}

/// Files of a store in use, copied one by one, are of different moments.
#[test]
fn a_store_in_use_is_copied_as_of_one_moment() {
    let (directory, store) = open_temporary();
    let to = tempfile::tempdir().unwrap();
    for number in 1..=20 {
        store.remember(memory(&number.to_string())).unwrap();
    }
    assert!(memory_store::copy_if_in_use(directory.path(), to.path()).unwrap());
    store.remember(memory("later")).unwrap();
    let report = verify_store(to.path()).unwrap();
    assert!(report.is_clean() && report.items == 20, "{report:?}");
    drop(store);
    let again = tempfile::tempdir().unwrap();
    assert!(!memory_store::copy_if_in_use(directory.path(), again.path()).unwrap());
}

#[test]
fn a_directory_without_a_store_is_not_verified_into_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = verify_store(directory.path()).unwrap_err();
    assert!(matches!(error, Error::NoStore { .. }), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn everything_is_streamed_with_the_digests_that_were_promised() {
    let (directory, store) = open_temporary();
    let mut promised = Vec::new();
    for number in 1..=600 {
        let new = memory(&format!("memory {number}"))
            .tag("t")
            .attribute("n", number);
        promised.push(new.digest());
        store.remember(new).unwrap();
    }
    for number in 1..=300 {
        let edge = edge(id(number), "next", id(number + 1));
        promised.push(edge.digest());
        store.link(edge).unwrap();
    }
    let digests = |entries: memory_store::Entries| -> Vec<_> {
        entries
            .map(|entry| match entry.unwrap() {
                Entry::Memory(_, digest) | Entry::Edge(_, digest) => digest,
                other => panic!("unknown entry {other:?}"),
            })
            .collect()
    };
    assert_eq!(digests(store.iter_all().unwrap()), promised);
    store.close().unwrap();
    assert_eq!(digests(read_all(directory.path()).unwrap()), promised);
}

#[test]
fn a_closed_store_refuses_writes_and_still_reads() {
    let (_directory, store) = open_temporary();
    let kept = store.remember(memory("kept")).unwrap();
    store.close().unwrap();
    store.close().unwrap();
    let error = store.remember(memory("late")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store accepts no more writes: it was closed"
    );
    assert_eq!(store.get(&namespace(), kept).unwrap().unwrap().text, "kept");
}

#[test]
fn a_store_is_read_as_of_its_opening_while_another_one_writes_to_it() {
    let (directory, store) = open_temporary();
    let first = memory("the first word").vector(vec![1.0, 0.0]);
    let first = store.remember(first).unwrap();
    let run = AgentRun::new(namespace(), "agent", "run").unwrap();
    store
        .put_state(&run, "key", b"1".to_vec(), Expected::Anything)
        .unwrap();

    let reading = MemoryStore::open_read_only(directory.path()).unwrap();
    let second = store.remember(memory("the second word")).unwrap();
    store.update(first, memory("another text")).unwrap();
    store
        .put_state(&run, "key", b"2".to_vec(), Expected::Anything)
        .unwrap();
    let texts = |store: &MemoryStore, query: &Query| -> Vec<String> {
        let found = store.recall(&namespace(), query).unwrap();
        found
            .iter()
            .map(|found| found.memory.text.clone())
            .collect()
    };
    for query in [any_word("word", 9), near_to(&[1.0, 0.0], 9), Query::new()] {
        assert_eq!(texts(&reading, &query), ["the first word"]);
    }
    assert!(reading.get(&namespace(), second).unwrap().is_none());
    assert_eq!(reading.history(&namespace(), first).unwrap().len(), 1);
    assert_eq!(reading.state(&run, "key").unwrap().unwrap().value, b"1");
    assert_eq!(store.state(&run, "key").unwrap().unwrap().value, b"2");
    let refused = reading.remember(memory("no")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the store accepts no more writes: it was opened for reading only"
    );
    assert!(reading.check().is_err() && reading.delete_namespace(&namespace()).is_err());
    drop(reading);
    let again = MemoryStore::open_read_only(directory.path()).unwrap();
    assert_eq!(texts(&again, &any_word("word", 9)), ["the second word"]);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn reading_changes_no_file_and_makes_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let missing = MemoryStore::open_read_only(directory.path()).unwrap_err();
    assert!(matches!(missing, Error::NoStore { .. }), "{missing}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let store = MemoryStore::open(directory.path()).unwrap();
    for number in 0..50_u8 {
        let vector = vec![f32::from(number), 1.0];
        store.remember(memory("text").vector(vector)).unwrap();
    }
    store.close().unwrap();
    drop(store);
    // A graph that belongs to nothing would be removed at an opening for writing.
    let folder = directory.path().join("similarity");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("left.hnsw"), b"left").unwrap();
    let files = || {
        let mut files = Vec::new();
        for folder in [directory.path(), &folder] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // SQLite's index of the log holds no data.
                if path.is_file()
                    && !path.to_string_lossy().contains("-wal")
                    && !path.to_string_lossy().contains("-shm")
                {
                    files.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    };
    let before = files();
    let reading = MemoryStore::open_read_only(directory.path()).unwrap();
    assert_eq!(
        reading
            .recall(&namespace(), &any_word("text", 99))
            .unwrap()
            .len(),
        50
    );
    reading.close().unwrap();
    drop(reading);
    assert!(files() == before);
}
