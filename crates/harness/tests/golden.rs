//! What a run leaves beside its data (`scenario.json`, the journal), as an earlier build wrote it.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Journal, NoProgress, Overrides, ScenarioFile, Suite, inspect, reread};
use tempfile::tempdir;

/// Runs a target for one user, and gives the directory that its data was kept in.
fn kept(target: &str, iterations: u32, out: &Path, journal: Journal) -> PathBuf {
    let text = format!(
        "name = \"golden\"\n[target]\nkind = \"{target}\"\n[model]\nusers = 1\niterations = {iterations}\n"
    );
    let file = ScenarioFile::parse("golden.toml", &text, &Overrides::default()).unwrap();
    let suite = Suite::new([file]).keep(true).journal(journal);
    let report = suite.run(out, &mut NoProgress).unwrap();
    report.scenarios[0].data_kept_in.as_ref().unwrap().into()
}

#[test]
fn golden_the_target_is_named_beside_the_data_as_stored() {
    for target in [
        "approval",
        "forensic",
        "integrated",
        "storage",
        "memory",
        "agents",
    ] {
        let out = tempdir().unwrap();
        let data = kept(target, 1, out.path(), Journal::none());
        let manifest = fs::read_to_string(data.join("scenario.json")).unwrap();
        golden::assert_file(
            &format!("scenario_2_{target}.json"),
            format!("{}\n", of_any_run(&manifest)).as_bytes(),
        );
    }
}

/// The lines without the number of the run, which no other has, and the checksum that depends on it.
fn of_any_run(text: &str) -> String {
    let without = |line: &str| {
        let mut line = line.to_owned();
        for (name, digits) in [("\"run\":\"", 16), ("\"crc\":\"", 8)] {
            let at = line.find(name).expect("each line has both") + name.len();
            line.replace_range(at..at + digits, &"0".repeat(digits));
        }
        line
    };
    text.lines().map(without).collect::<Vec<_>>().join("\n")
}

/// The seed decides what one user writes, so the journal is the same in every run.
#[test]
fn golden_a_journal_is_written_byte_for_byte() {
    let out = tempdir().unwrap();
    let path = out.path().join("journal.jsonl");
    let journal = Journal::append_to(&path).unwrap();
    let data = kept("storage", 20, out.path(), journal);
    let written = of_any_run(&fs::read_to_string(&path).unwrap());
    golden::assert_file("journal_2.jsonl", format!("{written}\n").as_bytes());
    if !golden::path("data").exists() {
        fs::remove_file(data.join("scenario.json")).unwrap();
        golden::assert_folder("data", &data);
    }
}

#[test]
fn golden_stored_data_are_read_again_and_compared_with_the_stored_journal() {
    let data = tempdir().unwrap();
    golden::copy_folder("data", data.path());
    let manifest = golden::read("scenario_storage.json");
    fs::write(data.path().join("scenario.json"), manifest.trim_ascii()).unwrap();
    let found = reread(data.path(), &golden::path("journal.jsonl")).unwrap();
    assert!(found.holds(), "{:?}", found.discrepancies);
    assert!(found.verification.verified > 0);
    assert!(inspect(data.path()).unwrap().holds());
}
