//! Files in a crate's `tests/golden`, which an earlier build wrote and every later one has to read
//! and to write again, byte for byte. Included by the `golden` test of each crate with a stored format.
//!
//! Nobody's data may change unread, so a stored file is never written over: to store a new format
//! beside an old one, give it another name, and run the tests twice with `PROOFLOAD_WRITE_GOLDEN=1`,
//! which writes the files that are missing; the second time for the tests that read what others wrote.
//! Without it a missing file fails the test.

#![allow(
    dead_code,
    reason = "a crate stores files, folders or texts, and few store all three"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a file or a folder is stored.
pub(crate) fn path(name: &str) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    golden.join(name)
}

/// The stored bytes.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = path(name);
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; PROOFLOAD_WRITE_GOLDEN=1 writes it",
            path.display()
        )
    })
}

/// Asserts that these are the stored bytes.
pub(crate) fn assert_file(name: &str, written: &[u8]) {
    let path = path(name);
    if !path.exists() && std::env::var_os("PROOFLOAD_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, written).unwrap();
    }
    let stored = read(name);
    let differs = stored
        .iter()
        .zip(written)
        .position(|(one, other)| one != other);
    let differs = differs.unwrap_or(stored.len().min(written.len()));
    let around = |bytes: &[u8]| {
        let (from, to) = (differs.saturating_sub(60), bytes.len().min(differs + 60));
        bytes[from..to].escape_ascii().to_string()
    };
    assert!(
        stored == written,
        "{} differs from byte {differs} on\n stored: {}\nwritten: {}",
        path.display(),
        around(&stored),
        around(written),
    );
}

/// Asserts that a directory holds the files of the stored folder, and no others.
pub(crate) fn assert_folder(name: &str, dir: &Path) {
    let written = files(dir);
    for (file, bytes) in &written {
        assert_file(&format!("{name}/{file}"), bytes);
    }
    let names = |files: BTreeMap<String, Vec<u8>>| files.into_keys().collect::<Vec<_>>();
    assert_eq!(names(files(&path(name))), names(written), "{name}");
}

/// Copies a stored folder: opening a store may write to its directory.
pub(crate) fn copy_folder(name: &str, to: &Path) {
    let files = files(&path(name));
    assert!(!files.is_empty(), "{} is empty", path(name).display());
    for (file, bytes) in files {
        fs::write(to.join(file), bytes).unwrap();
    }
}

/// The files of a directory but its lock, which names a process.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let named = paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let named = named.filter(|(name, path)| name != "LOCK" && path.is_file());
    named
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}
