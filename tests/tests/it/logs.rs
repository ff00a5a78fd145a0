//! What a run leaves behind is for other tools too.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use jsonl_storage::Record;
use serde_json::Value;

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_log_of_a_run_is_read_by_serde_jsonlines() {
    let out = tempfile::tempdir().unwrap();
    let quick = Overrides {
        quick: true,
        ..Overrides::default()
    };
    let scenarios = ["approval", "forensic", "integrated", "storage"]
        .map(|name| ScenarioFile::embedded(name, &quick).unwrap());
    let suite = Suite::new(scenarios).keep(true);
    let report = suite.run(out.path(), &mut NoProgress).unwrap();
    assert!(
        report.verdict.conclusion.is_pass(),
        "{}",
        report::render::markdown(&report)
    );

    let mut logs = 0;
    for result in &report.scenarios {
        let data = result.data_kept_in.as_ref().unwrap();
        for segment in segments(Path::new(data)) {
            // What a log states about itself has `log` in the place of `data`.
            let lines = serde_jsonlines::json_lines::<Value, _>(&segment).unwrap();
            let records: Vec<Record<Value>> = lines
                .map(Result::unwrap)
                .filter(|line| line.get("log").is_none())
                .map(|line| serde_json::from_value(line).unwrap())
                .collect();
            assert!(!records.is_empty(), "{}", segment.display());
            assert!(
                records
                    .windows(2)
                    .all(|pair| pair[0].seq.next() == pair[1].seq)
            );
            logs += 1;
        }
    }
    assert_eq!(logs, 6, "the integrated scenario has three");
}
