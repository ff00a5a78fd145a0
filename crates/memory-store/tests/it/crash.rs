//! A process that is killed loses nothing that it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use memory_store::{Entry, MemoryStore, read_all, verify_store};

use super::{edge, id, memory};

/// Tells a copy of this test binary to be the writer that is killed.
const DIRECTORY_VARIABLE: &str = "MEMORY_STORE_CRASH_DIRECTORY";
const ACKNOWLEDGEMENTS: usize = 400;
const THREADS: u64 = 8;

/// Text that each id has, so that a reader can tell an altered memory.
fn text_of(number: u64) -> String {
    format!("memory {number} {}", "x".repeat((number % 700) as usize))
}

/// Not a test of its own: does nothing unless the test below starts it as its child.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(directory) = env::var_os(DIRECTORY_VARIABLE) else {
        return;
    };
    let store = MemoryStore::open(directory).unwrap();
    thread::scope(|scope| {
        for first in 1..=THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in (first..).step_by(THREADS as usize) {
                    let new = memory(&text_of(number))
                        .id(id(number))
                        .tag("t")
                        .vector(vec![1.0]);
                    store.remember(new).unwrap();
                    store.link(edge(id(number), "self", id(number))).unwrap();
                    // One write a line: what the parent reads whole was acknowledged.
                    let line = format!("ack {number}\n");
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                    std::io::stdout().flush().unwrap();
                }
            });
        }
    });
}

/// Lets the child write, kills it with no warning, and returns what it acknowledged.
fn acknowledged_before_kill(directory: &Path) -> Vec<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::child_that_writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(DIRECTORY_VARIABLE, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let acknowledgement = |line: String| line.rsplit_once("ack ")?.1.parse().ok();
    let mut acknowledged: Vec<u64> = lines
        .by_ref()
        .filter_map(acknowledgement)
        .take(ACKNOWLEDGEMENTS)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(lines.filter_map(acknowledgement));
    acknowledged
}

#[test]
fn a_killed_process_loses_no_acknowledged_write() {
    let directory = tempfile::tempdir().unwrap();
    let acknowledged = acknowledged_before_kill(directory.path());
    assert!(acknowledged.len() >= ACKNOWLEDGEMENTS);

    let files = |name: &str| fs::read(directory.path().join(name)).unwrap();
    let before = (files("memory.sqlite"), files("memory.sqlite-wal"));
    let report = verify_store(directory.path()).unwrap();
    assert!(report.is_clean(), "{:?}", report.disagreements);
    let mut memories = 0;
    let mut edges = std::collections::BTreeSet::new();
    let mut texts = std::collections::BTreeMap::new();
    for entry in read_all(directory.path()).unwrap() {
        match entry.unwrap() {
            Entry::Memory(memory, _) => {
                memories += 1;
                texts.insert(memory.id.get(), memory.text);
            }
            Entry::Edge(edge, _) => {
                edges.insert(edge.source.get());
            }
            other => panic!("unknown entry {other:?}"),
        }
    }
    assert_eq!(
        (files("memory.sqlite"), files("memory.sqlite-wal")),
        before,
        "verify only reads"
    );
    assert_eq!(report.items, memories);
    for number in acknowledged {
        assert_eq!(
            texts.get(&number),
            Some(&text_of(number)),
            "memory {number}"
        );
        assert!(edges.contains(&number), "edge {number}");
    }

    let store = MemoryStore::open(directory.path()).unwrap();
    let checked = store.check().unwrap();
    assert!(checked.is_clean(), "{:?}", checked.disagreements);
    assert_eq!((checked.items, checked.edges), (report.items, report.edges));
    assert!(!directory.path().join("memory.sqlite-journal").exists());
}
