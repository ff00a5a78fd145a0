//! `proofload report` in the files of other programs, and on the page of a workflow.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// A stored run of two scenarios.
fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../report/tests/fixtures/pass.json")
}

fn proofload() -> Command {
    let mut command = Command::cargo_bin("proofload").unwrap();
    command.env_remove("GITHUB_STEP_SUMMARY");
    command
}

#[test]
fn a_saved_report_is_written_in_every_form_that_is_asked_for() {
    let out = TempDir::new().unwrap();
    let at = |name: &str| out.path().join(name);
    let output = proofload()
        .arg("report")
        .arg(stored())
        .args(["--html".into(), at("r.html")])
        .args(["--junit".into(), at("r.xml")])
        .args(["--csv".into(), at("tables")])
        .args(["--hlog".into(), at("r.hlog")])
        .args(["--prometheus".into(), at("r.prom")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stderr).unwrap();
    let content = |name: &str| {
        let path = at(name);
        assert!(
            told.contains(&format!("wrote {}\n", path.display())),
            "{told}"
        );
        fs::read_to_string(path).unwrap()
    };
    assert!(content("r.html").starts_with("<!doctype html>"));
    assert!(content("r.xml").contains("<testsuite name=\"approval\""));
    assert!(content("r.prom").contains("\nproofload_pass 1\n"));
    assert!(content("tables/steps.csv").contains("\nstorage,append,900,"));
    assert!(content("tables/intervals.csv").contains("approval,create,0,120,0,"));
    assert!(content("tables/monitor.csv").starts_with("scenario,at_s,resident_bytes,"));
    assert!(
        content("tables/checks.csv").contains("approval,lost == 0,effects,,0,0,count,held,true\n")
    );
    for (log, tag) in [("r-1.hlog", "Tag=create,"), ("r-2.hlog", "Tag=append,")] {
        let log = content(log);
        assert!(log.contains("#[StartTime: ") && log.contains(tag), "{log}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let output = proofload()
        .arg("report")
        .arg(stored())
        .args(["--html", "no/such/folder/r.html"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("cannot write no/such/folder/r.html"),
        "{told}"
    );
}

#[test]
fn on_a_workflow_the_report_is_appended_to_its_page() {
    let out = TempDir::new().unwrap();
    let summary = out.path().join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let status = proofload()
        .arg("report")
        .arg(stored())
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap()
        .status;
    assert_eq!(status.code(), Some(0));
    let text = fs::read_to_string(summary).unwrap();
    assert!(text.starts_with("before\n# Load test: ✅ pass\n"), "{text}");
}

#[test]
fn a_run_leaves_its_page_and_says_where() {
    let out = TempDir::new().unwrap();
    let output = proofload()
        // However slow the disk is: this is not about its verdict.
        .args([
            "run",
            "storage",
            "--quick",
            "--max-mean-latency",
            "100s",
            "--out",
        ])
        .arg(out.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let page = printed
        .lines()
        .find_map(|line| line.strip_prefix("page: "))
        .unwrap();
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("Pass</h1>") && page.contains("id=\"scenario-1-throughput\""));
}
