//! One bit flipped in any file that a run leaves is named, or proved to be without effect.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{data_directories, inspect, reread};
use tempfile::TempDir;

use crate::scene::{copy_all, proofload, text};

/// Enough to meet every kind of file; `cargo xtask attack` flips more.
const FLIPS: usize = 60;

/// A generator that needs no seed from outside (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }
}

/// Every file below a directory, without links.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(files(&entry.path()));
        } else if kind.is_file() && entry.metadata().unwrap().len() > 0 {
            all.push(entry.path());
        }
    }
    all.sort();
    all
}

/// What names a file's damage, if anything does.
fn named(part: &Path) -> Option<String> {
    match inspect(part) {
        Err(error) => Some(error.to_string()),
        Ok(found) if !found.holds() => Some("does not hold".to_owned()),
        Ok(found) => {
            let indexes = found.logs.iter().flat_map(|log| &log.damaged_indexes);
            let indexes = indexes.chain(
                found
                    .memory_stores
                    .iter()
                    .flat_map(|store| &store.damaged_indexes),
            );
            let indexes: Vec<_> = indexes.map(|path| path.display().to_string()).collect();
            (!indexes.is_empty()).then(|| indexes.join(", "))
        }
    }
}

/// Nothing that was acknowledged is lost or altered, by the journal.
fn is_without_effect(out: &Path, journal: &Path) -> Result<(), String> {
    for data in data_directories(out).unwrap() {
        match reread(&data, journal) {
            Ok(reread) if reread.holds() => {}
            Ok(reread) => return Err(format!("{:?}", reread.discrepancies)),
            // Which is a name for it.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

#[test]
fn every_bit_that_flips_in_what_a_run_leaves_is_named_or_has_no_effect() {
    let home = TempDir::new().unwrap();
    let (out, journal) = (home.path().join("out"), home.path().join("out/journal"));
    fs::create_dir(&out).unwrap();
    let arguments = [
        "suite",
        "--quick",
        "--keep",
        "--out",
        text(&out),
        "--journal",
        text(&journal),
    ];
    let output = proofload(&arguments);
    assert!(output.status.success(), "{output:?}");
    is_without_effect(&out, &journal).unwrap();

    let all = files(&out);
    let flips = std::env::var("ATTACK_FLIPS").map_or(FLIPS, |flips| flips.parse().unwrap());
    let (mut numbers, mut silent) = (Numbers(16), Vec::new());
    for flip in 0..flips {
        // Each file in turn, so that small ones are met too.
        let path = &all[flip % all.len()];
        let whole = fs::read(path).unwrap();
        let (byte, bit) = (numbers.next(whole.len()), numbers.next(8));
        let mut damaged = whole.clone();
        damaged[byte] ^= 1 << bit;
        fs::write(path, damaged).unwrap();
        let below = path.strip_prefix(&out).unwrap();
        let first = below.components().next().unwrap();
        let is_alone = below.components().count() == 1;
        let part = if is_alone {
            out.clone()
        } else {
            out.join(first)
        };
        if named(&part).is_none() {
            let place = format!("{} byte {byte} bit {bit}", below.display());
            if let Err(lost) = is_without_effect(&out, &journal) {
                panic!("{place}: not named, and {lost}");
            }
            silent.push(below.to_owned());
        }
        fs::write(path, whole).unwrap();
    }
    // Only what holds nothing: the number of a process that is gone; and the journal, whose damage is
    // named when it is used.
    let is_expected = |path: &PathBuf| path.ends_with("LOCK") || path.as_os_str() == "journal";
    let unexpected: Vec<_> = silent.iter().filter(|path| !is_expected(path)).collect();
    assert_eq!(unexpected, Vec::<&PathBuf>::new());
    assert_eq!(named(&out), None, "every bit was put back");
}

/// One journal serves all scenarios of a suite, and each of its runs: every one "did not hold".
#[test]
fn a_suite_with_one_journal_holds_as_a_whole_and_directory_by_directory() {
    let home = TempDir::new().unwrap();
    let (out, journal) = (home.path().join("out"), home.path().join("journal"));
    for seed in ["1", "2"] {
        let arguments = [
            "suite",
            "--quick",
            "--keep",
            "--seed",
            seed,
            "--out",
            text(&out),
            "--journal",
            text(&journal),
        ];
        assert!(proofload(&arguments).status.success());
    }
    let verify = |directory: &Path| {
        let output = proofload(&["verify", text(directory), "--journal", text(&journal)]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        said
    };
    let directories = data_directories(&out).unwrap();
    assert_eq!(directories.len(), 10);
    let said = verify(&out);
    assert_eq!(
        said.matches(" 0 lost, 0 altered, 0 duplicated").count(),
        10,
        "{said}"
    );
    verify(&directories[0]);

    // A journal of other runs proves nothing of this one.
    let copy = home.path().join("copy");
    copy_all(&directories[0], &copy);
    let (other, elsewhere) = (
        home.path().join("other-journal"),
        home.path().join("elsewhere"),
    );
    let arguments = [
        "run",
        "storage",
        "--quick",
        "--out",
        text(&elsewhere),
        "--journal",
        text(&other),
    ];
    assert!(proofload(&arguments).status.success());
    let output = proofload(&["verify", text(&copy), "--journal", text(&other)]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("has no acknowledgement of the run that wrote"),
        "{told}"
    );
}
