//! Files as a service: a disk that forgets, tears or makes up files is found out, and one that keeps them passes.

use std::fs;

use harness::{Overrides, ScenarioFile};
use report::ScenarioResult;

use crate::effects::{run, run_with};

fn proved(text: &str) -> (ScenarioResult, String) {
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(text, out.path());
    (result, crate::page(&report))
}

/// Notes in a folder of each user. What `DISK` does in place of a restart is what the disk did.
const NOTES: &str = r#"
name = "notes"
thresholds = ['error_rate < 50%']

[services.disk]
kind = "file"
restart = ["sh", "-c", "cd $0 && DISK", "${dir}/disk"]

[[flows.write]]
vars = { text = "${text(200)}" }
write_file = "${user}/${id}.txt"
content = "${text}"
effect = { creates = "note", key = "${user}/${id}.txt", content = "${text}" }

[effects.note]
read.list_files = "*/*.txt"

[model]
users = 4
iterations = 10
"#;

#[test]
fn what_a_disk_does_to_files_is_named() {
    for (disk, [lost, altered, unexpected]) in [
        ("true", [0, 0, 0]),
        ("rm */*-7.txt", [4, 0, 0]),
        ("for f in */*-7.txt; do truncate -s 100 $f; done", [0, 4, 0]),
        ("for f in */*-7.txt; do cp $f $f.txt; done", [0, 0, 4]),
        // A write that did not end leaves a file that nobody lists.
        (
            "for f in */*-7.txt; do cp $f 0/.$(basename $f); done",
            [0, 0, 0],
        ),
    ] {
        let (result, page) = proved(&NOTES.replace("DISK", disk));
        let found = &result.verification;
        assert_eq!(
            [found.lost, found.altered, found.unexpected],
            [lost, altered, unexpected],
            "{disk}\n{page}"
        );
        assert_eq!(found.effects, 40, "{disk}\n{page}");
        assert!(page.contains("read after a restart"), "{disk}\n{page}");
    }
}

/// Files that are read by key: written twice, looked at, and every second one removed.
const TWICE: &str = r#"
name = "twice"
thresholds = ['error_rate == 0%']

[services.disk]
kind = "file"
path = "some/where"
fsync = false

[[flows.write]]
name = "first"
vars = { text = "${text(20)}", more = "${text(90000)}" }
write_file = "${id}.txt"
content = "${text}"
effect = { creates = "note", key = "${id}", content = "${text}" }

[[flows.write]]
name = "second"
write_file = "${id}.txt"
content = "${more}"
effect = { updates = "note", key = "${id}", content = "${more}" }

[[flows.write]]
name = "look"
read_file = "${id}.txt"
expect = { "$" = "${more}" }

[[flows.remove]]
name = "make"
write_file = "${id}.txt"
content = "x"
effect = { creates = "note", key = "${id}", content = "x" }

[[flows.remove]]
name = "remove"
remove_file = "${id}.txt"
effect = { removes = "note", key = "${id}" }

[effects.note]
read.read_file = "${key}.txt"
delete.remove_file = "${key}.txt"

[model]
users = 4
iterations = 20
"#;

#[test]
fn files_are_written_over_looked_at_and_removed() {
    let (result, page) = proved(TWICE);
    assert!(result.effects_hold(), "{page}");
    for step in ["first", "second", "look", "make", "remove"] {
        let step = result.run.step(step).unwrap();
        assert!(step.attempted > 0 && step.failed == 0, "{page}");
    }
    assert_eq!(result.effects.as_ref().unwrap()[0].left, Some(0), "{page}");
    let missing = TWICE.replace("read_file = \"${id}.txt\"", "read_file = \"no-${id}.txt\"");
    let (result, page) = proved(&missing);
    let look = result.run.step("look").unwrap();
    assert_eq!((look.attempted, look.failed), (look.failed, look.attempted));
    assert!(page.contains("No such file or directory"), "{page}");
}

#[test]
fn a_path_stays_in_the_folder() {
    let told = |text: &str| {
        let read = ScenarioFile::parse("s.toml", text, &Overrides::default());
        read.unwrap_err().to_string()
    };
    let replaced = |from: &str, to: &str| {
        assert!(TWICE.contains(from), "{from}");
        told(&TWICE.replacen(from, to, 1))
    };
    for (from, to, wanted) in [
        (
            "\"some/where\"",
            "\"../where\"",
            "s.toml:7:8: `path` leaves the run's directory: add --allow-path where",
        ),
        (
            "\"some/where\"",
            "\"/var/where\"",
            "s.toml:7:8: `path` leaves the run's directory: add --allow-path /var/where",
        ),
        (
            "write_file = \"${id}.txt\"",
            "write_file = \"../${id}.txt\"",
            "s.toml:13:14: `write_file` leaves the service's folder",
        ),
        (
            "read_file = \"${id}.txt\"",
            "read_file = \"/etc/passwd\"",
            "s.toml:25:13: `read_file` leaves the service's folder",
        ),
        (
            "content = \"${text}\"\neffect",
            "effect",
            "s.toml:13:1: `write_file` needs `content`",
        ),
        (
            "read_file = \"${id}.txt\"",
            "read_file = \"${id}.txt\"\ncontent = \"x\"",
            "s.toml:26:1: `content` belongs to `write_file`",
        ),
        (
            "kind = \"file\"",
            "kind = \"file\"\npool = { size = 2 }",
            "s.toml:7:1: a pool is of connections to a `url`, which this service does not have",
        ),
    ] {
        assert_eq!(replaced(from, to), wanted);
    }
    // A value that would lead out is refused when it comes.
    let (result, page) = proved(&TWICE.replacen("${id}.txt", "${pick('..', '.', 'a/b')}", 1));
    let first = result.run.step("first").unwrap();
    assert_eq!(first.attempted, first.failed, "{page}");
    assert_eq!(result.verification.lost, 0, "{page}");
}

#[test]
fn a_folder_beyond_the_run_has_to_be_allowed_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below");
    let text = TWICE
        .replace("some/where", path.to_str().unwrap())
        .replace("delete.remove_file = \"${key}.txt\"\n", "");
    assert!(ScenarioFile::parse("s.toml", &text, &Overrides::default()).is_err());
    let overrides = Overrides {
        allow_paths: vec![folder.path().to_owned()],
        ..Overrides::default()
    };
    let out = tempfile::tempdir().unwrap();
    let (_, result) = run_with(&text, out.path(), &overrides);
    assert!(result.effects_hold());
    let there = fs::read_dir(&path).unwrap();
    assert_eq!(there.count() as u64, result.verification.found);
}
