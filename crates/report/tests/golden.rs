//! Reports and the history of runs, as an earlier build wrote them.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use report::history::{self, History, HistoryEntry};
use report::{Conclusion, Report, load};
use tempfile::tempdir;

/// Ten reports of version 1. They are read for ever, and never made anew.
const REPORTS: [&str; 10] = [
    "pass",
    "fail",
    "vacuous",
    "lost_effects",
    "generator_limited",
    "interrupted",
    "empty",
    "one_operation",
    "ten_million_operations",
    "hostile_names",
];

fn path(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    fixtures.join(format!("{name}.json"))
}

fn report(name: &str) -> Report {
    load(&path(name)).unwrap()
}

/// What a report comes to: the conclusion, and the scenario and the step of each limit that was exceeded.
fn conclusion(report: &Report) -> String {
    let conclusion = match report.verdict.conclusion {
        Conclusion::Pass => "pass",
        Conclusion::Fail => "fail",
        Conclusion::Inconclusive => "inconclusive",
    };
    let exceeded = report.verdict.violations.iter().map(|found| {
        let scenario = found.scenario.as_deref().unwrap_or("-");
        format!(
            "; {scenario}, {}",
            found.judgement.step.as_deref().unwrap_or("-")
        )
    });
    format!("{conclusion}{}", exceeded.collect::<String>())
}

#[test]
fn golden_ten_reports_of_version_1_are_stored_and_come_to_what_they_came_to() {
    let mut text = String::new();
    for name in REPORTS {
        let bytes = fs::read(path(name)).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(header["version"], 1, "{name}");
        let report = report(name);
        let said = conclusion(&report);
        assert_eq!(conclusion(&report.judged_by(&[], &[])), said, "{name}");
        text += &format!("{name} {} {said}\n", blake3::hash(&bytes));
    }
    golden::assert_file("reports.txt", text.as_bytes());
}

#[test]
fn golden_a_history_is_written_byte_for_byte_and_reads_back() {
    let out = tempdir().unwrap();
    let entries = REPORTS.map(|name| HistoryEntry::of(&report(name)));
    for entry in &entries {
        history::append(entry, out.path()).unwrap();
    }
    let written = fs::read(out.path().join(history::HISTORY_FILE)).unwrap();
    golden::assert_file("history_3.jsonl", &written);

    let read = History::read(&golden::path("history_3.jsonl")).unwrap();
    assert_eq!(read.damaged, [0; 0]);
    assert_eq!(read.entries, entries);
    // The first ones have no checksums, or other figures.
    for stored in ["history.jsonl", "history_2.jsonl"] {
        let read = History::read(&golden::path(stored)).unwrap();
        assert_eq!((read.damaged.len(), read.entries.len()), (0, entries.len()));
    }
}

#[test]
fn golden_lines_of_the_first_version_are_read_and_left_out_of_trends() {
    let mut history = History::read(&golden::path("history.jsonl")).unwrap();
    assert_eq!((history.damaged.len(), history.entries.len()), (0, 10));
    let now = HistoryEntry::of(&report("pass"));
    let command = now.command.clone();
    assert!(!history.subjects(&command).is_empty());
    let same = |entry: &&HistoryEntry| entry.command == command;
    let first = history.entries.iter().filter(same).count();
    history.entries.push(now);
    assert!(first > 0);
    assert_eq!(history.left_out(&command), first);
}

/// A changed number was read, judged and drawn as if it had been measured.
#[test]
fn a_report_whose_numbers_were_changed_is_refused_with_file_scenario_and_sum() {
    let changed = |change: fn(&mut Report)| {
        let dir = tempdir().unwrap();
        let mut report = report("pass");
        change(&mut report);
        let file = dir.path().join("report.json");
        fs::write(&file, serde_json::to_vec(&report).unwrap()).unwrap();
        let told = report::load(&file).unwrap_err().to_string();
        told.strip_prefix(&format!("{}: scenario ", file.display()))
            .unwrap_or_else(|| panic!("{told}"))
            .to_owned()
    };
    let damaged = "the file is damaged or was changed, so no verdict on it holds";
    let told = changed(|report| {
        let run = &mut report.scenarios[0].run;
        // Of an earlier version, whose sums are others, it is 0.
        run.window_ns = run.wall_ns;
        run.steps[0].failed += 1;
    });
    assert!(
        told.contains("operations of `") && told.ends_with(damaged),
        "{told}"
    );
}
