//! Disks that fail, files that are damaged.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use memory_store::{Error, MemoryStore, verify_store};

use super::{id, memory, namespace, open_temporary};

/// Tells a copy of this test binary to be the writer whose files may not grow.
const DIRECTORY_VARIABLE: &str = "MEMORY_STORE_FULL_DIRECTORY";

/// Not a test of its own: does nothing unless the test below starts it as its child.
#[test]
fn child_whose_files_may_not_grow() {
    let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) else {
        return;
    };
    let store = MemoryStore::open(directory).unwrap();
    for number in 1_u64.. {
        let new = memory(&text_of(number))
            .id(id(number))
            .tag("t")
            .vector(vec![1.0]);
        match store.remember(new) {
            Ok(own) => say(&own.to_string()),
            Err(error) => {
                say(&format!("failed {error}"));
                break;
            }
        }
    }
    assert!(store.remember(memory("again")).is_err());
    assert_eq!(
        store.get(&namespace(), id(1)).unwrap().unwrap().text,
        text_of(1)
    );
}

fn text_of(number: u64) -> String {
    format!("memory {number} {}", "x".repeat(20_000))
}

/// Runs a test of this binary in a process of its own, under limits that a shell sets first, and
/// returns what it said.
fn said_under(limits: &str, test: &str, directory: &Path) -> Vec<String> {
    let output = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY_VARIABLE, directory)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("1 passed"), "{output}");
    let said = output.lines().filter_map(|line| line.strip_prefix("said "));
    said.map(str::to_owned).collect()
}

fn say(line: &str) {
    use std::io::Write;
    let line = format!("\nsaid {line}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// Not a test of its own: does nothing unless the test below starts it as its child.
#[test]
fn child_that_has_few_descriptors() {
    let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) else {
        return;
    };
    match MemoryStore::open(directory) {
        Err(error) => say(&format!("refused {}", with_sources(&error))),
        Ok(store) => match store.remember(memory("written")) {
            Ok(id) => say(&format!("remembered {id}")),
            Err(error) => say(&format!("failed {}", with_sources(&error))),
        },
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = sources.map(ToString::to_string).collect();
    texts.join(": ")
}

#[test]
fn a_process_without_descriptors_is_told_so_and_leaves_the_store_whole() {
    let (directory, store) = open_temporary();
    store.remember(memory("before").vector(vec![1.0])).unwrap();
    drop(store);
    let (mut remembered, mut refused) = (0, 0);
    for descriptors in 4..=40 {
        let limits = format!("ulimit -n {descriptors}");
        let test = "faults::child_that_has_few_descriptors";
        for line in said_under(&limits, test, directory.path()) {
            let (what, rest) = line.split_once(' ').unwrap();
            if what == "remembered" {
                remembered += 1;
                continue;
            }
            refused += 1;
            let names_it = ["Too many open files", "unable to open database file"];
            assert!(names_it.iter().any(|name| rest.contains(name)), "{line}");
        }
        assert!(verify_store(directory.path()).unwrap().is_clean());
    }
    assert!(refused > 3 && remembered > 3, "{refused} {remembered}");
    let store = MemoryStore::open(directory.path()).unwrap();
    assert_eq!(store.stats().items, 1 + remembered);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_lock_of_another_process_fails_writes_together_and_not_one_after_the_other() {
    const WRITERS: u64 = 20;
    let (directory, store) = open_temporary();
    store.remember(memory("before")).unwrap();
    let foreign = rusqlite::Connection::open(database(directory.path())).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let error = store.remember(memory("refused")).unwrap_err();
                assert!(matches!(error, Error::Busy { .. }), "{error}");
            });
        }
    });
    // Each group waits as long as a single write would: one by one it would be twenty times that.
    let single = std::time::Instant::now();
    assert!(store.remember(memory("refused")).is_err());
    let (all, single) = (began.elapsed() - single.elapsed(), single.elapsed());
    assert!(all < single * (WRITERS as u32) / 2, "{all:?} {single:?}");
    foreign.execute_batch("ROLLBACK").unwrap();
    store.remember(memory("after")).unwrap();
    assert_eq!(store.stats().items, 2);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_disk_that_takes_no_more_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    // The signal would end the process before the write could fail. 2 MiB in blocks of 512 bytes.
    let limits = "trap '' XFSZ; ulimit -f 4096";
    let test = "faults::child_whose_files_may_not_grow";
    let said = said_under(limits, test, directory.path());
    let (failed, acknowledged): (Vec<&String>, Vec<&String>) =
        said.iter().partition(|line| line.starts_with("failed"));
    assert_eq!(failed.len(), 1, "{said:?}");
    assert!(acknowledged.len() > 20, "{said:?}");

    assert!(verify_store(directory.path()).unwrap().is_clean());
    let store = MemoryStore::open(directory.path()).unwrap();
    for number in acknowledged {
        let number: u64 = number.parse().unwrap();
        let found = store.get(&namespace(), id(number)).unwrap().unwrap();
        assert_eq!(found.text, text_of(number));
    }
    assert!(store.check().unwrap().is_clean());
    store.remember(memory("there is room again")).unwrap();
}

fn database(directory: &Path) -> std::path::PathBuf {
    directory.join("memory.sqlite")
}

#[test]
fn a_database_that_was_cut_or_overwritten_is_an_error_and_stays_as_it_is() {
    let (original, store) = open_temporary();
    for number in 1..=300 {
        let new = memory(&format!("{number} {}", "word ".repeat(50)));
        store.remember(new.tag("t").vector(vec![1.0, 2.0])).unwrap();
    }
    drop(store);
    let whole = fs::read(database(original.path())).unwrap();
    let half = whole.len() / 2 / 4_096 * 4_096;
    let mut overwritten = whole.clone();
    overwritten[half..half + 4_096].fill(0xa5);
    let mut header = whole.clone();
    header[..16].copy_from_slice(b"not this format!");
    let damages = [
        whole[..half].to_vec(),
        whole[..5_000].to_vec(),
        overwritten,
        header,
    ];
    for damaged in damages {
        let directory = tempfile::tempdir().unwrap();
        fs::write(database(directory.path()), &damaged).unwrap();
        let verified = verify_store(directory.path());
        let is_named = match &verified {
            Err(Error::Corrupt { .. }) => true,
            Ok(report) => !report.is_clean(),
            Err(_) => false,
        };
        assert!(is_named, "{verified:?}");
        match MemoryStore::open(directory.path()) {
            Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
            Ok(store) => {
                let checked = store.check();
                assert!(checked.is_err() || !checked.unwrap().is_clean());
            }
        }
        assert!(
            fs::read(database(directory.path())).unwrap() == damaged,
            "not overwritten"
        );
    }
}
