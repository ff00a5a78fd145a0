//! The command from the outside: what it prints, what it leaves behind, and its exit code.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

fn proofload(arguments: &[&str]) -> Output {
    Command::cargo_bin("proofload")
        .unwrap()
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a small load of one scenario.
fn quick(scenario: &str, out: &Path, more: &[&str]) -> Output {
    proofload(&[&["run", scenario, "--quick", "--out", text(out)], more].concat())
}

/// Runs what must be refused: exit code 2, one line, nothing left in `out`.
fn refused(arguments: &[&str], out: &Path) -> String {
    let output = proofload(arguments);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
    if out.is_dir() {
        let left: Vec<_> = fs::read_dir(out)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let message = stderr(&output);
    let errors: Vec<_> = message
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{message}");
    errors[0].to_owned()
}

#[test]
fn the_whole_suite_passes_and_its_report_is_where_the_summary_says() {
    let out = TempDir::new().unwrap();
    let output = proofload(&["suite", "--quick", "--out", text(out.path())]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    let summary = stdout(&output);
    for scenario in ["approval", "forensic", "integrated", "storage", "memory"] {
        assert!(summary.contains(&format!("PASS {scenario}")), "{summary}");
        assert!(
            stderr(&output).contains(&format!("{scenario}: ")),
            "progress in plain lines"
        );
    }
    assert!(
        !summary.contains('\x1b') && !stderr(&output).contains('\x1b'),
        "no terminal, no styles"
    );
    let named = summary
        .lines()
        .find_map(|line| line.strip_prefix("report: "))
        .unwrap();
    let named = named.split(" (latest: ").next().unwrap();
    let latest = fs::read_to_string(out.path().join("latest/report.md")).unwrap();
    assert_eq!(fs::read_to_string(named).unwrap(), latest);
    assert!(latest.starts_with("# Load test: ✅ pass\n"), "{latest}");
}

#[test]
fn json_goes_to_stdout_whole() {
    let out = TempDir::new().unwrap();
    let output = quick("storage", out.path(), &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"]["health"], "pass");
    assert_eq!(report["scenarios"][0]["verification"]["verified"], 500);
}

#[test]
fn a_limit_that_is_exceeded_fails_and_is_named() {
    let out = TempDir::new().unwrap();
    let output = quick("storage", out.path(), &["--max-mean-latency", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let summary = stdout(&output);
    assert!(
        summary.contains("bottleneck: storage, append: mean latency "),
        "{summary}"
    );
    assert!(summary.contains("(limit 0.00 ms)"), "{summary}");
}

#[test]
fn a_saved_report_is_judged_again_by_other_limits() {
    let out = TempDir::new().unwrap();
    quick("storage", out.path(), &[]);
    let latest = out.path().join("latest");
    assert_eq!(proofload(&["report", text(&latest)]).status.code(), Some(0));
    let strict = proofload(&["report", text(&latest), "--max-memory", "0.001"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(
        stdout(&strict).contains("peak memory"),
        "{}",
        stdout(&strict)
    );
    let markdown = proofload(&["report", text(&latest), "--markdown"]);
    assert_eq!(
        stdout(&markdown),
        fs::read_to_string(latest.join("report.md")).unwrap()
    );
}

#[test]
fn the_schema_is_the_published_one() {
    let printed: Value = serde_json::from_slice(&proofload(&["schema"]).stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/schemas/report.v1.json");
    let published: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Not `assert_eq`: the difference of two schemas would fill screens.
    assert!(
        printed == published,
        "publish it: proofload schema > {}",
        path.display()
    );
}

#[test]
fn an_unknown_scenario_is_refused_with_those_that_exist() {
    let out = TempDir::new().unwrap();
    let error = refused(&["run", "stoarge", "--out", text(out.path())], out.path());
    assert_eq!(
        error,
        "error: invalid value 'stoarge' for '<SCENARIO>': unknown scenario \"stoarge\", expected one \
         of: approval, forensic, integrated, storage, memory"
    );
    refused(
        &["suite", "--only", "x", "--out", text(out.path())],
        out.path(),
    );
}

#[test]
fn a_load_of_no_threads_is_refused() {
    let out = TempDir::new().unwrap();
    for threads in ["0", "-1", "many", "10001"] {
        let arguments = ["suite", "--out", text(out.path()), "--threads", threads];
        let error = refused(&arguments, out.path());
        assert!(
            error.contains(threads) && error.contains("--threads"),
            "{error}"
        );
    }
    let error = refused(
        &["suite", "--records", "0", "--out", text(out.path())],
        out.path(),
    );
    assert!(error.contains("--records"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a-file");
    fs::write(&file, "").unwrap();
    let out = file.join("out");
    let error = refused(&["suite", "--quick", "--out", text(&out)], &out);
    assert!(
        error.starts_with(&format!("error: cannot create directory {}", text(&out))),
        "{error}"
    );
}

#[test]
fn a_disk_with_too_little_room_is_refused_before_the_load() {
    let out = TempDir::new().unwrap();
    let records = "1000000000000";
    let arguments = [
        "run",
        "storage",
        "--records",
        records,
        "--out",
        text(out.path()),
    ];
    let error = refused(&arguments, out.path());
    assert!(error.starts_with("error: disk full: "), "{error}");
    assert!(
        error.ends_with("free space or name another directory with --out"),
        "{error}"
    );
}

#[test]
fn a_report_of_another_version_is_refused_with_the_remedy() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("report.json");
    fs::write(&file, r#"{"format":"proofload/report","version":9}"#).unwrap();
    let error = refused(&["report", text(&file)], Path::new("none"));
    assert!(
        error.contains("is a report of version 9, this program reads version 1;"),
        "{error}"
    );
    let missing = dir.path().join("missing.json");
    assert!(refused(&["report", text(&missing)], Path::new("none")).contains("missing.json"));
}

#[test]
fn verify_names_the_file_and_line_that_were_changed() {
    let out = TempDir::new().unwrap();
    let report = quick("storage", out.path(), &["--keep", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let data = report["scenarios"][0]["data_kept_in"].as_str().unwrap();
    assert_eq!(proofload(&["verify", data]).status.code(), Some(0));

    let segment = Path::new(data).join("segment-00000000000000000001.jsonl");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[40] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let output = proofload(&["verify", data]);
    assert_eq!(output.status.code(), Some(1));
    let printed = stdout(&output);
    assert!(
        printed.contains("segment-00000000000000000001.jsonl line 1 (byte 0): altered"),
        "{printed}"
    );
    assert!(printed.ends_with("DOES NOT HOLD\n"), "{printed}");
}

#[test]
fn verify_of_a_directory_with_nothing_in_it_is_refused() {
    let dir = TempDir::new().unwrap();
    let error = refused(&["verify", text(dir.path())], dir.path());
    assert!(
        error.ends_with("holds no log and no memory store"),
        "{error}"
    );
}
