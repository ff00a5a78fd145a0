//! The tool as a program: its exit codes, and what it hands to the programs it becomes.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held from writing a script to running it: a process that another test starts in between would
/// inherit the open file, and the kernel runs no file that is open for writing ("text file busy").
static ALONE: Mutex<()> = Mutex::new(());

/// A folder with a `cargo` whose build "makes" a `proofload`, both short shell scripts.
struct Fake {
    folder: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Fake {
    fn new(name: &str, cargo_ends: &str, proofload: &str) -> Fake {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let fake = Fake {
            folder,
            _alone: alone,
        };
        let executable = fake.script("proofload", proofload);
        let target = r#"{"name":"proofload"}"#;
        let artifact = format!(
            r#"{{"reason":"compiler-artifact","target":{target},"executable":{executable:?}}}"#
        );
        fake.script(
            "cargo",
            &format!("echo \"$@\" >&2\necho '{artifact}'\n{cargo_ends}"),
        );
        fake
    }

    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn xtask(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).env("CARGO", self.folder.join("cargo"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.xtask(args).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_suite_gets_its_arguments_and_gives_its_exit_code() {
    for code in [0, 1, 2] {
        let proofload = format!("printf '<%s>' \"$@\"\nexit {code}");
        let fake = Fake::new(&format!("suite-{code}"), "exit 0", &proofload);
        let output = fake.run(&["loadtest", "--quick", "--out", "a folder", "--", "-x"]);
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(stdout(&output), "<suite><--quick><--out><a folder><--><-x>");
        assert!(stderr(&output).contains("build --release --package proofload --bin proofload"));
    }
}

#[test]
fn the_suite_takes_the_place_of_the_task_so_that_signals_reach_it() {
    let fake = Fake::new("signals", "exit 0", "echo $$");
    let mut command = fake.xtask(&["loadtest"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output).trim(), id.to_string());
}

/// Two clones that shared a target directory once ran each other's binary, which had the other's
/// root compiled into it, and built the wrong one.
#[test]
fn the_clone_that_is_built_is_the_one_that_cargo_names() {
    let fake = Fake::new("other-clone", "exit 0", "exit 0");
    let mut command = fake.xtask(&["loadtest"]);
    let output = command
        .env("CARGO_MANIFEST_DIR", "other/xtask")
        .output()
        .unwrap();
    let called = stderr(&output);
    assert!(
        called.ends_with("--manifest-path other/Cargo.toml\n"),
        "{called}"
    );
}

#[test]
fn a_failed_build_is_the_code_for_could_not_run() {
    let fake = Fake::new("failed-build", "exit 101", "exit 0");
    let output = fake.run(&["loadtest"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: the build of proofload failed (exit status: 101)"));
}

#[test]
fn test_and_bench_pass_on_the_arguments_and_the_exit_code_of_cargo() {
    let fake = Fake::new("test-bench", "exit 101", "exit 0");
    let cases = [
        (&["test"][..], "test --workspace\n"),
        (
            &["test", "-p", "proofload-action", "digest"],
            "test -p proofload-action digest\n",
        ),
        (&["bench", "--", "--test"], "bench --workspace -- --test\n"),
    ];
    for (args, called) in cases {
        let output = fake.run(args);
        assert_eq!(output.status.code(), Some(101));
        assert_eq!(stderr(&output), called);
    }
}

#[test]
fn ci_stops_at_the_first_stage_that_fails_and_says_how_to_rerun_it() {
    let cargo = "case $1 in clippy) exit 101;; esac";
    let fake = Fake::new("ci", cargo, "exit 0");
    let output = fake.run(&["ci", "--skip", "tidy"]);
    assert_eq!(output.status.code(), Some(1));
    let called: Vec<_> = stderr(&output).lines().map(str::to_owned).collect();
    assert_eq!(
        called,
        [
            "fmt --all --check",
            "clippy --workspace --all-targets --all-features -- -D warnings"
        ]
    );
    let said = stdout(&output);
    assert!(said.contains("==== fmt held in "), "{said}");
    assert!(said.contains("==== clippy failed after "), "{said}");
    let rerun =
        "rerun it with: cargo clippy --workspace --all-targets --all-features -- -D warnings\n";
    assert!(said.ends_with(rerun), "{said}");
}

#[test]
fn ci_runs_every_stage_that_is_not_skipped() {
    let fake = Fake::new("ci-all", "exit 0", "exit 0");
    // A cargo that does nothing counts no instructions.
    let output = fake.run(&["ci", "--skip=tidy", "--skip=test", "--skip=instructions"]);
    assert_eq!(output.status.code(), Some(0));
    let called: Vec<_> = stderr(&output)
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    // The tests among them are those of the stages for compressed archives and for shuttle.
    assert_eq!(
        called,
        ["fmt", "clippy", "test", "test", "bench", "doc", "package"]
    );
    assert!(stdout(&output).contains("(skipped: tidy, test, instructions)"));
}

#[test]
fn bad_arguments_are_the_code_for_could_not_run() {
    let fake = Fake::new("bad-arguments", "exit 0", "exit 0");
    for args in [
        &["lodtest"][..],
        &["ci", "--skip", "tests"],
        &["tidy", "x"],
        &[],
    ] {
        let output = fake.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).starts_with("error: "), "{args:?}");
    }
}
