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
    assert_eq!(report["verdict"]["conclusion"], "pass");
    assert_eq!(report["scenarios"][0]["verification"]["verified"], 500);
}

#[test]
fn a_load_can_end_by_time() {
    let out = TempDir::new().unwrap();
    let output = quick("approval", out.path(), &["--duration", "300ms", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &report["scenarios"][0]["run"];
    assert!(run["wall_ns"].as_u64().unwrap() >= 300_000_000, "{run}");
    assert!(
        report["command"]
            .as_str()
            .unwrap()
            .ends_with(" --duration 300ms")
    );
    for time in ["0s", "5", "1.5", "many"] {
        let arguments = ["suite", "--duration", time, "--out", text(out.path())];
        let error = refused(&arguments, Path::new("none"));
        assert!(
            error.contains(time) && error.contains(" a time "),
            "{error}"
        );
    }
}

#[test]
fn a_limit_that_is_exceeded_fails_and_is_named() {
    let out = TempDir::new().unwrap();
    let output = quick("storage", out.path(), &["--max-mean-latency", "1ns"]);
    assert_eq!(output.status.code(), Some(1));
    let summary = stdout(&output);
    assert!(summary.contains("✗ mean(*) <= 1ns (append): "), "{summary}");
    assert!(
        summary.contains("→ fewer users or a faster disk"),
        "{summary}"
    );
}

#[test]
fn a_saved_report_is_judged_again_by_other_limits() {
    let out = TempDir::new().unwrap();
    quick("storage", out.path(), &[]);
    let latest = out.path().join("latest");
    assert_eq!(proofload(&["report", text(&latest)]).status.code(), Some(0));
    let strict = proofload(&["report", text(&latest), "--max-memory", "1kB"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(
        stdout(&strict).contains("✗ memory_peak <= 1kB: "),
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
fn advice_names_its_figure_and_limit_and_fails_nothing() {
    let out = TempDir::new().unwrap();
    let output = quick("storage", out.path(), &["--advise-memory", "1MB"]);
    assert_eq!(output.status.code(), Some(0));
    let summary = stdout(&output);
    let words: Vec<&str> = summary.split_whitespace().collect();
    let unwrapped = words.join(" ");
    assert!(
        unwrapped.contains("recommendation: all scenarios: memory_peak <= 1MB: "),
        "{summary}"
    );
    assert!(
        unwrapped.contains("× over the limit; give the process"),
        "{summary}"
    );
    assert!(
        summary.ends_with("--quick --advise-memory 1MB\n"),
        "the command repeats it: {summary}"
    );
}

#[test]
fn the_schema_is_the_published_one() {
    let printed: Value = serde_json::from_slice(&proofload(&["schema"]).stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../report/schemas/report.v2.json");
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
        "error: invalid value 'stoarge' for '<SCENARIO|FILE>...': unknown scenario \"stoarge\", \
         expected one of: approval, forensic, integrated, storage, memory, or a file that ends in .toml"
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
fn a_link_in_a_circle_does_not_keep_verify_from_ending() {
    let dir = TempDir::new().unwrap();
    let (out, journal) = (dir.path().join("out"), dir.path().join("journal"));
    let report = quick(
        "storage",
        &out,
        &["--keep", "--json", "--journal", text(&journal)],
    );
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let data = report["scenarios"][0]["data_kept_in"].as_str().unwrap();
    std::os::unix::fs::symlink("..", Path::new(data).join("circle")).unwrap();
    let output = proofload(&["verify", data, "--journal", text(&journal)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_report_as_a_picture_is_one() {
    let out = TempDir::new().unwrap();
    quick("storage", out.path(), &[]);
    let picture = proofload(&["report", text(&out.path().join("latest")), "--svg"]);
    assert!(
        stdout(&picture).starts_with("<svg "),
        "{}",
        stdout(&picture)
    );
}

#[test]
fn a_report_of_another_version_is_refused_with_the_remedy() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("report.json");
    fs::write(&file, r#"{"format":"proofload/report","version":9}"#).unwrap();
    let error = refused(&["report", text(&file)], Path::new("none"));
    assert!(
        error.contains("has version 9; this program reads 1 and 2"),
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
    assert!(printed.ends_with("VERIFICATION FAILED\n"), "{printed}");
}

/// A chained log of ten records, and the checkpoint of all of them.
fn chained(dir: &Path) -> String {
    use jsonl_storage::{CheckpointSigner, Log, LogOptions};
    let log: Log<u64> = LogOptions::new().chained().open(dir).unwrap();
    for number in 0..10 {
        log.append(&number).unwrap();
    }
    let checkpoint = log.checkpoint("example.com/audit").unwrap();
    log.close().unwrap();
    let signer = CheckpointSigner::new("auditor", [7; 32]).unwrap();
    let (note, key) = (signer.sign(&checkpoint), signer.key().to_string());
    fs::write(dir.with_extension("checkpoint"), note).unwrap();
    key
}

#[test]
fn a_cut_tail_is_found_by_a_checkpoint_that_was_kept_elsewhere() {
    let out = TempDir::new().unwrap();
    let log = out.path().join("log");
    let key = chained(&log);
    let note = log.with_extension("checkpoint");
    let verify = |more: &[&str]| {
        let against = ["verify", text(&log), "--checkpoint", text(&note)];
        proofload(&[&against, more].concat())
    };
    let output = verify(&["--key", &key]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(stdout(&output).contains(", chained"), "{}", stdout(&output));

    let other = jsonl_storage::CheckpointSigner::new("auditor", [8; 32]).unwrap();
    let output = verify(&["--key", &other.key().to_string()]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "a signature by another key is none"
    );

    // The last record, the index and the mark of the clean close, all taken away together.
    for entry in fs::read_dir(&log).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let lines = fs::read_to_string(&path).unwrap();
            let kept: Vec<_> = lines.lines().take(9).collect();
            fs::write(&path, kept.join("\n") + "\n").unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
    }
    assert_eq!(
        proofload(&["verify", text(&log)]).status.code(),
        Some(0),
        "a chain alone cannot know"
    );
    let output = verify(&["--key", &key]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}

#[test]
fn verify_shows_the_first_break_and_all_of_them_on_request() {
    let out = TempDir::new().unwrap();
    let log = out.path().join("log");
    chained(&log);
    let segment = log.join("segment-00000000000000000001.jsonl");
    let damaged = fs::read_to_string(&segment)
        .unwrap()
        .replace("\"data\":3", "\"data\":4");
    fs::write(&segment, damaged.replace("\"data\":6", "\"data\":7")).unwrap();

    let first = stdout(&proofload(&["verify", text(&log)]));
    assert_eq!(first.matches("corrupt: ").count(), 1, "{first}");
    assert!(
        first.contains(" line 5 (byte ") && first.contains("more; --all"),
        "{first}"
    );
    let all = stdout(&proofload(&["verify", text(&log), "--all"]));
    assert!(
        all.contains(" line 5 (byte ") && all.contains(" line 8 (byte "),
        "{all}"
    );

    let new = out.path().join("new");
    let output = proofload(&["salvage", text(&log), text(&new)]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(
        stdout(&output).starts_with("8 records kept in "),
        "{}",
        stdout(&output)
    );
    let printed = stdout(&output);
    assert!(
        printed.contains("missing: records 4 to 4") && printed.contains("missing: records 7 to 7"),
        "{printed}"
    );
    assert_eq!(proofload(&["verify", text(&new)]).status.code(), Some(0));
}

#[test]
fn a_checkpoint_is_made_and_compared_with_its_own_log_only() {
    let out = TempDir::new().unwrap();
    let (one, two) = (out.path().join("data/one"), out.path().join("data/two"));
    chained(&one);
    chained(&two);
    let secret = out.path().join("secret");
    let keygen = [
        "checkpoint",
        "keygen",
        "example.com/key",
        "--out",
        text(&secret),
    ];
    let output = proofload(&keygen);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let key = stdout(&output).trim_end().to_owned();
    assert!(key.starts_with("example.com/key+"), "{key}");
    assert!(
        refused(&keygen, &secret).contains("cannot create"),
        "a key is never overwritten"
    );
    let mode = fs::metadata(&secret).unwrap().permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o600
    );

    let note = out.path().join("note");
    let create = |directory: &Path| {
        let create = [
            "checkpoint",
            "create",
            text(directory),
            "--key",
            text(&secret),
        ];
        proofload(&[&create[..], &["--out", text(&note)]].concat())
    };
    let several = create(&out.path().join("data"));
    assert_eq!(several.status.code(), Some(2));
    assert!(
        stderr(&several).contains("holds several logs"),
        "{}",
        stderr(&several)
    );
    assert_eq!(create(&one).status.code(), Some(0));

    let data = out.path().join("data");
    let verify = |directory: &Path, more: &[&str]| {
        let verify = [
            "checkpoint",
            "verify",
            text(directory),
            "--checkpoint",
            text(&note),
        ];
        proofload(&[&verify, more].concat())
    };
    let with_key = ["--key", key.as_str()];
    for directory in [&one, &data] {
        let output = verify(directory, &with_key);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
    let output = verify(&two, &with_key);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("it is of none of these logs"),
        "{}",
        stdout(&output)
    );

    let output = verify(&one, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    assert!(stdout(&output).contains("signature of the checkpoint was not checked"));
    assert!(
        stdout(&output).ends_with("INCONCLUSIVE\n"),
        "{}",
        stdout(&output)
    );
    assert_eq!(verify(&one, &["--insecure-no-key"]).status.code(), Some(0));
}

/// Cutting the end off a killed log printed "torn (never acknowledged)", "holds" and 0, while
/// acknowledged records were gone.
#[test]
fn torn_tail_without_journal_is_inconclusive() {
    let out = TempDir::new().unwrap();
    let journal = out.path().join("journal");
    let report = quick(
        "storage",
        &out.path().join("out"),
        &["--keep", "--json", "--journal", text(&journal)],
    );
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let data = Path::new(report["scenarios"][0]["data_kept_in"].as_str().unwrap());
    let segment = data.join("segment-00000000000000000001.jsonl");
    fs::remove_file(segment.with_extension("index")).unwrap();
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 20]).unwrap();

    let output = proofload(&["verify", text(data)]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(
        printed.contains(" bytes after it cannot be read, and only a journal tells")
            && !printed.contains("never acknowledged"),
        "{printed}"
    );
    let output = proofload(&["verify", text(data), "--journal", text(&journal)]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));

    // What salvage leaves is read as the data directory was.
    let new = out.path().join("new");
    let output = proofload(&["salvage", text(data), text(&new)]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let output = proofload(&["verify", text(&new), "--journal", text(&journal)]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains(" 1 lost, 0 altered, 0 duplicated"),
        "{printed}"
    );
}

#[test]
fn verify_of_a_directory_with_nothing_in_it_is_refused() {
    let dir = TempDir::new().unwrap();
    let error = refused(&["verify", text(dir.path())], dir.path());
    assert!(
        error.ends_with("holds no log, no memory store and no saved report"),
        "{error}"
    );
}

/// A first thread with so little stack crashed while it parsed the arguments.
#[test]
fn a_stack_of_64_kilobytes_is_enough() {
    let out = TempDir::new().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -s 64; exec \"$@\"", "sh"])
        .arg(assert_cmd::cargo::cargo_bin!("proofload"))
        .args(["run", "storage", "--quick", "--out", text(out.path())])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
