//! What is attacked: a log that a run left, with its manifest, in several segments; and what was kept elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jsonl_storage::{Log, LogOptions};
use serde_json::Value;
use tempfile::TempDir;

/// So that the log of 500 records has about ten.
const SEGMENT_BYTES: u64 = 20_000;

/// A run's data, and what is kept where an attacker cannot write.
pub(crate) struct Scene {
    home: TempDir,
    key: String,
}

pub(crate) fn proofload(arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("proofload"))
        .args(arguments)
        .output()
        .unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How the logs of this scene are written.
pub(crate) fn options() -> LogOptions {
    LogOptions::new()
        .chained_when_new()
        .chained_in_groups()
        .segment_bytes(SEGMENT_BYTES)
}

impl Scene {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        for (run, seed) in [("run", "1"), ("other", "2")] {
            let out = home.path().join(format!("out-{run}"));
            let journal = home.path().join("journal");
            let arguments = [
                "run",
                "storage",
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
            write_anew(&data_of(&out), &home.path().join(run));
        }
        let [secret, checkpoint, data] =
            ["secret", "checkpoint", "run"].map(|name| home.path().join(name));
        let made = proofload(&[
            "checkpoint",
            "keygen",
            "example.com/attacks",
            "--out",
            text(&secret),
        ]);
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let signed = [
            "checkpoint",
            "create",
            text(&data),
            "--key",
            text(&secret),
            "--out",
            text(&checkpoint),
        ];
        assert!(proofload(&signed).status.success());
        Self { home, key }
    }

    /// A fresh copy of the data, to be attacked, beside which another run's data lies.
    pub(crate) fn copy(&self) -> Attacked {
        let dir = TempDir::new().unwrap();
        let (data, other) = (dir.path().join("data"), dir.path().join("other"));
        copy_all(&self.home.path().join("run"), &data);
        copy_all(&self.home.path().join("other"), &other);
        Attacked {
            data,
            other,
            _dir: dir,
        }
    }

    /// What `verify` says with each protection: none, the checkpoint, the journal.
    pub(crate) fn verify(&self, data: &Path) -> [Said; 3] {
        let [checkpoint, journal] =
            ["checkpoint", "journal"].map(|name| self.home.path().join(name));
        let with: [&[&str]; 3] = [
            &[],
            &["--checkpoint", text(&checkpoint), "--key", &self.key],
            &["--journal", text(&journal)],
        ];
        with.map(|with| Said::of(&proofload(&[&["verify", text(data)], with].concat())))
    }
}

/// What a verification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Holds,
    Found,
    Refused,
    Undecided,
}

impl Said {
    fn of(output: &Output) -> Self {
        match output.status.code() {
            Some(0) => Self::Holds,
            Some(1) => Self::Found,
            Some(2) => Self::Refused,
            Some(3) => Self::Undecided,
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// A directory that an attacker can write to.
pub(crate) struct Attacked {
    pub(crate) data: PathBuf,
    /// The data of another run.
    pub(crate) other: PathBuf,
    _dir: TempDir,
}

impl Attacked {
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        files(&self.data, "jsonl")
    }

    pub(crate) fn indexes(&self) -> Vec<PathBuf> {
        files(&self.data, "index")
    }

    /// Removes a file, and what tells of it.
    pub(crate) fn remove(&self, segment: &Path) {
        fs::remove_file(segment).unwrap();
        let _ = fs::remove_file(segment.with_extension("index"));
    }

    /// Changes the lines of a segment, and removes what tells of them.
    pub(crate) fn edit(&self, segment: usize, change: impl FnOnce(&mut Vec<String>)) {
        let path = &self.segments()[segment];
        let text = fs::read_to_string(path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(path, lines.join("\n") + "\n").unwrap();
        let _ = fs::remove_file(path.with_extension("index"));
    }

    /// The last segment's number.
    pub(crate) fn last(&self) -> usize {
        self.segments().len() - 1
    }
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let fits = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    let mut files: Vec<_> = entries.filter(fits).collect();
    files.sort();
    files
}

/// The data directory that a run left.
pub(crate) fn data_of(out: &Path) -> PathBuf {
    let mut entries = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_data = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("data-")
    };
    entries.find(is_data).unwrap()
}

/// The same records in a log of several segments.
pub(crate) fn write_anew(from: &Path, to: &Path) {
    let records: Log<Value> = LogOptions::new().open(from).unwrap();
    let log: Log<Value> = options().open(to).unwrap();
    for record in records.scan().unwrap() {
        log.append(&record.unwrap().data).unwrap();
    }
    log.close().unwrap();
    fs::copy(from.join("scenario.json"), to.join("scenario.json")).unwrap();
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_all(&source, &target);
        } else if kind.is_file() {
            fs::copy(&source, &target).unwrap();
        }
    }
}
