//! Comparing runs, from the outside.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

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

/// One scenario that hardly takes time, with a wait in each iteration that is set.
fn scenario(dir: &Path, name: &str) -> String {
    let file = dir.join(format!("{name}.toml"));
    let text = format!(
        "name = \"{name}\"\nthresholds = [\"lost == 0\"]\n\
         [target]\nkind = \"storage\"\n[model]\nusers = 2\niterations = 5\n"
    );
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn rounds_are_run_in_turns_saved_and_can_be_compared_again() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (scenario(dir.path(), "one"), scenario(dir.path(), "two"));
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let output = proofload(&["ab", &a, &b, "--rounds", "2", "--out", out, "--json"]);
    // Two rounds can show nothing, and say so.
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    let comparison: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(comparison["rounds"], 2);
    let effects = comparison["effects"].as_array().unwrap();
    assert!(!effects.is_empty());
    assert!(
        effects
            .iter()
            .all(|effect| effect["change"] == "too_few_rounds")
    );
    assert_eq!(comparison["not_compared"], Value::Array(vec![]));

    let folder = fs::read_dir(out).unwrap().next().unwrap().unwrap().path();
    let side = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let again = proofload(&["compare", &side("a"), &side("a")]);
    assert_eq!(again.status.code(), Some(3));
    assert!(
        stdout(&again).starts_with("Too few rounds: "),
        "{}",
        stdout(&again)
    );
    assert!(folder.join("comparison.md").is_file());
}

#[test]
fn the_same_runs_twice_show_no_difference_and_others_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = scenario(dir.path(), "one");
    let out = dir.path().join("out");
    let ran = proofload(&["run", &file, "--out", out.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(0), "{}", stdout(&ran));
    let report = fs::read_to_string(out.join("latest/report.json")).unwrap();

    // Ten rounds of the same run, and ten in which each median is doubled.
    let mut doubled: Value = serde_json::from_str(&report).unwrap();
    for step in doubled["scenarios"][0]["run"]["steps"]
        .as_array_mut()
        .unwrap()
    {
        let median = &mut step["service_time"]["p50_ns"];
        *median = Value::from(2 * median.as_u64().unwrap());
    }
    for round in 0..10 {
        for (side, text) in [("same", report.clone()), ("slow", doubled.to_string())] {
            let folder = dir.path().join(side).join(format!("run-{round:02}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("report.json"), text).unwrap();
        }
    }
    let side = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let same = proofload(&["compare", &side("same"), &side("same")]);
    assert_eq!(same.status.code(), Some(0));
    assert!(
        stdout(&same).starts_with("No difference shown: B is at most 0 % worse."),
        "{}",
        stdout(&same)
    );

    let slow = proofload(&["compare", &side("same"), &side("slow")]);
    assert_eq!(slow.status.code(), Some(1), "{}", stdout(&slow));
    assert!(
        stdout(&slow).contains("is 2.0 times A's"),
        "{}",
        stdout(&slow)
    );
}

/// Nobody knows how much two runs differ, but by a history how much eight did.
#[test]
fn two_runs_beside_a_history_of_eight_show_how_far_apart_those_were() {
    let dir = tempfile::tempdir().unwrap();
    let file = scenario(dir.path(), "one");
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let latest = dir.path().join("out/latest");
    let latest = latest.to_str().unwrap();
    let compared = || stdout(&proofload(&["compare", latest, latest]));
    for number in 1..=8 {
        let ran = proofload(&["run", &file, "--out", out]);
        assert_eq!(ran.status.code(), Some(0), "{}", stdout(&ran));
        assert_eq!(
            compared().contains("| 90 % of runs like A |"),
            number == 8,
            "{}",
            compared()
        );
    }
    let text = compared();
    assert!(text.starts_with("How much two runs of one program differ is not known"));
    let p50 = text.lines().find(|line| line.contains("p50")).unwrap();
    assert!(p50.contains(" to "), "{p50}");
}

#[test]
fn what_is_no_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let output = proofload(&["compare", path, path]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("is no run and holds none"), "{message}");
}

#[test]
fn each_run_leaves_a_line_in_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let file = scenario(dir.path(), "one");
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    for _ in 0..2 {
        assert_eq!(
            proofload(&["run", &file, "--out", out]).status.code(),
            Some(0)
        );
    }
    let trend = proofload(&["trend", "--out", out, "--metric", "p50"]);
    assert_eq!(trend.status.code(), Some(0));
    let text = stdout(&trend);
    assert!(
        text.contains("2 runs, last") && text.contains("No change shown."),
        "{text}"
    );
    let none = proofload(&["trend", "--out", out, "--step", "nothing"]);
    assert_eq!(none.status.code(), Some(2));
}
