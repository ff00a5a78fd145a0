//! A full disk, a full journal, a deleted draft and a full pipe destroy no evidence: the summary is
//! printed, the data is kept, the exit code is 2, and stderr says what remains and where.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn proofload() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("proofload"))
}

fn quick(out: &Path) -> Command {
    let mut command = proofload();
    command
        .args(["run", "storage", "--quick", "--out"])
        .arg(out);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The entries of a folder whose names begin so.
fn entries(out: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let begins = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(prefix)
    };
    entries.filter(begins).collect()
}

/// The one data directory, which stderr or the summary names and `verify` can read.
fn assert_data_is_kept(out: &Path, output: &Output) {
    let (told, summary) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(2), "{told}{summary}");
    let data = entries(out, "data-");
    assert_eq!(data.len(), 1, "{told}{summary}");
    let name = data[0].to_str().unwrap();
    assert!(
        told.contains(name) || summary.contains(name),
        "{told}{summary}"
    );
    let verified = proofload().arg("verify").arg(&data[0]).output().unwrap();
    assert_eq!(
        verified.status.code(),
        Some(0),
        "{}",
        text(&verified.stdout)
    );
}

fn assert_summary_is_printed(output: &Output) {
    let summary = text(&output.stdout);
    assert!(
        summary.contains("acknowledged effects: each verified"),
        "{summary}{}",
        text(&output.stderr)
    );
}

/// Runs it where no file can have more than so many blocks of 512 bytes. The signal, which would end the
/// process before it sees the error, is ignored.
fn with_small_files(blocks: u32, command: &Command) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    Command::new("sh")
        .args(["-c", &script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .unwrap()
}

/// The data directory was dropped with the error, even with `--keep`.
#[test]
fn a_disk_that_fills_under_the_load_leaves_the_data_and_what_was_measured() {
    let out = TempDir::new().unwrap();
    let output = with_small_files(40, &quick(out.path()));
    assert_data_is_kept(out.path(), &output);
    assert_summary_is_printed(&output);
    let told = text(&output.stderr);
    assert!(
        told.contains("disk full: scenario storage ran out of space"),
        "{told}"
    );
}

/// The load fits, and the report does not.
#[test]
fn a_report_that_cannot_be_written_is_printed_and_the_data_kept() {
    let out = TempDir::new().unwrap();
    // A file where the folder of the run has to be made: that stops root as well.
    let run = quick(out.path());
    let mut child = Command::new("sh")
        .args(["-c", "exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args())
        .args(["--duration", "4s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let draft = loop {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no draft was begun"
        );
        if !out.path().is_dir() {
            continue;
        }
        if let (Some(draft), [_]) = (
            entries(out.path(), ".draft-").pop(),
            &entries(out.path(), "data-")[..],
        ) {
            break draft;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before");
    };
    fs::remove_dir_all(&draft).unwrap();
    fs::write(&draft, "in the way").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_data_is_kept(out.path(), &output);
    assert_summary_is_printed(&output);
    let told = text(&output.stderr);
    assert!(
        told.contains("the report was not saved; what the targets wrote is kept in "),
        "{told}"
    );
}

#[test]
fn a_full_journal_is_told_and_everything_else_is_kept() {
    let out = TempDir::new().unwrap();
    let output = quick(out.path())
        .args(["--journal", "/dev/full"])
        .output()
        .unwrap();
    assert_data_is_kept(out.path(), &output);
    assert_summary_is_printed(&output);
    let told = text(&output.stderr);
    assert!(
        told.contains("cannot write the journal /dev/full: No space left"),
        "{told}"
    );
    assert_eq!(entries(out.path(), "run-").len(), 1, "the report is saved");
}

#[test]
fn a_summary_that_cannot_be_printed_keeps_no_report_from_being_saved() {
    let out = TempDir::new().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = quick(out.path()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write to stdout"));
    assert_eq!(entries(out.path(), "run-").len(), 1);
    assert_eq!(
        entries(out.path(), "data-").len(),
        0,
        "verified, and in the report"
    );
}
