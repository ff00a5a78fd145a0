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
    let say = |line: String| {
        use std::io::Write;
        let line = format!("\nsaid {line}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    };
    let store = MemoryStore::open(directory).unwrap();
    for number in 1_u64.. {
        let new = memory(&text_of(number))
            .id(id(number))
            .tag("t")
            .vector(vec![1.0]);
        match store.remember(new) {
            Ok(own) => say(own.to_string()),
            Err(error) => {
                say(format!("failed {error}"));
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

#[test]
fn a_disk_that_takes_no_more_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    // The signal would end the process before the write could fail. 2 MiB in blocks of 512 bytes.
    let limited = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "faults::child_whose_files_may_not_grow",
            "--nocapture",
        ])
        .env(DIRECTORY_VARIABLE, directory.path())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let said: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("said "))
        .collect();
    let (failed, acknowledged): (Vec<&str>, Vec<&str>) = said
        .into_iter()
        .partition(|line| line.starts_with("failed"));
    assert_eq!(failed.len(), 1, "{output}");
    assert!(acknowledged.len() > 20, "{output}");
    assert!(output.contains("1 passed"), "{output}");

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
